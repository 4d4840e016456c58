"""Feature importance, and how answers move with the most important columns.

Importance is how much worse the score gets when a column's values are shuffled: A. Fisher, C.
Rudin, F. Dominici, "All models are wrong, but many are useful", Journal of Machine Learning
Research 20 (2019). Partial dependence is the mean answer as all rows have one value: J. H.
Friedman, "Greedy function approximation", Annals of Statistics 29 (2001), section 8.2. The function
itself is asked, with its own columns.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx

from onnxlet.convert.directory.reference_statistics import frequent
from onnxlet.convert.metrics.resampled import ScoredAnswers
from onnxlet.convert.report.evaluation.evaluation import Evaluation, some_of
from onnxlet.convert.report.evaluation.statistics import (
    DRAWS,
    FEW,
    OUTER,
    generator,
    interval,
    rounded,
)
from onnxlet.convert.report.form.findings import (
    ColumnImportance,
    Dependence,
    DependencePoint,
    Importance,
)
from onnxlet.function.arrays import MISSING_TEXT, Array
from onnxlet.function.inputs.columns import Column
from onnxlet.function.inputs.validation import CheckedBatch
from onnxlet.function.models.model import GRAPH, Model

REPEATS = 5
MOST_ROWS, FEWEST_ROWS = 5_000, 300
SECONDS = 5.0  # that the answers may take, by their cost
# The same of dependence.
MOST_COLUMNS = 6
MOST_MOVED, FEWEST_MOVED = 1_000, 100  # rows
SECONDS_MOVED = 2.0
MOST_NUMBERS, MOST_CATEGORIES = 15, 10
DRAWS_OF_MEANS = 200
# About what one row costs to answer, from what its graph holds, in microseconds: the same on every
# machine. Samples are as large as this allows; a clock would choose others on each run.
OF_ANY_ROW = 5.0
OF_A_TREE = 0.15  # of a tree's path from root to leaf
OF_A_MEGABYTE = 130.0  # of weights that each row is multiplied with, or compared to
OF_TEXT = 150.0  # cut into tokens
OF_STEPS = 20.0  # of a front end's step in Python
OF_A_CELL = 0.05


def importance(case: Evaluation) -> Importance:
    """Of each column, the most important first; those that the model ignores have zeros."""
    runs = REPEATS * max(1, len(case.model.signature.columns))
    rows = _affordable(case, runs, SECONDS, FEWEST_ROWS, MOST_ROWS, "importance")
    truth, answered = case.truth.at(rows), case.answered.at(rows)
    weights = np.concatenate(list(case.resamples(rows)))
    base = case.metric.value(truth, answered)
    independent = case.units_of(rows)
    drawn = case.metric.drawn(truth, answered, weights)
    table = some_of(case.table, rows)
    found, places = [], case.model.signature.positions
    for name, (block, position) in places.items():
        random = generator(case.measured.seed, f"importance {name}")
        values = table.arrays[block][:, position]
        lost, lost_drawn = [], np.full(DRAWS, np.nan)
        for repeat in range(REPEATS):
            mine = slice(repeat, None, REPEATS)  # each draw has one of the shuffles
            other = values[random.permutation(table.rows)]
            worse = _answers(case, _replaced(table, block, position, other), answered)
            lost.append(case.metric.gain(base, case.metric.value(truth, worse)))
            of_draws = case.metric.drawn(truth, worse, weights[mine])
            lost_drawn[mine] = case.metric.gain(drawn[mine], of_draws)
        ends = interval(float(np.mean(lost)), lost_drawn, independent)
        found.append(ColumnImportance(column=name, **ends))
    ignored = [c.name for c in case.model.signature.columns if c.name not in places]
    found += [ColumnImportance(column=name, value=0.0, low=0.0, high=0.0) for name in ignored]
    found.sort(key=lambda each: -each.value if np.isfinite(each.value) else np.inf)
    return Importance(
        metric=case.metric.name,
        title=case.metric.in_full[case.task],
        columns=found,
        repeats=REPEATS,
        rows=len(rows),
    )


def _affordable(
    case: Evaluation, runs: int, seconds: float, fewest: int, most: int, part: str
) -> Array:
    """Indices of as many rows as can be answered so many times in a time."""
    fitting = int(seconds * 1e6 / (runs * microseconds(case.model)))
    return case.sample(int(np.clip(fitting, fewest, most)), part)


def _replaced(table: CheckedBatch, block: int, position: int, values: Array) -> CheckedBatch:
    """The batch with other values in one column."""
    arrays = list(table.arrays)
    arrays[block] = arrays[block].copy()
    arrays[block][:, position] = values
    return CheckedBatch(table.rows, arrays)


def _answers(case: Evaluation, table: CheckedBatch, answered: ScoredAnswers) -> ScoredAnswers:
    """The answers to shuffled rows; a row that is refused keeps its own."""
    found, good = case.ask(table)
    if good.all():
        return found
    parts = zip(found, answered, strict=True)
    kept = [
        None if f is None or a is None else np.where(good.reshape(-1, *[1] * (a.ndim - 1)), f, a)
        for f, a in parts
    ]
    return ScoredAnswers(*kept)  # type: ignore[arg-type]


def dependence(case: Evaluation, important: list[ColumnImportance]) -> list[Dependence]:
    """The mean answer as all rows are given one value of a column, after another."""
    if case.outputs > 1:
        return []
    runs = MOST_COLUMNS * MOST_NUMBERS
    rows = _affordable(case, runs, SECONDS_MOVED, FEWEST_MOVED, MOST_MOVED, "dependence")
    where = case.model.signature.positions
    table = some_of(case.table, rows)
    found: list[Dependence] = []
    for each in important:
        if each.column in where and each.value > 0 and len(found) < MOST_COLUMNS:
            one = _moved(case, table, rows, *where[each.column])
            found += [] if one is None else [one]
    return found


def _moved(
    case: Evaluation, table: CheckedBatch, rows: Array, block: int, position: int
) -> Dependence | None:
    """One column's curve; None where no value of it is held by several rows."""
    column = case.model.signature.blocks[block].columns[position]
    values = case.table.arrays[block][:, position]
    kind, points = _points(column, values)
    if len(points) < 2:
        return None
    curves, goods = [], []
    for at, _ in points:
        cells = at if values.dtype == object else np.asarray(at).astype(values.dtype)
        answered, good = case.ask(_replaced(table, block, position, cells))
        curves.append(_curve(case, answered))
        goods.append(good)
    every = np.stack(curves)  # (points, rows, curves)
    good = np.all(goods, axis=0)
    if not good.any():
        return None
    answer, curve = _one(case, every[:, good])
    ends = _ends(case, curve, rows[good])
    return Dependence(
        column=column.name,
        kind=kind,
        answer=answer,
        rows=int(good.sum()),
        points=[
            DependencePoint(at=_plain(at), value=value, low=low, high=high, rows=count)
            for (at, count), value, low, high in zip(points, curve.mean(axis=1), *ends, strict=True)
        ],
    )


def _points(column: Column, values: Array) -> tuple[str, list[tuple[Any, int]]]:
    """Values to try, and how many of the rows have them, or are nearest to them."""
    if column.cell or column.date or column.image:
        return "category", []
    if column.type in ("string", "bool"):
        held = (at for at in values.tolist() if at != MISSING_TEXT and at == at)
        return "category", frequent(held)[:MOST_CATEGORIES]
    finite = values[np.isfinite(values.astype(np.float64))].astype(np.float64)
    if len(np.unique(finite)) <= MOST_NUMBERS or column.categories is not None:
        return "number", sorted(frequent(finite.tolist())[:MOST_NUMBERS])
    return "number", _quantiles(column, finite)


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


def _curve(case: Evaluation, answered: ScoredAnswers) -> Array:
    """Each row's answer, of shape (rows, answers that a curve may be of)."""
    if case.task == "regression":
        return answered.prediction[:, None]
    if answered.probabilities is not None:
        return answered.probabilities
    return np.asarray(answered.prediction[:, None] == np.arange(len(case.truth.labels)), float)


def _one(case: Evaluation, every: Array) -> tuple[str, Array]:
    """The curve that is shown: the positive class', or that of the class that moves most."""
    if case.task == "regression":
        return "prediction", every[..., 0]
    moved = np.ptp(every.mean(axis=1), axis=0)
    index = case.truth.positive if case.task == "binary" else int(np.argmax(moved))
    shares = case.answered.probabilities is None
    what = "share answered" if shares else "probability of"
    return f"{what} '{case.truth.labels[index]}'", every[..., index]


def _ends(case: Evaluation, curve: Array, rows: Array) -> Array:
    """Intervals of the means over resampled rows: low and high, each of shape (points,).

    NaN where the rows, or their groups, are too few.
    """
    if case.units_of(rows) < FEW:
        return np.full((2, len(curve)), np.nan)
    parts = case.resamples(rows, DRAWS_OF_MEANS)
    means = np.concatenate([w @ curve.T / w.sum(axis=1, keepdims=True) for w in parts])
    return np.asarray(np.percentile(means, OUTER, axis=0))


def microseconds(model: Model) -> float:
    """About how long a row takes among many."""
    signature = model.signature
    found = OF_ANY_ROW + OF_A_CELL * len(signature.columns)
    found += OF_TEXT * len(signature.token_feeds) + OF_STEPS * len(signature.step_feeds)
    if model.directory is None or not (model.directory / GRAPH).is_file():
        return found
    return found + _graph_costs(onnx.load(model.directory / GRAPH).graph)


def _graph_costs(graph: Any) -> float:
    weights = sum(tensor.ByteSize() for tensor in graph.initializer) / 1e6
    trees = sum(_trees(node) for node in graph.node)
    return float(OF_A_MEGABYTE * weights + OF_A_TREE * trees)


def _trees(node: Any) -> int:
    """How many trees a node has; it has its numbers as attributes."""
    for attribute in node.attribute:
        if attribute.name == "tree_roots":
            return len(attribute.ints)
        if attribute.name == "nodes_treeids":
            return len(set(attribute.ints))
    return 0
