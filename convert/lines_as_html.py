"""A certificate's lines as a table, for notebooks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from html import escape


def lines_as_html(lines: Sequence[str]) -> str:
    """A table of what stands on the left and right of lines; the first is its title."""
    title, *others = lines
    rows = "".join(
        f"<tr><th style='text-align: left'>{escape(label)}</th>"
        f"<td style='text-align: left'>{escape(text)}</td></tr>"
        for label, text in _cells(others)
    )
    return f"<table><caption>{escape(title)}</caption><tbody>{rows}</tbody></table>"


def _cells(lines: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The lines of a certificate as what stands on their left and right."""
    for line in lines:
        parts = re.split(r" {2,}|: | (?=off by )", line.strip(), maxsplit=1)
        further = line.startswith(" " * 6)  # the line before goes on
        yield ("", line.strip()) if further or len(parts) == 1 else (parts[0], parts[1])
