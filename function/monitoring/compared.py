"""What is counted of rows that were compared with training rows: every start imports this."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from onnxlet.function.arrays import Array
from onnxlet.function.numpy_later import np

Found = dict[str, Any]  # an unusual row, as answers have it
WHOLE, COLUMNS = "row", 200  # what is counted of a row as a whole; columns that are counted
RARE = 0.005  # of the training rows, that have a higher score than a row that is unusual by it


def columns_of(manifest: Mapping[str, Any]) -> list[str]:
    """The columns by which unusual rows are counted; none where rows are not compared."""
    known = list(manifest["statistics"]["columns"])[:COLUMNS] if manifest.get("unusual") else []
    return [WHOLE, *known] if known else []


def counts(found: Iterable[Mapping[str, Any] | None], names: Sequence[str]) -> Array:
    """How many rows, unusual ones, and those by each name of `columns_of`; int64."""
    at = {name: number for number, name in enumerate(names[1:], 3)}
    numbers = np.zeros(2 + len(names), np.int64)
    for row in found:
        numbers[0] += 1
        if row is not None:
            numbers[1] += 1
            numbers[2] += row.get("share", 1.0) <= RARE
            numbers[[at[name] for name in row["columns"] if name in at]] += 1
    return numbers
