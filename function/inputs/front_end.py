"""The front end for columns: what ONNX can't do exactly is done to each cell before the graph.

A manifest's graph input then has `steps`, in their order: `{"step": "slice", "start": 0, …}`. Each
is a plain function that is made from its settings and takes one cell.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from importlib import import_module
from typing import Any

import numpy as np

from onnxlet.function.arrays import Array

Step = Callable[[Any], Any]

# Where a step is made: only models that have it import its module.
DATES = "onnxlet.function.inputs.dates"
MODULES = {
    **dict.fromkeys(("date", "floored", "formatted", "in_zone", "parts"), DATES),
    "city_hash": "onnxlet.function.inputs.city_hash",
}
TEXT_STEPS = "onnxlet.function.inputs.text_steps"  # all others


class StepFeed:
    """Cells of one column, each taken through the steps: one input tensor of the graph.

    Attributes:
        name: of the tensor, which has the shape (rows, width).
    """

    def __init__(self, entry: Mapping[str, Any], at: tuple[int, int]) -> None:
        """Read a manifest's graph input.

        Args:
            entry: `name`, `dtype`, `steps`, and `width` where a cell becomes several numbers.
            at: the block that has the column, and the column there.
        """
        self.name = str(entry["name"])
        self._dtype = str(entry["dtype"])
        self._width = int(entry.get("width", 1))
        self._block, self._position = at
        self._change = composed(entry["steps"])

    def gather(self, blocks: Sequence[Array]) -> Array:
        """The tensor."""
        cells = blocks[self._block][:, self._position].tolist()
        changed = [self._change(cell) for cell in cells]
        if self._dtype == "string":
            return np.array(changed, dtype=object).reshape(len(cells), 1)
        return np.array(changed, self._dtype).reshape(len(cells), self._width)


def composed(steps: Sequence[Mapping[str, Any]]) -> Step:
    """One function of a cell that takes all steps."""
    functions = [_made(step) for step in steps]
    if len(functions) == 1:
        return functions[0]
    return lambda cell: reduce(_applied, functions, cell)


def _applied(cell: Any, step: Step) -> Any:
    return step(cell)


def _made(step: Mapping[str, Any]) -> Step:
    settings = dict(step)
    name = settings.pop("step")
    made: Step = getattr(import_module(MODULES.get(name, TEXT_STEPS)), name)(**settings)
    return made
