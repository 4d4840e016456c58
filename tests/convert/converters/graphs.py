"""Graphs that tests write by hand, and their outputs in ONNX Runtime."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx

from onnxlet.convert.converters.registry import Graph, Tensor, converters
from onnxlet.convert.graph.converter import Converter
from onnxlet.function.arrays import Array
from tests.convert import exactness

X = np.array([[1.5, -2.0, 0.25], [0.0, 4.0, -1.0], [np.nan, 1e300, 3.0]])


def graph_of(kinds: Mapping[type, Converter] | None = None) -> Graph:
    return Graph("float64", converters() if kinds is None else kinds)


def given(graph: Graph, dtype: str = "float64") -> Tensor:
    """An input of three columns."""
    return graph.input(["a", "b", "c"], dtype)


def run(graph: Graph, *outputs: Tensor, feed: Any = X) -> list[Array]:
    """The outputs of the finished graph, checked by ONNX."""
    named = [graph.op("Identity", tensor) for tensor in outputs]
    proto = graph.finished(named)
    onnx.checker.check_model(proto)
    feeds = {entry["name"]: np.asarray(feed, entry["dtype"]) for entry in graph.inputs}
    return exactness.run(proto, feeds)
