"""What a manifest says of the data: column statistics."""

from __future__ import annotations

import statistics as stdlib
from collections import Counter
from collections.abc import Iterable, Sequence
from math import isfinite
from typing import Any

from onnxlet.convert.reference.inputs import Cells, InputColumn

FREQUENT = 20  # categories listed for a text column
FREQUENT_AT_LEAST = 5  # rows that must hold a text before the manifest repeats it
LONGEST_CATEGORY = 80  # characters
SHARES = (0.05, 0.25, 0.5, 0.75, 0.95)  # of the rows that lie below each quantile


def frequent(cells: Iterable[Any]) -> list[tuple[Any, int]]:
    """Values that several rows share, and none of them long; the most frequent first."""
    ranked = sorted(Counter(cells).items(), key=lambda pair: (-pair[1], str(pair[0])))
    return [
        (value, count)
        for value, count in ranked
        if count >= FREQUENT_AT_LEAST and len(str(value)) <= LONGEST_CATEGORY
    ]


def column_statistics(
    columns: Sequence[InputColumn], rows: Sequence[Cells], source: str
) -> dict[str, Any]:
    """Counts, and for numbers their range and middle, for text its frequent values.

    The source says whether they are of X_train or X_test.
    """
    described = {
        column.name: _describe(column, [row[position] for row in rows])
        for position, column in enumerate(columns)
    }
    return {"source": source, "rows": len(rows), "columns": described}


def _describe(column: InputColumn, cells: Sequence[Any]) -> dict[str, Any]:
    present = [cell for cell in cells if cell is not None]
    about: dict[str, Any] = {"missing": len(cells) - len(present)}
    if column.image:  # no image stands in a manifest, however often it comes
        return about | {"distinct": len(set(present))}
    if column.type in ("string", "bool"):
        about["distinct"] = len(set(present))
        about["frequent"] = [list(pair) for pair in frequent(present)[:FREQUENT]]
        return about
    finite = [cell for cell in present if isfinite(cell)]
    about["infinite"] = len(present) - len(finite)
    if finite:
        about |= {"minimum": min(finite), "maximum": max(finite), "mean": stdlib.fmean(finite)}
        about["median"] = stdlib.median_low(finite)
        if len(finite) * min(SHARES) >= FREQUENT_AT_LEAST:  # so many lie beyond the outer ones
            ordered = sorted(finite)
            about["quantiles"] = [ordered[int(share * (len(ordered) - 1))] for share in SHARES]
    return about
