"""Features of dates: refused."""

from __future__ import annotations

from typing import Any

from feature_engine import datetime as library

from onnxlet.convert.graph.converter import Converter, Graph, Outputs, Table, Unsupported


def of_dates(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """Refused."""
    raise Unsupported(
        "it takes dates apart, which has no conversion",
        "Take them apart before the pipeline, X['date'].dt.month, and send these numbers.",
    )


CONVERTERS: dict[type, Converter] = {
    library.DatetimeFeatures: of_dates,
    library.DatetimeOrdinal: of_dates,
    library.DatetimeSubtraction: of_dates,
}
