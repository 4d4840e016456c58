"""Converters of feature-engine's estimators, a module for each of its own modules.

Each takes a frame and returns a frame: later steps choose columns by name. All raise where a frame
has another number of columns than in `fit`; many raise for a missing or infinite number, or for a
value that a function is not defined for. The build finds that by asking them, and where such a
value is only made inside the model, the graph marks its row (`Graph.refuse_rows`).

Here are those that compute nothing: the pipeline, whose steps may remove rows in `fit`, selectors,
a transformer of scikit-learn for some columns, and features of other rows, which are refused.
Sources: `feature_engine/pipeline/pipeline.py`, `feature_engine/selection/base_selector.py`
(`transform`, which no selector replaces), `feature_engine/wrappers/wrappers.py`,
`feature_engine/timeseries/forecasting/`.
"""

from __future__ import annotations

from typing import Any

from feature_engine import selection, wrappers
from feature_engine.pipeline import Pipeline
from feature_engine.timeseries import forecasting
from feature_engine.wrappers.wrappers import _CREATORS

from onnxlet.convert.converters.composition.pipelines import pipeline
from onnxlet.convert.converters.libraries.feature_engine.columns import given, names, without
from onnxlet.convert.converters.registration import Converters, exact
from onnxlet.convert.graph.converter import Graph, Outputs, Table, labelled, refusing


def kept(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """The columns without those that it drops."""
    return {"transform": without(given(fitted, table), names(fitted.features_to_drop_))}


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
        before = table[others].tensors if others else ()
        return {"transform": Table((*before, *labelled(made, new).tensors), frame=True)}
    by_name = dict(zip(chosen, graph.columns(labelled(made, chosen)), strict=True))
    return {"transform": table.assign(**by_name)}


FEATURES = (
    forecasting.ExpandingWindowFeatures,
    forecasting.LagFeatures,
    forecasting.WindowFeatures,
)
OF_OTHER_ROWS = refusing(
    "its values come from the rows before a row, which a request need not hold",
    "Make these columns before the pipeline, and send them with the row.",
)


CONVERTERS: Converters = {
    **{getattr(selection, name): kept for name in selection.__all__},
    **dict.fromkeys(FEATURES, OF_OTHER_ROWS),
    Pipeline: exact(pipeline),
    wrappers.SklearnTransformerWrapper: exact(wrapped),
}
