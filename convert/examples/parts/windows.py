"""Windows that slide over a picture, and the graph that judges them all."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper, parser
from PIL import Image

from onnxlet.convert.examples.parts.pictures import HEIGHT, WIDTH, Box
from onnxlet.function.arrays import Array

SIDES = (36, 44, 54, 66, 80, 98, 118)  # of a window, in pixels of the picture
WINDOW = 25  # pixels of a window, once the picture is resized for it
STEP = 2  # pixels from one window to the next
CELLS, CELL, APART = 6, 5, 4  # in a row of a window; a cell's pixels; from one to the next
DIRECTIONS = 8  # of edges
REACH = (CELLS - 1) * APART // STEP + 1  # steps from a window's first cell to its last
FEATURES = DIRECTIONS * CELLS**2
EVEN = 0.02  # added to the edges' length, so that windows without any are not judged by noise

EDGES = """
    resized{n} = Resize <axes=[2, 3], mode="linear", antialias=1> (picture, , , size{n})
    edges{n} = Conv <pads=[1, 1, 1, 1]> (resized{n}, directions)
    strong{n} = Relu (edges{n})
    cells{n} = AveragePool <kernel_shape=[5, 5], strides=[2, 2]> (strong{n})
"""
JUDGED = """
    weighed{n} = Conv <dilations=[2, 2]> (cells{n}, weights)
    squares{n} = Mul (cells{n}, cells{n})
    sums{n} = Conv <dilations=[2, 2]> (squares{n}, ones)
    lengths{n} = Sqrt (sums{n})
    least{n} = Add (lengths{n}, even)
    relative{n} = Div (weighed{n}, least{n})
    judged{n} = Reshape (relative{n}, column)
"""
ALL = """
    together = Concat <axis=1> ({judged})
    logits = Add (together, intercept)
    rows = Mul (logits, zero)
    boxes = Add (places, rows)
"""


def features() -> onnx.ModelProto:
    """The graph that describes windows: the edges of each cell, `cells0` and so on, by side."""
    numbers = range(len(SIDES))
    outputs = ", ".join(f"float[rows, {DIRECTIONS}, ?, ?] cells{n}" for n in numbers)
    return _parsed(outputs, "".join(EDGES.format(n=n) for n in numbers), _constants())


def graph(weights: Array, intercept: float) -> onnx.ModelProto:
    """The graph that judges windows: `boxes`, relative (x1, y1, x2, y2), and `logits`.

    A window's features (FEATURES,) are weighed and summed, and the intercept is added.
    """
    numbers, x1y1 = range(len(SIDES)), np.array(boxes())
    x1y1[:, 2:] += x1y1[:, :2]
    constants = _constants() | {
        "weights": weights.reshape(1, DIRECTIONS, CELLS, CELLS).astype(np.float32),
        "ones": np.ones((1, DIRECTIONS, CELLS, CELLS), np.float32),
        "even": np.float32(EVEN),
        "column": np.array([0, -1, 1]),
        "intercept": np.float32(intercept),
        "zero": np.float32(0),
        "places": (x1y1 / [WIDTH, HEIGHT, WIDTH, HEIGHT])[None].astype(np.float32),
    }
    nodes = "".join((EDGES + JUDGED).format(n=n) for n in numbers)
    nodes += ALL.format(judged=", ".join(f"judged{n}" for n in numbers))
    count = len(x1y1)
    outputs = f"float[rows, {count}, 4] boxes, float[rows, {count}, 1] logits"
    return _parsed(outputs, nodes, constants)


def _parsed(outputs: str, nodes: str, constants: dict[str, Any]) -> onnx.ModelProto:
    proto = parser.parse_model(f"""<ir_version: 8, opset_import: ["": 18]>
        windows (float[rows, 1, {HEIGHT}, {WIDTH}] picture) => ({outputs}) {{{nodes}}}""")
    named = [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()]
    proto.graph.initializer.extend(named)
    return proto


def _constants() -> dict[str, Array]:
    """The filters of the directions, and the sizes of the picture for each window's side."""
    across = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]) / 8
    turns = 2 * np.pi * np.arange(DIRECTIONS) / DIRECTIONS
    filters = [np.cos(turn) * across + np.sin(turn) * across.T for turn in turns]
    sizes = {f"size{n}": np.array(_resized(side)) for n, side in enumerate(SIDES)}
    return {"directions": np.array(filters, np.float32)[:, None], **sizes}


def _resized(side: int) -> tuple[int, int]:
    return round(HEIGHT * WINDOW / side), round(WIDTH * WINDOW / side)


@cache
def boxes() -> list[Box]:
    """The windows in pixels of the picture, in the order of the graph."""
    found: list[Box] = []
    for side in SIDES:
        steps = [(pixels - CELL) // STEP + 1 - (REACH - 1) for pixels in _resized(side)]
        height, width = (
            size / pixels for size, pixels in zip((HEIGHT, WIDTH), _resized(side), strict=True)
        )
        found += [
            (STEP * x * width, STEP * y * height, WINDOW * width, WINDOW * height)
            for y in range(steps[0])
            for x in range(steps[1])
        ]
    return found


def described(session: Any, image: Image.Image) -> Array:
    """What the graph of `features` finds in each window: shape (windows, FEATURES), of length 1."""
    picture = np.asarray(image, np.float32)[None, None] / np.float32(255)
    found = []
    for [cells] in session.run(None, {"picture": picture}):
        each = np.lib.stride_tricks.sliding_window_view(cells, (REACH, REACH), axis=(1, 2))
        each = each[..., :: APART // STEP, :: APART // STEP].transpose(1, 2, 0, 3, 4)
        found.append(each.reshape(-1, FEATURES))
    rows: Array = np.concatenate(found)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True) + EVEN
    return rows
