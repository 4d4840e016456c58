"""What columns are taken for is written as TOML, corrected, and read."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from onnxlet.convert.train.columns import choices_text, read_choices, recognise_columns
from onnxlet.convert.train.kinds.profile import TableColumn
from onnxlet.function.errors import WrongUse

ROWS = 200
random = np.random.default_rng(0)
Y = np.arange(ROWS) % 2
NAMES = [
    "plain", "with space", "a.b", 'quo"te', "back\\slash", "two\nlines", "größe", "", "'", "#",
    "del\x7f",
]  # fmt: skip
FRAME = pd.DataFrame(
    {
        **{name: random.normal(size=ROWS) for name in NAMES},
        "id": np.arange(ROWS),
        "leak": Y * 2,
        "when": pd.date_range("2024-01-01", periods=ROWS, freq="9h").strftime("%d.%m.%Y"),
        "city": random.choice(["Köln", "Rom"], ROWS),
        "flag": random.random(ROWS) < 0.5,
        "same": "x",
    }
)
FRAME["copy"] = FRAME["plain"] * 2


def test_what_is_written_is_read_as_it_was(tmp_path: Path) -> None:
    taken = recognise_columns(FRAME, Y, "binary")
    path = tmp_path / "columns.toml"
    path.write_text(choices_text(taken), "utf-8")
    wanted = read_choices(path)

    assert list(wanted) == list(FRAME)
    assert (wanted["when"], wanted["leak"], wanted["copy"]) == ("date %d.%m.%Y", "leak", "copy")
    again = recognise_columns(FRAME, Y, "binary", wanted)
    assert [one[:4] for one in again] == [one[:4] for one in taken]
    assert [one.format for one in again if one.used] == [one.format for one in taken if one.used]


def test_reasons_stand_beside_the_kinds() -> None:
    text = choices_text([TableColumn("x", "text", "of\ntwo lines # \x07", False, 0, 3)])
    assert text.endswith('\n[columns]\nx = "out"  # of two lines # \n')
    assert tomllib.loads(text) == {"columns": {"x": "out"}}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[columns]\na = number\n", "line 2, column 5: no TOML: Invalid value"),
        ('[columns]\na = "number"\na = "text"\n', "line 3, column 11: no TOML"),
        ('[columns\na = "number"\n', "line 1"),
        ("[columns]\na = " + "[" * 5000, "no TOML: maximum recursion depth"),
        ('a = "number"\n', "expected only a table [columns], got 'a' beside it"),
        ("", "expected a table [columns], got none"),
        ("columns = 3\n", "expected a table [columns], got 3"),
        ('[columns]\na.b = "number"\n', "'a': expected the name of a kind in quotes, got a table"),
        ("[columns]\na = 3\nb = true\n", "'b': expected the name of a kind in quotes, got True"),
    ],
)
def test_files_that_are_wrong_are_reported_with_their_place(
    tmp_path: Path, content: str, message: str
) -> None:
    path = tmp_path / "columns.toml"
    path.write_text(content)
    with pytest.raises(WrongUse) as caught:
        read_choices(path)
    assert caught.value.message.startswith("--columns")
    assert message in caught.value.message
    assert "[columns]" in caught.value.hint + caught.value.message or "Kinds" in caught.value.hint


def test_files_that_are_not_there(tmp_path: Path) -> None:
    (tmp_path / "latin.toml").write_bytes(b"[columns]\n\xe4 = 'text'\n")
    for name, message in (("gone.toml", "no file"), (".", "folder"), ("latin.toml", "UTF-8")):
        with pytest.raises(WrongUse, match=message):
            read_choices(tmp_path / name)
