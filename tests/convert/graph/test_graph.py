"""The graph that converters write: arithmetic, constants, and what is dropped."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from sklearn.linear_model import LogisticRegression

from onnxlet.convert.converters.registry import Table
from onnxlet.convert.graph.loops import repeat
from tests.convert.converters.graphs import X, given, graph_of, run

# Arithmetic

EVEN = np.array([0.5, 2.0, -4.0])
OPERATIONS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "x + array": (lambda x: x + EVEN, lambda x: x + EVEN),
    "array + x": (lambda x: EVEN + x, lambda x: EVEN + x),
    "x - array": (lambda x: x - EVEN, lambda x: x - EVEN),
    "array - x": (lambda x: EVEN - x, lambda x: EVEN - x),
    "1 - x": (lambda x: 1.0 - x, lambda x: 1.0 - x),
    "x * array": (lambda x: x * EVEN, lambda x: x * EVEN),
    "array * x": (lambda x: EVEN * x, lambda x: EVEN * x),
    "x / array": (lambda x: x / EVEN, lambda x: x / EVEN),
    "array / x": (lambda x: EVEN / x, lambda x: EVEN / x),
    "x ** 3": (lambda x: x**3, lambda x: x**3),
    "x @ matrix": (
        lambda x: x @ np.arange(6.0).reshape(3, 2),
        lambda x: x @ np.arange(6.0).reshape(3, 2),
    ),
    "-x": (lambda x: -x, lambda x: -x),
    "x + x": (lambda x: x + x, lambda x: x + x),
    "x < array": (lambda x: x < EVEN, lambda x: x < EVEN),
    "x <= array": (lambda x: x <= EVEN, lambda x: x <= EVEN),
    "x > 0": (lambda x: x > 0, lambda x: x > 0),
    "x >= 0": (lambda x: x >= 0, lambda x: x >= 0),
    "equals": (lambda x: x.equals(4.0), lambda x: x == 4.0),
    "and": (lambda x: (x > 0) & (x < 2), lambda x: (x > 0) & (x < 2)),
    "or": (lambda x: (x > 2) | (x < 0), lambda x: (x > 2) | (x < 0)),
    "not": (lambda x: ~(x > 0), lambda x: ~(x > 0)),
    "isnan": (lambda x: x.isnan(), np.isnan),
    "where": (lambda x: (x > 0).where(x, -1.0), lambda x: np.where(x > 0, x, -1.0)),
    "where not": (lambda x: (x > 0).where(7.0, x), lambda x: np.where(x > 0, 7.0, x)),
    "maximum": (lambda x: x.maximum(EVEN), lambda x: np.maximum(x, EVEN)),
    "clip": (lambda x: x.clip(-1.0, 2.0), lambda x: np.clip(x, -1.0, 2.0)),
    "clip below": (lambda x: x.clip(0.0, None), lambda x: np.clip(x, 0.0, None)),
    "unary": (lambda x: x.unary("Floor"), np.floor),
    "take": (lambda x: x.take([2, 0, 0]), lambda x: x[:, [2, 0, 0]]),
    "sum": (lambda x: x.sum(), lambda x: x.sum(axis=1, keepdims=True)),
    "argmin": (
        lambda x: x.take([1, 2]).argmin(),
        lambda x: x[:, [1, 2]].argmin(axis=1)[:, None],
    ),
    "look_up": (
        lambda x: x.take([1, 2]).argmax().look_up([10, 20]),
        lambda x: np.array([10, 20])[x[:, [1, 2]].argmax(axis=1)][:, None],
    ),
    "cast": (lambda x: x.take([1]).clip(0, 9).cast("int64"), lambda x: x[:, [1]].clip(0, 9) // 1),
}


@pytest.mark.parametrize(("write", "compute"), OPERATIONS.values(), ids=OPERATIONS)
def test_arithmetic_is_numpys(write: Any, compute: Any) -> None:
    graph = graph_of()
    made = write(given(graph))

    (got,) = run(graph, made)

    with np.errstate(all="ignore"):
        expected = compute(X)
    assert got.shape == (3, made.width)
    np.testing.assert_array_equal(got, expected)


def test_constants_are_of_the_tensors_dtype() -> None:
    graph = graph_of()
    x = given(graph, "float32")

    (got,) = run(graph, x * 0.1 + EVEN, feed=X[:2])

    assert got.dtype == np.float32
    np.testing.assert_array_equal(got, X[:2].astype("f4") * np.float32(0.1) + EVEN.astype("f4"))


def test_tensors_of_two_dtypes_are_not_mixed_by_themselves() -> None:
    graph = graph_of()
    with pytest.raises(TypeError, match=r"is of float64, .* of float32"):
        given(graph) + given(graph, "float32")


WEIGHTS = np.array([[1.0, 2.0], [0.5, -1.0], [3.0, 0.25]])
SHIFTS = {
    "row": np.array([[7.0, -2.0]]),
    "list": [7.0, -2.0],
    "number": 7.0,
    "whole number": 7,
    "minus": np.array([7, 2], dtype=np.uint8),
}


@pytest.mark.parametrize("shift", SHIFTS)
def test_a_product_and_what_is_added_to_its_rows_are_one_node(shift: str) -> None:
    def sums(x: Any) -> list[Any]:
        return [x @ WEIGHTS + SHIFTS[shift], x @ WEIGHTS - np.asarray(SHIFTS[shift], dtype=float)]

    graph = graph_of()
    made = sums(given(graph))

    assert [node.op_type for node in graph.finished(made).graph.node] == ["Gemm", "Gemm"]
    graph = graph_of()
    for got, expected in zip(run(graph, *sums(given(graph)), feed=X[:2]), sums(X[:2]), strict=True):
        np.testing.assert_array_equal(got, expected)


def test_products_of_what_is_no_matrix_and_sums_of_other_shapes_stay_apart() -> None:
    graph = graph_of()
    x = given(graph)
    cube = x.reshape([0, 1, 3], 3) @ WEIGHTS + 1.0
    column = x @ WEIGHTS + x.take([0])
    whole = x.cast("int64") @ np.eye(3) + 1
    wider = x @ WEIGHTS[:, :1] + [1.0, 2.0, 3.0]

    made = [cube, column, whole, wider]
    assert "Gemm" not in {node.op_type for node in graph.finished(made).graph.node}
    assert wider.width == 3


def test_a_number_beside_one_column_has_two_dimensions() -> None:
    graph = graph_of()
    one = given(graph).take([0])
    made = [one + 2.0, (1.0 - one) > 0.5, one.take([0]).reshape([-1], 1) * 3.0]

    constants = {t.name: list(t.dims) for t in initializers(graph.finished(made))}
    values = [(list(t.dims), onnx.numpy_helper.to_array(t).item())
              for t in initializers(graph.finished(made)) if constants[t.name] != [1]]  # fmt: skip
    assert sorted(values) == [([], 3.0), ([1, 1], 0.5), ([1, 1], 1.0), ([1, 1], 2.0)]


def test_indices_are_their_own_labels_where_these_count_from_zero() -> None:
    graph = graph_of()
    indices = given(graph).argmax()

    assert indices.look_up([0, 1, 2]) is indices
    assert indices.look_up([False, True]) is indices
    assert indices.look_up([0, 2, 1]) is not indices
    assert indices.look_up([0.0, 1.0, 2.0]).dtype == "float64"


# Constants and names


def initializers(proto: onnx.ModelProto) -> list[Any]:
    return list(proto.graph.initializer)


def test_a_constant_is_stored_once() -> None:
    graph = graph_of()
    x = given(graph)
    made = [x + EVEN, x * EVEN, x - EVEN.copy(), x / EVEN.tolist()]

    proto = graph.finished(made)
    assert len(initializers(proto)) == 1


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ((0.0, None), (-0.0, None)),
        ((1.0, "float32"), (1.0, "float64")),
        ((1, "int64"), (1.0, "float64")),
        ((1.0, None), ([1.0], None)),
        (([1.0, 2.0], None), ([[1.0, 2.0]], None)),
        ((["1"], None), ([1], None)),
        ((["a", "b"], None), (["a, b"], None)),
        ((["a'"], None), (['a"'], None)),
    ],
)
def test_constants_that_differ_are_two(a: tuple[Any, Any], b: tuple[Any, Any]) -> None:
    graph = graph_of()
    assert graph.constant(*a).name != graph.constant(*b).name
    assert graph.constant(*a).name == graph.constant(*a).name


def test_a_constant_of_text_keeps_every_character() -> None:
    texts = ["", "é", "中文", "🦙", "a\nb", "x\x00y"]
    graph = graph_of()
    indices = given(graph).take([1]).clip(0.0, 5.0).cast("int64")

    (got,) = run(graph, indices.look_up(texts), feed=[[0, index, 0] for index in range(6)])
    assert got.ravel().tolist() == texts


def test_the_same_is_written_in_the_same_bytes() -> None:
    def written() -> bytes:
        graph = graph_of()
        x = given(graph)
        proto = graph.finished([(x @ np.eye(3) + EVEN).softmax()])
        content: bytes = proto.SerializeToString(deterministic=True)
        return content

    assert written() == written()


# What is not needed


def test_what_no_output_needs_is_dropped() -> None:
    graph = graph_of()
    x, unused = given(graph), graph.input(["t"], "string")
    unused.equals("gone")
    (x * 2.0).sum()
    kept = x + 1.0

    proto = graph.finished([kept])
    assert [node.op_type for node in proto.graph.node] == ["Add"]
    assert [onnx.numpy_helper.to_array(t).item() for t in initializers(proto)] == [1.0]
    assert [value.name for value in proto.graph.input] == [x.name]
    assert [entry["columns"] for entry in graph.inputs] == [["a", "b", "c"]]


def test_what_a_loop_reads_is_kept() -> None:
    graph = graph_of()
    x = given(graph)
    start, outside = x.clip(-9.0, 9.0), x.clip(-1.0, 1.0)
    (made,) = repeat(graph, 2, lambda state: ([state + outside], state.isnan()), [start])

    (got,) = run(graph, made)
    np.testing.assert_array_equal(got, np.clip(X, -9, 9) + 2 * np.clip(X, -1, 1))


def test_methods_that_no_output_needs_are_dropped() -> None:
    model = LogisticRegression().fit(X[:2], ["a", "b"])
    graph = graph_of()
    labels = graph.call(model, Table((given(graph),)), "predict")

    operators = {node.op_type for node in graph.finished([labels]).graph.node}
    assert operators == {"Gemm", "Less", "Cast", "Gather"}
