"""Patterns that take exponential or quadratic time, found by timing them on hostile text.

A backtracking matcher can need time that grows with the square of a text's length, or doubles with
each character: https://owasp.org/www-community/attacks/Regular_expression_Denial_of_Service. A
match can't be interrupted, so a process of its own is timed.

Hostile texts are made from the pattern's own parsed form. A backtracking matcher tries every way to
share a text out between repeats that can take the same characters; it does so where a match fails
after them. So for each repeat: what leads to it, once; what its body matches, over and over, in
several ways; and an end that fits nothing. Which repeats are a danger: Weideman, van der Merwe,
Berglund and Watson, "Analyzing Matching Time Behavior of Backtracking Regular Expression Matchers",
2016.

A pattern that takes the square of a text's length is quick on a short one, so that a column whose
texts a step of the front end searches by one gets a limit of length. The text that the step is
given must then be no longer than the one that comes in, or by a known factor.
"""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, partial
from itertools import islice
from re import _constants as code  # type: ignore[attr-defined] # CPython's, typed nowhere
from re import _parser  # type: ignore[attr-defined]
from typing import Any, NamedTuple

from onnxlet.function.inputs.columns import LONGEST_TEXT
from onnxlet.function.inputs.front_end import composed

USUAL = "a1 \n_-.é中A\u0301"
MIXED = ("a ", "a1", "a-", "a'", "a.", "aA1!? é\n")
ENDS = ("", "!\n")  # what follows a repeat is missing, or is something else
OF_PATTERN = 12  # of the pattern's own characters, so many are tried
MOST_TEXTS = 2_000
MOST_TIMES = 200  # that a repeat's least number is taken seriously
REPEATS = (code.MAX_REPEAT, code.MIN_REPEAT, code.POSSESSIVE_REPEAT)


class Hostile(NamedTuple):
    """A text to be made as long as one likes."""

    before: str  # stands once
    unit: str  # comes over and over
    end: str  # stands once

    def of(self, length: int, times: int = 1) -> str:
        """The text, of about so many times as many characters."""
        room = max(length * times - len(self.before) - len(self.end), len(self.unit))
        return self.before + self.unit * (room // len(self.unit)) + self.end


def hostile(pattern: str) -> list[Hostile]:
    """The usual texts; and for every repeat in the pattern, every way to go through its body."""
    items = list(_parser.parse(pattern))
    alphabet = list(dict.fromkeys(USUAL + "".join(_characters(items))))
    alphabet = alphabet[: len(USUAL) + OF_PATTERN]
    found = {Hostile("", unit, end): None for unit in (*alphabet, *MIXED) for end in ENDS}
    for before, body in _repeats(items, []):
        ways = range(2 * _most_branches(before))
        leads = [
            "",
            *("".join(_sample(before, wanted, way)) for wanted in ("", "a") for way in ways),
        ]
        for way in range(2 * _most_branches(body)):
            for wanted in alphabet:
                if unit := "".join(_sample(body, wanted, way)):
                    found |= {Hostile(lead, unit, end): None for lead in leads for end in ENDS}
    return list(islice(found, MOST_TEXTS))


def _repeats(items: Sequence[Any], before: list[Any]) -> Iterator[tuple[list[Any], list[Any]]]:
    """Each repeat that can go on for long: what stands before it, and its body."""
    before = list(before)
    for item in items:
        operation, argument = item
        if operation in REPEATS and argument[1] > 2:
            yield before, list(argument[2])
        for part in _parts(item):
            yield from _repeats(part, before)
        before.append(item)


def _parts(item: tuple[Any, Any]) -> list[list[Any]]:
    """The patterns within an item of a pattern."""
    operation, argument = item
    if operation in REPEATS:
        return [list(argument[2])]
    if operation is code.SUBPATTERN:
        return [list(argument[3])]
    if operation is code.ATOMIC_GROUP:
        return [list(argument)]
    if operation is code.BRANCH:
        return [list(branch) for branch in argument[1]]
    if operation in (code.ASSERT, code.ASSERT_NOT):
        return [list(argument[1])]
    if operation is code.GROUPREF_EXISTS:
        return [list(part) for part in argument[1:] if part]
    return []


def _characters(items: Sequence[Any]) -> Iterator[str]:
    """The characters that the pattern names, with the ends of its ranges."""
    for item in items:
        operation, argument = item
        if operation in (code.LITERAL, code.NOT_LITERAL):
            yield chr(argument)
        elif operation is code.IN:
            yield from _characters(argument)
        elif operation is code.RANGE:
            yield from map(chr, argument)
        for part in _parts(item):
            yield from _characters(part)


def _most_branches(items: Sequence[Any]) -> int:
    """How many alternatives the widest choice in a pattern has; 1 where there is none."""
    widest = 1
    for item in items:
        parts = _parts(item)
        widest = max(widest, len(parts) if item[0] is code.BRANCH else 1)
        widest = max([widest, *map(_most_branches, parts)])
    return widest


def _sample(items: Sequence[Any], wanted: str, way: int) -> Iterator[str]:
    """A text that the items match, of the wanted character where it fits.

    What looks ahead or at an earlier group is left out. What may be left out is there if the way is
    odd; half of it says which branch is taken.
    """
    for operation, argument in items:
        if operation is code.LITERAL:
            yield chr(argument)
        elif operation in (code.IN, code.NOT_LITERAL, code.ANY):
            yield _one_of((operation, argument), wanted)
        elif operation in REPEATS:
            times = max(argument[0], way % 2)
            yield "".join(_sample(list(argument[2]), wanted, way)) * min(times, MOST_TIMES)
        elif operation is code.BRANCH:
            branches = argument[1]
            yield from _sample(list(branches[way // 2 % len(branches)]), wanted, way)
        # What a look-behind expects may as well be part of the text.
        elif operation in (code.SUBPATTERN, code.ATOMIC_GROUP) or (
            operation is code.ASSERT and argument[0] < 0
        ):
            yield from _sample(_parts((operation, argument))[0], wanted, way)


def _one_of(item: tuple[Any, Any], wanted: str) -> str:
    """A character that a set takes: the wanted one, or any that is known to be taken."""
    parsed = _parser.SubPattern(_parser.State(), [item])
    takes = re._compiler.compile(parsed)  # type: ignore[attr-defined]
    candidates = [wanted, *USUAL, *_characters([item])]
    return next((one for one in candidates if one and takes.fullmatch(one)), "")


SURE = frozenset(
    {r"(?u)\b\w\w+\b", r"(?u)\b\w+\b", r"\b\w\w+\b", r"\b\w+\b", r"\w+", r"\S+", r"[^\s]+"}
)
LENGTHS = (30, 1_000, 10_000, LONGEST_TEXT)
SHORT = 1_000  # characters; a limit of length, which many texts would be beyond, is no way out
SLOWEST = 1.0  # seconds of work on a text as long as any; what is linear takes hundredths
PATIENCE = 60.0  # seconds for all, where no timer ends the process
STOPPED = 124  # the return code where patience ends, as that of timeout(1)
KEPT_TEXTS = 12  # texts that were the slowest at one length are tried at the next

# Texts are ranked by the clock on the wall, at best of three: what else the machine does makes some
# of them longer, but the processor's own clock may stand still for milliseconds, and shows nothing.
TIMER = """
import json, re, signal, sys, time
pattern, texts, lengths, slowest, kept = json.load(sys.stdin)
find = re.compile(pattern).findall
for length in lengths:
    taken = []
    for before, unit, end in texts:
        text = before + unit * max(1, (length - len(before) - len(end)) // len(unit)) + end
        print(json.dumps([before, unit, length]), flush=True)
        times = []
        for _ in range(3 if length < lengths[-1] else 1):
            if hasattr(signal, "setitimer"):
                signal.setitimer(signal.ITIMER_VIRTUAL, slowest)
            start = time.perf_counter()
            find(text)
            times.append(time.perf_counter() - start)
        taken.append((min(times), before, unit, end))
    if length >= 1000:
        texts = [text for _, *text in sorted(taken, reverse=True)[:kept]]
"""

Step = Mapping[str, Any]
# What is timed, and a text for it of about so many characters.
Costly = tuple[Callable[[str], Any], Callable[[int], str]]

# By how much each step may lengthen a text; of upper case, "\u0390" has three characters.
GROWTH = {
    "character_at": 1, "pattern_group": 1, "replace_texts": 1, "simple_case": 1, "slice_text": 1,
    "split_part": 1,
}  # fmt: skip
GROWTH_OF_METHODS = {
    "capitalize": 3, "casefold": 3, "lower": 3, "lstrip": 1, "removeprefix": 1, "removesuffix": 1,
    "rstrip": 1, "strip": 1, "swapcase": 3, "title": 3, "upper": 3,
}  # fmt: skip


def run_apart(arguments: Sequence[str], asked: str) -> subprocess.CompletedProcess[str]:
    """What this Python prints in a process of its own; STOPPED where it was too slow, so far."""
    command = [sys.executable, *arguments]
    try:
        return subprocess.run(  # noqa: S603 # this interpreter, and a script of our own
            command, input=asked, capture_output=True, text=True, timeout=PATIENCE
        )
    except subprocess.TimeoutExpired as error:
        out = error.stdout or b""
        printed = out.decode() if isinstance(out, bytes) else out
        return subprocess.CompletedProcess(command, STOPPED, printed)


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
    asked = json.dumps([pattern, hostile(pattern), LENGTHS, SLOWEST, KEPT_TEXTS])
    done = run_apart(["-I", "-c", TIMER], asked)
    if not done.returncode:
        return "", LONGEST_TEXT
    before, unit, length = json.loads(done.stdout.splitlines()[-1])
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
            yield search, partial(text.of, times=times)


def _pattern(step: Step) -> str | None:
    if step["step"] == "split_part":
        return step["separator"] if step.get("pattern") else None
    return step.get("pattern")
