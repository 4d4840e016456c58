"""How an imported model's answers are judged, and graphs in 16 bits, in integers, quantised."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto

from onnxlet.convert.errors import Refusal
from onnxlet.function.arrays import Array
from tests.convert.imported.importing import ask, imported
from tests.convert.imported.onnx_files import (
    HALF,
    INT32,
    INT64,
    UINT8,
    WEIGHTS,
    model,
    node,
    value,
)

FEATURES = np.random.default_rng(0).normal(size=(30, 3)).astype(np.float32)
WIDE = np.random.default_rng(1).normal(size=(3, 200)).astype(np.float32) * 4


def answers(proto: onnx.ModelProto, inputs: dict[str, Array]) -> Array:
    """ONNX Runtime's own, row by row."""
    session = onnxruntime.InferenceSession(
        proto.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    count = len(next(iter(inputs.values())))
    rows = [
        session.run(None, {name: array[n : n + 1] for name, array in inputs.items()})[0]
        for n in range(count)
    ]
    return np.concatenate(rows)


def classifier(*after: Any, end: str = "logits") -> onnx.ModelProto:
    return model(
        [node("MatMul", "x weights", "logits"), *after],
        [value("x")],
        [value(end, dims=("batch", 200))],
        {"weights": WIDE},
    )


SOFTMAX = (node("Softmax", "logits", "shares", axis=1), node("Identity", "shares", "y"))
BY_HAND = (
    node("ReduceMax", "logits", "most", axes=[1]),
    node("Sub", "logits most", "below"),
    node("Exp", "below", "powers"),
    node("ReduceSum", "powers axis", "total"),
    node("Div", "powers total", "y"),
)


def by_hand() -> onnx.ModelProto:
    """A softmax as frameworks write it that have no such operator."""
    proto = classifier(*BY_HAND, end="y")
    proto.graph.initializer.append(onnx.numpy_helper.from_array(np.array([1]), "axis"))
    return proto


@pytest.mark.parametrize("make", [lambda: classifier(*SOFTMAX, end="y"), by_hand])
def test_shares_of_one_are_compared_absolutely(tmp_path: Path, make: Any) -> None:
    proto = make()
    shares = answers(proto, {"x": FEATURES})
    assert np.median(shares) < 1e-4  # the classes that a row is not of

    shift = np.resize([5e-6, -5e-6], 200).astype(np.float32)
    near = {"y": np.maximum(shares + shift, 0)}
    built = imported(tmp_path, proto, sample={"x": FEATURES}, expected=near)
    assert built.manifest["parity"]["outputs"]["prediction"]["allowed"] == 1e-5
    with pytest.raises(Refusal, match="differ"):
        imported(tmp_path, proto, sample={"x": FEATURES}, expected={"y": shares + np.float32(2e-5)})


def test_logits_are_compared_with_their_usual_size(tmp_path: Path) -> None:
    proto = classifier()
    logits = answers(proto, {"x": FEATURES})
    size = float(np.median(np.abs(logits)))

    near = logits + np.float32(0.8e-5 * size)
    built = imported(tmp_path, proto, sample={"x": FEATURES}, expected={"logits": near})
    allowed = built.manifest["parity"]["outputs"]["prediction"]["allowed"]
    assert allowed == pytest.approx(1e-5 * size, rel=1e-2)
    smallest = np.unravel_index(np.argmin(np.abs(logits)), logits.shape)
    far = logits.copy()
    far[smallest] += 3e-5 * size
    with pytest.raises(Refusal, match="differ"):
        imported(tmp_path, proto, sample={"x": FEATURES}, expected={"logits": far})


def test_a_network_in_16_bits_may_differ_by_a_unit_in_the_last_place(tmp_path: Path) -> None:
    weights = WEIGHTS.astype(np.float16)
    proto = model(
        [node("MatMul", "x weights", "y")],
        [value("x", HALF)],
        [value("y", HALF, ("batch", 2))],
        {"weights": weights},
    )
    half = FEATURES.astype(np.float16)
    computed = answers(proto, {"x": half})
    wide = half.astype(np.float64) @ weights.astype(np.float64)
    assert not np.allclose(computed, wide, rtol=1e-5)

    expected = wide.astype(np.float16)
    built = imported(tmp_path, proto, sample={"x": half}, expected={"y": expected})
    assert built.manifest["parity"]["outputs"]["prediction"]["allowed"] > 1e-4
    answer = ask(tmp_path, half.astype(float).tolist())
    assert np.array_equal(np.float16(answer["prediction"]), computed)
    wrong = expected + np.float16(0.01)
    with pytest.raises(Refusal, match="differ"):
        imported(tmp_path, proto, sample={"x": half}, expected={"y": wrong})


@pytest.mark.parametrize(
    ("element", "dtype"),
    [
        (INT64, "int64"),
        (INT32, "int32"),
        (TensorProto.INT16, "int16"),
        (TensorProto.INT8, "int8"),
        (TensorProto.UINT32, "uint32"),
        (TensorProto.UINT16, "uint16"),
        (UINT8, "uint8"),
    ],
)
def test_every_type_of_integer_goes_in_as_it_is(tmp_path: Path, element: int, dtype: str) -> None:
    limits = np.iinfo(dtype)
    most = min(limits.max, 2**53)
    x = np.array([[max(limits.min, -(2**53)), 0, most], [1, 2, 3], [4, 5, 6]], dtype=dtype)
    proto = model(
        [node("Cast", "x", "wide", to=TensorProto.DOUBLE)],
        [value("x", element)],
        [value("wide", TensorProto.DOUBLE)],
    )
    imported(tmp_path, proto, sample={"x": x}, expected={"wide": x.astype(np.float64)})
    assert ask(tmp_path, x.tolist())["prediction"] == x.astype(float).tolist()


def quantised() -> onnx.ModelProto:
    """As quantize_dynamic writes it: the scale is that of all rows that are run together."""
    return model(
        [
            node("DynamicQuantizeLinear", "x", "whole scale zero"),
            node("MatMulInteger", "whole weights zero", "sums"),
            node("Cast", "sums", "numbers", to=TensorProto.FLOAT),
            node("Mul", "numbers scale", "y"),
        ],
        [value("x")],
        [value("y", dims=("batch", 2))],
        {"weights": (WEIGHTS * 30).astype(np.int8)},
    )


def test_rows_that_would_be_scaled_together_are_run_one_by_one(tmp_path: Path) -> None:
    lines: list[str] = []
    x = FEATURES * np.arange(1, 31, dtype=np.float32)[:, None]
    alone = answers(quantised(), {"x": x})
    session = onnxruntime.InferenceSession(quantised().SerializeToString())
    assert not np.allclose(session.run(None, {"x": x})[0], alone, rtol=1e-3)

    built = imported(
        tmp_path, quantised(), sample={"x": x}, expected={"y": alone}, say=lines.append
    )
    assert any("one by one: DynamicQuantizeLinear" in line for line in lines)
    assert built.manifest["graph"]["rows_at_once"] == 1
    assert np.allclose(ask(tmp_path, x.tolist())["prediction"], alone, rtol=1e-6)


def test_a_graph_that_was_quantised_before_is_served(tmp_path: Path) -> None:
    proto = model(
        [
            node("QuantizeLinear", "x scale zero", "whole"),
            node("QLinearMatMul", "whole scale zero w w_scale w_zero y_scale zero", "product"),
            node("DequantizeLinear", "product y_scale zero", "y"),
        ],
        [value("x")],
        [value("y", dims=("batch", 2))],
        {
            "scale": np.array(0.05, np.float32),
            "zero": np.array(128, np.uint8),
            "w": (WEIGHTS * 30).astype(np.int8),
            "w_scale": np.array(1 / 30, np.float32),
            "w_zero": np.array(0, np.int8),
            "y_scale": np.array(0.1, np.float32),
        },
    )
    y = answers(proto, {"x": FEATURES})
    built = imported(tmp_path, proto, sample={"x": FEATURES}, expected={"y": y})
    assert "rows_at_once" not in built.manifest["graph"]
    assert np.allclose(ask(tmp_path, FEATURES.tolist())["prediction"], y)
