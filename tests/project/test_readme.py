"""The README's commands, as a newcomer pastes them."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import ROOT, ran
from tests.project.commands import free_port, run_make, wait_for_line

README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
CURLS = [text for kind, text in BLOCKS if kind == "sh" and text.startswith("curl")]
ANSWERS = [text for kind, text in BLOCKS if kind == "json"]
DOCUMENTS = [
    *(ROOT / f"{name}.md" for name in ("README", "CONTRIBUTING", "SECURITY", "CHANGELOG")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
HAS_TOOLS = shutil.which("make") and shutil.which("curl")


@pytest.mark.docs
@pytest.mark.skipif(not HAS_TOOLS, reason="needs make and curl")
@pytest.mark.skipif(not (ROOT / ".venv" / "ready").is_file(), reason="run by `make test`")
def test_make_run_reports_a_port_that_is_taken_before_it_trains(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        for port in (taken.getsockname()[1], "abc"):
            command = ["make", "run", f"PORT={port}", f"MODELS={tmp_path}"]
            done = ran(command)
            assert done.returncode != 0
            assert "port" in done.stderr
            assert "loading the estimator" not in done.stderr


@pytest.mark.docs
@pytest.mark.skipif(not HAS_TOOLS, reason="needs make and curl")
@pytest.mark.skipif(not (ROOT / ".venv" / "ready").is_file(), reason="run by `make test`")
def test_make_run_and_the_pasted_curls(tmp_path: Path) -> None:
    port = free_port()
    made = ["run", f"PORT={port}", f"MODELS={tmp_path / 'the models'}"]
    with run_make(made, ROOT, dict(os.environ), tmp_path / "log") as process:
        printed = wait_for_line(process, tmp_path / "log", "curl ", seconds=180)
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
    assert (answers[3]["rows"], answers[3]["alarms"]) == (0, [])  # too few rows to be shown
    assert [(e["row"], e["column"]) for e in answers[2]["errors"]] == [
        (0, "Neighbourhood"),
        (0, "Gr_Liv_Area"),
        (0, "Lot_Area"),
        (0, "Neighborhood"),
    ]


def build(command: list[str], folder: Path) -> str:
    """What a documented build command prints in a folder."""
    done = ran(
        [sys.executable, *command[1:]], cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )

    assert done.returncode == 0, done.stderr
    assert "0 answers differ" in done.stdout
    return done.stdout


TUTORIAL = (ROOT / "docs" / "tutorials" / "first-model.md").read_text()
OF_TUTORIAL = re.findall(r"^```(\w+)\n(.*?)^```", TUTORIAL, re.MULTILINE | re.DOTALL)


@pytest.mark.docs
@pytest.mark.parametrize("blocks", [BLOCKS, OF_TUTORIAL], ids=["readme", "tutorial"])
def test_the_model_in_ten_lines(blocks: list[tuple[str, str]], tmp_path: Path) -> None:
    source = next(text for kind, text in blocks if kind == "python")
    (tmp_path / "my_model.py").write_text(source)
    lines = [line for kind, text in blocks if kind == "sh" for line in text.splitlines()]
    [command] = [
        line.split()
        for line in lines
        if re.match(r"\.venv/bin/python .* my_model\.py:build ", line)
    ]

    build(command, tmp_path)
    assert (tmp_path / "models" / "my-model" / "1" / "manifest.json").is_file()
    assert len(source.splitlines()) <= 10


@pytest.mark.docs
def test_the_certificate_of_the_tutorial(tmp_path: Path) -> None:
    source = next(text for kind, text in OF_TUTORIAL if kind == "python")
    (tmp_path / "my_model.py").write_text(source)
    command = next(t.split() for kind, t in OF_TUTORIAL if kind == "sh" and "my_model" in t)
    shown = next(text for kind, text in OF_TUTORIAL if kind == "text")

    printed = build(command, tmp_path)
    number = re.compile(r"-?\d[\d.e+-]*")
    assert number.sub("N", printed) == number.sub("N", shown)


@pytest.mark.docs
def test_the_refusal_of_the_tutorial(tmp_path: Path) -> None:
    [_, source] = [text for kind, text in OF_TUTORIAL if kind == "python"]
    (tmp_path / "refused.py").write_text(source)
    [command] = [t.split() for kind, t in OF_TUTORIAL if kind == "sh" and "refused.py" in t]
    [_, told] = [text for kind, text in OF_TUTORIAL if kind == "text"]
    done = ran(
        [sys.executable, *command[1:]], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )

    assert (done.returncode, done.stdout) == (1, "")
    assert [line for line in told.splitlines() if line not in done.stderr] == []
    assert not (tmp_path / "models" / "refused").exists()


HOW_TO = [(ROOT / "docs" / "how-to" / f"{name}.md").read_text() for name in ("converters", "dates")]
OF_YOUR_OWN = re.findall(r"^```(\w+)\n(.*?)^```", "\n".join(HOW_TO), re.MULTILINE | re.DOTALL)
SOURCES = [text for kind, text in OF_YOUR_OWN if kind == "python"]
COMMANDS = [text.split() for kind, text in OF_YOUR_OWN if kind == "sh"]


@pytest.mark.docs
@pytest.mark.parametrize(("source", "command"), [*zip(SOURCES, COMMANDS, strict=True)])
def test_a_converter_and_a_function_of_your_own(
    source: str, command: list[str], tmp_path: Path
) -> None:
    (tmp_path / source.split()[1]).write_text(source)

    build(command, tmp_path)


def anchors(document: Path) -> set[str]:
    """Of a document's headings, as GitHub and MkDocs make them."""
    titles = re.findall(r"^#+ (.*)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title).strip().lower().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.stem)
def test_every_link_leads_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(([^)#:]*)(?:#([^):]+))?\)", document.read_text())
    wrong = []
    for link, anchor in links:
        target = document.parent / link if link else document
        if not target.exists() or (anchor and anchor not in anchors(target)):
            wrong.append((link, anchor))
    assert wrong == []


BENCHMARKS = (ROOT / "docs" / "reference" / "benchmarks" / "servers.md").read_text()
SERVERS = ("onnxlet", "FastAPI", "MLServer", "BentoML", "MLflow")


@pytest.mark.parametrize(
    ("row", "rows_each", "column"),
    [
        ("rows a second, 1 row a request", 1, 2),
        ("rows a second, 100 rows a request", 100, 2),
        ("p99, 1 row a request", 1, 4),
        ("idle memory, all processes", 1, 1),
    ],
)
def test_the_figures_beside_others_are_measured_ones(row: str, rows_each: int, column: int) -> None:
    table = BENCHMARKS.split(f"**forest, {rows_each} row")[1].split("**")[1]
    measured = [
        next(line for line in table.splitlines() if line.startswith(f"| {server}")).split(" | ")
        for server in SERVERS
    ]
    [line] = [line for line in README.splitlines() if line.startswith(f"| {row} |")]
    shown = [
        cell.removesuffix(" ms").removesuffix(" MiB")
        for cell in line.removesuffix(" |").split(" | ")[1:]
    ]

    assert shown == [cells[column] for cells in measured]


EXAMPLES = {
    "FAMILY": "linear", "MODULE": "models", "LIBRARY": "mapie", "PACKAGE": "mapie",
    "PROTOCOL": "v1", "EVENT": "queue_events", "KIND": "number",
    "SECTION": "reference", "PAGE": "protocols", "NAME": "churn", "FIGURE": "curves",
    "TARGET": "image", "CLIENT": "mlflow",
}  # fmt: skip


def test_the_files_that_a_change_touches_are_there() -> None:
    guide = (ROOT / "CONTRIBUTING.md").read_text()
    recipes = guide.split("## How to add …")[1].split("\n## ")[0]
    paths = re.findall(r"`([\w./-]+/[\w./-]*|[\w-]+\.yml)`", recipes)
    for name, example in EXAMPLES.items():
        paths = [path.replace(name, example) for path in paths]

    assert len(paths) > 40
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_make_lists_every_command() -> None:
    listed = subprocess.check_output(["make"], cwd=ROOT, text=True)
    makefile = (ROOT / "Makefile").read_text()
    [phony] = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert set(re.findall(r"^  ([a-z-]+) ", listed, re.MULTILINE)) == set(phony.split())


def test_each_suite_names_tests_that_are_there() -> None:
    """A file to be left out that is gone is run after all, and nobody hears of it."""
    targets = re.findall(r"^(test[\w-]*|coverage):", (ROOT / "Makefile").read_text(), re.M)
    said = subprocess.run(
        ["make", "-n", *targets], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    named = {*re.findall(r"(?<!\S)tests/[\w./-]+", said)}
    assert (len(targets) > 20, len(named) > 40) == (True, True)
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


def told_in_powershell(block: str) -> dict[str, object]:
    """The row of a block of PowerShell, as JSON has it."""
    [table] = re.findall(r"^\$row = @\{\n(.*?)^\}", block, re.MULTILINE | re.DOTALL)
    pairs = re.findall(r"(\w+) = ([^;\n]+)", table)
    return {name: json.loads(value.replace("$null", "null")) for name, value in pairs}


@pytest.mark.parametrize("file", ["README.md", "docs/how-to/windows.md"])
def test_powershell_asks_what_curl_asks(file: str) -> None:
    blocks = re.findall(r"^```powershell\n(.*?)^```", (ROOT / file).read_text(), re.M | re.DOTALL)
    [block] = [each for each in blocks if "$row" in each]
    [url] = re.findall(r"http://127\.0\.0\.1:8080/models/house-prices/predict", block)
    first = shlex.split(CURLS[0])

    assert url in first
    assert json.loads(first[-1]) == {"instances": [told_in_powershell(block)]}
    assert '-Method Post -ContentType "application/json"' in block
