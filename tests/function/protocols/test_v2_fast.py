"""Requests read by simdjson, where it is installed, are read as they are without it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from onnxlet.function import json_text
from onnxlet.function.errors import RequestError
from onnxlet.function.inputs import number_lists
from onnxlet.function.messages import Request
from onnxlet.function.protocols import v2, v2_fast
from onnxlet.function.protocols.native import LARGE
from onnxlet.function.protocols.v2_binary import Tail
from onnxlet.function.protocols.v2_inputs import read_inputs

pytest.importorskip("simdjson")

NUMBERS = st.sampled_from([0, 1, -1, 2.5, -0.0, 0.1, 3.4028236e38, 1e39, 2**53 + 1, 2**63, 2**64])
CELLS: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, "a", "[", {}, [], [1], 10**400, float("nan")]
)


@pytest.fixture(autouse=True, scope="module")
def small_requests_too() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(number_lists, "LEAST_BYTES", 0)
        yield


def tensors_of(form: Any) -> Any:
    faults: list[str] = []
    tensors = read_inputs(form.get("inputs"), Tail(b"", 0), faults)
    told = {name: (t.datatype, t.array.dtype, repr(t.array)) for name, t in tensors.items()}
    return told, faults, {key: value for key, value in form.items() if key != "inputs"}


@st.composite
def forms(draw: st.DrawFn) -> dict[str, Any]:
    """Requests of floats, mostly right."""
    inputs = []
    for place in range(draw(st.integers(1, 3))):
        shape = draw(st.sampled_from([[1], [3], [2, 2], [2, 1], [1, 1, 2], [0], [0, 2], [2, 0]]))
        cells: st.SearchStrategy[Any] = st.one_of(
            NUMBERS, st.floats(allow_nan=False, allow_infinity=False)
        )
        if draw(st.integers(0, 5)) == 0:
            cells = NUMBERS | CELLS
        count = int(np.prod(shape)) + (draw(st.integers(0, 9)) == 0)
        data: list[Any] = draw(st.lists(cells, min_size=count, max_size=count))
        if len(shape) == 2 and draw(st.booleans()):
            data = [data[at : at + shape[1]] for at in range(0, len(data), max(1, shape[1]))]
        entry = {"name": f"x{place}", "shape": shape, "datatype": "FP64", "data": data}
        entry["datatype"] = draw(st.sampled_from(["FP64", "FP64", "FP32", "FP32", "INT8", "BYTES"]))
        entry |= draw(st.sampled_from([{}, {}, {"parameters": {"a": [1, [{}]]}}, {"b": "["}]))
        inputs.append(entry)
    return {
        "inputs": inputs,
        **draw(st.sampled_from([{}, {"id": "x"}, {"outputs": [{"name": "p"}]}])),
    }


def entry(data: Any, shape: Any, datatype: Any = "FP64") -> dict[str, Any]:
    return {"inputs": [{"name": "x", "shape": shape, "datatype": datatype, "data": data}]}


@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(form=forms())
@example(form=entry([[1, 2], [3, [4]]], [2, 2]))
@example(form=entry([1, [2]], [2]))
@example(form=entry([[1], [2, 3], [4]], [4]))
@example(form=entry([[[1], [2]]], [2]))
@example(form=entry([[1], [2, 3]], [3, 1]))
@example(form={"inputs": [*entry([0.5] * 99, [99])["inputs"], *entry([[]], [2, 0])["inputs"]]})
@example(form=entry([[1], [2, 3, 4]], [2, 2]))
@example(form=entry([1e39, 1], [2], "FP32"))
@example(form={**entry([[1, 2]], [1, 2]), "inputs2": "["})
def test_the_fast_reading_reads_what_the_ordinary_one_does(form: dict[str, Any]) -> None:
    text = json.dumps(form).encode()

    fast = v2_fast.read(text)

    if fast is not None:
        assert tensors_of(fast) == tensors_of(json_text.loads(text))


@pytest.mark.parametrize("datatype", ["FP64", "FP32"])
@pytest.mark.parametrize(
    ("data", "shape"),
    [
        ([1, 2.5, 3, 4], [2, 2]),
        ([[1, 2.5], [3, 4]], [2, 2]),
        ([[1], [2.5]], [2, 1]),
        ([1, 2], [1, 1, 2]),
        ([1e30], [1]),
    ],
)
def test_usual_requests_are_read_so(data: Any, shape: Any, datatype: str) -> None:
    form = {**entry(data, shape, datatype), "id": "a", "outputs": [{"name": "p"}]}

    fast = v2_fast.read(json.dumps(form).encode())

    assert fast is not None
    assert tensors_of(fast) == tensors_of(form)


@pytest.mark.parametrize(
    "text",
    [
        b'{"inputs": [], "inputs": []}',
        b'{"inputs": [{"name": "x", "shape": [1], "datatype": "FP64", "data": [1], "data": [2]}]}',
        b'{"inputs": [{"name": "x", "shape": [1], "datatype": "FP64", "data": [1]}], "id": "", '
        b'"id": "x"}',
        b'{"inputs": {"a": [1]}}',
        b'{"inputs": [1]}',
        b"[1]",
        b"{",
        b'{"inputs": [{"data": [1]}]}',
        b'{"inputs": [{"name": "[", "shape": [1], "datatype": "FP64", "data": [1]}]}',
    ],
)
def test_odd_requests_are_read_in_the_ordinary_way(text: bytes) -> None:
    assert v2_fast.read(text) is None


def test_a_request_of_many_members_is_left_alone() -> None:
    form = {**entry([1], [1]), **{f"m{place}": 0 for place in range(30)}}

    assert v2_fast.read(json.dumps(form).encode()) is None


def test_faults_are_told_in_large_requests_too() -> None:
    data: list[Any] = [0.5] * 5000
    data[77] = True
    body = json.dumps(entry(data, [5000])).encode()
    assert len(body) > LARGE
    assert v2.decode(Request(body)).tensors is not None
    with pytest.raises(RequestError, match="4999 values do not fill shape"):
        v2.decode(Request(json.dumps(entry(data[1:], [5000])).encode()))
