"""Changes of text, as pandas' `.str` makes them; ONNX has no operators for them.

Each function is given the settings of a step and returns a function of one text. A missing text
stays missing, or is NaN where a step makes numbers. Source: `pandas/core/strings/object_array.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import nan
from operator import methodcaller
from typing import Any

from onnxlet.function.arrays import MISSING_TEXT

Change = Callable[[str], Any]

# Of str, that change a text or ask something of it, in a time that grows with its length.
METHODS = frozenset(
    {
        "capitalize", "casefold", "center", "ljust", "lower", "lstrip", "removeprefix",
        "removesuffix", "rjust", "rstrip", "strip", "swapcase", "title", "upper", "zfill",
    }
)  # fmt: skip
PREDICATES = frozenset(
    {
        "isalnum", "isalpha", "isascii", "isdecimal", "isdigit", "islower", "isnumeric", "isspace",
        "istitle", "isupper",
    }
)  # fmt: skip


def _unless_missing(change: Change, missing: Any = MISSING_TEXT) -> Change:
    return lambda text: missing if text == MISSING_TEXT else change(text)


def replace_texts(pairs: Sequence[Sequence[str | None]]) -> Change:
    """Some texts by others; None is a missing one. Each pair takes what the one before it made."""
    known = [
        tuple(MISSING_TEXT if text is None else text for text in (old, new)) for old, new in pairs
    ]

    def change(text: str) -> str:
        for old, new in known:
            text = new if text == old else text
        return text

    return change


def str_method(name: str, arguments: Sequence[Any] = ()) -> Change:
    """A method of str, such as `strip`.

    Raises:
        ValueError: it is none of METHODS.
    """
    if name not in METHODS:
        raise ValueError(f"expected a method of str that changes it, got {name!r}")
    return _unless_missing(methodcaller(name, *arguments))


def simple_case(name: str) -> Change:
    """Each letter in `lower` or `upper` case, as PyArrow has it: none becomes several.

    Source: Unicode's simple case mappings, and utf8proc's, which has a capital of ß.

    Raises:
        ValueError: it is neither.
    """
    if name not in ("lower", "upper"):
        raise ValueError(f"expected lower or upper, got {name!r}")
    whole = methodcaller(name)
    each = _simple_lower if name == "lower" else _simple_upper
    return _unless_missing(lambda text: whole(text) if text.isascii() else "".join(map(each, text)))


def _simple_lower(letter: str) -> str:
    lower = letter.lower()
    return lower if len(lower) == 1 else lower[0]  # of İ the dot above is left out


def _simple_upper(letter: str) -> str:
    upper = letter.upper()
    if len(upper) == 1:
        return upper
    title = letter.title()
    return "\u1e9e" if letter == "\u00df" else title if len(title) == 1 else letter


def str_predicate(name: str) -> Change:
    """Whether a text `isdigit`, …: 1 or 0, and NaN of a missing one.

    Raises:
        ValueError: it is none of PREDICATES.
    """
    if name not in PREDICATES:
        raise ValueError(f"expected a predicate of str, got {name!r}")
    ask = methodcaller(name)
    return _unless_missing(lambda text: int(ask(text)), nan)


def slice_text(start: int | None, stop: int | None, every: int | None = None) -> Change:
    """The characters of a slice."""
    part = slice(start, stop, every)
    return _unless_missing(lambda text: text[part])


def character_at(index: int) -> Change:
    """One character; missing where the text is shorter."""
    return _unless_missing(partial(_at, index=index))


def _at(parts: Sequence[str], index: int) -> str:
    return parts[index] if -len(parts) <= index < len(parts) else MISSING_TEXT


def length() -> Change:
    """How many characters there are."""
    return _unless_missing(len, nan)


def split_part(
    separator: str | None, most: int, index: int, from_right: bool = False, pattern: bool = False
) -> Change:
    """One of the parts of a text that is split; missing where there are fewer.

    Args:
        separator: None is any run of spaces.
        most: splits at most; -1 for all.
        index: of the part, from the end where negative.
        from_right: the splits that are made first are those on the right.
        pattern: the separator is a regular expression.
    """
    if pattern:
        split = re.compile(separator or "").split
        return _unless_missing(lambda text: _at(split(text, maxsplit=max(most, 0)), index))
    ask = methodcaller("rsplit" if from_right else "split", separator, most)
    return _unless_missing(lambda text: _at(ask(text), index))


def replace_pattern(pattern: str, replacement: str, most: int = 0, flags: int = 0) -> Change:
    """The matches of a regular expression by a template; `most` is 0 for all."""
    return _unless_missing(partial(re.compile(pattern, flags).sub, replacement, count=most))


def replace_literal(old: str, new: str, most: int = -1) -> Change:
    """A text within a text by another one; `most` is -1 for all."""
    return _unless_missing(methodcaller("replace", old, new, most))


def pattern_group(pattern: str, number: int = 1, flags: int = 0) -> Change:
    """A group of the first match; missing where there is none."""
    search = re.compile(pattern, flags).search

    def change(text: str) -> str:
        found = search(text)
        inside = found[number] if found else None
        return MISSING_TEXT if inside is None else inside

    return _unless_missing(change)


def pattern_matches(pattern: str, how: str, flags: int = 0) -> Change:
    """Whether a regular expression is found: 1 or 0, and NaN of a missing text.

    Args:
        pattern: for Python's `re`.
        how: `search`, `match` at the start, or `fullmatch`.
        flags: of `re.compile`.
    """
    found = getattr(re.compile(pattern, flags), HOW[how])
    return _unless_missing(lambda text: int(found(text) is not None), nan)


HOW: Mapping[str, str] = {name: name for name in ("search", "match", "fullmatch")}


def pattern_count(pattern: str, flags: int = 0) -> Change:
    """How often a regular expression is found."""
    find = re.compile(pattern, flags).findall
    return _unless_missing(lambda text: len(find(text)), nan)


def distinct_words() -> Change:
    """How many different words there are, whatever their case; spaces part them."""
    return _unless_missing(lambda text: len(set(text.lower().split())), nan)


def find_text(text: str, start: int = 0, stop: int | None = None, last: bool = False) -> Change:
    """Where another text begins, -1 where it does not occur."""
    return _unless_missing(methodcaller("rfind" if last else "find", text, start, stop), nan)


def parse_float(of_pandas: bool = False) -> Change:
    """The number that a text is, and 1 where it is none, else 0: a pair.

    Args:
        of_pandas: read as `pd.to_numeric` does, which takes neither underscores nor digits of
            other scripts; else as `float` does.
    """

    def read(text: str) -> tuple[float, float]:
        try:
            if not of_pandas or (text.isascii() and "_" not in text):
                return float(text), 0.0
        except ValueError:
            pass
        return nan, 1.0

    return _unless_missing(read, (nan, 0.0))


def parse_int() -> Change:
    """The whole number that a text is, as `int` reads it, and 1 where it is none, else 0."""

    def read(text: str) -> tuple[int, int]:
        try:
            value = int(text)
        except ValueError:
            return 0, 1
        return (value, 0) if -(2**63) <= value < 2**63 else (0, 1)

    return _unless_missing(read, (0, 1))
