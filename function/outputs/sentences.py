"""A summary as clients see it: sentences of the document that was sent, in its order.

The graph answers as many positions for each document; -1, and NaN as a score, where it has fewer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from onnxlet.function.arrays import Array
from onnxlet.function.inputs.nested import packed
from onnxlet.function.inputs.sentences import split_sentences

if TYPE_CHECKING:
    from onnxlet.function.inputs.validation import Table
    from onnxlet.function.models.model import Model


def sentences(model: Model, column: str) -> Callable[[Array, Table], Array]:
    """A function from positions to the text of the sentences.

    Args:
        model: the graph's.
        column: of the documents.
    """
    block, index = model.signature.positions[column]

    def read(positions: Array, table: Table) -> Array:
        documents = table.arrays[block][:, index].tolist()
        rows = []
        for document, row in zip(documents, positions.tolist(), strict=True):
            known = split_sentences(document) if row and row[0] >= 0 else []
            rows.append(np.array([known[at] for at in row if at >= 0], dtype=object))
        return _rows(rows)

    return read


def without_gaps(model: Model) -> Callable[[Array, Table], Array]:
    """A function that leaves out what stands for no sentence: -1 among positions, NaN of scores."""

    def read(array: Array, table: Table) -> Array:
        there = array == array if array.dtype.kind == "f" else array >= 0
        return _rows([row[own] for row, own in zip(array, there, strict=True)])

    return read


def _rows(rows: Sequence[Array]) -> Array:
    """One array where all rows have as many entries, else an array of arrays."""
    if len({len(row) for row in rows}) == 1:
        return np.stack(list(rows))
    return packed(rows)


def described(column: str) -> dict[str, Any]:
    """The back end of a manifest of a summary: its steps by output."""
    return {
        "prediction": {"step": "sentences", "column": column},
        "positions": {"step": "without_gaps"},
        "score": {"step": "without_gaps"},
    }
