"""Summary: the front end counts by sentence, the graph scores and picks.

Sums run in the order of the entries, as NumPy's do in the estimator, so that equal scores are
equal here, too.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from onnxlet.convert.converters.registration import Converters
from onnxlet.convert.estimators.summary import Summary
from onnxlet.convert.graph.converter import Graph, Outputs, Table, Tensor, Unsupported

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
    rows = _zeros(_taken(given["layout"], 0, axis=1))
    idf = counts.graph.constant(fitted.idf_, "float64")
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


def _taken(matrix: Tensor, index: int, axis: int) -> Tensor:
    graph = matrix.graph
    return graph.op("Gather", matrix, graph.constant(index, "int64"), axis=axis, dimensions=1)


def _zeros(like: Tensor) -> Tensor:
    return like.cast("float64") * 0.0


def _added(values: Tensor, at: Tensor, zeros: Tensor) -> Tensor:
    """Sums of values by where they belong, one after another."""
    return values.graph.op(
        "ScatterElements", zeros, at, values, axis=0, reduction="add", dimensions=1
    )


def _or_one(values: Tensor) -> Tensor:
    return values.equals(0.0).where(1.0, values)


CONVERTERS: Converters = {Summary: summary}
