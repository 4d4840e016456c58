"""SklearnTransformerWrapper: a transformer of scikit-learn for some of the columns.

Source: `feature_engine/wrappers/wrappers.py`.
"""

from __future__ import annotations

from typing import Any

from feature_engine import wrappers as library
from feature_engine.wrappers.wrappers import _CREATORS

from onnxlet.convert.converters.libraries.feature_engine.columns import given, names, without
from onnxlet.convert.converters.registration import Converters, exact
from onnxlet.convert.graph.converter import Graph, Outputs, Table, labelled


def wrapped(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """Its variables transformed: in their columns, in new ones, or some of them dropped."""
    table = given(fitted, table)
    if hasattr(fitted, "features_to_drop_"):
        return {"transform": without(table, names(fitted.features_to_drop_))}
    chosen = names(fitted.variables_)
    made = graph.transform(fitted.transformer_, table[chosen])
    if type(fitted.transformer_).__name__ in _CREATORS:
        new = names(fitted.transformer_.get_feature_names_out(fitted.variables_))
        others = [name for name in table.labels if name not in set(chosen)]
        kept = table[others].tensors if others else ()
        return {"transform": Table((*kept, *labelled(made, new).tensors), frame=True)}
    by_name = dict(zip(chosen, graph.columns(labelled(made, chosen)), strict=True))
    return {"transform": table.assign(**by_name)}


CONVERTERS: Converters = {library.SklearnTransformerWrapper: exact(wrapped)}
