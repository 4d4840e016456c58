"""What a model's target and columns are, in whose unit: as the user says, in a file of TOML."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from onnxlet.convert.problems import Problem, close_to, refuse
from onnxlet.convert.tables.toml_file import got, read_toml
from onnxlet.function.inputs.columns import normalized
from onnxlet.function.json_text import without_none

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

    def or_in(self, unit: str) -> Described:
        """With this unit, '' for none, where it has none."""
        return replace(self, unit=self.unit or unit or None)


@dataclass(frozen=True)
class Descriptions:
    """What is said of a model's target and columns."""

    target: Described = Described()
    columns: Mapping[str, Described] = field(default_factory=dict)  # by the column's own name

    def beside(self, target: str, columns: Mapping[str, str]) -> Descriptions:
        """These, and where no unit is said the ones that stand in the cells; '' is none."""
        units = {name: unit for name, unit in columns.items() if unit}
        known = {name: self.columns.get(name, Described()) for name in [*self.columns, *units]}
        filled = {name: each.or_in(units.get(name, "")) for name, each in known.items()}
        return Descriptions(self.target.or_in(target), filled)

    def within(self, signature: Mapping[str, Any]) -> dict[str, Any]:
        """A manifest's signature with units and descriptions of its columns and prediction."""

        def said(entry: Mapping[str, Any], known: Mapping[str, Described]) -> dict[str, Any]:
            if "columns" in entry:
                return {**entry, "columns": [said(each, known) for each in entry["columns"]]}
            of = known.get(entry["name"], Described())
            return {**entry, **without_none({"unit": of.unit, "description": of.text})}

        answers = {"prediction": self.target, "std": Described(self.target.unit)}
        inputs = [said(each, self.columns) for each in signature["inputs"]]
        outputs = [said(each, answers) for each in signature["outputs"]]
        return {**signature, "inputs": inputs, "outputs": outputs}


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
    wrong = _fault("unit", unit) if unit is not None else ""
    refuse([Problem(f"--unit: {wrong}", "Such as --unit EUR.")] if wrong else [], "--unit")
    said = Described(unit and _line(unit))
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
            self._wrong("columns", f"expected a table [columns], got {got(columns)}")
            columns = {}
        described, written = dict[str, Described](), dict[str, str]()
        for key, value in columns.items():
            found, name = self._described(key, value), self._known(key)
            if name in written:
                self._wrong(key, f"'{key}' and '{written[name]}' are the one column '{name}'")
            if name is not None:
                described[name], written[name] = found, key
        refuse(self.problems, self.place)
        kept = {name: one for name, one in described.items() if one != Described()}
        return Descriptions(Described(said.unit or target.unit, target.text), kept)

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
            self._wrong(key, f"'{key}': expected a table, got {got(value)}", EXAMPLE)
            return Described()
        for member in sorted(value.keys() - LONGEST.keys()):
            hint = close_to(member, list(LONGEST)) + " A name with a dot is put in quotes."
            self._wrong(key, f"'{key}': expected unit and text, got '{member}'", hint.strip())
        kept = dict[str, str]()
        for member in [member for member in LONGEST if member in value]:
            if wrong := _fault(member, value[member]):
                self._wrong(key, f"'{key}': {wrong}")
            else:
                kept[member] = _line(value[member])
        return Described(**kept)

    def _wrong(self, key: str, message: str, hint: str = "") -> None:
        """Note a problem, with the line of its key where that is certain: no parser has it."""
        quoted = "|".join(re.escape(f"{quote}{key}{quote}") for quote in ('"', "'", ""))
        begins = re.compile(rf"\s*(?:\[\s*)?(?:columns\s*\.\s*)?(?:{quoted})\s*[=.\]]")
        at = [number for number, line in enumerate(self.lines, 1) if begins.match(line)]
        line = f", line {at[0]}" if len(at) == 1 else ""
        self.problems.append(Problem(f"{self.place}{line}: {message}", hint))


def _fault(member: str, text: object) -> str:
    """What is wrong with a unit or a text; "" if nothing."""
    most = LONGEST[member]
    expected = f"expected as its {member} a line of 1 to {most} characters"
    if not isinstance(text, str):
        return f"{expected} in quotes, got {got(text)}"
    line = _line(text)
    if not 1 <= len(line) <= most:
        return f"{expected}, got {len(line)}"
    return "" if line.isprintable() else f"{expected}, got some that don't print: {line!r}"


def _line(text: str) -> str:
    """A text on one line, with single spaces."""
    return " ".join(text.split())
