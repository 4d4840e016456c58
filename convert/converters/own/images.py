"""Images: the front end reads images."""

from __future__ import annotations

from typing import Any

from onnxlet.convert.estimators.images import Images
from onnxlet.convert.graph.converter import Converter, Graph, Outputs, Table


def images(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """Images: the pixels of the one column, an input of the graph."""
    settings = {
        "height": int(fitted.height),
        "width": int(fitted.width),
        "mode": str(fitted.mode),
        "resize": str(fitted.resize),
    }
    [column] = graph.columns(table)
    made = graph.image(column, settings, fitted.width_out)
    return {"transform": made.cast(graph.precision)}


CONVERTERS: dict[type, Converter] = {Images: images}
