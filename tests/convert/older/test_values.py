"""What goes between two Pythons: values come out as they went in, and nothing else comes."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from onnxlet.convert.older import values
from tests.convert.helpers import objects


def sent(value: Any) -> Any:
    """The value as it comes out at the other end."""
    packing, stream = values.Packing(), io.BytesIO()
    values.send(stream, {"made": packing.pack(value)}, packing.arrays)
    stream.seek(0)
    message, arrays = values.receive(stream)
    assert stream.read() == b""
    return values.unpack(message["made"], arrays)


@pytest.mark.parametrize(
    "value",
    [
        None, True, 3, -(2**80), 1.5, float("inf"), "text", "ä\n\ud800", [1, [2, "a"]], (1, (2,)),
        {"a": 1, 2: None}, {1, 2}, frozenset({"a"}), pd.Timestamp("2024-02-29T12:00:00.5"),
        pd.Timestamp("2024-02-29", tz="Europe/Zurich"), np.float32(0.1), np.int8(3), np.str_("é"),
        np.datetime64("2024-02-29"),
    ],
)  # fmt: skip
def test_plain_values_stay(value: Any) -> None:
    made = sent(value)

    assert (made, type(made)) == (value, type(value))


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6.0).reshape(2, 3),
        np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3)),
        np.array([[True], [False]]),
        np.array(["a", "éé"]),
        np.zeros((0, 3)),
        np.array(7),
        np.array([(1, 2.5)], dtype=[("a", "i4"), ("b", "f8")]),
    ],
)
def test_arrays_keep_their_bytes_dtype_and_order(array: Any) -> None:
    made = sent(array)

    assert (made.dtype, made.shape, made.tobytes()) == (array.dtype, array.shape, array.tobytes())
    assert made.flags.f_contiguous == array.flags.f_contiguous


def test_objects_keep_each_kind_of_gap() -> None:
    array = np.array([["a", None], [float("nan"), pd.NA], [True, 3]], dtype=object)
    made = sent(array)

    assert made.shape == (3, 2)
    assert made[0, 1] is None
    assert made[1, 1] is pd.NA
    assert type(made[1, 0]) is float
    assert made[1, 0] != made[1, 0]
    assert (made[2, 0], made[2, 1]) == (True, 3)


DAYS: Any = ["2024-02-29", None, "1999-12-31"]
LETTERS = pd.Index(["b", "a", "c"], dtype=object)  # of text in its own dtype objects are made
FRAME = pd.DataFrame(
    {
        "number": [1.5, np.nan, -0.0],
        "single": np.array([0.1, 1, 2], dtype=np.float32),
        "whole": np.array([1, 2, 3], dtype=np.int16),
        "flag": [True, False, True],
        "mixed": objects(["a", None, 3]),
        "category": pd.Categorical(["b", None, "a"], LETTERS, ordered=True),
        "codes": pd.Categorical([3, 1, 3]),
        "maybe": pd.array([1, None, 3], dtype="Int64"),
        "perhaps": pd.array([True, None, False], dtype="boolean"),
        "share": pd.array([0.5, None, 1], dtype="Float32"),
        "text": pd.array(["a", None, "c"], dtype="string"),
        "day": pd.to_datetime(DAYS).astype("M8[ns]"),
        "there": pd.to_datetime(DAYS).tz_localize("Asia/Tokyo"),
    }
)


@pytest.mark.parametrize("name", FRAME)
def test_columns_keep_values_and_dtype(name: str) -> None:
    column = sent(FRAME[[name]])[name]
    dtype = FRAME[name].dtype
    # An older pandas has nanoseconds only.
    same = dtype if dtype.kind != "M" else column.dtype

    assert column.dtype.kind == dtype.kind
    pd.testing.assert_series_equal(column, FRAME[name].astype(same))


def test_frames_keep_labels_and_index() -> None:
    frame = pd.DataFrame([[1.0, 2.0], [3.0, 4.0]], columns=[0, "b"], index=[7, -3])
    made = sent(frame)

    assert list(made.columns) == [0, "b"]
    assert made.index.tolist() == [7, -3]
    assert made.to_numpy().tolist() == frame.to_numpy().tolist()
    empty = sent(frame[[]])
    assert empty.shape == (2, 0)


def test_text_of_pandas_3_is_objects_for_an_older_one() -> None:
    frame = pd.DataFrame({"a": pd.Series(["x", np.nan], dtype="str")})
    column = sent(frame)["a"]

    assert column.dtype == object
    assert column[0] == "x"
    assert column[1] != column[1]


def test_a_series_keeps_its_name() -> None:
    series = pd.Series(["a", "b"], name="note", dtype=object, index=[4, 2])

    pd.testing.assert_series_equal(sent(series), series)


@pytest.mark.parametrize("value", [object(), print, np.random.RandomState(0), 1j, [lambda: 0]])
def test_no_object_is_sent(value: Any) -> None:
    with pytest.raises(values.NotPlain, match="can't be handed over"):
        sent(value)


def test_no_object_is_made_of_a_message_that_holds_one() -> None:
    packing = values.Packing(objects=True)
    packed = json.loads(json.dumps(packing.pack([np.random.RandomState(0)])))
    with pytest.raises(values.NotPlain, match="where none is expected"):
        values.unpack(packed, packing.arrays)
    with pytest.raises(values.NotPlain, match="nothing reads"):
        values.unpack({"is": "other"}, [])


def test_no_pickle_is_read_as_an_array() -> None:
    stream, file = io.BytesIO(), io.BytesIO()
    np.save(file, np.array([print], dtype=object), allow_pickle=True)
    for part in (json.dumps({"arrays": 1}).encode(), file.getvalue()):
        stream.write(values.SIZE.pack(len(part)) + part)
    stream.seek(0)
    with pytest.raises(ValueError, match="allow_pickle=False"):
        values.receive(stream)


@pytest.mark.parametrize("content", [b"", b"\0", values.SIZE.pack(9) + b"{}", b"\xff" * 8 + b"{}"])
def test_a_message_that_is_cut_or_too_large_is_an_end(content: bytes) -> None:
    with pytest.raises(EOFError):
        values.receive(io.BytesIO(content))


def test_named_are_only_what_an_import_leads_to() -> None:
    assert values.named(np.log1p) == {"name": ["numpy", "log1p"]}
    assert values.named(values.named) == {"name": [values.__name__, "named"]}
    unnamed: list[Any] = [lambda: 0, list[int]().append]
    for unknown in unnamed:
        with pytest.raises(values.NotPlain):
            values.named(unknown)
