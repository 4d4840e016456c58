"""Wrong uses of `train`: each says where, what was expected and got, and what to do."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.convert.helpers import command, invoked


def frame(rows: int = 60) -> pd.DataFrame:
    random = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "size": random.normal(size=rows).round(3),
            "colour": random.choice(["red", "blue"], rows),
            "target": np.where(random.random(rows) < 0.5, "yes", "no"),
            "one": "same",
            "rare": ["odd", *["usual"] * (rows // 2), *["other"] * (rows - rows // 2 - 1)],
            "empty": None,
        }
    )


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a table, and with some that are none."""
    monkeypatch.chdir(tmp_path)
    frame().to_csv("good.csv", index=False)
    frame(20).to_csv("few.csv", index=False)
    frame().assign(target="yes").to_csv("one_value.csv", index=False)
    frame().assign(target=None).to_csv("none.csv", index=False)
    frame().assign(size=None, colour=None, rare=None).to_csv("all_missing.csv", index=False)
    huge = frame().assign(target=np.linspace(-1e250, 1e250, 60))
    huge.to_csv("huge.csv", index=False)
    Path("header.csv").write_text("size,target\n")
    Path("image.csv").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8)
    Path("other.csv").write_text("size,target\n1,yes\n")
    Path("broken.toml").write_text("[columns]\nsize = number\n")
    Path("kind.toml").write_text('[columns]\nsize = "colour"\nshape = "number"\n')
    Path("a_file").write_text("")
    return tmp_path


# What is given instead of what is right, the exit code, and what the message has to name: one of
# each room's faults, which its own tests have all of, and what only the command knows.
WRONG: dict[str, tuple[dict[str, str | None], int, list[str]]] = {
    "no such file": ({"data": "absent.csv"}, 2, ["absent.csv"]),
    "a folder": ({"data": "."}, 2, ["folder"]),
    "no table": ({"data": "image.csv"}, 2, ["image.csv"]),
    "no such column": ({"--target": "Target"}, 2, ["'Target'", "Is it 'target'"]),
    "one value": ({"data": "one_value.csv"}, 2, ["two values or more", "same one in all 60"]),
    "all missing": ({"data": "all_missing.csv"}, 2, ["no column is left", "'size'"]),
    "no task": ({"--task": "ranking"}, 2, ["--task", "ranking"]),
    "too few seconds": ({"--seconds": "0.5", "--trials": None}, 2, ["from 1 to", "0.5"]),
    "no seconds": ({"--seconds": "nan", "--trials": None}, 2, ["--seconds", "nan"]),
    "endless": ({"--seconds": "inf", "--trials": None}, 2, ["--seconds", "inf"]),
    "a metric of numbers": ({"--metric": "rmse"}, 2, ["'rmse'", "regression", "roc_auc"]),
    "logarithms of what is below 0": (
        {"--target": "size", "--metric": "rmsle"}, 2, ["'size'", "RMSLE", "--metric"]
    ),
    "too large a target": ({"data": "huge.csv"}, 2, ["'target'", "too large", "1e+250"]),
    "no kind": ({"--column": "size=colour"}, 2, ["'size'", "'colour'", "number, category"]),
    "no equals sign": ({"--column": "size"}, 2, ["COL=KIND", "'size'", "zip=category"]),
    "not that kind": ({"--column": "colour=number"}, 2, ["'colour' can't be a number"]),
    "no TOML": ({"--columns": "broken.toml"}, 2, ["broken.toml", "line 2"]),
    "kinds in TOML": ({"--columns": "kind.toml"}, 2, ["'colour'", "'shape'"]),
    "the target's groups": ({"--group": "target"}, 2, ["--group", "beside the target"]),
    "the target's time": ({"--time": "target"}, 2, ["--time", "beside the target"]),
    "no such group": ({"--group": "colours"}, 2, ["no column 'colours'", "Is it 'colour'"]),
    "two groups": ({"--group": "colour"}, 1, ["3 groups or more", "got 2"]),
    "groups and time": ({"--group": "rare", "--time": "size"}, 2, ["--group and --time"]),
    "no date": ({"--time": "colour"}, 2, ["--time 'colour'", "dates", "category"]),
    "no time at all": ({"--time": "empty"}, 2, ["--time 'empty'", "no value"]),
    "no such sensitive": ({"--sensitive": "sex"}, 2, ["--sensitive", "'sex'"]),
    "a name": ({"--name": "../m"}, 2, ["../m"]),
    "an empty name": ({"--name": ""}, 2, ["name"]),
    "models in a file": ({"--models": "a_file"}, 2, ["a_file"]),
    "few rows but held-out ones": (
        {"data": "few.csv", "--test": "good.csv"}, 2, ["30 rows or more", "got 20"]
    ),
    "held-out rows without a target": (
        {"--test": "none.csv"}, 2, ["--test", "none.csv", "value of the target"]
    ),
    "other held-out rows": ({"--test": "other.csv"}, 2, ["--test", "'colour'", "columns of DATA"]),
    "no held-out rows": ({"--test": "header.csv"}, 2, ["header.csv", "no rows"]),
    "absent held-out rows": ({"--test": "absent.csv"}, 2, ["--test", "absent.csv"]),
}  # fmt: skip


def arguments(given: Mapping[str, str | None]) -> list[str]:
    wanted: dict[str, str | None] = {"--target": "target", "--name": "m", "--trials": "2"}
    wanted.update({name: value for name, value in given.items() if name != "data"})
    options = [
        part for name, value in wanted.items() if value is not None for part in (name, value)
    ]
    return ["train", given.get("data") or "good.csv", *options]


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_use_says_what_to_do_and_writes_nothing(case: str, home: Path) -> None:
    given, code, told = WRONG[case]
    before = sorted(home.rglob("*"))
    end = invoked(*arguments(given))
    assert (end.exit_code, end.stdout) == (code, ""), end.output
    assert "Traceback" not in end.stderr
    lines = end.stderr.splitlines()
    assert [line for line in lines if line.startswith(("error: ", "Error: "))], end.stderr
    for part in told:
        assert part in " ".join(end.stderr.split()), end.stderr
    assert sorted(home.rglob("*")) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may do anything")
def test_paths_without_rights_are_named(home: Path) -> None:
    closed = home / "closed.csv"
    closed.write_bytes((home / "good.csv").read_bytes())
    closed.chmod(0)
    end = invoked("train", closed, "--target", "target", "--name", "m")
    assert end.exit_code == 2
    assert "closed.csv" in end.stderr
    folder = home / "read only"
    folder.mkdir(mode=0o500)
    end = invoked(*arguments({"--models": str(folder)}))
    assert end.exit_code in (1, 2)
    assert "read only" in end.stderr


def test_a_dry_run_shows_what_columns_are_taken_for(home: Path) -> None:
    end = invoked(*arguments({}), "--dry-run")
    assert end.exit_code == 0, end.stderr
    kinds = tomllib.loads(end.stdout)["columns"]
    assert kinds == {
        "size": "number", "colour": "category", "one": "constant", "rare": "category",
        "empty": "empty",
    }  # fmt: skip
    assert not (home / "models").exists()


@pytest.mark.parametrize(
    ("given", "said"),
    [({"--name": "two words"}, "--name: expected"), ({"--models": "/proc/no"}, "can't be written")],
)
def test_a_dry_run_refuses_what_a_run_would(home: Path, given: dict[str, str], said: str) -> None:
    end = invoked(*arguments(given), "--dry-run")
    assert (end.exit_code, said in end.stderr) == (2, True)


def test_what_a_dry_run_writes_is_read_again_and_corrected_by_an_option(home: Path) -> None:
    end = invoked(*arguments({"--columns": "mine.toml"}), "--dry-run")
    assert (end.exit_code, "mine.toml" in end.stdout) == (0, True)
    text = (home / "mine.toml").read_text()
    assert not (home / "models").exists()
    (home / "mine.toml").write_text(text.replace('colour = "category"', 'colour = "out"'))
    given = {"--columns": "mine.toml", "--column": "rare=out"}
    end = invoked(*arguments(given), "--dry-run")
    kinds = tomllib.loads((home / "mine.toml").read_text())["columns"]
    assert (kinds["colour"], kinds["rare"], kinds["size"]) == ("out", "out", "number")


@pytest.mark.training
def test_a_process_trains_and_says_where_the_model_lies(home: Path) -> None:
    given = {"--column": "rare=out", "--columns": "mine.toml"}
    assert invoked(*arguments(given), "--dry-run").exit_code == 0
    end = command(
        *arguments({"--columns": "mine.toml", "--models": str(home / "models")}), cwd=home
    )
    assert end.returncode == 0, end.stderr
    assert f"m version 1 written to {home / 'models' / 'm' / '1'}" in end.stdout
    assert f"report: {home / 'models' / 'm' / '1' / 'report.html'}" in end.stdout
    manifest = json.loads((home / "models" / "m" / "1" / "manifest.json").read_text())
    assert [column["name"] for column in manifest["signature"]["inputs"]] == ["size", "colour"]
