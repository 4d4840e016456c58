"""How answers move with a column: partial dependence on the most important ones.

J. H. Friedman, "Greedy function approximation", Annals of Statistics 29 (2001), section 8.2.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

from onnxlet.convert.directory.summaries import FREQUENT_AT_LEAST, LONGEST_CATEGORY
from onnxlet.convert.report.evaluation.bins import rounded
from onnxlet.convert.report.evaluation.cost import microseconds
from onnxlet.convert.report.evaluation.evaluation import Subject
from onnxlet.convert.report.evaluation.importance import part_of, replaced
from onnxlet.convert.report.evaluation.intervals import FEW, OUTER
from onnxlet.convert.report.evaluation.measures import Answered
from onnxlet.function.arrays import MISSING_TEXT, Array
from onnxlet.function.inputs.columns import Column
from onnxlet.function.inputs.validation import Table

MOST_COLUMNS = 6
MOST_ROWS, FEWEST_ROWS = 1_000, 100
SECONDS = 2.0  # that the answers may take, by their cost
MOST_NUMBERS, MOST_CATEGORIES = 15, 10
DRAWS = 200


def dependence(subject: Subject, important: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The mean answer as all rows are given one value of a column, after another."""
    if subject.outputs > 1:
        return []
    runs = MOST_COLUMNS * MOST_NUMBERS
    fitting = int(SECONDS * 1e6 / (runs * microseconds(subject.model)))
    rows = subject.sample(int(np.clip(fitting, FEWEST_ROWS, MOST_ROWS)), "dependence")
    where = {
        column.name: (block, position)
        for block, own in enumerate(subject.model.signature.blocks)
        for position, column in enumerate(own.columns)
    }
    table = part_of(subject.table, rows)
    found: list[dict[str, Any]] = []
    for each in important:
        if each["column"] in where and each["value"] > 0 and len(found) < MOST_COLUMNS:
            one = _column(subject, table, rows, *where[each["column"]])
            found += [] if one is None else [one]
    return found


def _column(
    subject: Subject, table: Table, rows: Array, block: int, position: int
) -> dict[str, Any] | None:
    """One column's curve; None where no value of it is held by several rows."""
    column = subject.model.signature.blocks[block].columns[position]
    values = subject.table.arrays[block][:, position]
    kind, points = _points(column, values)
    if len(points) < 2:
        return None
    curves, goods = [], []
    for at, _ in points:
        cells = at if values.dtype == object else np.asarray(at).astype(values.dtype)
        answered, good = subject.ask(replaced(table, block, position, cells))
        curves.append(_curve(subject, answered))
        goods.append(good)
    every = np.stack(curves)  # (points, rows, curves)
    good = np.all(goods, axis=0)
    if not good.any():
        return None
    answer, curve = _one(subject, every[:, good])
    ends = _ends(subject, curve, rows[good])
    return {
        "column": column.name,
        "kind": kind,
        "answer": answer,
        "rows": int(good.sum()),
        "points": [
            {"at": _plain(at), "value": value, "low": low, "high": high, "rows": count}
            for (at, count), value, low, high in zip(points, curve.mean(axis=1), *ends, strict=True)
        ],
    }


def _points(column: Column, values: Array) -> tuple[str, list[tuple[Any, int]]]:
    """Values to try, and how many of the rows have them, or are nearest to them."""
    if column.cell or column.date or column.image:
        return "category", []
    if column.type in ("string", "bool"):
        return "category", list(_frequent(values))
    finite = values[np.isfinite(values.astype(np.float64))].astype(np.float64)
    if len(np.unique(finite)) <= MOST_NUMBERS or column.categories is not None:
        counts = [(at, n) for at, n in Counter(finite.tolist()).items() if n >= FREQUENT_AT_LEAST]
        return "number", sorted(sorted(counts, key=lambda pair: -pair[1])[:MOST_NUMBERS])
    return "number", _quantiles(column, finite)


def _frequent(values: Array) -> Iterator[tuple[Any, int]]:
    """The most frequent values that several rows have, the most frequent first."""
    counts = Counter(values.tolist())
    for at, count in sorted(counts.items(), key=lambda pair: (-pair[1], str(pair[0])))[
        :MOST_CATEGORIES
    ]:
        is_gap = at == MISSING_TEXT or at != at
        if count >= FREQUENT_AT_LEAST and not is_gap and len(str(at)) <= LONGEST_CATEGORY:
            yield at, count


def _quantiles(column: Column, values: Array) -> list[tuple[float, int]]:
    """Rounded quantiles, and how many values are nearer to each than to the others."""
    at = np.quantile(values, np.linspace(0.02, 0.98, MOST_NUMBERS))
    at = rounded(at, at[-1] - at[0])
    if column.type == "int64":
        at = np.round(at)
    low = values.min() if column.minimum is None else column.minimum
    high = values.max() if column.maximum is None else column.maximum
    at = np.unique(at[(at >= low) & (at <= high)])
    nearest = np.searchsorted((at[1:] + at[:-1]) / 2, values)
    return list(zip(at.tolist(), np.bincount(nearest, minlength=len(at)).tolist(), strict=True))


def _plain(at: Any) -> Any:
    """As JSON has it: whole numbers without a point."""
    return int(at) if isinstance(at, float) and at.is_integer() else at


def _curve(subject: Subject, answered: Answered) -> Array:
    """Each row's answer, of shape (rows, answers that a curve may be of)."""
    if subject.task == "regression":
        return answered.prediction[:, None]
    if answered.probabilities is not None:
        return answered.probabilities
    return np.asarray(answered.prediction[:, None] == np.arange(len(subject.truth.labels)), float)


def _one(subject: Subject, every: Array) -> tuple[str, Array]:
    """The curve that is shown: the positive class', or that of the class that moves most."""
    if subject.task == "regression":
        return "prediction", every[..., 0]
    moved = np.ptp(every.mean(axis=1), axis=0)
    index = subject.truth.positive if subject.task == "binary" else int(np.argmax(moved))
    shares = subject.answered.probabilities is None
    what = "share answered" if shares else "probability of"
    return f"{what} '{subject.truth.labels[index]}'", every[..., index]


def _ends(subject: Subject, curve: Array, rows: Array) -> Array:
    """Intervals of the means over resampled rows: low and high, each of shape (points,).

    NaN where the rows, or their groups, are too few.
    """
    if subject.units_of(rows) < FEW:
        return np.full((2, len(curve)), np.nan)
    parts = subject.resamples(rows, DRAWS)
    means = np.concatenate([w @ curve.T / w.sum(axis=1, keepdims=True) for w in parts])
    return np.asarray(np.percentile(means, OUTER, axis=0))
