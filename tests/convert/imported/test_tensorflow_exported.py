"""Models of TensorFlow that tf2onnx exported."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.convert.imported.test_frameworks import features, served

pytestmark = [
    pytest.mark.frameworks,
    pytest.mark.filterwarnings("ignore"),  # of the frameworks' own
]


@pytest.fixture(scope="module")
def tensorflow() -> Any:
    os.environ |= {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    tensorflow = pytest.importorskip("tensorflow")
    pytest.importorskip("tf2onnx")
    return tensorflow


def test_a_function_of_tensorflow(tmp_path: Path, tensorflow: Any) -> None:
    import tf2onnx

    weights = np.random.default_rng(1).normal(size=(4, 3)).astype(np.float32)
    shape = [tensorflow.TensorSpec([None, 4], tensorflow.float32, name="x")]

    def softmax(x: Any) -> Any:
        return tensorflow.nn.softmax(tensorflow.nn.relu(x) @ weights)

    shares = tensorflow.function(softmax, input_signature=shape)
    path = tmp_path / "net.onnx"
    proto, _ = tf2onnx.convert.from_function(shares, shape, opset=17, output_path=str(path))
    [given], [output] = ([e.name for e in some] for some in (proto.graph.input, proto.graph.output))

    x = features(4)
    expected = shares(x).numpy()
    answer = served(tmp_path, {given: x}, {output: expected})
    assert np.allclose(answer["prediction"], expected, atol=1e-6)
