"""The README's commands, as a newcomer pastes them."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.project.commands import free_port, run_make, wait_for_line

README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
CURLS = [text for kind, text in BLOCKS if kind == "sh" and text.startswith("curl")]
ANSWERS = [text for kind, text in BLOCKS if kind == "json"]
DOCS = sorted((ROOT / "docs").glob("*.md"))
HAS_TOOLS = shutil.which("make") and shutil.which("curl")


@pytest.mark.skipif(not HAS_TOOLS, reason="needs make and curl")
@pytest.mark.skipif(not (ROOT / ".venv" / "ready").is_file(), reason="run by `make test`")
def test_make_run_tells_of_a_port_that_is_taken_before_it_trains(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        for port in (taken.getsockname()[1], "abc"):
            command = ["make", "run", f"PORT={port}", f"MODELS={tmp_path}"]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
            assert done.returncode != 0
            assert "port" in done.stderr
            assert "loading the estimator" not in done.stderr


@pytest.mark.skipif(not HAS_TOOLS, reason="needs make and curl")
@pytest.mark.skipif(not (ROOT / ".venv" / "ready").is_file(), reason="run by `make test`")
def test_make_run_and_the_pasted_curls(tmp_path: Path) -> None:
    port = free_port()
    made = ["run", f"PORT={port}", f"MODELS={tmp_path / 'the models'}"]
    with run_make(made, ROOT, dict(os.environ), tmp_path / "log") as process:
        printed = wait_for_line(process, tmp_path / "log", "curl ", seconds=60)
        time.sleep(0.1)
        pasted = printed.splitlines()[-1]
        answers = [
            json.loads(subprocess.check_output(["sh", "-c", command], timeout=20))
            for command in [pasted, *(curl.replace(":8080", f":{port}") for curl in CURLS)]
        ]
        os.killpg(process.pid, signal.SIGINT)
        process.wait(20)
    log = (tmp_path / "log").read_text()

    assert "setting up" not in log
    assert "0 answers differ" in log
    assert "always the same answer" in log
    assert "Traceback" not in log
    assert answers[0]["prediction"][0] > 10_000
    expected = json.loads(ANSWERS[0])
    assert answers[1] == expected | {
        "prediction": [pytest.approx(expected["prediction"][0], rel=1e-5)],
    }
    assert [(e["row"], e["column"]) for e in answers[2]["errors"]] == [
        (0, "Neighbourhood"),
        (0, "Gr_Liv_Area"),
        (0, "Lot_Area"),
        (0, "Neighborhood"),
    ]


def build(command: list[str], folder: Path) -> None:
    """Carry out a documented build command in a folder."""
    done = subprocess.run(
        [sys.executable, *command[1:]],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert done.returncode == 0, done.stderr
    assert "0 answers differ" in done.stdout


def test_the_model_in_ten_lines(tmp_path: Path) -> None:
    [source] = [text for kind, text in BLOCKS if kind == "python"]
    (tmp_path / "my_model.py").write_text(source)
    [commands] = [t for kind, t in BLOCKS if kind == "sh" and "my_model.py:build" in t]
    command = commands.splitlines()[0].split()
    assert command[0] == ".venv/bin/python"

    build(command, tmp_path)
    assert (tmp_path / "models" / "my-model" / "1" / "manifest.json").is_file()
    assert len(source.splitlines()) <= 10


CONVERTERS = (ROOT / "docs" / "converters.md").read_text()
OF_YOUR_OWN = re.findall(r"^```(\w+)\n(.*?)^```", CONVERTERS, re.MULTILINE | re.DOTALL)
SOURCES = [text for kind, text in OF_YOUR_OWN if kind == "python"]
COMMANDS = [text.split() for kind, text in OF_YOUR_OWN if kind == "sh"]


@pytest.mark.parametrize(("source", "command"), [*zip(SOURCES, COMMANDS, strict=True)])
def test_a_converter_and_a_function_of_your_own(
    source: str, command: list[str], tmp_path: Path
) -> None:
    (tmp_path / source.split()[1]).write_text(source)

    build(command, tmp_path)


@pytest.mark.parametrize("document", ["README.md", *(f"docs/{p.name}" for p in DOCS)])
def test_every_link_leads_somewhere(document: str) -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", (ROOT / document).read_text())
    assert [link for link in links if not (ROOT / document).parent.joinpath(link).exists()] == []


def test_make_lists_every_command() -> None:
    listed = subprocess.check_output(["make"], cwd=ROOT, text=True)
    makefile = (ROOT / "Makefile").read_text()
    [phony] = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert set(re.findall(r"^  ([a-z-]+) ", listed, re.MULTILINE)) == set(phony.split())
