"""Nodes behind a detector's graph: the best boxes of each row, one of those that overlap.

What is written there runs with opset 11: a graph keeps the versions of its own operators.
Non-maximum suppression is ONNX's operator: class by class, the best box first, those gone that
have more than `overlap` in common with it (intersection over union).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from onnxlet.convert.errors import Refusal
from onnxlet.convert.graph.nodes import NodeWriter
from onnxlet.convert.imported.settings import CLASSES, FORMATS, HINT, Boxes

PREFIX = "onnxlet.boxes"
FOUND = f"{PREFIX}.found"  # the output: x1, y1, x2, y2 as shares of the picture, score, class
NOTHING = -1.0  # the score where a row has no further box
LEAST_OPSET = 11


class Nodes(NodeWriter):
    """Writes nodes, each called as its first output, under names of their own."""

    def unique(self, stem: str) -> str:
        """Nodes and constants are numbered together."""
        self._count += 1
        return f"{PREFIX}.{self._count}"

    def write(
        self, operator: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: Any
    ) -> None:
        """Add a node that is called as its first output."""
        super().write(operator, inputs, outputs, name=outputs[0], **attributes)

    def constant(self, values: Any, dtype: type = np.int64) -> str:
        """An initializer of the array."""
        return self.array(np.array(values, dtype))

    def floats(self, name: str) -> str:
        """A tensor as float32."""
        return self.node("Cast", name, to=onnx.TensorProto.FLOAT)

    def reshaped(self, name: str, *sizes: int) -> str:
        """A tensor of other sizes; 0 keeps one, -1 is what is left."""
        return self.node("Reshape", name, self.constant(sizes))

    def swapped(self, name: str) -> str:
        """A tensor of three dimensions with the last two exchanged."""
        return self.node("Transpose", name, perm=[0, 2, 1])

    def part(self, name: str, start: int, end: int) -> str:
        """Some of the last of three dimensions."""
        bounds = [self.constant([each]) for each in (start, end, 2)]
        return self.node("Slice", name, *bounds)

    def picked(self, name: str, positions: Sequence[int]) -> str:
        """Entries of the last of three dimensions."""
        return self.node("Gather", name, self.constant(positions), axis=2)


def check_opset(proto: onnx.ModelProto) -> None:
    """Refuse a graph whose opset is too old to have the operators that are needed."""
    version = next((entry.version for entry in proto.opset_import if not entry.domain), 0)
    if version < LEAST_OPSET:
        raise Refusal(
            f"--boxes: expected a graph of opset {LEAST_OPSET} or later, got {version}",
            f"Export it again with opset_version={LEAST_OPSET}, or onnx.version_converter.",
        )


def suppress(
    proto: onnx.ModelProto,
    boxes: Boxes,
    shapes: Mapping[str, Sequence[int]],
    height: int,
    width: int,
) -> None:
    """Have a graph answer the best boxes of each row, and nothing else.

    Its output is float32 of shape (rows, most, 6): x1, y1, x2, y2 as shares of the picture, a
    score, and the class's number. A row that has fewer boxes has the score NOTHING behind them. The
    graph is changed in place; shapes are those of its outputs for one row, height and width those
    of what it takes, in pixels. Refusal: an output has another shape than boxes, scores or labels
    have.
    """
    nodes = Nodes()
    separate = _from_one if boxes.columns else _from_several
    four, scores, labels = separate(nodes, boxes, shapes)
    corners = _corners(nodes, four, boxes, height, width)
    found = _best(nodes, boxes, corners, scores, labels)
    proto.graph.node.extend(nodes.nodes)
    proto.graph.initializer.extend(nodes.initializers.values())
    del proto.graph.output[:]
    sizes = ["rows" if is_by_row(boxes, shapes) else 1, boxes.most, 6]
    info = helper.make_tensor_value_info(found, onnx.TensorProto.FLOAT, sizes)
    proto.graph.output.append(info)


def is_by_row(boxes: Boxes, shapes: Mapping[str, Sequence[int]]) -> bool:
    """Whether the outputs have an entry for each row; else they are those of one picture.

    The shapes are for one row. Refusal: the boxes have neither two dimensions nor three.
    """
    name = boxes.outputs[0]
    if len(shapes[name]) not in (2, 3):
        what = f"{len(boxes.columns)} columns" if boxes.columns else "4"
        raise _misshapen(name, f"(rows, boxes, {what}), or without rows", shapes[name])
    return len(shapes[name]) == 3


def _misshapen(name: str, wanted: str, shape: Sequence[int]) -> Refusal:
    got = ", ".join(map(str, shape))
    return Refusal(f"--boxes: '{name}': expected the shape {wanted}; got ({got})", HINT)


# the graph's outputs, taken apart: (rows, n, 4), (rows, n, classes), and (rows, n) labels or none


def _from_several(
    nodes: Nodes, boxes: Boxes, shapes: Mapping[str, Sequence[int]]
) -> tuple[str, str, str | None]:
    name, of_scores, *of_labels = boxes.outputs
    shape, bare = list(shapes[name]), not is_by_row(boxes, shapes)
    shape = [1, *shape] if bare else shape
    if 4 not in shape[1:]:
        raise _misshapen(name, "(rows, boxes, 4), or without rows", shapes[name])
    four = nodes.reshaped(nodes.floats(name), 1, -1, 4) if bare else nodes.floats(name)
    if shape[2] != 4:
        four, shape = nodes.swapped(four), [shape[0], shape[2], 4]
    scores = nodes.floats(of_scores)
    sizes = list(shapes[of_scores])
    sizes = [1, *sizes] if bare else sizes
    if len(sizes) == 2 and sizes[1] == shape[1]:
        scores = nodes.reshaped(scores, *((1, -1, 1) if bare else (0, 0, 1)))
    elif len(sizes) == 3 and shape[1] == sizes[1]:
        scores = nodes.reshaped(scores, 1, -1, sizes[2]) if bare else scores
    elif len(sizes) == 3 and shape[1] == sizes[2] and not bare:
        scores = nodes.swapped(scores)
    else:
        wanted = f"(rows, {shape[1]}) or (rows, {shape[1]}, classes), as '{name}' has it"
        raise _misshapen(of_scores, wanted, shapes[of_scores])
    if not of_labels:
        classes = 1 if len(sizes) == 2 else sizes[1] if shape[1] != sizes[1] else sizes[2]
        _check_labels(boxes, of_scores, classes)
        return four, _shares(nodes, boxes, scores), None
    if len(sizes) != 2 or list(shapes[of_labels[0]]) != list(shapes[of_scores]):
        raise _misshapen(of_labels[0], "of the scores", shapes[of_labels[0]])
    labels = nodes.floats(of_labels[0])
    labels = nodes.reshaped(labels, 1, -1) if bare else labels
    return four, _shares(nodes, boxes, scores), labels


def _check_labels(boxes: Boxes, output: str, scores: int) -> None:
    """Refuse labels that are more or fewer than an output has classes, background apart."""
    classes = scores - (1 if boxes.background else 0)
    if boxes.labels and classes > 0 and len(boxes.labels) != classes:
        raise Refusal(
            f"--boxes: labels: expected {classes}, one for each class of '{output}', "
            f"got {len(boxes.labels)}",
            HINT,
        )


def _from_one(
    nodes: Nodes, boxes: Boxes, shapes: Mapping[str, Sequence[int]]
) -> tuple[str, str, str | None]:
    [name] = boxes.outputs
    shape, rows = list(shapes[name]), nodes.floats(name)
    if not is_by_row(boxes, shapes):
        rows, shape = nodes.reshaped(rows, 1, -1, shape[-1]), [1, *shape]
    columns, least = boxes.columns, len(boxes.columns)
    width = shape[2]
    if _is_turned(boxes, shape[1], shape[2]):
        rows, width = nodes.swapped(rows), shape[1]
    if width < least or (boxes.labels and CLASSES in columns and width != _width(boxes)):
        wanted = str(_width(boxes)) if boxes.labels and CLASSES in columns else f"{least} or more"
        raise _misshapen(name, f"(rows, boxes, columns), {wanted} columns", shapes[name])
    at = {column: position for position, column in enumerate(columns)}
    four = nodes.picked(rows, [at[column] for column in FORMATS[boxes.format]])
    if CLASSES in at:
        scores = nodes.part(rows, at[CLASSES], width)
    else:
        scores = nodes.picked(rows, [at["score"]])
    scores = _shares(nodes, boxes, scores)
    if "objectness" in at:
        objectness = nodes.picked(rows, [at["objectness"]])
        if boxes.activation:
            objectness = nodes.node("Sigmoid", objectness)
        scores = nodes.node("Mul", scores, objectness)
    if "label" not in at:
        return four, scores, None
    return four, scores, nodes.reshaped(nodes.picked(rows, [at["label"]]), 0, -1)


def _width(boxes: Boxes) -> int:
    """Columns that an output has, where its classes have labels."""
    extra = 1 if boxes.background else 0
    return len(boxes.columns) - 1 + len(boxes.labels) + extra


def _is_turned(boxes: Boxes, middle: int, last: int) -> bool:
    """Whether the columns are the middle dimension, as YOLO has them."""
    if CLASSES in boxes.columns and boxes.labels:
        return _width(boxes) == middle != last
    least = len(boxes.columns)
    if CLASSES in boxes.columns:
        return least <= middle < last
    return last != least and middle == least


def _shares(nodes: Nodes, boxes: Boxes, scores: str) -> str:
    """Scores between 0 and 1, (rows, n, classes), without the class that is none."""
    if boxes.activation == "sigmoid":
        scores = nodes.node("Sigmoid", scores)
    elif boxes.activation == "softmax":
        scores = nodes.node("Softmax", scores, axis=2)
    if boxes.background == "first":
        return nodes.part(scores, 1, np.iinfo(np.int64).max)
    return nodes.part(scores, 0, -1) if boxes.background == "last" else scores


# the best of them


def _corners(nodes: Nodes, four: str, boxes: Boxes, height: int, width: int) -> str:
    """Boxes as x1, y1, x2, y2, shares of the picture."""
    if boxes.format == "yxyx":
        four = nodes.picked(four, [1, 0, 3, 2])
    elif boxes.format in ("xywh", "cxcywh"):
        first, size = nodes.part(four, 0, 2), nodes.part(four, 2, 4)
        if boxes.format == "cxcywh":
            half = nodes.node("Mul", size, nodes.constant(0.5, np.float32))
            first = nodes.node("Sub", first, half)
        four = nodes.node("Concat", first, nodes.node("Add", first, size), axis=2)
    if not boxes.pixels:
        return four
    return nodes.node("Div", four, nodes.constant([width, height, width, height], np.float32))


def _best(nodes: Nodes, boxes: Boxes, corners: str, scores: str, labels: str | None) -> str:
    """The output: with as many boxes as wanted behind all others, so that there are enough."""
    most, nothing = boxes.most, nodes.constant(NOTHING, np.float32)
    corners = nodes.node("Pad", corners, nodes.constant([0, 0, 0, 0, most, 0]))
    scores = nodes.node("Pad", scores, nodes.constant([0, 0, 0, 0, most, 0]), nothing)
    by_class = nodes.swapped(scores)
    value = numpy_helper.from_array(np.array([NOTHING], np.float32))
    kept = nodes.node("ConstantOfShape", nodes.node("Shape", by_class), value=value)
    least = nodes.constant(boxes.score, np.float32)
    if boxes.overlap < 1:
        limits = (nodes.constant(most), nodes.constant(boxes.overlap, np.float32), least)
        chosen = nodes.node("NonMaxSuppression", corners, by_class, *limits)
        kept = nodes.node("ScatterND", kept, chosen, nodes.node("GatherND", by_class, chosen))
    else:
        kept = nodes.node("Where", nodes.node("Greater", by_class, least), by_class, kept)
    values, index = f"{PREFIX}.values", f"{PREFIX}.index"
    nodes.write("TopK", [nodes.reshaped(kept, 0, -1), nodes.constant([most])], [values, index])
    count = nodes.node("Gather", nodes.node("Shape", corners), nodes.constant([1]))
    at = nodes.node("Mod", index, count)  # whose box it is; and of which class
    kind = nodes.floats(nodes.node("Div", index, count))
    if labels is not None:
        labels = nodes.node("Pad", labels, nodes.constant([0, 0, 0, most]))
        kind = nodes.node("GatherElements", labels, at, axis=1)
    each = nodes.node("Expand", nodes.reshaped(at, 0, -1, 1), nodes.constant([1, 1, 4]))
    parts = [nodes.node("GatherElements", corners, each, axis=1)]
    parts += [nodes.reshaped(values, 0, -1, 1), nodes.reshaped(kind, 0, -1, 1)]
    return nodes.node("Concat", *parts, output=FOUND, axis=2)
