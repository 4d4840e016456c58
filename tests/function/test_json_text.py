"""JSON in: both readers take the same, and are as deep as each other."""

from __future__ import annotations

import json
from typing import Any

import pytest

from onnxlet.function.errors import MalformedRequest, RequestTooLarge
from onnxlet.function.json_text import DEEPEST, MOST_BRACKETS, _is_deep, loads


def nested(levels: int, kind: str, innermost: Any = 1) -> Any:
    value = innermost
    for _ in range(levels):
        value = [0, value] if kind == "list" else {"a": 0, "b": value}
    return value


@pytest.mark.parametrize("kind", ["list", "object"])
@pytest.mark.parametrize("levels", [0, 1, DEEPEST - 1, DEEPEST, DEEPEST + 1, 5000])
def test_what_is_too_deep(kind: str, levels: int) -> None:
    """Python's own reader goes less deep than this up to 3.11, and deeper from 3.12 on."""
    assert _is_deep([nested(levels, kind)]) == (levels + 1 > DEEPEST)


@pytest.mark.parametrize("levels", [1, 500, DEEPEST, DEEPEST + 1, 100_000])
def test_the_limit_of_what_is_read(levels: int) -> None:
    body = b"[" * levels + b"]" * levels
    if levels <= DEEPEST:
        assert loads(body) is not None
    else:
        with pytest.raises(MalformedRequest, match="at most 1024 levels"):
            loads(body)


@pytest.mark.long
@pytest.mark.parametrize("part", [b"[],", b"{},", b'{"a":[1]},'])
def test_what_would_take_all_memory(part: bytes) -> None:
    most = MOST_BRACKETS // (2 if len(part) > 3 else 1) - 2
    assert len(loads(b"[" + most * part + b"1]")) == most + 1
    with pytest.raises(RequestTooLarge, match="more than 1000000 lists and objects"):
        loads(b"[" + (most + 2) * part + b"1]")


def test_many_rows_with_nan_are_not_deep() -> None:
    rows = [[float("nan"), {"a": [1]}]] * (2 * DEEPEST)

    assert str(loads(json.dumps(rows).encode())) == str(rows)


@pytest.mark.parametrize("levels", [DEEPEST + 1, 100_000])
def test_nan_far_down_is_refused_alike(levels: int) -> None:
    with pytest.raises(MalformedRequest, match="at most 1024 levels"):
        loads(b"[" * levels + b"NaN" + b"]" * levels)


def test_brackets_in_text_are_no_levels() -> None:
    text = "[{" * 5000

    assert loads(json.dumps([text, float("inf")]).encode()) == [text, float("inf")]


def test_a_text_without_an_end_is_told_where_it_starts() -> None:
    with pytest.raises(MalformedRequest, match=r"starting at line 1 column 2\n"):
        loads(b'{"a')
