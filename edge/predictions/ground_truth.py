"""Ground truth as it comes in, and whether it is of the type of what was predicted."""

from __future__ import annotations

import math
from typing import Any

from onnxlet.function.errors import (
    InvalidRows,
    MalformedRequest,
    Overloaded,
    Problem,
    RequestTooLarge,
    quoted,
)
from onnxlet.function.protocols.shared.forms import kind as kind_in_json
from onnxlet.function.request_log import REQUEST_ID

HINT = 'Send {"truth": [{"id": "REQUEST ID", "row": 0, "value": ...}]}.'
ID_FORM = "1 to 128 letters of a to z, A to Z, digits and . _ : / + = -"  # REQUEST_ID's
MEMBERS = {"id", "row", "value"}


class Fault(Problem):
    """What is wrong with one truth: `row` is the entry's index, and the detail names the entry.

    An entry has a `row` of its own, and a message that says `row 3` would be taken for it.
    """

    __slots__ = ()

    @classmethod
    def of(cls, number: int, entry: Any, why: str) -> Fault:
        """The fault of an entry, as JSON has it, at an index: what was expected and what came."""
        name = entry.get("id") if isinstance(entry, dict) else None
        beside = f" (id {quoted(name)})" if isinstance(name, str) else ""
        return cls(number, None, f"entry {number}{beside}: {why}")

    def __str__(self) -> str:
        return self.detail


def fault_of(value: Any, prediction: Any, kind: str) -> str:
    """Why a value can't be the truth of a prediction, both as JSON has them; empty if it can.

    The kind of truths is `labels` or `numbers`.
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


def read(body: Any, most: int) -> list[dict[str, Any]]:
    """Check a decoded body of so many entries at most.

    Raises MalformedRequest for another form, RequestTooLarge for too many entries, InvalidRows with
    every invalid entry.
    """
    truths = body.get("truth") if isinstance(body, dict) and set(body) == {"truth"} else None
    if not isinstance(truths, list) or not truths:
        raise MalformedRequest("expected an object with 'truth', a list of at least one", HINT)
    if len(truths) > most:
        raise RequestTooLarge(f"expected at most {most} entries, got {len(truths)}", "Send fewer.")
    problems = [
        Fault.of(number, each, why) for number, each in enumerate(truths) if (why := _fault(each))
    ]
    if problems:
        raise InvalidRows(problems)
    return [
        {"id": each["id"], "row": each.get("row", 0), "value": each["value"]} for each in truths
    ]


def _fault(entry: Any) -> str:
    """What is wrong with one entry; empty if nothing."""
    if not isinstance(entry, dict):
        return f"expected an object, got {kind_in_json(entry)}"
    if not {"id", "value"} <= set(entry) <= MEMBERS:
        return f"expected the members id, row and value, got {sorted(entry)[:8]}"
    if not isinstance(entry["id"], str) or not REQUEST_ID.fullmatch(entry["id"]):
        return f"'id': expected the X-Request-Id that the prediction's answer bore, {ID_FORM}"
    row = entry.get("row", 0)
    if type(row) is not int or not 0 <= row < 2**31:
        return "'row': expected a whole number from 0"
    return ""


def no_disk() -> Overloaded:
    """What is answered where truths can't be written."""
    return Overloaded("the disk takes nothing just now", "Send it again later.")
