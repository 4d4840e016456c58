"""Boxes of a map of text: connected parts, inside the graph.

A detector after M. Liao et al., "Real-time Scene Text Detection with Differentiable Binarization",
2020, answers how likely each pixel is text; its authors find connected parts behind the network.
ONNX has no operator for that, but others that do it: each pixel of a line gets a number, and takes
the greatest among its neighbours' until nothing changes. Then the pixels of a line have one number.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import compose, numpy_helper, parser, version_converter

OPSET = 18  # whose ScatterElements takes the least and the greatest
MOST = 200  # lines
TURNS = 1000  # of taking neighbours' numbers, at most: a longer way through a line is cut there
LIKELY = 0.3  # that a pixel is text; as RapidOCR has it, and
WIDER = 1.6  # what a line's area, over its perimeter, is multiplied by to make it wider
FEWEST = 6  # pixels of a line, of the halved map

NODES = """
    small = AveragePool <kernel_shape=[2, 2], strides=[2, 2]> (map)
    more = Greater (small, likely)
    text = Cast <to=1> (more)
    start = Mul (text, numbers)
    parts = Loop (turns, , start) <body = turn (int64 at, bool on, float[1, 1, {h}, {w}] now)
        => (bool goes_on, float[1, 1, {h}, {w}] next) {{
            grown = MaxPool <kernel_shape=[3, 3], pads=[1, 1, 1, 1]> (now)
            next = Mul (grown, text)
            change = Sub (next, now)
            most = ReduceMax <keepdims=0> (change)
            goes_on = Greater (most, zero)
        }}>
    whole = Cast <to=7> (parts)
    part = Reshape (whole, row)
    likelihood = Reshape (small, row)
    sums = ScatterElements <reduction="add"> (none, part, likelihood)
    counts = ScatterElements <reduction="add"> (none, part, each)
    left = ScatterElements <reduction="min"> (far, part, xs)
    top = ScatterElements <reduction="min"> (far, part, ys)
    right = ScatterElements <reduction="max"> (none, part, xs)
    bottom = ScatterElements <reduction="max"> (none, part, ys)
    some = Max (counts, one)
    means = Div (sums, some)
    enough = Greater (counts, fewest)
    counted = Cast <to=1> (enough)
    of_parts = Mul (counted, foreground)
    likely_parts = Mul (means, of_parts)
    best, which = TopK (likely_parts, most_parts)
    x1 = Gather (left, which)
    y1 = Gather (top, which)
    last_x = Gather (right, which)
    last_y = Gather (bottom, which)
    x2 = Add (last_x, one)
    y2 = Add (last_y, one)
    width = Sub (x2, x1)
    height = Sub (y2, y1)
    area = Mul (width, height)
    wide = Mul (area, wider)
    half = Add (width, height)
    by = Div (wide, half)
    wx1 = Sub (x1, by)
    wy1 = Sub (y1, by)
    wx2 = Add (x2, by)
    wy2 = Add (y2, by)
    rx1 = Div (wx1, w)
    ry1 = Div (wy1, h)
    rx2 = Div (wx2, w)
    ry2 = Div (wy2, h)
    corners = Concat <axis=0> (rx1, ry1, rx2, ry2)
    by_corner = Reshape (corners, four)
    boxes = Transpose <perm=[0, 2, 1]> (by_corner)
    scores = Reshape (best, column)
"""


def with_boxes(proto: onnx.ModelProto, height: int, width: int) -> onnx.ModelProto:
    """The graph with the outputs `boxes` (1, 200, 4), relative, and `scores` (1, 200, 1).

    It takes one picture of an even height and width in pixels, and answers a map of that size.
    """
    [dims] = [proto.graph.input[0].type.tensor_type.shape.dim]
    for dim, size in zip(dims, (1, 3, height, width), strict=True):
        dim.Clear()
        dim.dim_value = size
    proto = version_converter.convert_version(proto, OPSET)
    proto = compose.add_prefix(proto, "net.", rename_inputs=False)
    h, w = height // 2, width // 2
    text = NODES.format(h=h, w=w)
    graph = parser.parse_graph(f"""lines (float[1, 1, {height}, {width}] map)
        => (float[1, {MOST}, 4] boxes, float[1, {MOST}, 1] scores) {{{text}}}""")
    for node in proto.graph.node:
        node.output[:] = [
            "map" if name == proto.graph.output[0].name else name for name in node.output
        ]
    proto.graph.node.extend(graph.node)
    for name, array in _constants(h, w).items():
        proto.graph.initializer.append(numpy_helper.from_array(np.asarray(array), name))
    del proto.graph.output[:]
    proto.graph.output.extend(graph.output)
    return proto


def _constants(h: int, w: int) -> dict[str, Any]:
    """By name, for a map of the size; entry 0 of a table of parts is what is no text."""
    count = h * w
    numbers = np.arange(1, count + 1, dtype=np.float32)
    ys, xs = np.indices((h, w)).reshape(2, count).astype(np.float32)
    foreground = np.ones(count + 1, np.float32)
    foreground[0] = 0
    return {
        "numbers": numbers.reshape(1, 1, h, w),
        "turns": np.int64(TURNS),
        "zero": np.float32(0),
        "one": np.float32(1),
        "likely": np.float32(LIKELY),
        "wider": np.float32(WIDER / 2),
        "fewest": np.float32(FEWEST),
        "most_parts": np.array([MOST]),
        "row": np.array([-1]),
        "four": np.array([1, 4, -1]),
        "column": np.array([1, -1, 1]),
        "none": np.zeros(count + 1, np.float32),
        "far": np.full(count + 1, max(h, w), np.float32),
        "each": np.ones(count, np.float32),
        "foreground": foreground,
        "xs": xs,
        "ys": ys,
        "w": np.float32(w),
        "h": np.float32(h),
    }
