"""Selectors: some of the columns, text too; RFE also predicts from them.

Sources: `sklearn/feature_selection/_base.py` (SelectorMixin), `_rfe.py`. Upstream: skl2onnx casts
what it selects to float, has no SequentialFeatureSelector, and none of RFE's predictions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from sklearn import feature_selection

from onnxlet.convert.converters.registration import Converters
from onnxlet.convert.graph.converter import Graph, Outputs, Table, Tensor


def selected(graph: Graph, fitted: Any, table: Table) -> Table:
    """The columns of its support."""
    return graph.select(table, np.flatnonzero(fitted.get_support()).tolist())


def selector(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """The selected columns, unchanged."""
    return {"transform": selected(graph, fitted, table)}


class LazyOutputs(Mapping[str, Tensor | Table]):
    """RFE's outputs: its estimator is converted only if a method of it is needed.

    As a transformer RFE works even if its estimator has no conversion.
    """

    def __init__(self, graph: Graph, fitted: Any, left: Table) -> None:
        self._graph, self._estimator, self._left = graph, fitted.estimator_, left

    def __getitem__(self, method: str) -> Tensor | Table:
        return self._left if method == "transform" else self._others()[method]

    def __contains__(self, method: object) -> bool:
        return method == "transform" or method in self._others()

    def __iter__(self) -> Iterator[str]:
        return iter({**self._others(), "transform": self._left})

    def __len__(self) -> int:
        return len({**self._others(), "transform": self._left})

    def _others(self) -> Outputs:
        return self._graph.convert(self._estimator, self._left)


def eliminated(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """RFE: the outputs of its estimator, from the columns that it kept."""
    return LazyOutputs(graph, fitted, selected(graph, fitted, table))


SELECTORS = (
    "GenericUnivariateSelect", "SelectFdr", "SelectFpr", "SelectFromModel", "SelectFwe",
    "SelectKBest", "SelectPercentile", "SequentialFeatureSelector", "VarianceThreshold",
)  # fmt: skip

CONVERTERS: Converters = {
    **{getattr(feature_selection, name): selector for name in SELECTORS},
    feature_selection.SelectorMixin: selector,  # of the user's own
    feature_selection.RFE: eliminated,
    feature_selection.RFECV: eliminated,
}
