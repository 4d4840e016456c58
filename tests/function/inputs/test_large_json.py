"""Large JSON read in slices: the same values, and the same bodies refused, as at once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from onnxlet.function import json_text
from onnxlet.function.errors import MalformedRequest, RequestTooLarge
from onnxlet.function.inputs import json_body, large_json
from onnxlet.function.inputs.json_body import LARGE_BODY
from onnxlet.function.inputs.large_json import MOST_VALUES, Members
from onnxlet.function.inputs.parts import Parts
from onnxlet.function.json_text import ANY, DEEPEST, ENTRY

LISTS = frozenset({(), ("instances",), ("inputs",), ("inputs", ANY), ("inputs", ENTRY, "data")})
MEMBERS = frozenset({("inputs",)})
NAMES = st.sampled_from(["instances", "inputs", "data", "a", "", 'q"[\\', "{é🦙", "b" * 20])
INTEGERS = st.integers(-(2**63), 2**63 - 1)  # of larger ones orjson makes floats
PLAIN = st.none() | st.booleans() | INTEGERS | st.floats() | st.text(max_size=8) | NAMES
VALUES = st.recursive(
    PLAIN, lambda inner: st.lists(inner) | st.dictionaries(NAMES, inner), max_leaves=30
)
LONG = st.lists(VALUES, min_size=3) | st.dictionaries(NAMES, st.lists(VALUES), min_size=1)
BODIES = st.dictionaries(st.sampled_from(["instances", "inputs", "a"]), LONG) | LONG


@pytest.fixture(autouse=True, scope="module")
def small_slices() -> Iterator[None]:
    """Slices of a few bytes, so that short bodies are long ones."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_body, "LARGE_BODY", 0)
        patch.setattr(large_json, "SLICE", 12)
        yield


def whole(value: Any) -> Any:
    """All of a value, what is still to be read included."""
    if isinstance(value, Members):
        together: dict[str, Any] = {}
        for some in value.objects():
            together |= some
        return whole(together)
    if isinstance(value, dict):
        return {name: whole(member) for name, member in value.items()}
    if isinstance(value, list | Parts):
        members = [whole(member) for member in value]
        assert len(members) == len(value)
        return members
    return value


def outcome(body: bytes, **paths: Any) -> Any:
    """Everything that is in a body, or that it is refused."""
    try:
        read = json_body.read if paths else json_text.loads
        return repr(whole(read(body, **paths)))
    except MalformedRequest:
        return "refused"


def in_slices(body: bytes) -> Any:
    return outcome(body, lists=LISTS, members=MEMBERS)


@pytest.mark.long
@settings(max_examples=40, deadline=None)
@given(body=BODIES, indent=st.sampled_from([None, 0, 3]), ascii_=st.booleans())
@example({"instances": [["\\"] * 9, '"' * 9, '\\\\"[{,']}, None, True)
@example({"inputs": {"a": [1, 2, 3] * 9, "b": []}, "instances": [[[]]] * 9}, 3, False)
def test_the_same_values(body: Any, indent: int | None, ascii_: bool) -> None:
    text = json.dumps(body, indent=indent, ensure_ascii=ascii_).encode()

    assert in_slices(text) == outcome(text)


@settings(max_examples=40, deadline=None)
@given(body=BODIES, data=st.data())
def test_the_same_bodies_are_refused(body: Any, data: st.DataObject) -> None:
    """A byte is taken out, put in or replaced: bracket, comma, quote, escape, half a letter."""
    text = json.dumps(body, ensure_ascii=False).encode()
    at = data.draw(st.integers(0, len(text) - 1))
    byte = data.draw(
        st.sampled_from([b"", b",", b"]", b"[", b"}", b"{", b'"', b"\\", b"\xc3", b":"])
    )
    cut = data.draw(st.integers(0, 1))
    broken = text[:at] + byte + text[at + cut :]

    assert in_slices(broken) == outcome(broken)


@pytest.mark.parametrize(
    "body",
    [
        b'{"instances": [%b], "instances": [1]}' % (b"[1],[2],[3],[4],[5],[6],[7],[8],[9]"),
        b'{"instances": [1], "instances": [%b]}' % (b"[1],[2],[3],[4],[5],[6],[7],[8],[9]"),
        b'{"inst\\u0061nces": [[1],[2],[3],[4],[5],[6],[7],[8],[9]]}',
        b"\xef\xbb\xbf" + b'{"instances": [[1],[2],[3],[4],[5],[6],[7],[8],[9]]}',
        b"[" + b" " * 50 + b"]",
        b"[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,]",
        b"[,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15]",
        b"[1,2,3,4,5,6,,7,8,9,10,11,12,13,14,15]",
        b"[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15]]",
        b"[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15}",
        b"[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15] 1",
        b'{"inputs": {"a": [1], "b": [2], "c": [3],  }}',
        b"[NaN, Infinity, -Infinity, 1e999, 1.50]",
    ],
)
def test_odd_ones(body: bytes) -> None:
    assert in_slices(body) == outcome(body)


def test_a_name_of_ours_is_no_list() -> None:
    """A client's own text in a list's place is text, whatever it looks like."""
    body = b'{"instances": ["0-0"], "a": [[1],[2],[3],[4],[5],[6],[7],[8],[9]]}'
    assert in_slices(body) == outcome(body)


def test_a_long_row_is_a_list_where_columns_may_be_long() -> None:
    rows = b'{"inputs": [%b]}' % b",".join([b"[" + b"1," * 40 + b"1]"] * 3)
    found = json_body.read(rows, LISTS, MEMBERS)["inputs"]

    assert [type(row) for row in found] == [list] * 3


def test_where_it_is_wrong_is_named() -> None:
    body = (
        b'{"instances": [[1, "\xc3\xa9"],\n'
        + b"[2, 3],\n" * 20
        + b'[4, "\xc3\xa9", oops],\n[5, 6]]}'
    )
    with pytest.raises(MalformedRequest, match="Expecting value at line 22 column 10"):
        whole(json_body.read(body, LISTS))
    with pytest.raises(MalformedRequest, match="byte 44 of the body is not UTF-8"):
        whole(json_body.read(b'{"instances": [' + b"1," * 14 + b'"\xff"]}', LISTS))
    with pytest.raises(MalformedRequest, match="it ends within a string"):
        json_body.read(b'{"instances": ["' + b"x" * 99, LISTS)


def test_what_is_too_deep_or_too_wide() -> None:
    for depth in (DEEPEST, DEEPEST + 1):
        body = b"[1,2,3,4,5,6,7,8,9,%b]" % (b"[" * (depth - 1) + b"]" * (depth - 1))
        if depth <= DEEPEST:
            assert len(json_body.read(body, LISTS)) == 10
        else:
            with pytest.raises(MalformedRequest, match="nested too deeply"):
                json_body.read(body, LISTS)
    row = b"[" + b"1," * (MOST_VALUES + 1) + b"1]"
    with pytest.raises(RequestTooLarge, match="more than 131072 values in one row"):
        whole(json_body.read(b"[[1],%b,[1]]" % row, LISTS))


def test_what_is_deep_beside_the_rows_is_read_as_ever() -> None:
    levels = DEEPEST - 1
    deep = b"[" * levels + b"]" * levels
    found = json_body.read(b'{"instances": [%b1], "model": %b}' % (b"1," * 99, deep), LISTS)

    assert len(found["instances"]) == 100
    value, depth = found["model"], 1
    while value:
        [value], depth = value, depth + 1
    assert depth == levels


@pytest.fixture
def real_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_body, "LARGE_BODY", LARGE_BODY)
    monkeypatch.setattr(large_json, "SLICE", 2**18)


NULLS = b"[%b]" % b",".join([b"0", b"1"] * 2500 + [b"null"])
TENSOR = b'{"name":"a","data":[%b]}' % b",".join([b"[%b1]" % (b"1.234," * 149)] * 1000)


@pytest.mark.usefixtures("real_slices")
@pytest.mark.parametrize(
    "body",
    [
        b'{"instances": [%b]}' % b",".join([b'{"a":"%b"}' % (b"a," * 40_000)] * 20),
        b'{"instances": [%b]}' % b",".join([b'["%b"]' % (b"a," * 140_000)] * 5),
        b'{"instances": [%b]}' % b",".join([NULLS] * 300),
        b'{"instances": [%b]}' % b",".join([b"[1],[1]", b"[%b1]" % (b"1," * 120_000)] * 6),
        b'{"inputs": [%b,%b]}' % (TENSOR, TENSOR),
        b'{"instances"%b:%b[%b]}'
        % (b" " * 3000, b"\n" * 9000, b",".join([b"[1,%b2]" % (b" " * 90)] * 12_000)),
    ],
)
def test_few_values_in_a_row_are_not_many(body: bytes) -> None:
    assert len(body) > LARGE_BODY
    assert whole(json_body.read(body, LISTS)) == json.loads(body)


@pytest.mark.usefixtures("real_slices")
@pytest.mark.parametrize("values", [b"[%b],1", b"1,[%b]", b"[1],[%b],1,1", b'"a",[["x",%b]]'])
def test_many_values_in_a_row_are_refused(values: bytes) -> None:
    row = values % (b"null," * (MOST_VALUES + 1) + b"1")
    rows = b"[%b]" % b",".join([b"[1,%b1]" % (b" " * 90)] * 9_000 + [row] + [b"[1]"] * 9)
    with pytest.raises(RequestTooLarge, match="more than 131072 values in one row"):
        whole(json_body.read(rows, LISTS))


def test_large_bodies_have_hints_too() -> None:
    for last in (b"None", b"", b"'a'"):
        with pytest.raises(MalformedRequest) as caught:
            whole(json_body.read(b'{"instances": [%b%b]}' % (b"1," * 99, last), LISTS))
        assert caught.value.hint == json_text.HINT


@pytest.mark.usefixtures("real_slices")
def test_no_slice_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a call reads holds up everybody else: none of them is given much more than a slice."""
    sizes: list[int] = []
    read = orjson.loads

    def loads(text: bytes) -> Any:
        sizes.append(len(text))
        return read(text)

    monkeypatch.setattr(orjson, "loads", loads)
    body = b'{"instances": [' + b",".join([b'{"a":1.5,"b":[]}'] * 100_000) + b"]}"
    rows = json_body.read(body, LISTS)["instances"]

    assert len(rows) == 100_000
    assert max(sizes, default=0) < 100  # nothing but what is around the rows
    assert sum(1 for _ in rows) == 100_000
    assert max(sizes) < 2**18 + 100


@settings(max_examples=60, deadline=None)
@given(st.recursive(PLAIN, lambda v: st.lists(v) | st.dictionaries(st.text(), v), max_leaves=30))
def test_answers_in_slices(answer: Any) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_text, "FEW_MEMBERS", 2)
        answer = json.loads(json.dumps(answer).encode("utf-8", "replace"))  # as orjson takes it
        try:
            expected = json_text.dumps(answer)
        except TypeError:
            return
        assert json_text.dumps_large(answer) == expected
