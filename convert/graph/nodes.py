"""What every graph is written with: types of elements, nodes and constants by name, a refusal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from onnx import NodeProto, TensorProto, helper, numpy_helper

from onnxlet.function.arrays import Array

ELEMENTS = {
    "float32": TensorProto.FLOAT,
    "float64": TensorProto.DOUBLE,
    "int32": TensorProto.INT32,
    "int64": TensorProto.INT64,
    "uint8": TensorProto.UINT8,
    "bool": TensorProto.BOOL,
    "string": TensorProto.STRING,
}


class Unsupported(Exception):
    """An estimator, or a setting of it, has no conversion; the message says which and why.

    Attributes:
        hint: what to do instead.
    """

    def __init__(self, reason: str, hint: str = "") -> None:
        super().__init__(reason)
        self.hint = hint


class NodeWriter:
    """Collects nodes and constants by name, in whatever opset the graph is.

    `GraphBuilder` makes tensors with arithmetic of them. Around an imported graph, which keeps the
    opset that it was exported with, they are written by their names.
    """

    def __init__(self) -> None:
        self._count = 0
        self.nodes: list[NodeProto] = []
        self.initializers: dict[str, TensorProto] = {}

    def unique(self, stem: str) -> str:
        """A name that nothing in the graph has yet."""
        self._count += 1
        return f"{stem}_{self._count}"

    def write(
        self, operator: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: Any
    ) -> None:
        """Add a node; an attribute may also be its `name` and its `domain`."""
        self.nodes.append(helper.make_node(operator, inputs, outputs, **attributes))

    def node(self, operator: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Add a node with one output, whose name is returned."""
        name = output or self.unique("node")
        self.write(operator, inputs, [name], **attributes)
        return name

    def array(self, array: Array) -> str:
        """Add a constant, whose name is returned."""
        name = self.unique("constant")
        self.initializers[name] = numpy_helper.from_array(array, name)
        return name
