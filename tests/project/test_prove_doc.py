"""docs/how-to/prove.md: what is typed there runs, and prints what is shown."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from onnxlet.convert.command_line import main
from onnxlet.convert.prove import endpoint
from onnxlet.convert.prove.subjects import SECONDS
from tests.conftest import ROOT
from tests.edge.service.test_serve import CLEAN
from tests.project.test_device_docs import blocks

TEXT = (ROOT / "docs" / "how-to" / "prove.md").read_text()
MODEL, THEIRS, REWRITTEN, NOTEBOOK, _ = blocks(TEXT, "python")
CONVERT, WRONG = blocks(TEXT, "sh")
EQUAL, DIFFERENT = blocks(TEXT, "text")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the page's files."""
    made = tmp_path_factory.mktemp("page")
    for script in (MODEL, THEIRS, REWRITTEN):
        (made / script.splitlines()[0].removeprefix("# ")).write_text(script)
    return made


def typed(lines: str, folder: Path) -> tuple[int, str]:
    line = " && ".join(lines.splitlines()).replace(".venv/bin/python", shlex.quote(sys.executable))
    environ = {**CLEAN, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["sh", "-c", line], cwd=folder, env=environ, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout


@pytest.fixture(scope="module")
def converted(folder: Path) -> tuple[int, str]:
    """What the first lines print: they write theirs.onnx."""
    return typed(CONVERT, folder)


@pytest.mark.long
def test_what_is_typed_prints_what_is_shown(folder: Path, converted: tuple[int, str]) -> None:
    code, said = converted
    assert (code, said.splitlines()[0]) == (0, EQUAL)

    code, said = typed(WRONG, folder)
    assert (code, said.splitlines()[0]) == (1, DIFFERENT)
    [cause] = re.findall(r"here `(another order .*?)`", TEXT)
    assert cause in said


@pytest.mark.long
@pytest.mark.usefixtures("converted")
def test_the_notebook_s_lines_run(folder: Path) -> None:
    said = "from my_model import build\nmodel, X_test = build()\n"
    (folder / "notebook.py").write_text(f"{said}{NOTEBOOK}\nassert proof.equal\n")

    code, _ = typed(".venv/bin/python notebook.py", folder)

    assert code == 0


def test_options_and_numbers_are_those_that_there_are() -> None:
    known = {o for p in main.commands["prove"].params for o in p.opts if o.startswith("--")}
    rows = re.findall(r"^\| (`--.*?) \|", TEXT, re.M)
    assert {*re.findall(r"--[a-z0-9]+", " ".join(rows))} == known - {"--debug"}
    assert f"{SECONDS:g} if not given" in TEXT
    assert f"at most {endpoint.ROWS} rows at a time" in TEXT
