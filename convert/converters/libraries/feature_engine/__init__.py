"""Converters of feature-engine's estimators, a module for each of its own modules.

Each takes a frame and returns a frame: later steps choose columns by name. All raise where a frame
has another number of columns than in `fit`; many raise for a missing or infinite number, or for a
value that a function is not defined for. The build finds that by asking them, and where such a
value is only made inside the model, the graph marks its row (`Graph.refuse_rows`).
"""

from __future__ import annotations

from onnxlet.convert.converters.libraries.feature_engine import (
    creation,
    datetime,
    discretisation,
    encoding,
    imputation,
    outliers,
    pipeline,
    preprocessing,
    selection,
    text,
    timeseries,
    transformation,
    wrappers,
)
from onnxlet.convert.graph.converter import Converter

CONVERTERS: dict[type, Converter] = {
    **creation.CONVERTERS,
    **datetime.CONVERTERS,
    **discretisation.CONVERTERS,
    **encoding.CONVERTERS,
    **imputation.CONVERTERS,
    **outliers.CONVERTERS,
    **pipeline.CONVERTERS,
    **preprocessing.CONVERTERS,
    **selection.CONVERTERS,
    **text.CONVERTERS,
    **timeseries.CONVERTERS,
    **transformation.CONVERTERS,
    **wrappers.CONVERTERS,
}
