"""The graph that judges windows, against NumPy."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
from PIL import Image

from onnxlet.convert.examples.parts import pictures, windows

SCENE = pictures.scenes(1, seed=0, held_out=True)[0]


def test_the_graph_judges_windows_as_they_are_described() -> None:
    weights = np.random.default_rng(0).normal(size=windows.FEATURES)
    graph = windows.graph(weights, -0.5)
    onnx.checker.check_model(graph, full_check=True)
    session = onnxruntime.InferenceSession(graph.SerializeToString())
    picture = np.asarray(SCENE.image, np.float32)[None, None] / 255
    boxes, logits = session.run(["boxes", "logits"], {"picture": np.repeat(picture, 2, axis=0)})

    describing = onnxruntime.InferenceSession(windows.features().SerializeToString())
    rows = windows.described(describing, SCENE.image)
    expected = np.array(windows.boxes())
    expected[:, 2:] += expected[:, :2]
    assert boxes.shape == (2, len(rows), 4)
    for row in range(2):
        np.testing.assert_allclose(logits[row, :, 0], rows @ weights - 0.5, rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(boxes[row] * [320, 240, 320, 240], expected, atol=1e-3)


def test_a_window_is_described_by_the_edges_in_it() -> None:
    """Of a picture whose only edge is upright, the windows on it have edges of that direction."""
    image = Image.new("L", (pictures.WIDTH, pictures.HEIGHT))
    image.paste(255, (160, 0, pictures.WIDTH, pictures.HEIGHT))
    session = onnxruntime.InferenceSession(windows.features().SerializeToString())
    rows = windows.described(session, image)

    boxes = np.array(windows.boxes())
    left, right = boxes[:, 0], boxes[:, 0] + boxes[:, 2]
    within = (left < 140) & (right > 180)
    by_direction = rows.reshape(-1, windows.DIRECTIONS, windows.CELLS**2).sum(axis=2)
    assert within.any()
    assert (by_direction[within].argmax(axis=1) == 0).all()  # from dark to light, to the right
    np.testing.assert_allclose(rows[right < 120], 0, atol=1e-5)  # all dark
