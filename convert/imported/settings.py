"""Options of several parts, `NAME,key=value,…`: read whole, so that all that is wrong is said."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from onnxlet.function.errors import WrongUse

# A reader takes a value's text and returns what it means; it raises ValueError with what it
# expected instead.
Reader = Callable[[str], Any]
FRACTION = re.compile(r"(.+)/(.+)")


class Settings:
    """The parts of an option's text between commas, and what is wrong with them, in words.

    `bare` has the parts that are no `key=value`, in their order; each key has a reader of its
    value.
    """

    def __init__(self, text: str, readers: Mapping[str, Reader]) -> None:
        """Read a text.

        Args:
            text: parts between commas.
            readers: by key, what reads its value.
        """
        self.bare: list[str] = []
        self.faults: list[str] = []
        self._found: dict[str, Any] = {}
        for part in text.split(","):
            key, mark, value = part.partition("=")
            if not mark:
                self.bare.append(part.strip())
            elif key.strip() not in readers:
                self.faults.append(f"'{key}': expected one of {', '.join(readers)}")
            elif key.strip() in self._found:
                self.faults.append(f"'{key}' is there twice")
            else:
                self._found[key.strip()] = None
                try:
                    self._found[key.strip()] = readers[key.strip()](value.strip())
                except ValueError as error:
                    self.faults.append(f"{key.strip()}: expected {error}, got '{value.strip()}'")

    def get(self, key: str, otherwise: Any = None) -> Any:
        """A key's value, as its reader returned it."""
        value = self._found.get(key)
        return otherwise if value is None else value

    def __contains__(self, key: str) -> bool:
        return key in self._found


def one_of(*words: str) -> Reader:
    """Reads one of some words."""

    def read(text: str) -> str:
        if text not in words:
            raise ValueError(f"one of {', '.join(words)}")
        return text

    return read


def number(low: float, high: float) -> Reader:
    """Reads a number, or a fraction such as 1/255, from `low` to `high`."""

    def read(text: str) -> float:
        value = _number(text)
        if value is None or not low <= value <= high:
            limits = f" from {low:g} to {high:g}" if math.isfinite(high) else ""
            raise ValueError(f"a number{limits}")
        return value

    return read


def numbers(text: str) -> list[float]:
    """Read numbers, one for each channel or one for all."""
    found = [_number(part) for part in split(text)]
    if None in found:
        raise ValueError("numbers with ':' between them")
    return [value for value in found if value is not None]


def whole(low: int, high: int) -> Reader:
    """Reads a whole number."""

    def read(text: str) -> int:
        if not (text.isascii() and text.isdecimal() and low <= int(text) <= high):
            raise ValueError(f"a whole number from {low} to {high}")
        return int(text)

    return read


def split(text: str) -> list[str]:
    """The members of a list: ':' is between them, or ';', which a shell wants quoted."""
    return [part.strip() for part in re.split("[:;]", text)]


def _number(text: str) -> float | None:
    fraction = FRACTION.fullmatch(text)
    try:
        value = float(fraction[1]) / float(fraction[2]) if fraction else float(text)
    except (ValueError, ZeroDivisionError):
        return None
    return value if math.isfinite(value) else None


def refuse(option: str, faults: Sequence[str] | Iterator[str], hint: str) -> None:
    """Refuse an option by WrongUse with all that is wrong with it; nothing where nothing is."""
    if listed := "; ".join(faults):
        raise WrongUse(f"{option}: {listed}", hint)
