"""The back end: what becomes of an output after the graph, before anybody sees it.

A manifest's graph then has `back_end`: for each such output, by its name, one step and its
settings, `{"prediction": {"step": "items", …}}`. A step is a plain function that is made from its
settings and takes the output's array, rows first, and the rows that it answers.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache, partial
from itertools import takewhile
from typing import Any, Protocol

from onnxlet.function import json_text
from onnxlet.function.arrays import LARGEST_INTEGER, Array, Cells
from onnxlet.function.errors import MalformedRequest, ModelError
from onnxlet.function.inputs.nested import packed
from onnxlet.function.inputs.signature import Signature
from onnxlet.function.inputs.validation import CheckedBatch
from onnxlet.function.model_files import AGAIN
from onnxlet.function.numpy_later import np

# Takes the graph's array and the checked rows; returns an array with one entry for each row.
Step = Callable[[Array, "CheckedBatch"], Array]
CellStep = Callable[[Cells, int], Cells]  # the same of few rows, and how many these are

ITEMS = "items.json"  # labels of items lie beside the graph: there may be many


class ModelFacts(Protocol):
    """What a step is made from, of the model that has it."""

    name: str
    version: int
    manifest: Mapping[str, Any]
    signature: Signature

    def content(self, file: str) -> bytes:
        """A file that lies beside the graph."""


def steps_of(model: ModelFacts) -> dict[str, Step]:
    """The steps of a model, by output name: each made from the model and the settings."""
    entries: Mapping[str, Mapping[str, Any]] = model.manifest["graph"].get("back_end", {})
    return {name: _made(model, **entry) for name, entry in entries.items()}


def cell_steps_of(model: ModelFacts) -> dict[str, CellStep] | None:
    """The same of few rows; None where one of them takes arrays only."""
    entries: Mapping[str, Mapping[str, Any]] = model.manifest["graph"].get("back_end", {})
    if any(entry != {"step": "items"} for entry in entries.values()):
        return None
    return {name: item_cells(model) for name in entries}


def _made(model: ModelFacts, step: str, **settings: Any) -> Step:
    if step == "boxes":
        from onnxlet.function.outputs.boxes import boxes  # which reads images

        return boxes(model.signature, **settings)
    return STEPS[step](model, **settings)


def items(model: ModelFacts) -> Step:
    """From positions of neighbours or recommendations to labels, read when they are first needed.

    Positions are int64 of any shape; -1, which stands for no item, becomes None. The step raises
    ModelError where the file is not of this graph.
    """
    # Keeps the labels; two threads may read them twice, and find the same.
    known = cache(partial(_labels, model))

    def named(positions: Array, table: CheckedBatch) -> Array:
        labels = known()
        if positions.size:
            _check(model, labels, positions.max())
        found: Array = labels[positions]
        if (nothing := positions < 0).any():
            found = found.astype(object)
            found[nothing] = None
        return found

    return named


def item_cells(model: ModelFacts) -> CellStep:
    """The same of few rows."""
    known = cache(partial(_listed, model))

    def named(positions: Cells, rows: int) -> Cells:
        labels = known()
        _check(model, labels, max(positions.values, default=-1))
        found = [labels[at] if at >= 0 else None for at in positions.values]
        dtype = "int64" if set(map(type, found)) == {int} else "string"
        return Cells(found, positions.shape, dtype)

    return named


def _check(model: ModelFacts, labels: Sequence[Any] | Array, last: int) -> None:
    if last >= len(labels):
        there = f"{len(labels)} items, and the graph answers position {last}"
        raise ModelError(f"model {model.name}/{model.version}: {ITEMS} has {there}", AGAIN)


def _labels(model: ModelFacts) -> Array:
    """The labels by position: int64, or text in an object array."""
    labels = _listed(model)
    return np.array(labels, np.int64 if type(labels[0]) is int else object)


def _listed(model: ModelFacts) -> list[Any]:
    """The labels by position, all of them whole numbers or all of them text."""
    try:
        labels = json_text.loads(model.content(ITEMS))["items"]
        if not isinstance(labels, list) or not labels:
            raise TypeError("expected a list of labels")
        if {*map(type, labels)} not in ({int}, {str}):
            raise TypeError("labels of several types")
        if type(labels[0]) is int and max(map(abs, labels)) > LARGEST_INTEGER:
            raise TypeError("a number that does not fit 64 bits")
    except (MalformedRequest, KeyError, TypeError) as error:
        raise ModelError(
            f"model {model.name}/{model.version}: {ITEMS} has no items in it: {error}", AGAIN
        ) from error
    return labels


def text(
    model: ModelFacts,
    *,
    end: int,
    silent: Collection[int],
    joined: str,
    units: Sequence[str] | None = None,
) -> Step:
    """From ids that a graph wrote to text, as an object array of shape (rows,).

    Nothing counts behind the id `end`; `silent` ids stand for no text, such as that of the start;
    `joined` stands between two units. The units by id are those of the graph's input, if any.
    """
    known = units or model.manifest["graph"]["inputs"][0]["ids"]["units"]
    shown = {number: unit for number, unit in enumerate(known) if number not in frozenset(silent)}

    def written(ids: Sequence[int]) -> str:
        own = takewhile(lambda number: number != end, ids)
        return joined.join(shown[number] for number in own if number in shown)

    return lambda rows, table: packed([written(row.tolist()) for row in rows])


def sentences(model: ModelFacts, column: str) -> Step:
    """From positions to the sentences of the document in a column: a summary, in its order.

    The graph answers as many positions for each document; -1 where it has fewer.
    """
    from onnxlet.function.inputs.sentences import split_sentences

    block, index = model.signature.positions[column]

    def read(positions: Array, table: CheckedBatch) -> Array:
        documents = table.arrays[block][:, index].tolist()
        rows = []
        for document, row in zip(documents, positions.tolist(), strict=True):
            known = split_sentences(document) if row and row[0] >= 0 else []
            rows.append(np.array([known[at] for at in row if at >= 0], dtype=object))
        return _rows(rows)

    return read


def without_gaps(model: ModelFacts) -> Step:
    """A step that leaves out what stands for no sentence: -1 among positions, NaN of scores."""

    def read(array: Array, table: CheckedBatch) -> Array:
        there = array == array if array.dtype.kind == "f" else array >= 0
        return _rows([row[own] for row, own in zip(array, there, strict=True)])

    return read


def _rows(rows: Sequence[Array]) -> Array:
    """One array where all rows have as many entries, else an array of arrays."""
    if len({len(row) for row in rows}) == 1:
        return np.stack(list(rows))
    return packed(rows)


STEPS: Mapping[str, Callable[..., Step]] = {
    "items": items,
    "sentences": sentences,
    "text": text,
    "without_gaps": without_gaps,
}
