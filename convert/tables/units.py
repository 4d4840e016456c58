"""Numbers that have the unit of their column in each cell: 76,2 m², CHF 1'250.-, 12 %, 5.008,04-.

Whoever reads a table (training, held-out rows, scoring) takes units off here.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from onnxlet.convert.problems import listed
from onnxlet.function.csv.form import CsvForm
from onnxlet.function.csv.layout import decimal_of
from onnxlet.function.csv.numbers import GROUPING, MINUS, SIGNS

NEARLY_ALL = 0.95  # of a column's numbers, for what stands beside them to be its unit
MOST_UNITS = 4  # that are named: what has more is no number with a unit
LONGEST = 20  # characters, as `--describe` takes them
# Before a number stands money only: 'Gate 12' and 'Zone 3' are names.
MONEY = (
    "AED|AUD|BGN|BRL|CAD|CHF|CLP|CNY|COP|CZK|DKK|EUR|GBP|HKD|HUF|IDR|ILS|INR|ISK|JPY|KRW|MXN|MYR|"
    r"NOK|NZD|PHP|PLN|RON|SAR|SEK|SGD|THB|TRY|TWD|UAH|USD|VND|ZAR|Fr\.|Rs\.?|kr\.?"
)
SAME = {"EUR": "€", "Euro": "€", "USD": "$", "US$": "$", "GBP": "£", "JPY": "¥", "INR": "₹"}
SIGN = frozenset("%" + SIGNS)  # which people leave out in some cells
BEFORE = rf"(?:[A-Z]{{0,2}}[{SIGNS}]|(?:{MONEY})(?=\s))?"
WORD = rf"(?:[^\W\d_]|[%‰°{SIGNS}])[\w%‰°{SIGNS}./·*^]{{0,11}}+"
# Thousands and millions are other numbers than those that stand there: 1.5K, 3 Mio. €, 12 TEUR.
MAGNITUDE = re.compile(
    r"(?:[kKMGTB]|(?i:[mb]n|tsd|tausend|thousand|hundred|mio|mill|mln|mrd|mld|bio|bln"
    r"|(?:m|b|tr)illion(?:en|s)?|milliarden?|lakhs?|crores?)(?!\w))"
    rf"(?:\W.*|{MONEY})?"
)
# No part that was matched is given back: time grows with the length of what is looked at.
CELL = re.compile(
    rf"(?P<before>{BEFORE})\s*+(?P<open>\(?)(?P<sign>[+\-{MINUS}]?)\s*+(?P<inner>{BEFORE})\s*+"
    rf"(?P<digits>[0-9](?:[0-9.,{GROUPING}]*[0-9.,])?|[.,][0-9]++)(?P<power>[eE][+-]?[0-9]++)?+"
    rf"(?P<behind>\s?[-\u2013\u2014{MINUS}]{{1,2}}+(?=\s|\)|$))?(?P<close>\)?)\s*+"
    rf"(?P<after>(?:{WORD}(?:\ {WORD})?)?)"
)
# What people write where there is no number.
NO_VALUE = frozenset(
    (
        "", "?", "??", "-", "--", "---", "\u2013", "\u2014", ".", "..", "*", "na", "n.a.", "n/a",
        "nan", "nil", "none", "null", "missing", "unknown", "not available", "not applicable",
        "not reported", "#value!", "#div/0!", "#ref!", "#n/a", "#name?", "#num!", "(blank)", "tbd",
        "undefined",
    )
)  # fmt: skip


class Cell(NamedTuple):
    """A number as a person wrote it, and its unit."""

    number: str  # its minus, if any, first; 7.859,- as 7.859,00
    unit: str  # by its one name, '' where none stands beside it
    is_behind: bool = False  # the minus stood behind it
    written: str = ""  # its unit as it stands there


def parted(text: str) -> Cell | None:
    """A number without its unit; None where a text is no number with one unit at most."""
    match = CELL.fullmatch(text.strip())
    if match is None:
        return None
    units = {named(unit): unit for unit in match.group("before", "inner", "after") if unit}
    unit, written = next(iter(units.items()), ("", ""))
    if len(units) > 1 or len(unit) > LONGEST:
        return None
    if any(map(MAGNITUDE.fullmatch, match["after"].split())):
        return None
    sign, digits, behind = match["sign"], match["digits"], (match["behind"] or "").strip()
    if behind and digits[-1] in ".,":
        digits, behind = f"{digits}00", ""  # no cents
    if behind and (sign or behind not in ("-", MINUS) or digits.isdigit()):
        return None  # 2- and 45- are marks and ages
    number = f"{match['open']}{behind or sign}{digits}{match['power'] or ''}{match['close']}"
    return Cell(number, unit, bool(behind), written)


def named(unit: str) -> str:
    """A unit, by the one name of those that mean the same."""
    return SAME.get(unit, unit.rstrip("."))


class Units(NamedTuple):
    """What stands beside the numbers of a column."""

    unit: str  # by its one name; '' for none, or where no one unit does
    written: str = ""  # as it mostly stands there
    others: tuple[str, ...] = ()  # not joined with it, the most frequent first; '' for bare ones

    @property
    def others_said(self) -> str:
        """What becomes of numbers with another unit; '' where there are none."""
        named = [unit for unit in self.others if unit]
        said = [f"with {listed(named)}"] if named else []
        said += ["without a unit"] if "" in self.others else []
        if not said:
            return ""
        return f"numbers {' or '.join(said)}, and not '{self.written}', are not joined"


def units_of(cells: Iterable[Cell | None], counts: Iterable[float]) -> Units:
    """The unit that (nearly) all numbers of a column have; each cell is in so many rows.

    A sign of money or percent may be left out in some of them.
    """
    found, written = Counter[str](), Counter[tuple[str, str]]()
    for cell, count in zip(cells, counts, strict=True):
        if cell is not None:
            found[cell.unit] += int(count)
            written[cell.unit, cell.written] += int(count)
    units = [unit for unit, _ in found.most_common() if unit]
    if not units:
        return Units("")
    first, most = units[0], NEARLY_ALL * sum(found.values())
    if found[first] >= most or (len(units) == 1 and first in SIGN):
        stands = next(each for (unit, each), _ in written.most_common() if unit == first)
        bare_ones = ("",) if found[""] and first not in SIGN else ()
        return Units(first, stands, (*units[1:], *bare_ones))
    return Units("", "", tuple(units))


def _numbers_in(texts: Iterable[str]) -> list[Cell]:
    """The numbers of a column of these texts, gaps among them; none where there are few."""
    cells = [parted(text) for text in texts if not is_gap(text)]
    numbers = [cell for cell in cells if cell is not None]
    return numbers if len(numbers) >= NEARLY_ALL * len(cells) else []


def _units_in(numbers: Sequence[Cell]) -> Units:
    return units_of(numbers, [1] * len(numbers))


def unit_in(texts: Iterable[str]) -> str:
    """The unit of a column of these texts, gaps among them; '' where it has none, or no numbers."""
    return _units_in(_numbers_in(texts)).unit


def several_units(texts: Iterable[str]) -> str:
    """What to say of texts that are numbers, and have no one unit; '' of any others."""
    unit, _, others = _units_in(_numbers_in(texts))
    if unit or not 0 < len(others) <= MOST_UNITS:
        return ""
    others = others if len(others) > 1 else (*others, "no unit")
    return f"numbers with {' and '.join(map(repr, others))}, which are not joined: write all in one"


def is_gap(text: str) -> bool:
    """Whether a text says that there is no number."""
    return text.strip().casefold() in NO_VALUE


def bare(text: str, unit: str) -> str:
    """A number of a column with this unit without it; any other text as it is."""
    cell = parted(text)
    return text if cell is None or cell.unit not in ("", named(unit)) else cell.number


def units_below(form: CsvForm) -> dict[str, str]:
    """By column, the unit of its numbers by the first rows, where they are not bare.

    '' is that of numbers whose minus stands behind them.
    """
    numbers = {name: _numbers_in(texts) for name, texts in form.columns()}
    return {
        name: _units_in(cells).unit
        for name, cells in numbers.items()
        if any(cell.unit or cell.is_behind for cell in cells)
    }


def without_units(form: CsvForm) -> CsvForm:
    """A form by whose first rows what stands before decimals is found, also beside units."""
    units, first = units_below(form), int(form.layout.first_unnamed)
    if not units:
        return form
    at = {number: units[name] for number, name in enumerate(form.names, first) if name in units}
    rows = tuple(
        tuple(bare(cell, at[n]) if n in at else cell for n, cell in enumerate(row))
        for row in form.layout.rows
    )
    layout = replace(form.layout, rows=rows)
    return replace(form, layout=layout, decimal=decimal_of(layout))
