"""Whether a truth is of the type of what was predicted."""

from __future__ import annotations

import math
from typing import Any

from onnxlet.function.errors import Problem, quoted
from onnxlet.function.protocols.shared.forms import kind as kind_in_json


class Fault(Problem):
    """What is wrong with one truth: `row` is the entry's index, and the detail names the entry.

    An entry has a `row` of its own, and a message that says `row 3` would be taken for it.
    """

    __slots__ = ()

    @classmethod
    def of(cls, number: int, entry: Any, why: str) -> Fault:
        """The fault of an entry.

        Args:
            number: its index.
            entry: as JSON has it.
            why: expected and got.
        """
        name = entry.get("id") if isinstance(entry, dict) else None
        beside = f" (id {quoted(name)})" if isinstance(name, str) else ""
        return cls(number, None, f"entry {number}{beside}: {why}")

    def __str__(self) -> str:
        return self.detail


def fault_of(value: Any, prediction: Any, kind: str) -> str:
    """Why a value can't be the truth of a prediction; empty if it can.

    Args:
        value: as JSON has it.
        prediction: likewise.
        kind: of the truths, `labels` or `numbers`.
    """
    expected = _expected(value, prediction, kind)
    if not expected:
        return ""
    got = kind_in_json(value)
    alike = got in ("a number", "a list") and expected.endswith(("number", "numbers"))
    return f"'value': expected {expected}, got {quoted(value) if alike else got}"


def _expected(value: Any, prediction: Any, kind: str) -> str:
    """What a truth has to be; empty where it is that."""
    if isinstance(prediction, list):
        fits = isinstance(value, list) and len(value) == len(prediction)
        fits = fits and all(map(is_number, value))
        return "" if fits else f"a list of {len(prediction)} numbers"
    if isinstance(prediction, bool):
        return "" if isinstance(value, bool) else "true or false"
    if isinstance(prediction, str):
        return "" if isinstance(value, str) else "a text"
    if kind == "labels" and isinstance(prediction, int):
        whole = is_number(value) and float(value).is_integer()
        return "" if whole else "a whole number"
    return "" if is_number(value) else "a number"


def is_number(value: Any) -> bool:
    """Whether a value of JSON is a number that a float64 holds."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(float(value))
    except OverflowError:
        return False
