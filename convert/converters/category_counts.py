"""CategoryCounts: a look-up, as encoders of categories are."""

from __future__ import annotations

from typing import Any

import numpy as np

from onnxlet.convert.estimators.category_counts import CategoryCounts
from onnxlet.convert.graph.categories import Meaning, look_up
from onnxlet.convert.graph.converter import Converter, Graph, Outputs, Table


def category_counts(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """The count of each column's category, 0 for any other value."""
    meanings = [
        Meaning(known, counts.reshape(-1, 1), np.zeros(1))
        for known, counts in zip(fitted.encoder_.categories_, fitted.counts_, strict=True)
    ]
    return {"transform": look_up(graph, table, meanings, graph.precision)}


CONVERTERS: dict[type, Converter] = {CategoryCounts: category_counts}
