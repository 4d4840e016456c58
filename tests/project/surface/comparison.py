"""Two surfaces compared, and what the changelog has to name."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.conftest import ROOT
from tests.project.surface.names import Names

Surface = Mapping[str, Names]  # by section
CHANGELOG = ROOT / "CHANGELOG.md"
RECORDED = ROOT / "tests" / "project" / "surface.json"
KEPT = ROOT / "tests" / "kept"  # has a folder for each release, with its surface


class Change(NamedTuple):
    """A name that went, came, or is something else now."""

    section: str
    name: str
    was: str | None  # None where it is new
    now: str | None  # None where it went
    within: tuple[str, ...]  # names that it is a part of, in the earlier surface

    @property
    def breaks(self) -> bool:
        """Whether programs notice: of what is new, only what they have to give."""
        return self.was is not None or (bool(self.within) and (self.now or "").startswith("req"))

    def __str__(self) -> str:
        if self.was is None:
            return f"{self.section}: `{self.name}` is new ({self.now})"
        told = "went" if self.now is None else f"changed: now {self.now}"
        return f"{self.section}: `{self.name}` {told} (was {self.was})"


def changes(before: Surface, now: Surface) -> Iterator[Change]:
    """What differs, but for the parts of what went, or of what is new, as a whole."""
    for section in sorted({*before, *now}):
        old, new = before.get(section, {}), now.get(section, {})
        for name in sorted({*old, *new}):
            was, is_now = old.get(name), new.get(name)
            there = new if is_now is None else old
            whole = all(each in there for each in _ancestors(name, {*old, *new}))
            if was != is_now and (whole or None not in (was, is_now)):
                yield Change(section, name, was, is_now, tuple(_ancestors(name, old)))


def _ancestors(name: str, names: Collection[str]) -> Iterator[str]:
    """What a name is a part of, as a parameter is of its function, where that has a name, too."""
    for found in re.finditer(r"[ (.\[]", name):
        if name[: found.start()] in names:
            yield name[: found.start()]


def not_announced(found: Sequence[Change], changelog: str) -> list[Change]:
    """Changes that break, and that "Breaking" of "Unreleased" names neither itself nor whole."""
    unreleased = _section(changelog, "## Unreleased", "## ")
    named = set(re.findall(r"`([^`]+)`", _section(unreleased, "### Breaking", "### ")))
    return [each for each in found if each.breaks and named.isdisjoint((each.name, *each.within))]


def _section(text: str, heading: str, following: str) -> str:
    found = re.search(rf"^{heading}\n(.*?)(?=^{following}|\Z)", text, re.MULTILINE | re.DOTALL)
    return found[1] if found else ""


def recorded(file: Path = RECORDED) -> Surface:
    """A surface as it was written."""
    surface: Surface = json.loads(file.read_text())
    return surface


def promised(kept: Path = KEPT) -> Surface:
    """The surface of the latest release; before the first one, what is recorded."""
    files = kept.glob("[0-9]*.[0-9]*/surface.json")
    latest = max(files, default=RECORDED, key=lambda file: _number(file.parent.name))
    return recorded(latest)


def _number(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", version)))


def report(found: Sequence[Change], changelog: str) -> str:
    """What the changelog lacks, for whoever made the changes; empty where it lacks nothing."""
    if not (missing := not_announced(found, changelog)):
        return ""
    return (
        "What others rely on has changed:\n"
        + "".join(f"  {each}\n" for each in missing)
        + "If that has to be, name each in backticks, as above, under '### Breaking' of "
        "'## Unreleased' in CHANGELOG.md, with what to do instead, and run: make surface\n"
        "docs/reference/stability.md has what was promised."
    )
