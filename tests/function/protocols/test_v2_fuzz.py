"""Version 2's bodies as nobody writes them: each is answered or refused, never a fault of ours."""

from __future__ import annotations

import json
import math
import struct
from contextlib import suppress
from typing import Any

import numpy as np
from hypothesis import event, example, given, settings
from hypothesis import strategies as st

from onnxlet.function.errors import RequestError
from onnxlet.function.inputs.tensors import read_tensors
from onnxlet.function.messages import Request
from onnxlet.function.protocols import v2
from onnxlet.function.protocols.v2.tensors import BY_TYPE, DATATYPES, HEADER
from tests.function.inputs.test_tensors import IMAGES, MATRIX
from tests.function.inputs.test_validation import COLUMNS, SIGNATURE

SIZES = st.sampled_from([0, 1, 2, 3, 4, 6, 8, 16, 2**31, 2**62, 2**64, -1])
SHAPES = st.lists(SIZES, max_size=4) | st.sampled_from([[2, 2], [1, 2], [2], [1, 6], [1, 1, 2, 3]])
NAMES = st.sampled_from(["input", "image", "", *(column.name for column in COLUMNS)])
LEAVES = (
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=3)
)
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3), max_leaves=6)
PARAMETERS = st.fixed_dictionaries(
    {},
    optional={
        "binary_data_size": SIZES,
        "content_type": st.sampled_from(["np", "base64", None, 1]),
        "binary_data": LEAVES,
        "classification": LEAVES,
    },
)
ENTRIES = st.fixed_dictionaries(
    {"name": NAMES, "shape": SHAPES, "datatype": st.sampled_from(list(DATATYPES))},
    optional={"data": VALUES | st.lists(st.integers(0, 3), max_size=8), "parameters": PARAMETERS},
)
FORMS = st.fixed_dictionaries(
    {"inputs": st.lists(ENTRIES | VALUES, max_size=3) | VALUES},
    optional={
        "id": LEAVES,
        "parameters": PARAMETERS | VALUES,
        "outputs": st.lists(ENTRIES | VALUES, max_size=2) | VALUES,
    },
)
TAILS = st.binary(max_size=40) | st.sampled_from(
    [
        np.ones(4, "<f4").tobytes(),
        np.array([1, np.nan], "<f8").tobytes(),
        struct.pack("<I", 2) + b"ab" + struct.pack("<I", 2**32 - 1),
    ]
)


CELLS = st.sampled_from([0, 1, 2.5, 3, -1, 300, 1e39, None, True, "a", [1]])
FEW = st.integers(0, 9).map(lambda n: n == 0)  # one time in ten


@st.composite
def nearly_right(draw: st.DrawFn) -> tuple[Any, bytes, Any]:
    """A form and the bytes behind it that mostly fit the signature, and the signature."""
    signature = draw(st.sampled_from([SIGNATURE, MATRIX, IMAGES]))
    rows = draw(st.integers(0, 3))
    inputs, tail = [], b""
    for each in signature.inputs:
        shape = [rows, *each.shape[1:]]
        datatype = draw(st.sampled_from(list(DATATYPES)))
        if not draw(FEW):
            datatype = BY_TYPE[each.type] if draw(st.booleans()) else "FP32"
        entry: dict[str, Any] = {"name": each.name, "shape": shape, "datatype": datatype}
        count = math.prod(shape)
        if draw(st.booleans()):
            content = _content(datatype, count) if not draw(FEW) else draw(TAILS)
            entry["parameters"] = {"binary_data_size": len(content)}
            tail += content
        else:
            usual = {"BYTES": "a", "BOOL": True}.get(datatype, 1)
            data = [draw(CELLS) if draw(FEW) else usual for _ in range(count)]
            entry["data"] = data
        if draw(FEW) and draw(FEW):
            entry |= draw(ENTRIES)
        inputs.append(entry)
    return {"inputs": inputs}, tail, signature


def _content(datatype: str, count: int) -> bytes:
    if datatype == "BYTES":
        return (struct.pack("<I", 1) + b"a") * count
    width = 2 if datatype == "BF16" else np.dtype(DATATYPES[datatype].dtype).itemsize
    return b"\1" * (width * count)


@settings(max_examples=400, deadline=None)
@given(case=nearly_right())
def test_a_body_that_is_nearly_right_is_read_or_refused(case: tuple[Any, bytes, Any]) -> None:
    form, tail, signature = case
    read_or_refused(request_of(form, tail, None), signature)


def request_of(form: Any, tail: bytes, length: int | None) -> Request:
    header = json.dumps(form).encode()
    told = len(header) if length is None else length
    return Request(header + tail, header=lambda name: str(told) if name == HEADER else "")


@settings(max_examples=200, deadline=None)
@given(
    form=FORMS,
    tail=TAILS,
    length=st.none() | st.integers(0, 60),
    signature=st.sampled_from([SIGNATURE, MATRIX, IMAGES]),
)
@example(form={"inputs": []}, tail=np.ones(4).tobytes(), length=0, signature=MATRIX)
def test_any_body_is_read_or_refused(
    form: Any, tail: bytes, length: int | None, signature: Any
) -> None:
    read_or_refused(request_of(form, tail, length), signature)


def read_or_refused(request: Request, signature: Any) -> None:
    try:
        call = v2.decode(request)
        assert call.tensors is not None
        table = read_tensors(call.tensors, signature)
    except RequestError as error:
        event(type(error).__name__)
    else:
        event("read")
        assert all(len(array) == table.rows for array in table.arrays)


@settings(max_examples=200, deadline=None)
@given(body=st.binary(max_size=60), length=st.text(max_size=4))
def test_any_bytes_are_read_or_refused(body: bytes, length: str) -> None:
    with suppress(RequestError):
        v2.decode(Request(body, header=lambda name: length))
