"""Markdown of a model card: names in which nothing is markup, tables, lists, code."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from onnxlet.convert.report.form.figures import Ranged
from onnxlet.convert.report.form.wording import interval, name, number


def text(value: Any, longest: int = 300) -> str:
    """A name of the user's in which nothing is Markdown or HTML."""
    return escaped(name(value, longest))


def escaped(line: str) -> str:
    """A line in which nothing is Markdown or HTML."""
    line = re.sub(r"([\\`*_\[\]<>|~#&{}])", r"\\\1", line)
    return re.sub(r"^(\d*)([-+=.)])(?=\s|$)", r"\1\\\2", line)


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells that are ready; a column that begins with a number is on the right."""
    lines = [list(row) for row in rows]
    first = lines[0] if lines else header
    rule = ["--:" if re.match(r"[\d\u2212\u2013]", cell) else ":--" for cell in first]
    return "\n".join(f"| {' | '.join(line)} |" for line in [header, rule, *lines])


def bullets(lines: Iterable[str]) -> str:
    """A list, an item a line."""
    return "\n".join(f"- {each}" for each in lines)


def code(language: str, lines: str) -> str:
    """A fenced block; its fence is longer than any inside."""
    longest = max((len(run) for run in re.findall(r"`+", lines)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{lines}\n{fence}"


def with_interval(value: Ranged | None) -> str:
    """A cell: a number, and its interval in brackets."""
    if value is None:
        return "\u2013"
    ends = interval(value)
    return f"{number(value.value)}{f' ({ends})' if ends else ''}"
