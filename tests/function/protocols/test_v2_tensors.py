"""Data in JSON and in bytes, in and out: what is packed fast is what reading cell by cell gives."""

from __future__ import annotations

import json
import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from onnxlet.function.arrays import as_array
from onnxlet.function.inputs.cell_validation import declared
from onnxlet.function.inputs.columns import Refused
from onnxlet.function.inputs.validation import CheckedBatch
from onnxlet.function.messages import Prediction
from onnxlet.function.protocols.v2.inputs import _columns, read_inputs
from onnxlet.function.protocols.v2.outputs import AnswerOptions, reply_of
from onnxlet.function.protocols.v2.tensors import DATATYPES, HEADER, Fault, Tail, from_json

CELLS = st.one_of(
    st.sampled_from([0, 1, 2, 0.0, 1.0, 2.5, -0.0, True, False, None, math.nan, math.inf]),
    st.sampled_from([127, 128, 255, 256, -1, 2**24 + 1, 2**31, 2**53 + 1, 2**63, 2**64, 10**400]),
    st.sampled_from([65504.0, 65520.0, 3.4028235e38, 3.4028236e38, 1e39, 0.1]),
    st.sampled_from(["a", "1", {}]),
    st.floats(),
    st.integers(),
)
JSON_DATATYPES = [datatype for datatype in DATATYPES if datatype != "BF16"]


@settings(max_examples=600, deadline=None)
@given(
    rows=st.integers(1, 3).flatmap(
        lambda width: st.lists(
            st.lists(CELLS, min_size=width, max_size=width), min_size=1, max_size=4
        )
    ),
    datatype=st.sampled_from(JSON_DATATYPES),
)
@example(rows=[[1.5, True]], datatype="FP64")
@example(rows=[[2.5] * 30, [2.5] * 20 + [True] + [2.5] * 9], datatype="FP64")
@example(rows=[[1, False]], datatype="INT8")
@example(rows=[[1, 0]], datatype="BOOL")
@example(rows=[[None, 1.5]], datatype="FP32")
@example(rows=[[None, True]], datatype="FP32")
@example(rows=[[3.0]], datatype="INT8")
def test_packing_takes_what_the_datatype_holds_and_nothing_else(
    rows: list[list[Any]], datatype: str
) -> None:
    flat = [cell for row in rows for cell in row]
    shape = [len(rows), len(rows[0])]

    nested, plain = [as_array(from_json(data, shape, datatype)) for data in (rows, flat)]

    assert nested.shape == plain.shape == tuple(shape)
    assert repr(nested) == repr(plain)
    if plain.dtype == object:
        assert plain.ravel().tolist() == flat or any(cell != cell for cell in flat)
        return
    assert plain.dtype == np.dtype(DATATYPES[datatype].dtype)
    expected = [declared(cell, datatype) for cell in flat]
    assert not any(isinstance(cell, Refused) for cell in expected)
    packed = [None if cell != cell else cell for cell in plain.ravel().tolist()]
    assert repr(packed) == repr([_as(plain, cell) for cell in expected])


def _as(array: Any, cell: Any) -> Any:
    return float(cell) if cell is not None and array.dtype.kind == "f" else cell


@pytest.mark.parametrize("shape", [[2], [2, 1]])
def test_usual_columns_are_read_together(shape: list[int]) -> None:
    entries = [
        {"name": name, "shape": shape, "datatype": "FP64", "data": [1, 2.5]} for name in "abc"
    ]

    tensors = _columns(entries)

    assert tensors is not None
    assert {name: t.as_array().ravel().tolist() for name, t in tensors.items()} == {
        name: [1, 2.5] for name in "abc"
    }


SHAPES = st.sampled_from([[2], [2], [2, 1], [1], [0], [2, 2], [-2], [True], "x", None])
NAMES: st.SearchStrategy[Any] = st.sampled_from(["a", "b", "c", "d", "e", "f", "", None, []])


@st.composite
def columns_nearly_alike(draw: st.DrawFn) -> list[Any]:
    datatype, shape = draw(st.sampled_from([*DATATYPES, "FP64", "FP32", "X", 1])), draw(SHAPES)
    usual = st.lists(st.sampled_from([0, 1, 2.5, 7]), min_size=2, max_size=2)
    entries: list[Any] = []
    for name in "abcd":
        cells = usual if draw(st.integers(0, 5)) else st.lists(CELLS | usual, max_size=3)
        entry = {"name": name, "shape": shape, "datatype": datatype, "data": draw(cells)}
        if not draw(st.integers(0, 9)):
            entry |= draw(
                st.fixed_dictionaries({}, optional={"shape": SHAPES, "name": NAMES, "b": NAMES})
            )
        entries.append(entry)
    return entries


@settings(max_examples=400, deadline=None)
@given(entries=columns_nearly_alike(), left=st.sampled_from([0, 0, 0, 1]))
@example(entries=[{"name": n, "shape": [0], "datatype": "FP64", "data": []} for n in "abc"], left=0)
@example(
    entries=[{"name": n, "shape": [1], "datatype": "INT8", "data": [True]} for n in "abc"], left=0
)
def test_columns_read_together_are_those_read_one_by_one(entries: list[Any], left: int) -> None:
    def read(some: list[Any]) -> Any:
        faults: list[str] = []
        tensors = read_inputs(some, Tail(b"x" * left, 0), faults)
        return faults, {n: (t.datatype, t.array.dtype, repr(t.array)) for n, t in tensors.items()}

    assert read(entries) == read([{**entry, "parameters": None} for entry in entries])


@pytest.mark.parametrize(
    ("data", "datatype"),
    [
        ([1.5, 2, -3], "FP64"),
        ([1.5, None, 2], "FP32"),
        ([0, 1, 0], "INT8"),
        ([2**64 - 1, 0, 1], "UINT64"),
        ([True, False, True], "BOOL"),
    ],
)
def test_usual_data_are_packed(data: list[Any], datatype: str) -> None:
    for form in (data, [[cell] for cell in data]):
        assert from_json(form, [3, 1], datatype).dtype != object


def test_arrays_are_aligned_wherever_they_start() -> None:
    content = np.arange(4.0)
    for start in range(9):
        array = Tail(b"x" * start + content.tobytes(), start).array(32, [2, 2], "FP64")

        assert array.flags.aligned
        assert array.ravel().tolist() == content.tolist()


def test_no_more_is_taken_after_a_wrong_size() -> None:
    tail = Tail(b"x" * 8, 0)
    for told in ("and 8 bytes are left", "a wrong 'binary_data_size' before it"):
        with pytest.raises(Fault, match=told):
            tail.take(9)


def reply_to(outputs: dict[str, Any], binary: bool) -> tuple[Any, bytes]:
    """An answer's JSON, and the bytes behind it."""
    signature = SimpleNamespace(outputs=())
    model: Any = SimpleNamespace(name="m", version=3, classes=None, signature=signature)
    prediction = Prediction("", model, CheckedBatch(3, []), outputs, 3)
    reply = reply_of(prediction, AnswerOptions(None, binary))
    length = int(reply.headers.get(HEADER, len(reply.body)))
    return json.loads(reply.body[:length]), reply.body[length:]


def test_what_is_no_number_is_null_in_json_and_itself_in_bytes() -> None:
    outputs = {
        "score": np.array([np.nan, 1.5, np.inf], "f4"),
        "prediction": np.array(["é", "", "b"], object),
    }

    form, nothing = reply_to(outputs, binary=False)
    about, content = reply_to(outputs, binary=True)

    assert [each["data"] for each in form["outputs"]] == [[None, 1.5, None], ["é", "", "b"]]
    assert nothing == b""
    assert [each["datatype"] for each in about["outputs"]] == ["FP32", "BYTES"]
    assert [each["parameters"]["binary_data_size"] for each in about["outputs"]] == [12, 15]
    assert content[:12] == outputs["score"].tobytes()
    assert content[12:] == b"\2\0\0\0\xc3\xa9\0\0\0\0\1\0\0\0b"


def test_an_array_that_is_not_contiguous_is_written_in_order() -> None:
    outputs = {"probabilities": np.arange(6.0).reshape(2, 3).T}

    form, _ = reply_to(outputs, binary=False)
    _, content = reply_to(outputs, binary=True)

    assert form["outputs"][0]["data"] == [0, 3, 1, 4, 2, 5]
    assert np.frombuffer(content).tolist() == [0, 3, 1, 4, 2, 5]
