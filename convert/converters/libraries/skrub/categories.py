"""CatEncoder: one-hot columns beside means of the target. Source: `skrub/_cat_encoder.py`."""

from __future__ import annotations

from typing import Any

from skrub import CatEncoder

from onnxlet.convert.converters.registration import Converters, exact
from onnxlet.convert.graph.converter import Graph, Outputs, Table, framed, labelled


def one_hot_and_target(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """Both encoders' columns, those of the OneHotEncoder first."""
    bare = labelled(table, ())
    made = [
        graph.call(encoder, bare, "transform")
        for encoder in (fitted.one_hot_encoder_, fitted.target_encoder_)
    ]
    return {"transform": framed(Table(tuple(made)), fitted.all_outputs_)}


CONVERTERS: Converters = {CatEncoder: exact(one_hot_and_target)}
