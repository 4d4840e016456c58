"""Graphs whose rows change each other, or whose outputs have no entry for each row."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from onnxlet.convert.errors import Refusal
from tests.convert.imported.importing import ask, client_of, imported
from tests.convert.imported.onnx_files import FLOAT, INT64, from_x_to_y, model, node, value

AXES = np.array([0])


def beyond(rows: int) -> onnx.ModelProto:
    """Adds the mean of all rows where there are more than so many."""
    return from_x_to_y(
        node("Shape", "x", "count", end=1),
        node("Greater", "count most", "more"),
        node("Cast", "more", "share", to=FLOAT),
        node("ReduceMean", "x axes", "mean"),
        node("Mul", "mean share", "added"),
        node("Add", "x added", "y"),
        axes=AXES,
        most=[rows],
    )


def above(number: float) -> onnx.ModelProto:
    """Adds up rows by what they exceed a number."""
    return from_x_to_y(
        node("Sub", "x number", "over"),
        node("Relu", "over", "some"),
        node("CumSum", "some axis", "before"),
        node("Add", "x before", "y"),
        axis=0,
        number=np.float32(number),
    )


def less_the_first() -> onnx.ModelProto:
    return from_x_to_y(node("Gather", "x first", "row"), node("Sub", "x row", "y"), first=[0])


def of_ids() -> onnx.ModelProto:
    """Adds the largest of all rows where it exceeds 5."""
    return from_x_to_y(
        node("Cast", "x", "number", to=FLOAT),
        node("Sub", "number five", "over"),
        node("Relu", "over", "some"),
        node("ReduceMax", "some axes", "most"),
        node("Add", "number most", "y"),
        element=INT64,
        axes=AXES,
        five=np.float32(5),
    )


def trained() -> onnx.ModelProto:
    one, none = np.ones(3, np.float32), np.zeros(3, np.float32)
    made = node("BatchNormalization", "x scale bias mean var", "y m v", training_mode=1)
    return from_x_to_y(made, scale=one, bias=none, mean=none, var=one)


MIXED: dict[str, Callable[[], onnx.ModelProto]] = {
    "beyond 4 rows": lambda: beyond(4),
    "beyond 40 rows": lambda: beyond(40),
    "beyond 400 rows": lambda: beyond(400),
    "numbers above 200": lambda: above(200.0),
    "less the first row": less_the_first,
    "the largest of whole numbers": of_ids,
    "batch statistics": trained,
}


@pytest.mark.parametrize("case", MIXED)
def test_rows_that_change_each_other_are_refused(tmp_path: Path, case: str) -> None:
    with pytest.raises(Refusal, match=r"row \d is answered differently by itself than") as refused:
        imported(tmp_path, MIXED[case]())
    assert "model.eval()" in refused.value.hint
    assert not (tmp_path / "models").exists()


def a_thousandth() -> onnx.ModelProto:
    return from_x_to_y(
        node("ReduceMax", "x axes", "most"),
        node("Mul", "most share", "added"),
        node("Add", "x added", "y"),
        axes=AXES,
        share=np.float32(1e-3),
    )


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (a_thousandth, [[1.001, 2.002, 3.003], [5e7 * 1.001, 2.002, 3.003]]),
        (lambda: above(1e7), [[1.0, 2.0, 3.0], [9e7, 2.0, 3.0]]),
    ],
    ids=["a thousandth", "beside far larger numbers"],
)
def test_rows_that_others_change_a_little_are_run_one_by_one(
    tmp_path: Path, make: Callable[[], onnx.ModelProto], expected: Any
) -> None:
    """Quantised networks do so, which round a last digit to a whole step: none is refused."""
    lines: list[str] = []
    built = imported(tmp_path, make(), say=lines.append)

    assert "rows are run one by one: others change their last digits" in lines
    rows = [[1.0, 2.0, 3.0], [5e7, 2.0, 3.0]]
    answer = ask(built, rows)
    assert np.allclose(answer["prediction"], expected)


# Sizes


def strips(pads: int = 7) -> onnx.ModelProto:
    """A picture of any width to an entry for each eight columns of it, for one picture."""
    size = {"kernel_shape": [1, 8], "strides": [1, 8]}
    return model(
        [
            node("AveragePool", "x", "strips", pads=[0, 0, 0, pads], **size),
            node("Transpose", "strips", "turned", perm=[3, 0, 1, 2]),
            node("Reshape", "turned shape", "y"),
        ],
        [value("x", dims=(1, 1, 4, "width"))],
        [value("y", dims=("strips", 1, 4))],
        {"shape": np.array([-1, 1, 4])},
    )


def apart() -> onnx.ModelProto:
    """As many entries as the height exceeds the width by, and one."""
    return model(
        [
            node("Shape", "x", "high", start=1, end=2),
            node("Shape", "x", "wide", start=2),
            node("Sub", "high wide", "more"),
            node("Abs", "more", "apart"),
            node("Add", "apart one", "count"),
            node("Concat", "count one", "shape", axis=0),
            node("ReduceMean", "x all", "mean"),
            node("Reshape", "mean ones", "cell"),
            node("Expand", "cell shape", "y"),
        ],
        [value("x", dims=(1, "high", "wide"))],
        [value("y", dims=("count", 1))],
        {"one": np.array([1]), "all": np.array([0, 1, 2]), "ones": np.array([1, 1])},
        opsets={"": 18},
    )


@pytest.mark.parametrize(
    ("make", "got"),
    [(strips, r"\(2, 1, 4\) for 1 of width=9"), (apart, r"\(4, 1\) for 1 of high=8, wide=5")],
)
def test_an_output_whose_first_size_is_no_number_of_rows_is_refused(
    tmp_path: Path, make: Callable[[], onnx.ModelProto], got: str
) -> None:
    with pytest.raises(Refusal, match=f"output 'y' has the shape {got}: expected an entry for"):
        imported(tmp_path, make())


def test_within_the_sizes_where_it_has_rows_it_is_served(tmp_path: Path) -> None:
    client = client_of(imported(tmp_path, strips(), ["width=..8"]))
    images = [np.ones((1, 4, width)).tolist() for width in (3, 8)]
    answer = ask(client, images)
    assert np.allclose(np.array(answer["prediction"]), 1.0)


def found() -> onnx.ModelProto:
    """Where a row is not zero: as many entries as that are."""
    return model(
        [
            node("NonZero", "x", "places"),
            node("Transpose", "places", "turned"),
            node("Cast", "turned", "y", to=FLOAT),
        ],
        [value("x", dims=(1, 3))],
        [value("y", dims=("found", 2))],
    )


@pytest.mark.parametrize(
    ("rows", "refused"),
    [([[1, 2, 3]], [0]), ([[0, 0, 0]], [0]), ([[0, 0, 1], [1, 0, 1], [5, 0, 0]], [1])],
    ids=["too many", "none", "among others"],
)
def test_another_number_of_rows_than_came_is_refused(
    tmp_path: Path, rows: Any, refused: list[int]
) -> None:
    """A sample whose rows are all of one such cell shows no other number."""
    sample = {"x": np.diag([1, 2, 3]).astype(np.float32)}
    client = client_of(imported(tmp_path, found(), sample=sample))
    assert client.post("/predict", json={"instances": [[0, 0, 7]]}).status_code == 200

    answer = client.post("/predict", json={"instances": rows})
    assert answer.status_code == 422
    assert [each["row"] for each in answer.get_json()["errors"]] == refused
    assert "a size may not fit" in answer.get_json()["errors"][0]["detail"]
