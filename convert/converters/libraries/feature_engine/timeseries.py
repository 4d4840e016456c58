"""Features of time series: lags, windows and expanding windows, all of them of other rows.

Source: `feature_engine/timeseries/forecasting/`.
"""

from __future__ import annotations

from typing import Any

from feature_engine.timeseries import forecasting as library

from onnxlet.convert.graph.converter import Converter, Graph, Outputs, Table, Unsupported


def of_other_rows(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """Refused."""
    raise Unsupported(
        "its values come from the rows before a row, which a request need not hold",
        "Make these columns before the pipeline, and send them with the row.",
    )


CONVERTERS: dict[type, Converter] = {
    library.ExpandingWindowFeatures: of_other_rows,
    library.LagFeatures: of_other_rows,
    library.WindowFeatures: of_other_rows,
}
