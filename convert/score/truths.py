"""How good answers are, where a table has what is right: sums, of which parts are added up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from pyarrow import types

from onnxlet.function.csv.text import READ
from onnxlet.function.monitoring.performance import kind_of


def truths_of(manifest: Mapping[str, Any], names: Sequence[str]) -> Truths | None:
    """What compares a table's own answers, by the model's manifest; None where it has none."""
    target, kind = manifest.get("target", ""), kind_of(manifest)
    return Truths(kind, target) if kind and list(names).count(target) == 1 else None


class Truths:
    """Sums over rows, as plain numbers, of the column that says what is right.

    Of labels, rows and right ones; of numbers, rows, absolute and squared errors, and the mean of
    what is right with its squared distances from that.
    """

    def __init__(self, kind: str, column: str) -> None:
        self.kind, self.column = kind, column
        self.sums = [0.0] * (2 if kind == "labels" else 5)

    def add(self, answers: Any, truths: Any) -> None:
        """Add rows: what is predicted, null where nothing is, and what is right.

        That is null or an empty text where it is not known; text in CSV.
        """
        if types.is_nested(answers.type):
            return
        more = (_of_labels if self.kind == "labels" else _of_numbers)(answers, truths)
        self.sums = combined([self.sums, list(map(float, more))])


def combined(parts: Sequence[Sequence[float]]) -> list[float]:
    """The sums of all parts; means as Chan, Golub and LeVeque (1979) update them."""
    found = np.sum([part[:3] for part in parts], axis=0).tolist()
    if len(parts[0]) == 2 or not found[0]:
        return [*found, *parts[0][3:]]
    mean = sum(part[0] * part[3] for part in parts) / found[0]
    spread = sum(part[4] + part[0] * (part[3] - mean) ** 2 for part in parts)
    return [*found, mean, spread]


def scores(kind: str, sums: Sequence[float]) -> dict[str, float]:
    """By the names that a manifest's metrics have; empty where no row has a truth."""
    rows = sums[0]
    if not rows:
        return {}
    if kind == "labels":
        return {"accuracy": sums[1] / rows}
    found = {"mean_absolute_error": sums[1] / rows}
    return found | ({"r2": 1 - sums[2] / sums[4]} if sums[4] else {})


def _of_numbers(answers: Any, truths: Any) -> Sequence[float]:
    got, right = (_numbers(column) for column in (answers, truths))
    known = np.isfinite(got) & np.isfinite(right)
    error, right = (got - right)[known], right[known]
    mean = float(right.mean()) if len(right) else 0.0
    return [
        len(right), np.abs(error).sum(), np.square(error).sum(), mean, np.square(right - mean).sum()
    ]  # fmt: skip


def _numbers(column: Any) -> Any:
    values = pd.Series(column.to_pylist(), dtype=object)
    return pd.to_numeric(values, errors="coerce").to_numpy(np.float64, na_value=np.nan)


def _of_labels(answers: Any, truths: Any) -> Sequence[float]:
    """A text is read as the answers' type, as in a request of CSV."""
    textual = types.is_string(truths.type) or types.is_large_string(truths.type)
    kind = "bool" if types.is_boolean(answers.type) else "float64"
    read = READ[kind] if textual and not types.is_string(answers.type) else lambda value: value
    pairs = zip(answers.to_pylist(), truths.to_pylist(), strict=True)
    right = [a == read(b) for a, b in pairs if a is not None and b is not None and b != ""]
    return [len(right), sum(right)]
