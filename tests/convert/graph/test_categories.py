"""Which values a tensor can have."""

from __future__ import annotations

import numpy as np

from onnxlet.convert.converters.registry import converters
from onnxlet.convert.graph.categories import known_values, mapped
from onnxlet.convert.graph.converter import Graph


def test_values_of_tables() -> None:
    graph = Graph("float64", converters())
    x = graph.input(["a", "b"], "int64")
    one = mapped(graph, x, {3: 5, 4: 6}, -1, "int64")
    two = one.take([1]).look_up([7.0, 9.0, 8.0])
    known = known_values(graph, graph.concat([one.cast("float64"), two]).name)
    assert known is not None
    assert known.tolist() == [-1, 5, 6, 7, 8, 9]


def test_other_values_are_not_known() -> None:
    graph = Graph("float64", converters())
    x = graph.input(["a"], "int64")
    one = mapped(graph, x, {3: 5}, -1, "int64")
    for made in (x, x.cast("float64"), one + np.array([[1]]), graph.concat([one, x])):
        assert known_values(graph, made.name) is None
