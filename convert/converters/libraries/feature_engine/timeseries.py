"""Features of time series: lags, windows and expanding windows, all of them of other rows.

Source: `feature_engine/timeseries/forecasting/`.
"""

from __future__ import annotations

from feature_engine.timeseries import forecasting as library

from onnxlet.convert.graph.converter import Converter, refusing

FEATURES = library.ExpandingWindowFeatures, library.LagFeatures, library.WindowFeatures
OF_OTHER_ROWS = refusing(
    "its values come from the rows before a row, which a request need not hold",
    "Make these columns before the pipeline, and send them with the row.",
)
CONVERTERS: dict[type, Converter] = dict.fromkeys(FEATURES, OF_OTHER_ROWS)
