"""Models that take as long as a test wants, or that take their time in steps."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tests.function.altered import put


def add_slow(source: Path, directory: Path, turns: int) -> None:
    """Copy a model version, and have it turn a loop before it answers the same as before.

    Args:
        source: the version.
        directory: of the new version.
        turns: of the loop; a million take about a second.
    """
    shutil.copytree(source, directory)
    content = _slowed((source / "model.onnx").read_bytes(), turns)
    put(directory, "model.onnx", content)


def _slowed(content: bytes, turns: int) -> bytes:
    model = onnx.load_from_string(content)
    graph = model.graph
    output = next(o for o in graph.output if o.type.tensor_type.elem_type != TensorProto.STRING)
    dtype = output.type.tensor_type.elem_type
    for node in graph.node:
        node.output[:] = [f"{name}_fast" if name == output.name else name for name in node.output]
        node.input[:] = [f"{name}_fast" if name == output.name else name for name in node.input]
    graph.initializer.extend(
        [
            numpy_helper.from_array(np.array(turns, dtype=np.int64), "slow_turns"),
            numpy_helper.from_array(np.array(True), "slow_on"),
            numpy_helper.from_array(np.array(0, dtype=np.int64), "slow_zero"),
        ]
    )
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["on"], ["still_on"]),
            helper.make_node("Identity", ["carried"], ["kept"]),
        ],
        "slow",
        [
            helper.make_tensor_value_info("turn", TensorProto.INT64, []),
            helper.make_tensor_value_info("on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("carried", TensorProto.INT64, []),
        ],
        [
            helper.make_tensor_value_info("still_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("kept", TensorProto.INT64, []),
        ],
    )
    graph.node.extend(
        [
            helper.make_node(
                "Loop", ["slow_turns", "slow_on", "slow_zero"], ["slow_nothing"], body=body
            ),
            helper.make_node("Cast", ["slow_nothing"], ["slow_cast"], to=dtype),
            helper.make_node("Add", [f"{output.name}_fast", "slow_cast"], [output.name]),
        ]
    )
    return bytes(model.SerializeToString())
