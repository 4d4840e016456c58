"""Bins and thresholds, compared in float64 whatever the graph's precision.

Sources: `sklearn/preprocessing/_discretization.py` (`np.searchsorted` with side="right" over the
inner edges), `_data.py` (binarize). Upstream: skl2onnx compares with edges in float32, and has no
sparse columns for bins (sklearn-onnx #437).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.preprocessing import Binarizer, KBinsDiscretizer

from onnxlet.convert.converters.registration import Converters, exact
from onnxlet.convert.graph.converter import Graph, Outputs, Table
from onnxlet.convert.graph.piecewise import intervals


def bins(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """The number of each value's bin, or a column for each bin."""
    edges = [np.asarray(column, dtype=np.float64)[1:-1] for column in fitted.bin_edges_]
    number = intervals(graph, graph.matrix(table, "float64"), edges)
    if fitted.encode == "ordinal":
        return {"transform": number.cast(graph.precision)}
    chosen = [(index, one) for index, count in enumerate(fitted.n_bins_) for one in range(count)]
    spread = number.take([index for index, _ in chosen])
    made = spread.equals(np.array([float(one) for _, one in chosen]))
    return {"transform": made.cast(graph.precision)}


def binarizer(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """1 above the threshold."""
    x = graph.matrix(table, "float64")
    threshold = float(fitted.threshold)
    if x.compact is not None and threshold >= 0.0:
        indices, values = x.compact
        above = (values > threshold).cast(graph.precision)
        return {"transform": graph.spread(indices, above, x.width)}
    return {"transform": (x > threshold).cast(graph.precision)}


CONVERTERS: Converters = {Binarizer: exact(binarizer), KBinsDiscretizer: exact(bins)}
