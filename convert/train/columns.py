"""What each column of a table is taken for, and why; and the columns as a pipeline takes them.

The user corrects it in a file of TOML.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from onnxlet.convert.problems import Problem, close_to, refuse
from onnxlet.convert.tables.toml_file import got, read_toml
from onnxlet.convert.train.kinds.image import IMAGE, ImageColumn
from onnxlet.convert.train.kinds.kind import SAID
from onnxlet.convert.train.kinds.leaks import copies, goes_with, leaks
from onnxlet.convert.train.kinds.profile import Profile, TableColumn, profile
from onnxlet.convert.train.kinds.registry import (
    CONSTANT,
    COPY,
    IDENTIFIER,
    KINDS,
    LEAK,
    USED,
    guessed,
)
from onnxlet.function.arrays import Array

OUT = "out"  # what the user says of a column that is left out, whatever it is
WHY_WIDTH = 72
NAME_WIDTH = 28
TABLE = "columns"
BARE = re.compile(r"[A-Za-z0-9_-]+")
EXAMPLE = 'Expected lines such as: age = "number", below a line [columns]. --dry-run writes one.'
FORMS = ",\n# ".join(kind.form_said for kind in KINDS.values() if kind.form_said)
HEAD = f"""\
# What each column is taken for: change a kind, and give this file to --columns.
# Used: {", ".join(USED)}; {FORMS}.
# Left out: "{OUT}", or why ({", ".join(kind for kind in KINDS if kind not in USED)}).
# A column that is not named here is guessed again.

[{TABLE}]
"""


def recognise_columns(
    frame: pd.DataFrame,  # without the target
    y: Array,  # the target of the same rows
    task: str,  # binary, multiclass or regression
    # Kinds by column, over what would be guessed; "date %d.%m.%Y" gives a form, too, and "out"
    # leaves a column out.
    said: Mapping[str, str] | None = None,
    # Columns that hold images, of each of which the table has a hash.
    images: Mapping[str, ImageColumn] | None = None,
) -> list[TableColumn]:
    """What each column of a table without its target is taken for.

    WrongUse where what is said is not to be had; or no column is left.
    """
    said = dict(said or {})
    seen = {str(name): profile(frame[name], str(name)) for name in frame.columns}
    guesses = {name: guessed(one) for name, one in seen.items()}
    for name, held in (images or {}).items():
        if guesses[name].kind != CONSTANT.name or name in said:
            guesses[name] = seen[name].taken_for(IMAGE.name, held.why, form=str(held.form))
    refuse(_wrong_kinds(said, seen, guesses), "--columns")
    found = {name: _as_said(one, guesses[name], said.get(name)) for name, one in seen.items()}
    kept = {name for name, kind in said.items() if kind.partition(" ")[0] in USED}
    with np.errstate(over="ignore", invalid="ignore"):  # squares of a target beyond 1e154
        _mark_leaks(found, seen, kept, y, task)
        # Of those that go with the target: rows were numbered as they came, or as sorted.
        for name, one in found.items():
            if one.kind == IDENTIFIER.name and (with_it := goes_with(seen[name], y, task)):
                found[name] = one._replace(why=f"goes with the target ({with_it}), but {one.why}")
    _mark_copies(found, seen, said, kept)
    for name, kind in said.items():
        if name not in kept:
            found[name] = _left_out(found[name], kind)
    columns = list(found.values())
    if not any(one.used for one in columns):
        reasons = "; ".join(f"'{one.name}': {one.kind}, {one.why}" for one in columns[:5])
        hint = "Add columns that are known before the answer is, or use one by --columns FILE.toml."
        refuse([Problem(f"no column is left to predict from: {reasons}", hint)], "DATA")
    return columns


def _mark_leaks(
    found: dict[str, TableColumn],
    seen: Mapping[str, Profile],
    kept: Collection[str],
    y: Array,
    task: str,
) -> None:
    """Leave leaks out, but for those that the user keeps."""
    given = [(seen[name], one) for name, one in found.items() if one.used]
    for name, leak in leaks(given, y, task).items():
        old = found[name]
        if leak.certain and name not in kept:
            found[name] = old._replace(kind=LEAK.name, why=leak.why, used=False)
        else:
            found[name] = old._replace(why=f"{old.why}; {leak.why}")


def _mark_copies(
    found: dict[str, TableColumn],
    seen: Mapping[str, Profile],
    said: Mapping[str, str],
    kept: Collection[str],
) -> None:
    """Leave copies out of what the model is given, but for those that the user keeps."""
    left = [
        seen[name]
        for name, one in found.items()
        if one.used and (name in kept or said.get(name, COPY.name) == COPY.name)
    ]
    for name, why in copies(left).items():
        if name not in kept:
            found[name] = found[name]._replace(kind=COPY.name, why=why, used=False)


def _left_out(one: TableColumn, said: str) -> TableColumn:
    """A column that the user leaves out, with the reason where it is that of its values, too."""
    if not one.used and said in (one.kind, OUT):
        return one
    kind = one.kind if said == OUT else said
    return one._replace(kind=kind, why=f"left out, {SAID}", used=False, format=None)


def typed_columns(
    frame: pd.DataFrame,
    columns: Sequence[TableColumn],
    images: Mapping[str, ImageColumn] | None = None,
) -> tuple[pd.DataFrame, list[str]]:
    """The columns that are used, in the types that pipelines are fitted on; and notes.

    Numbers are float64, or int64 where none is missing; categories text in objects with NaN for
    gaps, or numbers; text and dates text in objects; booleans bool, or objects with NaN; images
    uint8 of one size in objects.
    """
    made, notes = {}, list[str]()
    for one in columns:
        if one.used and one.kind == IMAGE.name:
            made[one.name] = (images or {})[one.name].of(frame[one.name])
        elif one.used:
            made[one.name], said = KINDS[one.kind].typed(frame[one.name], one.format)
            notes += said
    return pd.DataFrame(made, index=frame.index, copy=False), notes


def columns_lines(columns: Sequence[TableColumn]) -> list[str]:
    """What the columns are taken for, as a table for a terminal; what is left out comes last."""
    ordered = sorted(columns, key=lambda one: not one.used)
    rows = [
        (
            _cut(one.name, NAME_WIDTH),
            f"({one.kind})" if not one.used and one.kind in USED else one.kind,
            _cut(one.why, WHY_WIDTH),
        )
        for one in ordered
    ]
    widths = [max((len(row[at]) for row in rows), default=0) for at in (0, 1)]
    return [f"{name:{widths[0]}}  {kind:{widths[1]}}  {why}".rstrip() for name, kind, why in rows]


def _cut(text: str, most: int) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= most else plain[: most - 1] + "…"


def _as_said(seen: Profile, guess: TableColumn, said: str | None) -> TableColumn:
    kind, _, form = (said or "").partition(" ")
    is_said = kind in USED and (guess.kind != kind or form not in ("", guess.format))
    return KINDS[kind].as_said(seen, form) if is_said else guess


def _wrong_kinds(
    said: Mapping[str, str], seen: Mapping[str, Profile], guesses: Mapping[str, TableColumn]
) -> list[Problem]:
    problems = list[Problem]()
    for name, text in said.items():
        kind, _, form = text.partition(" ")
        if wrong := wrong_choices({name: text}, list(seen)):
            problems += wrong
        elif kind in USED and (why := _cannot_be(seen[name], guesses[name], kind, form)):
            problems.append(Problem(f"--columns: '{name}' can't be a {kind}: {why[0]}", why[1]))
    return problems


def wrong_choices(said: Mapping[str, str], names: Sequence[str]) -> list[Problem]:
    """What is wrong with kinds by column, as far as the names of a table's columns say."""
    problems = list[Problem]()
    for name, text in said.items():
        kind, _, form = text.partition(" ")
        if name not in names:
            hint = close_to(name, names)
            problems.append(Problem(f"--columns: there is no column '{name}'", hint))
        elif kind not in (*KINDS, OUT) or (form and (kind == OUT or not KINDS[kind].form_said)):
            problems.append(
                Problem(
                    f"--columns: '{name}': expected one of {', '.join((*KINDS, OUT))}, "
                    f"got '{text}'",
                    "A date may have a form: 'date %d.%m.%Y'.",
                )
            )
    return problems


def _cannot_be(seen: Profile, guess: TableColumn, kind: str, form: str) -> tuple[str, str] | None:
    """Why a column can't be of a kind, and what to do; None where it can."""
    if not seen.known:
        return "no row has a value", "Leave it out: 'out'."
    if guess.kind in USED and not guess.used:
        return guess.why.removesuffix(": left out"), "Turn them into numbers or text before."
    return KINDS[kind].refusal(seen, form)


def read_choices(path: Path) -> dict[str, str]:
    """Kinds by column, as a file says; whether there are such is for `recognise_columns` to say.

    Raises:
        WrongUse: there is no such file, or it is no TOML of this form; with all that is wrong.
    """
    found = read_toml(path, "--columns", EXAMPLE, "--dry-run writes one for these columns.")
    refuse(_wrong(path, found), f"--columns '{path}'")
    return dict(found[TABLE])


def choices_text(columns: Sequence[TableColumn]) -> str:
    """The file that says what these columns are taken for, with the reasons beside it."""
    lines = [f"{_key(one.name)} = {_quoted(_kind(one))}  # {_comment(one.why)}" for one in columns]
    return HEAD + "\n".join(lines) + "\n"


def _kind(one: TableColumn) -> str:
    if KINDS[one.kind].form_said and one.used:
        return f"{one.kind} {one.format}"
    return OUT if one.kind in USED and not one.used else one.kind


def _key(name: str) -> str:
    return name if BARE.fullmatch(name) else _quoted(name)


def _quoted(text: str) -> str:
    """A basic string of TOML, whose escapes are those of JSON but for the delete character."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _comment(why: str) -> str:
    return "".join(char for char in " ".join(why.split()) if char.isprintable())


def _wrong(path: Path, found: dict[str, Any]) -> list[Problem]:
    place = f"--columns '{path}'"
    problems = [
        Problem(f"{place}: expected only a table [{TABLE}], got '{key}' beside it", EXAMPLE)
        for key in found
        if key != TABLE
    ]
    table = found.get(TABLE)
    if not isinstance(table, dict):
        said = "none" if table is None else got(table)
        return [*problems, Problem(f"{place}: expected a table [{TABLE}], got {said}", EXAMPLE)]
    return problems + [
        Problem(
            f"{place}: '{name}': expected the name of a kind in quotes, got {got(kind)}",
            f"Kinds are {', '.join((*KINDS, OUT))}. A name with a dot is put in quotes.",
        )
        for name, kind in table.items()
        if not isinstance(kind, str)
    ]
