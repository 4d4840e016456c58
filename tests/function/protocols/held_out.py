"""Held-out rows of the tests' models, as JSON has them."""

from __future__ import annotations

from typing import Any

import pandas as pd

from onnxlet.convert.sources.source import Source

Row = dict[str, Any]


def rows_of(source: Source, count: int = 9) -> list[Row]:
    """Rows by column name, as Python's own values; None where one is missing."""
    X = source.X_test
    if not isinstance(X, pd.DataFrame):
        X = pd.DataFrame(X, columns=[f"x{place}" for place in range(X.shape[1])])
    X = X.head(count)
    rows = X.astype(object).where(X.notna(), None).to_dict("records")
    return [{str(name): cell for name, cell in row.items()} for row in rows]


def columns_of(rows: list[Row]) -> dict[str, list[Any]]:
    """The same by column."""
    return {name: [row[name] for row in rows] for name in rows[0]}
