"""What columns are taken for as a file of TOML, which the user corrects."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from onnxlet.convert.problems import Problem, refuse
from onnxlet.convert.tables.rows_file import no_rights
from onnxlet.convert.train.columns import OUT
from onnxlet.convert.train.kinds.profile import TableColumn
from onnxlet.convert.train.kinds.registry import KINDS, USED
from onnxlet.function.errors import WrongUse

TABLE = "columns"
BARE = re.compile(r"[A-Za-z0-9_-]+")
WHERE = re.compile(r" \(at (line \d+, column \d+|end of document)\)$")
EXAMPLE = 'Expected lines such as: age = "number", below a line [columns]. --dry-run writes one.'
HEAD = f"""\
# What each column is taken for: change a kind, and give this file to --columns.
# Used: {", ".join(USED)}; a date may have its form: "date %d.%m.%Y",
# images their size and mode, L or RGB: "image 32x32 RGB".
# Left out: "{OUT}", or why ({", ".join(kind for kind in KINDS if kind not in USED)}).
# A column that is not named here is guessed again.

[{TABLE}]
"""


def read_choices(path: Path) -> dict[str, str]:
    """Kinds by column, as a file says; whether there are such is for `recognise_columns` to say.

    Raises:
        WrongUse: there is no such file, or it is no TOML of this form; with all that is wrong.
    """
    try:
        found = tomllib.loads(path.read_text("utf-8-sig"))
    except FileNotFoundError as error:
        raise WrongUse(
            f"--columns: there is no file '{path}'", "--dry-run writes one for these columns."
        ) from error
    except IsADirectoryError as error:
        raise WrongUse(f"--columns: '{path}' is a folder", "Name a file of TOML in it.") from error
    except PermissionError as error:
        raise no_rights(path, "--columns") from error
    except UnicodeDecodeError as error:
        raise WrongUse(f"--columns: '{path}' is not in UTF-8", "Save it in UTF-8.") from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise _no_toml(path, error) from error
    refuse(_wrong(path, found), f"--columns '{path}'")
    return dict(found[TABLE])


def choices_text(columns: Sequence[TableColumn]) -> str:
    """The file that says what these columns are taken for, with the reasons beside it."""
    lines = [f"{_key(one.name)} = {_quoted(_kind(one))}  # {_comment(one.why)}" for one in columns]
    return HEAD + "\n".join(lines) + "\n"


def _kind(one: TableColumn) -> str:
    if KINDS[one.kind].has_form and one.used:
        return f"{one.kind} {one.format}"
    return OUT if one.kind in USED and not one.used else one.kind


def _key(name: str) -> str:
    return name if BARE.fullmatch(name) else _quoted(name)


def _quoted(text: str) -> str:
    """A basic string of TOML, whose escapes are those of JSON but for the delete character."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _comment(why: str) -> str:
    return "".join(char for char in " ".join(why.split()) if char.isprintable())


def _no_toml(path: Path, error: Exception) -> WrongUse:
    said = str(error)
    where = WHERE.search(said)
    place = f"'{path}', {where[1]}" if where else f"'{path}'"
    return WrongUse(f"--columns: {place}: no TOML: {WHERE.sub('', said)}", EXAMPLE)


def _wrong(path: Path, found: dict[str, Any]) -> list[Problem]:
    place = f"--columns '{path}'"
    problems = [
        Problem(f"{place}: expected only a table [{TABLE}], got '{key}' beside it", EXAMPLE)
        for key in found
        if key != TABLE
    ]
    table = found.get(TABLE)
    if not isinstance(table, dict):
        got = "none" if table is None else repr(table)[:40]
        return [*problems, Problem(f"{place}: expected a table [{TABLE}], got {got}", EXAMPLE)]
    return problems + [
        Problem(
            f"{place}: '{name}': expected the name of a kind in quotes, got {_got(kind)}",
            f"Kinds are {', '.join((*KINDS, OUT))}. A name with a dot is put in quotes.",
        )
        for name, kind in table.items()
        if not isinstance(kind, str)
    ]


def _got(value: object) -> str:
    return f"a table with {', '.join(map(repr, value))}" if isinstance(value, dict) else repr(value)
