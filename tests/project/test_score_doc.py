"""The tutorial and the guide of `score`: what is typed there runs, and prints what is shown."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pyarrow import csv, parquet

from onnxlet.convert.command_line import main as convert
from onnxlet.convert.score.journal import RENEWED, STALE
from onnxlet.convert.score.tasks import BAD
from onnxlet.convert.score.writing import GROUP_BYTES
from onnxlet.convert.tables.csv_parts import PART_BYTES
from onnxlet.convert.tables.formats import SMALL_GROUP
from tests.conftest import ROOT, hear_ctrl_c
from tests.convert.score.tables import client_of_all, golden_table, predictions_of_app
from tests.edge.service.test_serve import CLEAN
from tests.project.test_device_docs import blocks

TUTORIAL = (ROOT / "docs" / "tutorials" / "score.md").read_text()
HOW_TO = (ROOT / "docs" / "how-to" / "score.md").read_text()
OUTPUTS = blocks(TUTORIAL, "text")
SCRIPTS = blocks(TUTORIAL, "python")
SETUP, BUILD, MAKE_TABLE, SCORE, AGAIN, OTHER, OF_CSV = blocks(TUTORIAL, "sh")
DONE = re.compile(r"\d[\d,]* of 10 parts are done( \([\d,]+ rows\))?")


def started(line: str, folder: Path) -> subprocess.Popen[str]:
    """A line of the tutorial, typed in a folder."""
    for name in ("convert/examples/house_prices.py", ".venv/bin/python"):
        to = sys.executable if name.startswith(".venv") else str(ROOT / name)
        line = line.replace(name, shlex.quote(to))
    command = line if "&&" in line else f"exec {line}"  # no shell that waits for it
    environ = {**CLEAN, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        ["sh", "-c", command], cwd=folder, env=environ, text=True, preexec_fn=hear_ctrl_c,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip


def typed(line: str, folder: Path) -> str:
    said, _ = started(line, folder).communicate(timeout=200)
    return said.rstrip("\n")


def options_of(text: str) -> set[str]:
    return set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", text))


def test_options_are_those_that_there_are() -> None:
    params = convert.commands["score"].params
    known = {each for param in params for each in param.opts if each.startswith("--")}
    rows = re.findall(r"^\| `(--[a-z-]+)` \|", HOW_TO, re.M)
    assert {*rows} == known - {"--debug"}
    assert options_of(TUTORIAL + HOW_TO) <= known | {"--name"}  # of build
    [on_error] = [param for param in params if param.name == "on_error"]
    kinds = re.findall(r"^\| `(null|side|stop)` \|", HOW_TO, re.M)
    assert sorted(kinds) == sorted(on_error.type.choices)  # type: ignore[attr-defined]
    [batch] = [param for param in params if param.name == "batch_rows"]
    assert f"run together; {batch.default:,} if not" in HOW_TO


def test_figures_and_names_are_the_code_s() -> None:
    assert f"up to {SMALL_GROUP:,} rows together" in HOW_TO
    assert f"about {PART_BYTES >> 20} MB of CSV" in HOW_TO
    assert f"{GROUP_BYTES >> 20} MB at most" in HOW_TO
    assert f"every {RENEWED:.0f} seconds" in HOW_TO
    assert f"void {STALE:.0f} seconds after a kill" in HOW_TO
    for name in ("_file", "_row", "_line", "_reason", BAD):
        assert f"`{name}`" in HOW_TO


@pytest.mark.docs
def test_the_guide_s_script_and_refusal(models: Path, tmp_path: Path) -> None:
    table = golden_table(models, "house-prices", 50)
    table = table.rename_columns([*table.schema.names[:-1], "Id"])
    parquet.write_table(table, tmp_path / "houses.parquet")
    (tmp_path / "models").symlink_to(models)
    [script] = blocks(HOW_TO, "python")
    (tmp_path / "script.py").write_text(f"{script}\nprint(prices.columns.tolist())\n")
    said = typed(".venv/bin/python script.py", tmp_path)
    assert said.splitlines()[-2:] == [
        "50 0 None", "['Id', 'prediction', 'interval.low', 'interval.high']"
    ]  # fmt: skip

    (tmp_path / "in").mkdir()
    for number in range(100):
        some = table.drop("Year_Built") if number == 41 else table
        parquet.write_table(some, tmp_path / "in" / f"{number:03}.parquet")
    said = typed(".venv/bin/python -m convert score house-prices in out", tmp_path)
    assert said == blocks(HOW_TO, "text")[0]


@pytest.mark.pipelines  # a million rows, twice
def test_the_tutorial_from_its_table_to_its_answers(tmp_path: Path) -> None:
    assert SETUP == "make setup"
    assert "0 answers differ" in typed(BUILD, tmp_path)
    (tmp_path / "table.py").write_text(SCRIPTS[0])
    assert typed(MAKE_TABLE, tmp_path) == ""

    process = started(SCORE, tmp_path)
    journal = tmp_path / "prices" / "_journal.jsonl"
    while not journal.exists() or journal.read_bytes().count(b"\n") < 3:
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert numberless(said) == numberless(OUTPUTS[0])
    assert AGAIN == SCORE
    assert numberless(typed(AGAIN, tmp_path)) == numberless(OUTPUTS[1])
    assert typed(AGAIN, tmp_path) == OUTPUTS[2]

    (tmp_path / "look.py").write_text(SCRIPTS[1])
    assert typed(".venv/bin/python look.py", tmp_path) == OUTPUTS[3]
    assert typed(OTHER, tmp_path) == OUTPUTS[4]
    (tmp_path / "few.py").write_text(SCRIPTS[2])
    assert typed(".venv/bin/python few.py", tmp_path) == ""
    assert typed(OF_CSV, tmp_path) == OUTPUTS[5]

    prices = parquet.read_table(tmp_path / "prices" / "houses-00003.parquet")
    houses = parquet.read_table(tmp_path / "houses.parquet").slice(300_000, 20_000)
    expected = predictions_of_app(
        client_of_all(tmp_path / "models"), "house-prices", houses.drop("Id"), 10_000
    )
    assert prices["prediction"].to_pylist()[:20_000] == expected
    assert csv.read_csv(tmp_path / "prices.csv").num_rows == 49_999


def numberless(said: str) -> str:
    """What is printed, but for how far it had come."""
    return DONE.sub("N of 10 parts are done", said.rstrip("\n"))
