"""The graph's boxes of a map, against SciPy's connected parts."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import parser
from scipy import ndimage

from onnxlet.convert.examples.parts import text_boxes
from onnxlet.function.arrays import Array

HEIGHT, WIDTH = 48, 64


def reader() -> onnx.ModelProto:
    """A "detector" whose map is the picture's first channel."""
    return parser.parse_model("""<ir_version: 8, opset_import: ["": 12]>
        reader (float[rows, 3, height, width] x) => (float[rows, 1, height, width] said)
        <int64[1] start = {0}, int64[1] end = {1}, int64[1] axis = {1}> {
            first = Slice (x, start, end, axis)
            said = Identity (first)
        }""")


def answered(map_: Array) -> tuple[Array, Array]:
    """Boxes, in pixels of the map, and scores; those above 0."""
    graph = text_boxes.with_boxes(reader(), HEIGHT, WIDTH)
    onnx.checker.check_model(graph, full_check=True)
    picture = np.broadcast_to(map_, (1, 3, HEIGHT, WIDTH)).astype(np.float32)
    session = onnxruntime.InferenceSession(graph.SerializeToString())
    boxes, scores = session.run(["boxes", "scores"], {"x": picture})
    some = scores[0, :, 0] > 0
    return boxes[0, some] * [WIDTH, HEIGHT, WIDTH, HEIGHT], scores[0, some, 0]


def expected(map_: Array) -> tuple[Array, Array]:
    """The same by SciPy: parts of the halved map, their extents made wider, best first."""
    small = map_.astype(np.float32).reshape(HEIGHT // 2, 2, WIDTH // 2, 2).mean(axis=(1, 3))
    labels, _ = ndimage.label(small > text_boxes.LIKELY, np.ones((3, 3)))
    found = []
    for number, (rows, columns) in enumerate(ndimage.find_objects(labels), 1):
        inside = labels == number
        if inside.sum() > text_boxes.FEWEST:
            high, wide = rows.stop - rows.start, columns.stop - columns.start
            by = high * wide * text_boxes.WIDER / (2 * (high + wide))
            corners = (columns.start - by, rows.start - by, columns.stop + by, rows.stop + by)
            found.append((*(2 * each for each in corners), small[inside].mean()))
    best = np.array(sorted(found, key=lambda each: -each[-1]))
    return best[:, :4], best[:, 4]


@pytest.mark.parametrize("seed", range(5))
def test_the_parts_are_those_of_scipy(seed: int) -> None:
    noise = np.random.default_rng(seed).random((HEIGHT, WIDTH))
    blurred = ndimage.gaussian_filter(noise, 2.5)
    map_ = (blurred - blurred.min()) / np.ptp(blurred) * 0.6

    (boxes, scores), (own, means) = answered(map_), expected(map_)
    assert len(own) > 3
    np.testing.assert_allclose(scores, means, rtol=1e-5)
    np.testing.assert_allclose(boxes, own, rtol=1e-4, atol=1e-4)


def test_a_long_way_through_a_part_is_one_part() -> None:
    small = np.zeros((HEIGHT // 2, WIDTH // 2))
    small[::4] = 0.9  # lines, joined at alternate ends
    for row in range(0, HEIGHT // 2 - 4, 4):
        small[row : row + 4, -1 if row % 8 == 0 else 0] = 0.9
    boxes, scores = answered(small.repeat(2, axis=0).repeat(2, axis=1))

    assert scores == pytest.approx([0.9], rel=1e-5)
    assert boxes.shape == (1, 4)


def test_no_text_is_no_box() -> None:
    boxes, _ = answered(np.full((HEIGHT, WIDTH), 0.2))
    assert boxes.shape == (0, 4)
