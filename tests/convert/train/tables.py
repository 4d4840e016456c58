"""A table of every kind of column, with gaps, and rows that training never saw."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from onnxlet.convert.train.kinds.profile import TableColumn
from tests.convert.helpers import objects

FORM = "%d/%m/%Y %H:%M"
WORDS = [
    "red", "green", "blue", "large", "small", "house", "garden", "river", "old", "new", "bright",
    "dark", "quiet",
]  # fmt: skip
KINDS = {
    "size": "number", "count": "number", "price": "number", "city": "category",
    "model": "category", "code": "category", "flag": "boolean", "maybe": "boolean",
    "note": "text", "when": "date",
}  # fmt: skip


def column(name: str, kind: str, distinct: int, form: str | None = None) -> TableColumn:
    """A used column, as far as candidates need to know it."""
    return TableColumn(name, kind, "", True, 0, distinct, form)


class Made(NamedTuple):
    """A table: its columns, their description, and a target of each task."""

    X: pd.DataFrame
    columns: list[TableColumn]
    targets: dict[str, Any]


def made(rows: int = 240, seed: int = 0, text: bool = True) -> Made:
    """A table of every kind, or of every kind but text."""
    random = np.random.default_rng(seed)

    def gaps(values: Any) -> pd.Series[Any]:
        return objects([None if gap else v for v, gap in zip(values, random.random(rows) < 0.1,
                                                             strict=True)])  # fmt: skip

    when = pd.Timestamp("2024-01-01") + pd.to_timedelta(random.integers(0, 9000, rows), "h")
    note = [" ".join(random.choice(WORDS, 5)) for _ in range(rows)]
    X = pd.DataFrame(
        {
            "size": gaps(random.normal(size=rows) * 10).astype(float),
            "count": random.integers(0, 50, rows),
            "price": np.exp(random.normal(size=rows)),
            "city": gaps(random.choice(["London", "Paris", "Rome", "Oslo"], rows).tolist()),
            "model": objects([f"m{n}" for n in random.zipf(1.5, rows) % 40]),
            "code": random.choice([1, 2, 5], rows),
            "flag": random.random(rows) < 0.4,
            "maybe": gaps((random.random(rows) < 0.5).tolist()),
            "note": gaps(note),
            "when": gaps(when.strftime(FORM).tolist()),
        }
    )
    score = X["size"].fillna(0) / 10 + (X["city"] == "Paris") + X["flag"] + np.log(X["price"])
    score = (score + (when.hour > 12) + random.normal(size=rows) / 3).to_numpy(dtype=np.float64)
    targets = {
        "binary": np.where(score > np.median(score), "yes", "no").astype(object),
        "multiclass": np.digitize(score, np.quantile(score, [0.4, 0.7])),
        "regression": np.exp(score / 3),
    }
    X = X if text else X.drop(columns="note")
    columns = [
        column(str(name), KINDS[str(name)], X[name].nunique(), FORM if name == "when" else None)
        for name in X
    ]
    return Made(X, columns, targets)


def never_seen(X: pd.DataFrame) -> pd.DataFrame:
    """Rows of gaps in one column each, then of values that training never saw, then all missing."""
    unseen = {
        "size": -1e9, "count": 10**9, "price": 1e-30, "city": "Atlantis", "model": "m999",
        "code": 77, "flag": True, "maybe": True, "note": "nothing of it is known",
        "when": "31/12/2089 23:59",
    }  # fmt: skip
    row = {str(name): X[name].iloc[0] for name in X}
    changed = [{**row, name: None} for name in row] + [{**row, name: unseen[name]} for name in row]
    changed += [dict.fromkeys(row), {name: unseen[name] for name in row}]
    numbers = [name for name in X if X[name].dtype.kind in "if"]
    columns = {name: objects([one[name] for one in changed]) for name in row}
    return pd.DataFrame(columns).astype(dict.fromkeys(numbers, float))
