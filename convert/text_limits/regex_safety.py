"""Token patterns that take exponential or quadratic time, found by timing them on hostile text.

A backtracking matcher can need time that grows with the square of a text's length, or doubles
with each character: https://owasp.org/www-community/attacks/Regular_expression_Denial_of_Service.
A match can't be interrupted, so a process of its own is timed.

A pattern that takes the square of a text's length is quick on a short one, so that a column whose
texts a step of the front end searches by one gets a limit of length. The text that the step is
given must then be no longer than the one that comes in, or by a known factor.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, partial
from typing import Any

from onnxlet.convert.text_limits.hostile_texts import Hostile, hostile
from onnxlet.function.inputs.columns import LONGEST_TEXT
from onnxlet.function.inputs.front_end import composed

SURE = frozenset(
    {r"(?u)\b\w\w+\b", r"(?u)\b\w+\b", r"\b\w\w+\b", r"\b\w+\b", r"\w+", r"\S+", r"[^\s]+"}
)
LENGTHS = (30, 1_000, 10_000, LONGEST_TEXT)
SHORT = 1_000  # characters; a limit of length, which many texts would be beyond, is no way out
SLOWEST = 1.0  # seconds of work on a text as long as any; what is linear takes hundredths
PATIENCE = 60.0  # seconds for all, where no timer ends the process
KEPT_TEXTS = 12  # texts that were the slowest at one length are tried at the next

TIMER = """
import json, re, signal, sys, time
pattern, texts, lengths, slowest, kept = json.load(sys.stdin)
find = re.compile(pattern).findall
for length in lengths:
    taken = []
    for before, unit, end in texts:
        text = before + unit * max(1, (length - len(before) - len(end)) // len(unit)) + end
        print(json.dumps([before, unit, length]), flush=True)
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_VIRTUAL, slowest)
        start = time.process_time()
        find(text)
        taken.append((time.process_time() - start, before, unit, end))
    if length >= 1000:
        texts = [text for _, *text in sorted(taken, reverse=True)[:kept]]
"""

Step = Mapping[str, Any]
# What is timed, and a text for it of about so many characters.
Costly = tuple[Callable[[str], Any], Callable[[int], str]]

# By how much each step may lengthen a text; of upper case, "\u0390" has three characters.
GROWTH = {
    "character_at": 1, "pattern_group": 1, "replace_texts": 1, "slice_text": 1, "split_part": 1,
}  # fmt: skip
GROWTH_OF_METHODS = {
    "capitalize": 3, "casefold": 3, "lower": 3, "lstrip": 1, "removeprefix": 1, "removesuffix": 1,
    "rstrip": 1, "strip": 1, "swapcase": 3, "title": 3, "upper": 3,
}  # fmt: skip


def runaway(pattern: str) -> str:
    """Why a pattern is not safe on text from clients; empty where it is."""
    return _timed(pattern)[0]


def hopeless(pattern: str) -> str:
    """Why a pattern is not even safe on short text; empty where a limit of length helps."""
    reason, length = _timed(pattern)
    return reason if length <= SHORT else ""


@cache
def _timed(pattern: str) -> tuple[str, int]:
    """Why a pattern is not safe, and on how many characters."""
    if pattern in SURE:
        return "", LONGEST_TEXT
    command = [sys.executable, "-I", "-c", TIMER]
    asked = json.dumps([pattern, hostile(pattern), LENGTHS, SLOWEST, KEPT_TEXTS])
    try:
        done = subprocess.run(  # noqa: S603 # this interpreter, and a script of our own
            command, input=asked, capture_output=True, text=True, timeout=PATIENCE
        )
    except subprocess.TimeoutExpired as error:
        printed = error.stdout or b""
        return _reason(pattern, printed.decode() if isinstance(printed, bytes) else printed)
    return _reason(pattern, done.stdout) if done.returncode else ("", LONGEST_TEXT)


def _reason(pattern: str, printed: str) -> tuple[str, int]:
    before, unit, length = json.loads(printed.splitlines()[-1])
    reason = (
        f"its token_pattern {pattern!r} takes more than {SLOWEST:g} s for {length} characters of "
        f"{unit!r} over and over{f' after {before!r}' if before else ''}"
    )
    return reason, length


def growth(steps: Sequence[Step]) -> int | None:
    """How many times as long as the text that comes in another one may be; None for any number."""
    factors = [
        GROWTH_OF_METHODS.get(step["name"])
        if step["step"] == "str_method"
        else GROWTH.get(step["step"])
        for step in steps
    ]
    return None if None in factors else math.prod(one for one in factors if one is not None)


def slow_steps(steps: Sequence[Step]) -> list[tuple[Step, int]]:
    """The steps whose pattern runs away on long texts, each with the growth before it."""
    return [
        (step, growth(steps[:position]) or 1)
        for position, step in enumerate(steps)
        if (pattern := _pattern(step)) is not None and runaway(pattern)
    ]


def costly_searches(slow: Sequence[tuple[Step, int]]) -> Iterator[Costly]:
    """Searches of texts that are costly for the steps, by the length of the text that comes in."""
    for step, times in slow:
        search = composed([step])
        for text in hostile(_pattern(step) or ""):
            yield search, partial(_grown, text, times)


def _grown(text: Hostile, times: int, length: int) -> str:
    return text.of(length * times)


def _pattern(step: Step) -> str | None:
    if step["step"] == "split_part":
        return step["separator"] if step.get("pattern") else None
    return step.get("pattern")
