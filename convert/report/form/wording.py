"""Numbers and names as people read them: three digits, thin spaces, units; and in Markdown."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from typing import Any
from unicodedata import east_asian_width

from onnxlet.convert.report.form.figures import Estimate

NARROW = "\u202f"  # a narrow space that does not break: between thousands, before a percent sign
MINUS = "\u2212"
LONGEST = 160  # characters of a name on the page
FEW = 100  # rows, below which figures of a whole test set say that they are few
FEW_IN_PART = 30  # the same for a bin, a point or a group
UNSEEN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
RIGHT_TO_LEFT = re.compile(r"[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff\U00010800-\U00010fff]")
# What is between runs in its own direction, and turns nothing else.
ISOLATE, END = "\u2068", "\u2069"
BYTES = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"))
MOMENTS = ((60.0, 1.0, "s"), (1.0, 1.0, "s"), (1e-3, 1e3, "ms"), (0.0, 1e6, "\u00b5s"))


def number(value: float | None, digits: int = 3) -> str:
    """A number of so many significant digits, such as 22 700, 0.846 or 1.2e-5; a dash for null."""
    if value is None:
        return "\u2013"
    if not math.isfinite(value):
        return "infinite" if value > 0 else f"{MINUS}infinite" if value < 0 else "undefined"
    size = abs(value)
    if size and (size < 1e-4 or size >= 1e15):
        mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
        return f"{mantissa}e{int(exponent)}".replace("-", MINUS)
    if size == int(size) and size < 10**digits:
        return grouped(str(int(value)))
    places = max(0, digits - 1 - _exponent(size, digits))
    rounded = round(value, digits - 1 - _exponent(size, digits))
    return grouped(f"{rounded:.{places}f}")


def _exponent(size: float, digits: int) -> int:
    return int(f"{size:.{digits - 1}e}".split("e")[1])


def grouped(text: str) -> str:
    """Digits with thin spaces between thousands, from five on, and a real minus."""
    whole, _, part = text.lstrip("-").partition(".")
    if len(whole) > 4:
        whole = re.sub(r"\B(?=(\d{3})+$)", NARROW, whole)
    return (MINUS if text.startswith("-") else "") + whole + (f".{part}" if part else "")


def count(value: int | None) -> str:
    """A whole number in full."""
    return "\u2013" if value is None else grouped(str(int(value)))


def plural(value: int, word: str, words: str = "") -> str:
    """`1 row`, `2 rows`."""
    return f"{count(value)}\u00a0{word if value == 1 else words or word + 's'}"


def share(value: float | None) -> str:
    """A share as percent, such as 81.2 %; a dash for null."""
    if value is None:
        return "\u2013"
    percent = 100 * value
    whole = percent in (0, 100)
    close = 0 < abs(percent) < 0.05 or 99.95 < abs(percent) < 100
    return f"{grouped(f'{percent:.{0 if whole else 3 if close else 1}f}')}{NARROW}%"


def interval(value: Estimate) -> str:
    """The ends of an interval, such as `0.827 to 0.865`; empty where there is none."""
    if value.low is None or value.high is None or value.low == value.high:
        return ""
    return f"{number(value.low)} to {number(value.high)}"


def seconds(value: float | None, unit: float = 1.0) -> str:
    """A duration, counted in so many seconds, in the unit that suits it."""
    if value is None:
        return "\u2013"
    value *= unit
    _, factor, suits = next(each for each in MOMENTS if abs(value) >= each[0])
    return f"{number(value * factor)}\u00a0{suits}"


def size(value: float | None) -> str:
    """Bytes in the unit that suits them, by thousands."""
    if value is None:
        return "\u2013"
    for least, unit in BYTES:
        if value >= least:
            return f"{number(value / least)}\u00a0{unit}"
    return f"{count(int(value))}\u00a0bytes"


def name(value: Any, longest: int = LONGEST) -> str:
    """A column's name, a label or another text of the user's, as it can be shown anywhere.

    What can't be seen or encoded (controls, lone surrogates, marks that turn the direction of
    what follows) is replaced, and the middle of what is long is left out.
    """
    text = ("true" if value else "false") if isinstance(value, bool) else str(value)
    text = UNSEEN.sub("\ufffd", re.sub(r"\s+", " ", text)).strip() or "(empty)"
    if len(text) > longest:
        tail = longest // 3
        text = f"{text[: longest - tail - 1]}\u2026{text[-tail:]}"
    return f"{ISOLATE}{text}{END}" if RIGHT_TO_LEFT.search(text) else text


def headed(text: str) -> str:
    """A title at the beginning of a line: with a capital."""
    return text[:1].upper() + text[1:]


def fitting(value: Any, widest: int) -> str:
    """A name no wider than so many Latin letters: Chinese ones are as wide as two."""
    longest = widest
    while longest > 4 and _width(text := name(value, longest)) > widest:
        longest -= 2
    return text


def _width(text: str) -> int:
    return sum(2 if east_asian_width(letter) in "WF" else 1 for letter in text)


def listed(words: Sequence[str], most: int = 6) -> str:
    """Words as prose lists them: `a, b and c`."""
    if len(words) > most:
        return f"{', '.join(words[: most - 1])} and {count(len(words) - most + 1)} more"
    return f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else "".join(words)


def few(rows: int | None, least: int = FEW) -> bool:
    """Whether a figure comes from so few rows that it has to say so."""
    return rows is not None and rows < least


def text(value: Any, longest: int = 300) -> str:
    """A name of the user's in which nothing is Markdown or HTML."""
    return escaped(name(value, longest))


def escaped(line: str) -> str:
    """A line in which nothing is Markdown or HTML."""
    line = re.sub(r"([\\`*_\[\]<>|~#&{}])", r"\\\1", line)
    return re.sub(r"^(\d*)([-+=.)])(?=\s|$)", r"\1\\\2", line)


def table(lines: str) -> str:
    """A table of lines of cells that are ready, the header first, with " | " between them.

    A column that begins with a number is on the right.
    """
    header, *rows = (line.split(" | ") for line in lines.strip("\n").split("\n"))
    first = rows[0] if rows else header
    rule = ["--:" if re.match(r"[\d\u2212\u2013]", cell) else ":--" for cell in first]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [header, rule, *rows])


def code(lines: str, language: str) -> str:
    """A fenced block; its fence is longer than any inside."""
    longest = max((len(run) for run in re.findall(r"`+", lines)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{lines}\n{fence}"


def cell(value: Estimate | None) -> str:
    """A cell: a number, and its interval in brackets."""
    if value is None:
        return "\u2013"
    ends = interval(value)
    return f"{number(value.value)}{f' ({ends})' if ends else ''}"


def quoted(value: Any) -> str:
    """A name as YAML has it: JSON's texts are YAML's, whatever they hold."""
    return json.dumps(name(value, 200), ensure_ascii=True)
