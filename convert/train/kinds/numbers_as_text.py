"""Numbers that a table holds as text: 1,234.50, 12 %, $3, (250), 1.234,50 €."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from onnxlet.convert.tables.csv_rows import CODE
from onnxlet.function.arrays import Array

SIGNS = "$€£¥₹"
# Between groups of digits: spaces (two of them do not break a line) and apostrophes.
GROUPING = "  \u202f'\u2019"
MINUS = "\u2212"  # the typographic one
SPACES = str.maketrans("", "", GROUPING)
WRITTEN = re.compile(
    rf"(?P<before>[{SIGNS}]?)\s*(?P<open>\(?)(?P<sign>[+\-{MINUS}]?)\s*(?P<currency>[{SIGNS}]?)\s*"
    rf"(?P<digits>[0-9][0-9.,{GROUPING}]*|[.,][0-9]+)(?P<power>[eE][+-]?[0-9]+)?(?P<close>\)?)"
    rf"\s*(?P<after>[%{SIGNS}]?)"
)
DECIMAL_COMMA = re.compile(r"^[0-9]*,([0-9]{1,2}|[0-9]{4,})$|\.[0-9]{3},[0-9]+$")
GROUPED = re.compile(r"[0-9]{1,3}(,[0-9]{3})+(\.[0-9]*)?")
# What people write where there is no number.
NO_VALUE = frozenset(
    (
        "", "?", "??", "-", "--", "---", "\u2013", "\u2014", ".", "..", "*", "na", "n.a.", "n/a",
        "nan", "nil", "none", "null", "missing", "unknown", "not available", "not applicable",
        "not reported", "#value!", "#div/0!", "#ref!", "#n/a", "#name?", "#num!", "(blank)", "tbd",
        "undefined",
    )
)  # fmt: skip


class NumbersRead(NamedTuple):
    """Text that was read as numbers."""

    values: pd.Series[Any]  # float64 with the index of the text, NaN where it is no number
    share: float  # of what is a value that is a number, 0 to 1
    said: str  # how they are written, such as "with '$' and thousands commas"; '' for plain ones
    gaps: int  # texts that stand for no value, such as '?'
    unread: int  # texts that are neither
    ambiguous: bool  # 1,234 may be 1.234


def numbers_in(texts: pd.Series[Any]) -> NumbersRead | None:
    """Read text, none of it missing, as numbers.

    None where they are codes with leading zeros, or none of them is a number.
    """
    codes, uniques = pd.factorize(texts)
    stripped = [str(text).strip() for text in uniques]
    if any(CODE.fullmatch(text) for text in stripped):
        return None
    found = [WRITTEN.fullmatch(text) for text in stripped]
    digits = [match["digits"].translate(SPACES) for match in found if match]
    comma = any(DECIMAL_COMMA.search(one) for one in digits)
    grouped = not comma and any(GROUPED.fullmatch(one) for one in digits)
    read = np.array([_number(match, comma) for match in found], dtype=np.float64)
    if np.isnan(read).all():
        return None
    gaps = np.array([text.casefold() in NO_VALUE for text in stripped])
    counts = np.bincount(codes, minlength=len(stripped))
    unread = int(counts[np.isnan(read) & ~gaps].sum())
    absent = int(counts[gaps].sum())
    matches = [match for match, value in zip(found, read, strict=True) if match and value == value]
    return NumbersRead(
        pd.Series(read[codes], index=texts.index),
        1 - unread / max(len(texts) - absent, 1),
        _said(matches, comma, grouped),
        absent,
        unread,
        grouped and not any("." in one or one.count(",") > 1 for one in digits),
    )


def _number(match: re.Match[str] | None, comma: bool) -> float:
    """The number that is written; NaN where it is none."""
    if match is None or bool(match["open"]) != bool(match["close"]):
        return np.nan
    digits = match["digits"].translate(SPACES)
    if comma:
        digits = digits.replace(".", "").replace(",", ".")
    elif "," in digits:
        digits = digits.replace(",", "") if GROUPED.fullmatch(digits) else "no"
    try:
        number = float(digits + (match["power"] or ""))
    except ValueError:
        return np.nan
    negative = match["sign"] in ("-", MINUS) or match["open"]
    return -number if negative else number


def _said(matches: list[re.Match[str]], comma: bool, grouped: bool) -> str:
    signs = {match[part] for match in matches for part in ("before", "currency", "after")}
    said = [f"'{sign}'" for sign in sorted(signs - {""})]
    said += ["decimal commas"] if comma else []
    said += ["thousands commas"] if grouped else []
    said += ["brackets for negative ones"] if any(match["open"] for match in matches) else []
    return f"with {' and '.join(said)}" if said else ""


def as_floats(column: pd.Series[Any]) -> Array:
    """Numbers of any type of pandas' as float64, NaN where one is missing."""
    if column.dtype == object:
        column = pd.to_numeric(column, errors="coerce")
    return column.to_numpy(dtype=np.float64, na_value=np.nan)
