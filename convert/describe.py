"""What a model's target and columns are, in whose unit: as the user says, in a file of TOML."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from onnxlet.convert.problems import Problem, close_to, refuse
from onnxlet.convert.tables.toml_file import read_toml
from onnxlet.function.errors import shortened
from onnxlet.function.inputs.columns import normalized

OPTION = "--describe"
LONGEST = {"unit": 20, "text": 300}  # characters
EXAMPLE = (
    'Expected target = { unit = "EUR", text = "What it was sold for" }, and below a line [columns] '
    'lines such as "Area" = { unit = "m²", text = "Living area above ground" }.'
)


@dataclass(frozen=True)
class Described:
    """What is said of the target, or of a column."""

    unit: str | None = None  # such as "EUR"; None where nothing is said
    text: str | None = None  # a line for people who have not seen the table; likewise


@dataclass(frozen=True)
class Descriptions:
    """What is said of a model's target and columns."""

    target: Described = Described()
    columns: Mapping[str, Described] = field(default_factory=dict)  # by the column's own name


def read_descriptions(
    path: Path | None, unit: str | None, columns: Sequence[str], target: str
) -> Descriptions:
    """What a file and `--unit` say of a target and of columns.

    Args:
        path: the file of `--describe`, or None.
        unit: that of the target, as `--unit` gives it, or None.
        columns: the names of all columns that may be described; the target may be among them.
        target: the target's name, for messages; "" where it has none.

    Returns:
        Descriptions by the names in `columns`, which the file may write with other spaces around
        and in another form of Unicode. Of what nothing is said, there is no entry.

    Raises:
        WrongUse: with all that is wrong: the file can't be read, it names what is no column, or a
            unit or text is empty, too long or does not print.
    """
    if unit is not None:
        place = "--unit"
        refuse([Problem(why, "Such as --unit EUR.") for why in _faults(place, "unit", unit)], place)
    said = Described() if unit is None else Described(unit=_line(unit))
    return Descriptions(said) if path is None else _File(path, columns, target).read(said)


class _File:
    """One file of descriptions while it is read."""

    def __init__(self, path: Path, columns: Sequence[str], target: str) -> None:
        self.found = read_toml(path, OPTION, EXAMPLE)
        self.lines = path.read_text("utf-8-sig").splitlines()
        self.place = f"{OPTION} '{path}'"
        self.target = target
        self.names = [name for name in columns if name != target]
        self.problems = list[Problem]()

    def read(self, said: Described) -> Descriptions:
        """What it holds, beside what `--unit` says of the target; WrongUse with all problems."""
        for key in sorted(self.found.keys() - {"target", "columns"}):
            self._wrong(key, f"expected 'target' and 'columns', got '{key}' beside them")
        target = self._described("target", self.found.get("target", {}))
        if said.unit and target.unit and said.unit != target.unit:
            self._wrong("target", f"the unit is '{target.unit}', and --unit is '{said.unit}'")
        columns = self.found.get("columns", {})
        if not isinstance(columns, dict):
            self._wrong("columns", f"expected a table [columns], got {_got(columns)}")
            columns = {}
        described = dict(self._columns(columns))
        refuse(self.problems, self.place)
        return Descriptions(Described(said.unit or target.unit, target.text), described)

    def _columns(self, columns: Mapping[str, Any]) -> Iterator[tuple[str, Described]]:
        written = dict[str, str]()  # in the file, by the column's own name
        for key, value in columns.items():
            described = self._described(key, value)
            name = self._known(key)
            if name is None:
                continue
            if name in written:
                self._wrong(key, f"'{key}' and '{written[name]}' are the one column '{name}'")
            written[name] = key
            if described != Described():
                yield name, described

    def _known(self, key: str) -> str | None:
        """The column that a name in the file is of; None, with a problem noted, where none is."""
        alike = [name for name in self.names if normalized(name) == normalized(key)]
        if key in self.names or len(alike) == 1:
            return key if key in self.names else alike[0]
        if self.target and normalized(key) == normalized(self.target):
            hint = f"Write 'target = …' above [columns] instead of '{key} = …' below it."
            self._wrong(key, f"'{key}' is the target, no column", hint)
        else:
            self._wrong(key, f"there is no column '{key}'", close_to(key, self.names))
        return None

    def _described(self, key: str, value: object) -> Described:
        if not isinstance(value, dict):
            self._wrong(key, f"'{key}': expected a table, got {_got(value)}", EXAMPLE)
            return Described()
        for member in sorted(value.keys() - LONGEST.keys()):
            hint = close_to(member, list(LONGEST)) + " A name with a dot is put in quotes."
            self._wrong(key, f"'{key}': expected unit and text, got '{member}'", hint.strip())
        kept = {member: value[member] for member in LONGEST if member in value}
        faults = [why for m, text in kept.items() for why in _faults(f"'{key}'", m, text)]
        for why in faults:
            self._wrong(key, why)
        return Described() if faults else Described(**{m: _line(t) for m, t in kept.items()})

    def _wrong(self, key: str, message: str, hint: str = "") -> None:
        self.problems.append(Problem(f"{self.place}{self._at(key)}: {message}", hint))

    def _at(self, key: str) -> str:
        """Where a key stands, which the parser does not report; "" where that is not certain."""
        quoted = "|".join(re.escape(f"{q}{key}{q}") for q in ('"', "'", ""))
        begins = re.compile(rf"\s*(?:\[\s*)?(?:columns\s*\.\s*)?(?:{quoted})\s*[=.\]]")
        at = [number for number, line in enumerate(self.lines, 1) if begins.match(line)]
        return f", line {at[0]}" if len(at) == 1 else ""


def _faults(place: str, member: str, text: object) -> list[str]:
    """What is wrong with a unit or a text."""
    most = LONGEST[member]
    expected = f"{place}: expected as its {member} a line of 1 to {most} characters"
    if not isinstance(text, str):
        return [f"{expected} in quotes, got {_got(text)}"]
    line = _line(text)
    if not 1 <= len(line) <= most:
        return [f"{expected}, got {len(line)}"]
    return [] if line.isprintable() else [f"{expected}, got some that don't print: {line!r}"]


def _line(text: str) -> str:
    """A text on one line, with single spaces."""
    return " ".join(text.split())


def _got(value: object) -> str:
    table = isinstance(value, dict)
    return shortened(f"a table with {', '.join(map(repr, value))}" if table else repr(value), 100)
