"""ONNX files as other frameworks would export them, made by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from onnxlet.function.arrays import Array

FLOAT, DOUBLE, HALF = TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16
INT64, INT32, UINT8 = TensorProto.INT64, TensorProto.INT32, TensorProto.UINT8
UINT64, BOOL, STRING = TensorProto.UINT64, TensorProto.BOOL, TensorProto.STRING
Dims = Sequence[int | str | None]

WEIGHTS = np.array([[1.0, -2.0], [0.5, 3.0], [-1.5, 0.25]], dtype=np.float32)
BIAS = np.array([10.0, -10.0], dtype=np.float32)


def value(name: str, element: int = FLOAT, dims: Dims = ("batch", 3)) -> Any:
    return helper.make_tensor_value_info(name, element, dims)


def node(operator: str, inputs: str, outputs: str, **attributes: Any) -> Any:
    """Names are divided by spaces."""
    return helper.make_node(operator, inputs.split(), outputs.split(), **attributes)


def model(
    nodes: Sequence[Any],
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    constants: Mapping[str, Array] | None = None,
    opsets: Mapping[str, int] | None = None,
    ir_version: int = 9,
    functions: Sequence[Any] = (),
) -> onnx.ModelProto:
    held = [numpy_helper.from_array(array, name) for name, array in (constants or {}).items()]
    graph = helper.make_graph(nodes, "net", inputs, outputs, held)
    imports = [helper.make_opsetid(d, v) for d, v in (opsets or {"": 17}).items()]
    return helper.make_model(
        graph,
        opset_imports=imports,
        ir_version=ir_version,
        functions=functions,
        producer_name="frame",
        producer_version="2.1",
    )


def linear(batch: int | str | None = "batch", **more: Any) -> onnx.ModelProto:
    """`scores` = `features` @ WEIGHTS + BIAS."""
    return model(
        [node("Gemm", "features weights bias", "scores")],
        [value("features", dims=(batch, 3))],
        [value("scores", dims=(batch, 2))],
        {"weights": WEIGHTS, "bias": BIAS},
        **more,
    )


def linear_answers(features: Array) -> Array:
    return features @ WEIGHTS + BIAS


def one(operator: str, dims: Dims = ("batch", 3), element: int = FLOAT, **attributes: Any) -> Any:
    """A model of one operator, of an input `x` and an output `y` of one shape."""
    made = node(operator, "x", "y", **attributes)
    return model([made], [value("x", element, dims)], [value("y", element, dims)])


def from_x_to_y(
    *nodes: Any, element: int = FLOAT, functions: Sequence[Any] = (), **constants: Any
) -> onnx.ModelProto:
    """A model of an input `x` and an output `y`, both of three columns, and of constants."""
    held = {name: np.asarray(array) for name, array in constants.items()}
    inputs, outputs = [value("x", element)], [value("y")]
    return model(nodes, inputs, outputs, held, opsets={"": 18}, functions=functions)


def save(folder: Path, proto: onnx.ModelProto) -> Path:
    path = folder / "net.onnx"
    path.write_bytes(proto.SerializeToString())
    return path


def save_outside(folder: Path, proto: onnx.ModelProto, location: str = "net.data") -> Path:
    """With the weights in another file, as PyTorch does it."""
    weights = proto.graph.initializer[0]
    data = weights.raw_data
    weights.ClearField("raw_data")
    weights.data_location = TensorProto.EXTERNAL
    for key, text in (("location", location), ("offset", "0"), ("length", str(len(data)))):
        weights.external_data.add(key=key, value=text)
    (folder / "net.data").write_bytes(data)
    return save(folder, proto)


def save_arrays(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path
