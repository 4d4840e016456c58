"""The nodes that choose boxes, run by ONNX Runtime, against plain Python."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
import pytest

from onnxlet.convert.errors import Refusal
from onnxlet.convert.imported.settings import parse
from onnxlet.convert.imported.suppression import check_opset, is_by_row, suppress
from onnxlet.function.arrays import Array
from tests.convert.imported.onnx_files import FLOAT, model, node, value
from tests.convert.imported.plain_boxes import best, written

HEIGHT, WIDTH = 100, 200
SIDES = np.array([WIDTH, HEIGHT, WIDTH, HEIGHT])
ROWS, BOXES, CLASSES = 3, 60, 4


def made(seed: int) -> tuple[Array, Array]:
    """Random corners (rows, n, 4) as shares of the picture, and scores (rows, n, classes)."""
    random = np.random.default_rng(seed)
    first = random.uniform(-0.1, 0.8, (ROWS, BOXES, 2))
    corners = np.concatenate([first, first + random.uniform(0.05, 0.4, first.shape)], axis=2)
    scores = random.uniform(0, 1, (ROWS, BOXES, CLASSES))
    return corners.astype(np.float32), scores.astype(np.float32)


def run(text: str, opset: int = 17, **arrays: Any) -> Array:
    """What the nodes make of outputs with these arrays."""
    proto = model(
        [node("Identity", f"{name}_in", name) for name in arrays],
        [value(f"{name}_in", FLOAT, [None] * each.ndim) for name, each in arrays.items()],
        [value(name, FLOAT, [None] * each.ndim) for name, each in arrays.items()],
        opsets={"": opset},
        ir_version=7,
    )
    boxes = parse(text)
    whole = {name: array.shape for name, array in arrays.items()}
    rows = is_by_row(boxes, whole)
    shapes = {name: (1, *shape[1:]) if rows else shape for name, shape in whole.items()}
    check_opset(proto)
    suppress(proto, boxes, shapes, HEIGHT, WIDTH)
    session = onnxruntime.InferenceSession(proto.SerializeToString())
    feeds = {f"{name}_in": np.asarray(array, np.float32) for name, array in arrays.items()}
    [found] = session.run(None, feeds)
    assert found.shape == (len(next(iter(arrays.values()))) if rows else 1, boxes.most, 6)
    return np.asarray(found)


def check(found: Array, corners: Array, scores: Array, *limits: Any, same: bool = True) -> int:
    """Compare each row with plain Python's; returns how many boxes there were."""
    total = 0
    for row, boxes, shares in zip(found, corners, scores, strict=True):
        wanted = best(boxes, shares, *limits)
        got = row[row[:, 4] >= 0]
        assert len(got) == len(wanted)
        assert np.allclose(got[:, 4], [score for _, score, _ in wanted], atol=1e-6)
        assert got[:, 5].tolist() == [kind for _, _, kind in wanted]
        assert np.allclose(
            got[:, :4], np.reshape([box for box, _, _ in wanted], (-1, 4)), atol=1e-5
        )
        assert (row[len(got) :, 4] == -1).all()
        total += len(got)
    return total


@pytest.mark.parametrize("opset", [11, 12, 13, 18, 21])
@pytest.mark.parametrize("form", ["xyxy", "yxyx", "xywh", "cxcywh"])
def test_random_boxes_are_those_of_plain_python(form: str, opset: int) -> None:
    corners, scores = made(opset)
    text = f"B,S,format={form},score=0.6,overlap=0.4,most=50"

    found = run(text, opset, B=written(corners, form), S=scores)

    assert check(found, corners, scores, 0.6, 50, 0.4) > 100


def test_pixels_are_of_what_the_graph_takes() -> None:
    corners, scores = made(1)

    found = run("B,S,units=pixels,most=7", B=corners * SIDES, S=scores)

    assert check(found, corners, scores, 0.5, 7, 0.3) == 21


def test_yolos_columns_are_its_middle_dimension() -> None:
    corners, scores = made(2)
    columns = np.concatenate([written(corners, "cxcywh") * SIDES, scores], axis=2)
    text = "Y,columns=cx:cy:width:height:classes,units=pixels"

    found = run(text, Y=columns.transpose(0, 2, 1))

    check(found, corners, scores, 0.5, 100, 0.3)
    assert (found == run(text, Y=columns)).all()
    assert (found == run(text + ",labels=a:b:c:d", Y=columns)).all()


def test_objectness_is_multiplied_and_logits_become_shares() -> None:
    corners, scores = made(3)
    objectness = np.random.default_rng(0).uniform(0.5, 1, (ROWS, BOXES, 1))
    columns = np.concatenate([written(corners, "xywh"), objectness, scores], axis=2)

    found = run("Y,columns=x:y:width:height:objectness:classes", Y=columns)

    check(found, corners, scores * objectness, 0.5, 100, 0.3)
    logits = np.log(columns[..., 4:] / (1 - columns[..., 4:]))
    logits = np.concatenate([columns[..., :4], logits], axis=2)
    text = "Y,columns=x:y:width:height:objectness:classes,activation=sigmoid"
    check(run(text, Y=logits), corners, scores * objectness, 0.5, 100, 0.3)


@pytest.mark.parametrize(("side", "kept"), [("first", slice(1, None)), ("last", slice(-1))])
@pytest.mark.parametrize("opset", [11, 13])
def test_softmax_and_the_class_that_is_none(side: str, kept: slice, opset: int) -> None:
    corners, logits = made(4)
    shares = np.exp(logits * 4) / np.exp(logits * 4).sum(axis=2, keepdims=True)
    text = f"B,S,activation=softmax,background={side},score=0.3"

    found = run(text, opset, B=corners, S=logits * 4)

    assert check(found, corners, shares[..., kept], 0.3, 100, 0.3) > 20


def test_one_class_needs_no_dimension() -> None:
    corners, scores = made(5)

    found = run("B,S", B=corners, S=scores[..., 0])

    check(found, corners, scores[..., :1], 0.5, 100, 0.3)
    turned = run("B,S", B=corners.transpose(0, 2, 1), S=scores[..., :1].transpose(0, 2, 1))
    assert (turned == found).all()


def test_a_graph_that_chooses_boxes_itself_keeps_them() -> None:
    corners, scores = made(6)
    labels = np.arange(BOXES) % 7
    alone = {"B": corners[0], "S": scores[0, :, 0], "L": labels}

    found = run("B,S,L", 17, **alone)[0]

    order = [n for n in np.argsort(-alone["S"], kind="stable") if alone["S"][n] > 0.5]
    count = len(order)
    assert count > 10
    assert np.allclose(found[:count, :4], corners[0][order])
    assert np.allclose(found[:count, 4], alone["S"][order])
    assert found[:count, 5].tolist() == labels[order].tolist()
    assert (found[count:, 4] == -1).all()
    one = np.concatenate([corners[0], scores[0, :, :1], labels[:, np.newaxis]], axis=1)
    text = "O,columns=x1:y1:x2:y2:score:label"
    assert (run(text, O=one)[0] == found).all()
    assert (run(text, O=one[np.newaxis])[0] == found).all()


@pytest.mark.parametrize("text", ["B,S", "B,S,L", "B,S,overlap=1"])
@pytest.mark.parametrize("opset", [11, 17])
def test_nothing_found_is_no_box(text: str, opset: int) -> None:
    nothing = {"B": np.zeros((0, 4)), "S": np.zeros(0), "L": np.zeros(0)}
    some = {name: nothing[name] for name in text.partition(",o")[0].split(",")}

    assert (run(text, opset, **some)[0, :, 4] == -1).all()
    low: dict[str, Any] = {"B": made(0)[0], "S": made(0)[1] * 0.4, "L": made(0)[1][..., 0]}
    low["S"] = low["S"][..., 0]
    assert (run(text, opset, **{name: low[name] for name in some})[..., 4] == -1).all()


def test_a_score_that_is_no_number_is_no_box() -> None:
    corners, scores = made(7)
    scores[:, ::2] = np.nan

    found = run("B,S,overlap=1,most=1000", B=corners, S=scores)

    assert (found[..., 4] >= 0).sum() == (scores > 0.5).sum()


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ({"B": (1, 5, 3), "S": (1, 5)}, "'B': expected the shape (rows, boxes, 4), or without "
         "rows; got (1, 5, 3)"),
        ({"B": (1, 5, 4), "S": (1, 6)}, "'S': expected the shape (rows, 5) or (rows, 5, classes), "
         "as 'B' has it; got (1, 6)"),
        ({"B": (1, 1, 5, 4), "S": (1, 5)}, "'B': expected the shape (rows, boxes, 4), or without "
         "rows; got (1, 1, 5, 4)"),
    ],
)  # fmt: skip
def test_other_shapes_are_refused(shapes: Any, message: str) -> None:
    with pytest.raises(Refusal) as caught:
        run("B,S", 17, **{name: np.zeros(shape) for name, shape in shapes.items()})

    assert caught.value.message == f"--boxes: {message}"


def test_an_opset_without_the_operators_is_refused() -> None:
    with pytest.raises(Refusal, match="expected a graph of opset 11 or later, got 10"):
        run("B,S", 10, B=np.zeros((1, 5, 4)), S=np.zeros((1, 5)))
