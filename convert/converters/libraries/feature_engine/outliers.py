"""Outliers: capped, or their rows removed.

Sources: `feature_engine/outliers/base_outlier.py` (`_transform`), `winsorizer.py`, `trimmer.py`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from feature_engine import outliers as library

from onnxlet.convert.converters.libraries.feature_engine.columns import (
    added,
    refuse_missing_and_infinite,
    replaced,
    variables_of,
)
from onnxlet.convert.converters.registration import Converters, exact
from onnxlet.convert.graph.converter import Graph, Outputs, Table, Tensor
from onnxlet.function.arrays import Array


def capped(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """No number beyond the caps; perhaps 1 for each that was."""
    table, chosen, x = variables_of(graph, fitted, table)
    if fitted.missing_values == "raise":
        refuse_missing_and_infinite(graph, x)
    low, high = _caps(fitted)
    made = x.minimum(high) if np.isfinite(high).any() else x
    made = made.maximum(low) if np.isfinite(low).any() else made
    table = replaced(table, chosen, made)
    if not getattr(fitted, "add_indicators", False):
        return {"transform": table}
    return {"transform": added(table, *_indicators(graph, fitted, made, x))}


def _caps(fitted: Any) -> tuple[Array, Array]:
    """The lower and the upper cap of each variable, infinite where it has none."""
    low = [float(fitted.left_tail_caps_.get(name, -np.inf)) for name in fitted.variables_]
    high = [float(fitted.right_tail_caps_.get(name, np.inf)) for name in fitted.variables_]
    return np.array(low), np.array(high)


def _indicators(graph: Graph, fitted: Any, made: Tensor, x: Tensor) -> tuple[list[str], Tensor]:
    """Their names, and 1 where a number was beyond the cap of that tail."""
    tails = {"left": ["left"], "right": ["right"], "both": ["left", "right"]}[fitted.tail]
    was = {"left": made > x, "right": made < x}
    new = [f"{name}_{tail}" for name in fitted.variables_ for tail in tails]
    each = graph.concat([was[tail].cast(graph.precision) for tail in tails])
    width = x.width
    order = [tail * width + index for index in range(width) for tail in range(len(tails))]
    return new, each.take(order)


def trimmed(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """OutlierTrimmer: the columns; a row that it removes has no answer."""
    table, _, x = variables_of(graph, fitted, table)
    low, high = _caps(fitted)
    has_cap = {"right": fitted.right_tail_caps_, "left": fitted.left_tail_caps_}
    if has_cap["right"]:
        graph.refuse_rows(~(x <= high))
    if has_cap["left"]:
        graph.refuse_rows(~(x >= low))
    if fitted.missing_values == "raise":
        refuse_missing_and_infinite(graph, x)
    return {"transform": table}


CONVERTERS: Converters = {
    library.ArbitraryOutlierCapper: exact(capped),
    library.OutlierTrimmer: trimmed,
    library.Winsorizer: exact(capped),
}
