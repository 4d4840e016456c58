"""Estimators of our own: transformers, Ratings and Summary.

Ratings are a ridge regression for each user, in the graph, and the items that score highest. Of a
Summary the front end counts by sentence, the graph scores and picks: sums run in the order of the
entries, as NumPy's do in the estimator, so that equal scores are equal here, too.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from onnxlet.convert.converters.registration import Converters
from onnxlet.convert.estimators.category_counts import CategoryCounts
from onnxlet.convert.estimators.date_parts import DAYS, PERIODS, DateParts
from onnxlet.convert.estimators.images import Images
from onnxlet.convert.estimators.pair_arithmetic import OPERATORS, PairArithmetic
from onnxlet.convert.estimators.ratings import Ratings
from onnxlet.convert.estimators.summary import Summary
from onnxlet.convert.graph import dates
from onnxlet.convert.graph.categories import Meaning, look_up
from onnxlet.convert.graph.converter import DATE, Graph, Outputs, Table, Tensor, Unsupported
from onnxlet.convert.graph.loops import repeat
from onnxlet.function.arrays import LARGEST_FLOAT32, Array
from onnxlet.function.serving.options import MOST_NEAREST

DAY = 86_400e6  # microseconds


def date_parts(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """DateParts: the parts of each column."""
    made: list[Tensor] = []
    for column, form in zip(graph.columns(table), fitted.formats_, strict=True):
        date = column if column.dtype == DATE else dates.from_text(column, form)
        if fitted.zone is not None and dates.has_offset(date):
            date = dates.in_zone(dates.in_utc(date), fitted.zone)
        made += _parts(date, fitted)
    return {"transform": graph.concat(made)}


def _parts(date: Tensor, fitted: Any) -> list[Tensor]:
    turned = {part for part in fitted.parts if fitted.cyclic and part in PERIODS}
    names = [part for part in fitted.parts if part != DAYS]
    known = dates.parts(date, names, "float64") if names else None
    made: list[Tensor] = []
    for part in fitted.parts:
        if part == DAYS:
            made.append(dates.microseconds(date) / DAY)
        elif known is not None:
            values = known.take([names.index(part)])
            made += _turned(values, PERIODS[part]) if part in turned else [values]
    return [one.cast(date.graph.precision) for one in made]


def _turned(values: Tensor, period: int) -> list[Tensor]:
    """Sine and cosine as NumPy computes them, to the last digit: a tree may come after."""
    angles = np.arange(period + 1) * (2 * np.pi / period)
    gap = values.isnan()
    index = gap.where(0.0, values).cast("int64")
    return [
        gap.where(np.nan, index.look_up(function(angles), "float64"))
        for function in (np.sin, np.cos)
    ]


def images(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """Images: the pixels of the one column, an input of the graph."""
    settings = {
        "height": int(fitted.height),
        "width": int(fitted.width),
        "mode": str(fitted.mode),
        "resize": str(fitted.resize),
    }
    [column] = graph.columns(table)
    made = graph.image(column, settings, fitted.width_out)
    return {"transform": made.cast(graph.precision)}


def pair_arithmetic(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """One node for all pairs of an operator, put back into their order."""
    x = graph.matrix(table, "float64")
    made: list[Tensor] = []
    order: list[int] = []
    for sign, operator in OPERATORS.items():
        at = [index for index, pair in enumerate(fitted.pairs_) if pair[1] == sign]
        if at:
            left, right = (x.take([fitted.pairs_[index][side] for index in at]) for side in (0, 2))
            made.append(operator(left, right))
            order += at
    ordered = graph.concat(made).take(np.argsort(order).tolist())
    bounded = ordered.maximum(-LARGEST_FLOAT32).minimum(LARGEST_FLOAT32)
    return {"transform": ordered.isnan().where(np.nan, bounded).cast(graph.precision)}


def category_counts(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """CategoryCounts: the count of each column's category, 0 for any other value."""
    meanings = [
        Meaning(known, counts.reshape(-1, 1), np.zeros(1))
        for known, counts in zip(fitted.encoder_.categories_, fitted.counts_, strict=True)
    ]
    return {"transform": look_up(graph, table, meanings, graph.precision)}


END = int(np.iinfo(np.int64).max)


def ratings(graph: Graph, fitted: Ratings, table: Table) -> Outputs:
    """The items that are not rated and score highest; -1 and NaN where there are no more."""
    x = graph.matrix(table, "float64")
    items = len(fitted.biases_)
    default = min(fitted.n_items, items)
    size = graph.counted(default, min(items, max(MOST_NEAREST, default)))
    gaps, base = x.isnan(), fitted.mean_ + fitted.biases_
    known = np.column_stack([np.ones(items), fitted.factors_])
    scores = _users(x, gaps, base, known, fitted.regularisation) @ known.T + base
    ordered, indices = gaps.where(-scores, np.inf).smallest(default, size)
    left, within = ordered < np.inf, (-ordered).maximum(fitted.lowest_).minimum(fitted.highest_)
    return {
        "recommend": left.where(indices, graph.constant([[-1]], "int64")),
        "scores": left.where(within, np.nan).cast(graph.precision),
    }


def _users(x: Tensor, gaps: Tensor, base: Array, known: Array, regularisation: float) -> Tensor:
    """Each user's bias and factors, by what they rated above what all did.

    Ratings `x` have the shape (rows, items), with gaps; `base` is each item's rating by all;
    `known` has of each item 1, for the user's bias, and its factors.
    """
    graph, (items, unknowns) = x.graph, known.shape
    rated = (~gaps).cast("float64").reshape([-1, 1, items], items)
    weighed = graph.op(
        "Mul", graph.constant(known.T, "float64"), rated, width=items * unknowns, dimensions=3
    )
    squares = graph.op(
        "MatMul", weighed, graph.constant(known, "float64"), width=unknowns**2, dimensions=3
    )
    ridge = graph.constant(regularisation * np.eye(unknowns), "float64")
    matrices = graph.op("Add", squares, ridge, width=unknowns**2, dimensions=3)
    sides = gaps.where(0.0, x - base) @ known
    return _solved(matrices, sides.reshape([-1, unknowns, 1], 1), unknowns)


def _solved(matrices: Tensor, sides: Tensor, unknowns: int) -> Tensor:
    """The solutions of a system of linear equations for each row, of shape (rows, unknowns).

    Gauss-Jordan elimination without a choice of pivots, which symmetric positive definite matrices
    don't need (N. Higham, "Accuracy and Stability of Numerical Algorithms", 2002, section 14.4).
    Each step eliminates the first unknown, and moves its equation to the end. Matrices have the
    shape (rows, unknowns, unknowns), right-hand sides (rows, unknowns, 1).
    """
    graph = matrices.graph

    def part(x: Tensor, axis: int, start: int, end: int) -> Tensor:
        bounds = (graph.constant([number], "int64") for number in (start, end, axis))
        return graph.op("Slice", x, *bounds, dimensions=3)

    def step(system: Tensor) -> tuple[list[Tensor], Tensor]:
        first, others = part(system, 1, 0, 1), part(system, 1, 1, END)
        divided = graph.op("Div", first, part(first, 2, 0, 1), dimensions=3)
        taken = graph.op("Mul", part(others, 2, 0, 1), divided, dimensions=3)
        left = graph.op("Sub", others, taken, dimensions=3)
        turned = graph.op("Concat", left, divided, dimensions=3, axis=1)
        return [part(turned, 2, 1, END)], graph.constant([[True]], "bool")

    system = graph.op("Concat", matrices, sides, dimensions=3, axis=2)
    [last] = repeat(graph, unknowns, step, [system])
    return part(last, 2, -1, END).reshape([-1, unknowns], unknowns)


LAST = 2**40  # an index behind that of any sentence


def summary(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """Summary: the positions of the best sentences, and their scores."""
    columns = graph.columns(table)
    if len(columns) != 1 or columns[0].column is None or columns[0].steps:
        raise Unsupported(
            "it is not given one column of text as it comes in", "Build the Summary by itself."
        )
    settings = {"analyzer": fitted.analyzer, "width": int(fitted.sentences)}
    given = graph.sentences(columns[0].column, {**settings, "vocabulary": fitted.vocabulary_})
    scores = _scores(given, fitted)
    return _best(graph, scores, given["layout"], int(fitted.sentences))


def _scores(given: dict[str, Tensor], fitted: Any) -> Tensor:
    """Of every sentence; the same operations in the same order as the estimator's."""
    counts, sentences, tokens = given["counts"], given["sentences"], given["tokens"]
    documents, ordinals, weights = given["documents"], given["ordinals"], given["weights"]
    graph, layout = counts.graph, given["layout"]
    rows = _zeros(graph.op("Gather", layout, graph.constant(0, "int64"), axis=1, dimensions=1))
    idf = graph.constant(fitted.idf_, "float64")
    weighted = counts * _at(_at(idf, weights), tokens)
    lengths = _added(weighted * weighted, sentences, _zeros(documents)).unary("Sqrt")
    unit = weighted / _at(_or_one(lengths), sentences)
    centroid = _added(unit, tokens, _zeros(weights))
    dots = _added(unit * _at(centroid, tokens), sentences, _zeros(documents))
    whole = _added(dots, documents, rows).unary("Sqrt")
    centrality = dots / _at(_or_one(whole), documents)
    position = 1.0 / (ordinals.cast("float64") + 1.0)
    length = (_added(counts, sentences, _zeros(documents)) / float(fitted.length_)).minimum(1.0)
    first, second, third = map(float, fitted.coef_)
    return centrality * first + position * second + length * third


def _best(graph: Graph, scores: Tensor, layout: Tensor, many: int) -> Outputs:
    """The highest scores of each document, in the order of its sentences."""
    nothing = graph.constant([-np.inf], "float64")
    padded = graph.op("Concat", scores, nothing, axis=0)
    table = graph.op("Gather", padded, layout, axis=0, width=many)  # -1 is the last, -inf
    count = graph.constant([many], "int64")
    values, chosen = graph.ops("TopK", [table, count], [("float64", many), ("int64", many)])
    there = graph.op("IsInf", values, dtype="bool", width=many).where(LAST, chosen)
    ordered, order = graph.ops(
        "TopK", [there.cast("int64"), count], [("int64", many), ("int64", many)], largest=0
    )
    found = graph.op("GatherElements", values, order, axis=1)
    beyond = ordered.equals(LAST)
    return {"positions": beyond.where(-1, ordered), "sentence_scores": beyond.where(np.nan, found)}


def _at(values: Tensor, indices: Tensor) -> Tensor:
    return values.graph.op("Gather", values, indices, axis=0, dimensions=1)


def _zeros(like: Tensor) -> Tensor:
    return like.cast("float64") * 0.0


def _added(values: Tensor, at: Tensor, zeros: Tensor) -> Tensor:
    """Sums of values by where they belong, one after another."""
    return values.graph.op(
        "ScatterElements", zeros, at, values, axis=0, reduction="add", dimensions=1
    )


def _or_one(values: Tensor) -> Tensor:
    return values.equals(0.0).where(1.0, values)


CONVERTERS: Converters = {
    CategoryCounts: category_counts,
    DateParts: date_parts,
    Images: images,
    PairArithmetic: pair_arithmetic,
    Ratings: ratings,
    Summary: summary,
}
