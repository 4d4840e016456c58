"""Numbers as people write them: 1,234.50, 12 %, $3, (250), 1.234,50 €."""

from __future__ import annotations

import re
from math import nan

SIGNS = "$€£¥₹"
# Between groups of digits: spaces (two of them do not break a line) and apostrophes.
GROUPING = "  \u202f'\u2019"
MINUS = "\u2212"  # the typographic one
SPACES = str.maketrans("", "", GROUPING)
# No part that was matched is given back, as others may send what is looked at: time grows with it.
WRITTEN = re.compile(
    rf"(?P<before>[{SIGNS}]?)\s*+(?P<open>\(?)(?P<sign>[+\-{MINUS}]?)\s*+(?P<currency>[{SIGNS}]?)\s*+"
    rf"(?P<digits>[0-9][0-9.,{GROUPING}]*+|[.,][0-9]++)(?P<power>[eE][+-]?[0-9]++)?(?P<close>\)?)"
    rf"\s*+(?P<after>[%{SIGNS}]?)"
)
WHOLE = re.compile(r"[+-]?[0-9]{1,300}")
GROUPED = re.compile(r"[0-9]{1,3}(,[0-9]{3})+(\.[0-9]*)?")
GROUPED_BY_POINTS = re.compile(r"[0-9]{1,3}(\.[0-9]{3})+(,[0-9]*)?")


def number_in(match: re.Match[str] | None, comma: bool) -> float:
    """The number that `WRITTEN` has matched, with a decimal comma or point; NaN if it is none."""
    if match is None or bool(match["open"]) != bool(match["close"]):
        return nan
    digits = match["digits"].translate(SPACES)
    if comma:
        grouped = "." not in digits or GROUPED_BY_POINTS.fullmatch(digits)
        digits = digits.replace(".", "").replace(",", ".") if grouped else "no"
    elif "," in digits:
        digits = digits.replace(",", "") if GROUPED.fullmatch(digits) else "no"
    try:
        number = float(digits + (match["power"] or ""))
    except ValueError:
        return nan
    negative = match["sign"] in ("-", MINUS) or match["open"]
    return -number if negative else number


def written_number(text: str, comma: bool) -> int | float | str:
    """A number as a person writes it, with a decimal comma or point; what is none stays text."""
    if WHOLE.fullmatch(text):
        return int(text)  # with all of its digits
    number = number_in(WRITTEN.fullmatch(text.strip()), comma)
    return text if number != number else number
