"""JSON without orjson: the same values, and the same refusals."""

from __future__ import annotations

import json
import math
import sys
import time
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnxlet.edge.browser import orjson as ours
from onnxlet.function import json_text
from onnxlet.function.errors import MalformedRequest

TEXTS = [
    "0", "-0", "-0.0", "1", "1.0", "1e5", "1E+5", "1e-05", "0.1", "123456789012345678", "1e308",
    "1e400", "-1e400", "4.9e-324", "9223372036854775807", "9223372036854775808",
    "18446744073709551615", "18446744073709551616", "-9223372036854775808",
    "-9223372036854775809",
    "9" * 19, "9" * 400, "-" + "9" * 5000, f'["{"9" * 30}", 1]',
    "0.30000000000000004", "2.2250738585072011e-308",
    "true", "false", "null", "NaN", "-Infinity", "[NaN, 1]", '"NaN"',
    '""', '"a"', '"\\u00e9"', '"é"', '"\\ud83d\\ude00"', '"\\ud800"', '"\\u0000"', '"\\/"',
    '"\u2028"', '"\x7f"', '"\t"', '"\\t"', '"\\x"', "'a'",
    "[]", "{}", "[1,]", "{,}", '{"a":1,}', '{"a":1,"a":2}', '{"a" : [ {"b":null} ] }', "{a:1}",
    "[1 2]", "01", "+1", ".5", "5.", "1e", "--1", "", " ", " 1 ", "1 2", "\ufeff1", "[", '{"a":',
    "nul", "// no\n1", "[1]\n", "\u00a01",
]  # fmt: skip
BYTES = [b'"\xff"', b"\xff\xfe1\x00", b'"\xed\xa0\x80"', b"\xef\xbb\xbf[1]", b"[\x00]", b"\x00"]


def outcome(loads: Any, text: bytes) -> Any:
    """The value and its types; or that it was refused, and how."""
    try:
        return repr(loads(text))
    except MalformedRequest as error:
        return error.message


@pytest.mark.parametrize("text", [*(each.encode() for each in TEXTS), *BYTES])
def test_a_body_is_read_as_with_orjson(text: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = outcome(json_text.loads, text)
    monkeypatch.setattr(json_text, "orjson", ours)
    assert outcome(json_text.loads, text) == expected


@pytest.mark.parametrize("text", TEXTS)
def test_what_orjson_reads_is_read_equally(text: str) -> None:
    try:
        expected = orjson.loads(text)
    except orjson.JSONDecodeError:
        return
    assert repr(ours.loads(text)) == repr(ours.loads(text.encode())) == repr(expected)


LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(), st.text()
)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20
)


def without_surrogates(value: Any) -> bool:
    return not any(0xD800 <= ord(char) <= 0xDFFF for char in json.dumps(value, ensure_ascii=False))


@pytest.mark.long
@given(VALUES.filter(without_surrogates))
def test_what_is_written_reads_as_what_orjson_writes(value: Any) -> None:
    written = ours.dumps(value)
    assert repr(orjson.loads(written)) == repr(orjson.loads(orjson.dumps(value)))
    assert len(written) <= len(json.dumps(value, ensure_ascii=False).encode())


def test_what_is_no_number_is_null() -> None:
    value = {"a": [math.nan, math.inf, -math.inf, 1.5], "b": (math.nan,), "c": {"d": math.nan}}
    assert ours.dumps(value) == orjson.dumps(value)
    assert ours.dumps(math.nan) == b"null"


def test_texts_are_written_as_they_are() -> None:
    for text in ("é", "電影", "👍🏽", '"\\\n\x00\x1f\x7f', "\u2028"):
        assert ours.dumps(text) == orjson.dumps(text)


def test_what_has_no_form_is_asked_of_default_or_refused() -> None:
    assert ours.dumps([{1}], default=sorted) == orjson.dumps([{1}], default=sorted)
    for dumps in (ours.dumps, orjson.dumps):
        with pytest.raises(TypeError):
            dumps([{1}])


@pytest.mark.parametrize("pair", ["[]", "{}"])
def test_as_deep_as_orjson_and_no_deeper(pair: str) -> None:
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(10_000)  # older Pythons count levels of JSON, too
    try:
        as_deep_as_orjson(pair)
    finally:
        sys.setrecursionlimit(before)


def as_deep_as_orjson(pair: str) -> None:
    def nested(levels: int) -> bytes:
        opening = pair[0] if pair == "[]" else '{"a":'
        return (opening * levels + "1" + pair[1] * levels).encode()

    def levels_of(value: Any) -> int:
        found = 0
        while isinstance(value, list | dict):
            value = value[0] if isinstance(value, list) else value["a"]
            found += 1
        return found

    assert levels_of(ours.loads(nested(ours.DEEPEST))) == ours.DEEPEST
    assert levels_of(orjson.loads(nested(ours.DEEPEST))) == ours.DEEPEST
    for levels in (ours.DEEPEST + 1, 100_000):
        with pytest.raises(orjson.JSONDecodeError):
            orjson.loads(nested(levels))
        with pytest.raises(MalformedRequest, match="nested too deeply: at most 1024"):
            ours.loads(nested(levels))


def test_brackets_side_by_side_or_in_texts_are_not_deep() -> None:
    flat = "[" + ",".join(["[]"] * 5000) + "]"
    assert ours.loads(flat) == orjson.loads(flat)
    texts = json.dumps(["[" * 5000, '\\"' + "{" * 5000, '"[' * 3000])
    assert ours.loads(texts) == orjson.loads(texts)


def test_a_text_without_an_end_takes_no_time() -> None:
    """Each quote in it was tried as a beginning: a minute, in which the page answered nothing."""
    began = time.process_time()
    with pytest.raises((json.JSONDecodeError, MalformedRequest)):
        ours.loads("[" * 2000 + '"' + '\\"' * 200_000)
    assert time.process_time() - began < 5


@pytest.mark.parametrize("text", [b"[", b"\xff", b"[" + b"1" * 5_000 + b"]", b""])
def test_what_is_no_json_is_refused_as_by_orjson(text: bytes) -> None:
    """By the one error that callers know, also where a number has too many digits for Python."""
    with pytest.raises(ours.JSONDecodeError):
        ours.loads(text)
