"""Rows of several requests, which wait to be counted together."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from onnxlet.function.arrays import Array, Cells, LateArrays, LateOutputs
from onnxlet.function.inputs.validation import CheckedBatch
from onnxlet.function.messages import Prediction
from onnxlet.function.models.model import Model
from onnxlet.function.monitoring.gathered import NUMBER_BYTES, TEXT_BYTES, Gathered, _bytes_of

MODEL = cast(Model, None)  # nothing of it is kept


def answered(arrays: Any, outputs: Any, rows: int, **more: Any) -> Prediction:
    return Prediction("r", MODEL, CheckedBatch(rows, arrays), outputs, rows, **more)


def in_lists(numbers: list[float], texts: list[Any]) -> Prediction:
    rows = len(texts)
    blocks = [Cells(numbers, (rows, 2), "float64"), Cells(texts, (rows, 1), "string")]
    outputs = {"prediction": Cells(texts, (rows,), "string")}
    return answered(LateArrays(blocks), LateOutputs(outputs), rows)


def in_arrays(numbers: Array, texts: Array) -> Prediction:
    return answered([numbers, texts.reshape(-1, 1)], {"prediction": texts}, len(texts))


def test_lists_and_arrays_come_one_behind_the_other() -> None:
    gathered = Gathered(in_lists([1.0, 2.0, 3.0, 4.0], ["a", None]))
    gathered.add(in_arrays(np.array([[5.0, 6.0]], np.float32), np.array(["c"], object)))
    gathered.add(in_lists([7.0, 8.0], ["d"]))

    assert gathered.rows == 4
    assert gathered.array(0).tolist() == [[1, 2], [3, 4], [5, 6], [7, 8]]
    assert gathered.array(1).tolist() == [["a"], [None], ["c"], ["d"]]
    assert gathered.array("prediction").tolist() == ["a", None, "c", "d"]


def test_lists_only_become_one_array() -> None:
    gathered = Gathered(in_lists([1.0, 2.0], ["a"]), in_lists([3.0, 4.0], ["b"]))
    assert gathered.array(0).dtype == np.float64
    assert gathered.array(0).tolist() == [[1, 2], [3, 4]]


def test_what_is_not_counted_is_not_joined() -> None:
    """Answers of different sizes are no array."""
    ragged = [
        answered([], {"boxes": np.zeros((1, size)), "score": np.ones(1)}, 1) for size in (2, 3)
    ]
    assert Gathered(*ragged).array("score").tolist() == [1, 1]


def test_notes_come_in_the_order_of_rows() -> None:
    parts = [answered([], {}, 1, noted={(0, 0): [share]}) for share in (0.5, 0.25)]
    assert Gathered(*parts).noted((0, 0)) == [0.5, 0.25]


def test_memory_is_what_cells_take() -> None:
    """So that few long texts or images are counted as soon as many numbers are."""
    images, nested = np.empty(2, object), np.empty(1, object)
    images[:] = [b"x" * 1000, b""]
    nested[0] = np.zeros((10, 10))
    assert _bytes_of(Cells([1.0] * 5, (1, 5), "float64")) == 5 * NUMBER_BYTES
    assert _bytes_of(Cells(["x" * 900, None], (2, 1), "string")) == 2 * TEXT_BYTES + 900
    assert _bytes_of(np.zeros((3, 4))) == 96
    assert _bytes_of(images) == 16 + 2 * TEXT_BYTES + 1000
    assert _bytes_of(nested) == 8 + TEXT_BYTES + 800
