"""Texts on which a regular expression runs away, made from its own parsed form.

A backtracking matcher tries every way to share a text out between repeats that can take the
same characters; it does so where a match fails after them. So for each repeat: what leads to
it, once; what its body matches, over and over, in several ways; and an end that fits nothing.
Which repeats are a danger: Weideman, van der Merwe, Berglund and Watson, "Analyzing Matching
Time Behavior of Backtracking Regular Expression Matchers", 2016.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice
from re import _constants as code  # type: ignore[attr-defined] # CPython's, typed nowhere
from re import _parser  # type: ignore[attr-defined]
from typing import Any, NamedTuple

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

    def of(self, length: int) -> str:
        """The text, of about as many characters."""
        room = max(length - len(self.before) - len(self.end), len(self.unit))
        return self.before + self.unit * (room // len(self.unit)) + self.end


def hostile(pattern: str) -> list[Hostile]:
    """The usual texts; and for every repeat in the pattern, every way to go through its body."""
    items = list(_parser.parse(pattern))
    alphabet = list(dict.fromkeys(USUAL + "".join(_characters(items))))
    alphabet = alphabet[: len(USUAL) + OF_PATTERN]
    found = {Hostile("", unit, end): None for unit in (*alphabet, *MIXED) for end in ENDS}
    for before, body in _repeats(items, []):
        ways = range(2 * _most_branches(before))
        leads = ["", *("".join(_sample(before, wish, way)) for wish in ("", "a") for way in ways)]
        for way in range(2 * _most_branches(body)):
            for wish in alphabet:
                if unit := "".join(_sample(body, wish, way)):
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


def _sample(items: Sequence[Any], wish: str, way: int) -> Iterator[str]:
    """A text that the items match, of the wished character where it fits.

    What looks ahead or at an earlier group is left out. What may be left out is there if the way is
    odd; half of it says which branch is taken.
    """
    for operation, argument in items:
        if operation is code.LITERAL:
            yield chr(argument)
        elif operation in (code.IN, code.NOT_LITERAL, code.ANY):
            yield _one_of((operation, argument), wish)
        elif operation in REPEATS:
            times = max(argument[0], way % 2)
            yield "".join(_sample(list(argument[2]), wish, way)) * min(times, MOST_TIMES)
        elif operation is code.BRANCH:
            branches = argument[1]
            yield from _sample(list(branches[way // 2 % len(branches)]), wish, way)
        elif operation in (code.SUBPATTERN, code.ATOMIC_GROUP) or _looks_back(operation, argument):
            yield from _sample(_parts((operation, argument))[0], wish, way)


def _looks_back(operation: Any, argument: Any) -> bool:
    """Whether it is a look-behind: what that expects may as well be part of the text."""
    return operation is code.ASSERT and argument[0] < 0


def _one_of(item: tuple[Any, Any], wish: str) -> str:
    """A character that a set takes: the wished one, or any that is known to be taken."""
    parsed = _parser.SubPattern(_parser.State(), [item])
    takes = re._compiler.compile(parsed)  # type: ignore[attr-defined]
    candidates = [wish, *USUAL, *_characters([item])]
    return next((one for one in candidates if one and takes.fullmatch(one)), "")
