"""Selectors: the columns that they keep, by name.

Source: `feature_engine/selection/base_selector.py` (`transform`), which none of them replaces.
"""

from __future__ import annotations

from typing import Any

from feature_engine import selection as library

from onnxlet.convert.converters.libraries.feature_engine.columns import given, names, without
from onnxlet.convert.graph.converter import Converter, Graph, Outputs, Table


def kept(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """The columns without those that it drops."""
    return {"transform": without(given(fitted, table), names(fitted.features_to_drop_))}


CONVERTERS: dict[type, Converter] = {getattr(library, name): kept for name in library.__all__}
