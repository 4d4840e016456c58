"""BlazeFace, whose numbers count from anchors: the nodes that make boxes and scores of them.

As MediaPipe decodes them: a cell of 16 by 16 has two anchors, one of 8 by 8 six, each in its
center; a box is its center's and its sides' pixels, the former counted from the anchor.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from onnxlet.function.arrays import Array

GRIDS = ((16, 2), (8, 6))  # cells in a row, and anchors in a cell


def anchors() -> Array:
    """Centers, as shares of the picture: float32 of shape (896, 2)."""
    found = []
    for cells, count in GRIDS:
        middle = (np.arange(cells) + 0.5) / cells
        across, down = np.meshgrid(middle, middle)
        found.append(np.repeat(np.stack([across.ravel(), down.ravel()], axis=1), count, axis=0))
    return np.concatenate(found).astype(np.float32)


def with_boxes(proto: onnx.ModelProto, size: int) -> onnx.ModelProto:
    """The graph, changed in place, of a picture of so many pixels a side.

    Its outputs are `boxes` (1, 896, 4), relative cxcywh, and `logits` (1, 896, 1).
    """
    shift = np.zeros((1, 896, 4), np.float32)
    shift[0, :, :2] = anchors()
    constants = {"size": np.float32(size), "shift": shift, "start": [0], "end": [4], "axis": [2]}
    for name, array in constants.items():
        proto.graph.initializer.append(numpy_helper.from_array(np.asarray(array), f"face.{name}"))
    bounds = ["face.start", "face.end", "face.axis"]
    proto.graph.node.extend(
        [
            helper.make_node("Concat", ["Identity:0", "Identity_1:0"], ["logits"], axis=1),
            helper.make_node("Concat", ["Identity_2:0", "Identity_3:0"], ["face.all"], axis=1),
            helper.make_node("Slice", ["face.all", *bounds], ["face.four"]),
            helper.make_node("Div", ["face.four", "face.size"], ["face.shares"]),
            helper.make_node("Add", ["face.shares", "face.shift"], ["boxes"]),
        ]
    )
    del proto.graph.output[:]
    for name, width in (("boxes", 4), ("logits", 1)):
        info = helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 896, width])
        proto.graph.output.append(info)
    return proto
