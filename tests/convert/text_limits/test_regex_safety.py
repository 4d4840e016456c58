"""Which token patterns may be let loose on text that anybody sends."""

from __future__ import annotations

import time

import pytest

from onnxlet.convert.reference import regex_safety as documented
from onnxlet.convert.text_limits.regex_safety import hopeless, runaway

LINEAR = [
    r"(?u)\b\w\w+\b",
    r"[a-zA-Z]{3,}",
    r"\b[a-zA-Z]+\b",
    r"(?u)(?<!\w)[^\W\d_]+(?:['’-]\w+)?",
    r"\b\w+(?:-\w+)*\b",
    r"(?:[A-Z]\.)+|\w+(?:[-']\w+)*|\$?\d+(?:\.\d+)?%?|\.\.\.|[^\w\s]",
    r"[\u4e00-\u9fff]",
    r"(?:\w+)+",
]
RUNAWAY = [
    r"(a+)+b",
    r"(?:\w+-?)+!",
    r"(?:foo|foofoo)+q",
    pytest.param(r"([\d.]+)%", marks=pytest.mark.gate),  # of the square: long texts are tried
    pytest.param(r"(?u)@(?:\w+-?)+:", marks=pytest.mark.gate),
    pytest.param(r"(?<=#)(?:\w+\s?)*\$", marks=pytest.mark.gate),
    pytest.param(r"(?i:key)=(?:(?:[a-z]+|[0-9]+)+,?)+\]", marks=pytest.mark.gate),
    pytest.param(r"(?:a|ab|b)+:", marks=pytest.mark.gate),
    pytest.param(r"\"(?:\\.|[^\"])*\"", marks=pytest.mark.gate),
]


@pytest.mark.parametrize("pattern", LINEAR)
def test_a_pattern_whose_time_grows_with_the_text_is_taken(pattern: str) -> None:
    assert runaway(pattern) == ""


@pytest.mark.long
@pytest.mark.parametrize("pattern", RUNAWAY)
def test_a_pattern_that_runs_away_is_reported_with_the_text_that_it_runs_on(pattern: str) -> None:
    start = time.monotonic()

    reason = runaway(pattern)

    assert reason.startswith(f"its token_pattern {pattern!r} takes more than 1 s for ")
    assert time.monotonic() - start < 60
    assert runaway(pattern) is reason


@pytest.mark.long
@pytest.mark.parametrize(("pattern", "on_short_text"), [(r"(a+)+b", True), (r"(\d+\.\d)", False)])
def test_a_limit_of_length_helps_against_squares_only(pattern: str, on_short_text: bool) -> None:
    assert runaway(pattern) != ""
    assert hopeless(pattern) == (runaway(pattern) if on_short_text else "")


def test_the_documented_address_is_this_one() -> None:
    assert (documented.runaway, documented.hopeless) == (runaway, hopeless)
