"""The front end for columns: what ONNX can't do exactly is done to each cell before the graph.

A manifest's graph input then has `steps`, in their order: `{"step": "slice_text", "start": 0, …}`.
Each is a plain function that is made from its settings and takes one cell.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from importlib import import_module
from itertools import chain
from typing import Any

from onnxlet.function import deadline
from onnxlet.function.arrays import Array, Cells
from onnxlet.function.numpy_later import np

BETWEEN_CHECKS = 16  # cells, of which a build lets none hold the interpreter for 0.1 s
Step = Callable[[Any], Any]

# The steps of each module of this folder: only models that have one import its module.
STEPS = {
    "category_steps": (
        "digest_remainder", "hash_minima", "letter_similarity", "multi_hot", "murmur_minima",
        "ngram_similarity", "parse_number", "whole_number_text", "without_null_texts",
    ),
    "city_hash": ("city_hash",),
    "dates": (
        "date_in_zone", "date_parts", "floor_date", "format_date", "parse_date",
        "parse_date_or_missing",
    ),
    "restricted_python": ("followed_numbers", "followed_text"),
    "murmur": ("murmur_bucket",),
    "text_steps": (
        "character_at", "distinct_words", "find_text", "length", "parse_float", "parse_int",
        "pattern_count", "pattern_group", "pattern_matches", "replace_literal", "replace_pattern",
        "replace_texts", "simple_case", "slice_text", "split_part", "str_method", "str_predicate",
    ),
}  # fmt: skip
MODULES = {step: f"onnxlet.function.inputs.{module}" for module in STEPS for step in STEPS[module]}


class StepFeed:
    """Cells of columns, each taken through the steps: one input tensor of the graph.

    It has the shape (rows, columns * width).
    """

    def __init__(self, entry: Mapping[str, Any], *at: tuple[int, int]) -> None:
        """Read a manifest's graph input.

        It has `name`, `dtype`, `steps`, and `width` where a cell becomes several numbers. `at` has
        for each column the block that has it, and the column there.
        """
        self.name = str(entry["name"])
        self._dtype = str(entry["dtype"])
        self._width = int(entry.get("width", 1))
        self._at = at
        self._change = composed(entry["steps"])

    def gather(self, blocks: Sequence[Array]) -> Array:
        """The tensor."""
        dtype, parts = object if self._dtype == "string" else self._dtype, list[Array]()
        for block, position in self._at:
            column = deadline.checked(blocks[block][:, position].tolist(), BETWEEN_CHECKS)
            changed = [self._change(cell) for cell in column]
            parts.append(np.array(changed, dtype).reshape(len(changed), self._width))
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)

    def cells(self, blocks: Sequence[Cells], rows: int) -> Cells:
        """The same of few rows."""
        parts = []
        for block, position in self._at:
            column = blocks[block].values[position :: blocks[block].shape[1]]
            changed = [self._change(cell) for cell in deadline.checked(column, BETWEEN_CHECKS)]
            # A cell becomes several numbers, or one: by itself, or as the only part of a date.
            several = self._width > 1 or isinstance(changed[0], list)
            parts.append(changed if several else [(each,) for each in changed])
        found = list(chain.from_iterable(chain.from_iterable(zip(*parts, strict=True))))
        if self._dtype == "int64":
            found = list(map(int, found))
        return Cells(found, (rows, len(parts) * self._width), self._dtype)


def composed(steps: Sequence[Mapping[str, Any]]) -> Step:
    """One function of a cell that takes all steps."""
    functions = [_made(step) for step in steps]
    if len(functions) == 1:
        return functions[0]
    return lambda cell: reduce(lambda value, function: function(value), functions, cell)


def _made(step: Mapping[str, Any]) -> Step:
    settings = dict(step)
    name = settings.pop("step")
    made: Step = getattr(import_module(MODULES[name]), name)(**settings)
    return made
