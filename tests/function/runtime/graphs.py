"""Small graphs, written by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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


def _rows(dtype: str) -> tuple[Any, Any]:
    return value("x", dtype, ("rows", 2)), value("y", dtype, ("rows", 2))


def _through(*steps: tuple[str, dict[str, Any]]) -> Callable[[str], bytes]:
    """A graph of such operations, one after another."""

    def made(dtype: str) -> bytes:
        names = ["x", *[f"t{n}" for n in range(1, len(steps))], "y"]
        nodes = [
            helper.make_node(kind, [names[n], *extra.get("more", ())], [names[n + 1]])
            for n, (kind, extra) in enumerate(steps)
        ]
        x, y = _rows(dtype)
        constants = {"shape": np.array([-1, 2]), "one": np.array([1]), "width": np.array([2])}
        return model(nodes, [x], [y], constants)

    return made


def branches(dtype: str) -> bytes:
    """`x` itself where there is one row, else the graph's own constant."""
    _, y = _rows(dtype)
    held = np.array([["c", "d"]], object) if dtype == "string" else np.ones((1, 2), dtype)
    own = helper.make_node("Constant", [], ["other"], value=numpy_helper.from_array(held, "held"))
    passed = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["same"])], "one", [], [value("same", dtype, ("a", 2))]
    )
    other = helper.make_graph([own], "more", [], [value("other", dtype, (1, 2))])
    nodes = [
        helper.make_node("Shape", ["x"], ["sizes"]),
        helper.make_node("Gather", ["sizes", "first"], ["rows"]),
        helper.make_node("Equal", ["rows", "one"], ["single"]),
        helper.make_node("If", ["single"], ["y"], then_branch=passed, else_branch=other),
    ]
    constants = {"first": np.array([0]), "one": np.array([1])}
    return model(nodes, [value("x", dtype, ("rows", 2))], [y], constants)


def initializer(dtype: str) -> bytes:
    """The graph's own constant, beside what is passed on."""
    x, y = _rows(dtype)
    held = np.array([["c", "d"]], object) if dtype == "string" else np.ones((1, 2), dtype)
    nodes = [helper.make_node("Identity", ["x"], ["y"])]
    return model(nodes, [x], [y, value("held", dtype, (1, 2))], {"held": held})


# Graphs that need not write to what they answer, by what they do.
PASSING: Mapping[str, Callable[[str], bytes]] = {
    "the input": same,
    "Identity twice": _through(("Identity", {}), ("Identity", {})),
    "Reshape": _through(("Reshape", {"more": ["shape"]})),
    "Unsqueeze and Squeeze": _through(
        ("Unsqueeze", {"more": ["one"]}), ("Squeeze", {"more": ["one"]})
    ),
    "a branch of If": branches,
    "an initializer": initializer,
    "asked for twice": same,
}
