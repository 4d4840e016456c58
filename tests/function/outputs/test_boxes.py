"""Boxes in the pixels of the picture that was sent, and how golden ones are compared."""

from __future__ import annotations

import base64
import io
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from onnxlet.function.arrays import Array
from onnxlet.function.inputs.validation import CheckedBatch
from onnxlet.function.outputs.boxes import as_texts, boxes
from onnxlet.function.serving.golden import compare

NONE = [0.0, 0, 0, 0, -1, 0]


def step(image: str, labels: list[str]) -> Any:
    """Of a model whose second block has the picture as its second column."""
    signature: Any = SimpleNamespace(
        positions={"age": (0, 0), "name": (1, 0), "photo": (1, 1)},
        image_feeds=[SimpleNamespace(most=10_000)],
    )
    return boxes(signature, image, labels)


def photo(width: int, height: int, orientation: int = 1) -> str:
    file = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new("RGB", (width, height)).save(file, "JPEG", exif=exif)
    return base64.b64encode(file.getvalue()).decode()


def answered(found: Any, *photos: str, labels: list[str] | None = None) -> Any:
    names = np.array([["a", each] for each in photos], dtype=object)
    table = CheckedBatch(len(photos), [np.zeros((len(photos), 1)), names])
    made: Array = step("photo", labels or ["cat", "dog"])(np.array(found, np.float32), table)
    assert made.shape == (len(photos),)
    return made.tolist()


def test_each_row_has_its_own_pixels_and_number_of_boxes() -> None:
    box = [0.25, 0.5, 0.75, 1.0]
    found = [[[*box, 0.9, 1], [0, 0, 0.1, 0.1, 0.6, 0]], [[*box, 0.8, 0], NONE], [NONE, NONE]]

    got = answered(found, photo(40, 20), photo(20, 40, orientation=6), photo(8, 8))

    assert got == [
        [
            {"label": "dog", "score": 0.9, "x": 10, "y": 10, "width": 20, "height": 10},
            {"label": "cat", "score": 0.6, "x": 0, "y": 0, "width": 4, "height": 2},
        ],
        [{"label": "cat", "score": 0.8, "x": 10, "y": 10, "width": 20, "height": 10}],
        [],
    ]


def test_boxes_end_with_the_picture_and_those_beside_it_are_none() -> None:
    found = [[-0.5, -1, 0.5, 0.5, 0.9, 0], [0.5, 0.5, 2, 3, 0.8, 0], [1.1, 0, 2, 1, 0.7, 0]]
    odd = [[0.5, 0, 0.5, 1, 0.6, 0], [0, 0, np.nan, 1, 0.6, 0], [0, 0, 1, 1, np.nan, 0]]

    [got] = answered([found + odd], photo(10, 10))

    assert [[each[side] for side in ("x", "y", "width", "height")] for each in got] == [
        [0, 0, 5, 5],
        [5, 5, 5, 5],
    ]


def test_a_class_without_a_label_is_its_number() -> None:
    found = [[0, 0, 1, 1, 0.9, kind] for kind in (0, 1, 2, 17)]

    [got] = answered([found], photo(10, 10), labels=["cat", "dog"])

    assert [each["label"] for each in got] == ["cat", "dog", "2", "17"]


def test_numbers_have_no_digits_that_nobody_computed() -> None:
    [[got]] = answered([[[0.1, 0.1, 0.9, 0.9, 0.7, 0]]], photo(10, 30))

    assert got == {"label": "cat", "score": 0.7, "x": 1, "y": 3, "width": 8, "height": 24}


def test_as_texts_each_row_is_json() -> None:
    rows = np.empty(2, dtype=object)
    rows[:] = [[{"label": "猫", "score": 0.5}], []]

    assert as_texts(rows).tolist() == ['[{"label":"猫","score":0.5}]', "[]"]


# golden rows


BOX = {"label": "cat", "score": 0.9, "x": 100.0, "y": 50.0, "width": 20.0, "height": 10.0}
OTHER = {"label": "dog", "score": 0.7, "x": 10.0, "y": 5.0, "width": 2.0, "height": 1.0}


def faults(got: Any, expected: Any, sides: list[float] | None = None) -> list[str]:
    golden = {
        "instances": [["…"]] * len(expected),
        "answers": {"prediction": expected},
        "tolerance": 1e-5,
        "floors": {} if sides is None else {"prediction": sides},
    }
    return [each[:12] for each in compare({"prediction": got}, golden)]


@pytest.mark.parametrize(
    "change",
    [{"score": 0.900005}, {"x": 100.009}, {"y": 49.991}, {"width": 20.009}, {"height": 10.009}],
)
def test_numbers_may_differ_by_the_tolerance_of_the_picture(change: dict[str, Any]) -> None:
    assert faults([[BOX | change], []], [[BOX], []], [1000, 10]) == []
    twice = {name: BOX[name] + 2 * (value - BOX[name]) for name, value in change.items()}
    assert faults([[BOX | twice], []], [[BOX], []], [1000, 10]) == ["golden row 0"]
    if "score" not in change:
        assert faults([[BOX | change], []], [[BOX], []]) == ["golden row 0"]


@pytest.mark.parametrize(
    "row",
    [[], [BOX, BOX], [BOX | {"label": "dog"}], [BOX | {"more": 1}], [BOX | {"x": "1"}], None, 3,
     [3], [BOX | {"x": None}]],
)  # fmt: skip
def test_other_boxes_differ(row: Any) -> None:
    assert faults([[BOX], row], [[BOX], [BOX]], [1000, 1000]) == ["golden row 1"]


def test_the_number_of_boxes_counts_where_none_is_expected() -> None:
    assert faults([[], []], [[], []]) == []
    assert faults([[], [BOX]], [[], []]) == ["golden row 1"]


def test_boxes_of_equal_scores_may_change_their_order() -> None:
    alike = OTHER | {"score": BOX["score"]}
    assert faults([[alike, BOX]], [[BOX, alike]], [1000]) == []
    for got, wanted in (([alike, alike], [BOX, alike]), ([BOX, alike], [BOX, BOX])):
        assert faults([got], [wanted], [1000]) == ["golden row 0"]
