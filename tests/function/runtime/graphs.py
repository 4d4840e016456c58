"""Small graphs, written by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import GraphProto, NodeProto, TensorProto, helper, numpy_helper

TYPES = {
    "float32": TensorProto.FLOAT, "float64": TensorProto.DOUBLE, "float16": TensorProto.FLOAT16,
    "int8": TensorProto.INT8, "int16": TensorProto.INT16, "int32": TensorProto.INT32,
    "int64": TensorProto.INT64, "uint8": TensorProto.UINT8, "uint16": TensorProto.UINT16,
    "uint32": TensorProto.UINT32, "uint64": TensorProto.UINT64, "bool": TensorProto.BOOL,
    "string": TensorProto.STRING,
}  # fmt: skip
Shape = Sequence[int | str]


def value(name: str, dtype: str, shape: Shape) -> Any:
    """An input or output of a graph."""
    return helper.make_tensor_value_info(name, TYPES[dtype], list(shape))


def model(
    nodes: Sequence[NodeProto], inputs: Any, outputs: Any, constants: dict[str, Any] | None = None
) -> bytes:
    """A serialised model."""
    held = [numpy_helper.from_array(array, name) for name, array in (constants or {}).items()]
    graph: GraphProto = helper.make_graph(list(nodes), "small", inputs, outputs, held)
    imports = [helper.make_opsetid("", 17)]
    made: bytes = helper.make_model(graph, opset_imports=imports, ir_version=8).SerializeToString()
    return made


def same(dtype: str, shape: Shape = ("rows", 2)) -> bytes:
    """Answers what it is given, `x`, as `y`."""
    node = helper.make_node("Identity", ["x"], ["y"])
    return model([node], [value("x", dtype, shape)], [value("y", dtype, shape)])


def sums() -> bytes:
    """Of `x` the double, a row's sum, the graph's own constant, and `x` as it is."""
    nodes = [
        helper.make_node("Add", ["x", "x"], ["double"]),
        helper.make_node("ReduceSum", ["x", "axis"], ["sum"], keepdims=1),
        helper.make_node("Identity", ["held"], ["constant"]),
        helper.make_node("Identity", ["x"], ["passed"]),
    ]
    names = {"double": ("rows", 2), "sum": ("rows", 1), "constant": (3,), "passed": ("rows", 2)}
    outputs = [value(name, "float64", shape) for name, shape in names.items()]
    constants = {"axis": np.array([1]), "held": np.array([1.0, 2.0, 3.0])}
    return model(nodes, [value("x", "float64", ("rows", 2))], outputs, constants)


def positions() -> bytes:
    """Where `x` is not 0: as many as there are."""
    node = helper.make_node("NonZero", ["x"], ["y"])
    return model([node], [value("x", "float32", ("n",))], [value("y", "int64", (1, "m"))])


def chosen() -> bytes:
    """Rows of a table by `index`: an index beyond it raises."""
    node = helper.make_node("Gather", ["table", "index"], ["y"])
    table = {"table": np.arange(10.0).reshape(5, 2)}
    given = [value("index", "int64", ("rows",))]
    return model([node], given, [value("y", "float64", ("rows", 2))], table)


def sequence() -> bytes:
    """Answers no tensor."""
    node = helper.make_node("SequenceConstruct", ["x"], ["y"])
    answer = helper.make_tensor_sequence_value_info("y", TensorProto.DOUBLE, None)
    return model([node], [value("x", "float64", ("rows", 2))], [answer])


def endless() -> bytes:
    """Adds 1 to `x` for as long as nobody ends it."""
    passed = helper.make_tensor_value_info("on", TensorProto.BOOL, [])
    inner = helper.make_graph(
        [
            helper.make_node("Identity", ["on"], ["still"]),
            helper.make_node("Add", ["before", "one"], ["after"]),
        ],
        "turn",
        [helper.make_tensor_value_info("turn", TensorProto.INT64, []), passed,
         value("before", "float64", (1,))],
        [helper.make_tensor_value_info("still", TensorProto.BOOL, []),
         value("after", "float64", (1,))],
    )  # fmt: skip
    loop = helper.make_node("Loop", ["", "true", "x"], ["y"], body=inner)
    constants = {"true": np.array(True), "one": np.array([1.0])}
    return model([loop], [value("x", "float64", (1,))], [value("y", "float64", (1,))], constants)
