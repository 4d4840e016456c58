"""The tutorial and the guide of `train`: what is typed there runs, and tables are the code's."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from onnxlet.convert.command_line import main as convert
from onnxlet.convert.metrics.metrics import METRICS, metric_named
from onnxlet.convert.report import FILES
from onnxlet.convert.report.sections import SECTIONS
from onnxlet.convert.train.kinds.registry import KINDS, USED
from onnxlet.convert.train.target import TASKS
from tests.conftest import ROOT, ran, running_server
from tests.edge.service.test_serve import CLEAN
from tests.project.test_device_docs import blocks

TUTORIAL = (ROOT / "docs" / "tutorials" / "train.md").read_text()
HOW_TO = (ROOT / "docs" / "how-to" / "train.md").read_text()
BESIDE = [
    ROOT / "docs" / page
    for page in ("how-to/train-images.md", "reference/table-files.md", "explanation/training.md")
]
REPORT = (ROOT / "docs" / "reference" / "report.md").read_text()
README = (ROOT / "README.md").read_text()
COMMANDS = [shlex.split(block) for block in blocks(TUTORIAL, "sh")]
OUTPUTS = blocks(TUTORIAL, "text")
DRY_RUN, TRAIN, MISSPELT = [c for c in COMMANDS if c[2:4] == ["convert", "train"]]
[VERIFY] = [c for c in COMMANDS if c[2:4] == ["convert", "verify"]]
CURLS = [c for c in COMMANDS if c[0] == "curl"]
SPACES = re.compile(r"[\u00a0\u202f]")  # that keep a number and its unit together
NUMBER = re.compile(r"\d[\d.e+-]*")
# Lines of a training's end that don't depend on what was found, but for their numbers.
ALWAYS = ("parity", "  rows", "  judged", "  reference", "  tolerance", "credit", "report:")


def typed(command: list[str], folder: Path, seconds: int = 60) -> tuple[int, str, str]:
    """Run a command of the tutorial in a folder: its exit code, output and progress."""
    assert command[0] == ".venv/bin/python"
    words = [str(ROOT / word) if (ROOT / word).is_file() else word for word in command[1:]]
    words = [str(seconds) if before == "--seconds" else word for before, word in pairs(words)]
    done = ran(
        [sys.executable, *words], cwd=folder, env={**CLEAN, "PYTHONPATH": str(ROOT)}, timeout=220
    )
    plain = SPACES.sub(" ", done.stdout)
    return done.returncode, plain, done.stderr.replace(f"{ROOT}/", "")


def pairs(words: list[str]) -> list[tuple[str, str]]:
    """Each word behind the one before it."""
    return list(zip(["", *words], words, strict=False))


def table(text: str, head: str) -> list[list[str]]:
    """The cells of the table that begins so, without its head."""
    [lines] = re.findall(rf"^\| {head} .*\n\|[ |-]+\n((?:\|.*\n)+)", text, re.MULTILINE)
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines.splitlines()]


def test_the_metrics_of_the_guide_are_those_that_there_are() -> None:
    known = [
        [
            f"`{metric.name}`",
            metric.title,
            ", ".join(metric.tasks),
            "higher" if metric.greater_is_better else "lower",
            metric.needs,
        ]
        for metric in METRICS.values()
    ]
    assert table(HOW_TO, "name") == known
    usual = [metric_named(None, task).title for task in TASKS]
    assert usual == ["ROC AUC", "log loss", "root mean squared error"]
    assert "it is ROC AUC for two classes, log loss for more, and RMSE for numbers" in HOW_TO


def test_the_kinds_of_the_guide_are_those_that_there_are() -> None:
    rows = table(HOW_TO, "kind")
    assert [kind.strip("`") for kind, *_ in rows] == list(KINDS)
    assert [used for *_, used in rows] == ["yes" if kind in USED else "no" for kind in KINDS]


def test_options_that_are_written_are_those_that_there_are() -> None:
    params = convert.commands["train"].params
    known = {option for param in params for option in param.opts if option.startswith("--")}
    other = {"--report", "--port", "--data", "--decimal"}  # of build, serve and score
    written = set(
        re.findall(
            r"(?<![\w-])--[a-z][a-z-]*",
            "".join([TUTORIAL, HOW_TO, *(page.read_text() for page in BESIDE)]),
        )
    )
    assert written <= known | other
    assert known - written == {"--debug"}


def test_each_section_of_the_report_is_explained() -> None:
    headings = re.findall(r"^## (.*)$", REPORT, re.MULTILINE)
    own = [section.heading for section in SECTIONS][:-1]  # the last is what was left out
    assert [heading for heading in headings if heading in own] == own
    files = [Path(name.strip("`")).name for name, _ in table(REPORT, "file")]
    assert sorted(files) == sorted(FILES)


def test_make_train_is_the_command_of_the_tutorial() -> None:
    [line] = [block for block in blocks(TUTORIAL, "sh") if block.startswith("make train")]
    dry = ["make", "-n", *shlex.split(line)[1:]]
    typed_alone = {k: v for k, v in CLEAN.items() if not k.startswith(("MAKE", "MFLAGS", "ARGS"))}
    printed = subprocess.check_output(dry, cwd=ROOT, text=True, env=typed_alone)
    made = shlex.split(printed.strip().splitlines()[-1])
    named = shlex.split(next(b for b in blocks(README, "sh") if "make train" in b).splitlines()[0])

    own = dict(zip(made[5::2], made[6::2], strict=True))
    assert made[:5] == TRAIN[:5]
    assert own == dict(zip(TRAIN[5::2], TRAIN[6::2], strict=True)) | {"--models": "models"}
    assert named == shlex.split(line)[: len(named)]


@pytest.mark.training
def test_the_dry_run_and_the_misspelt_column_print_what_is_shown(tmp_path: Path) -> None:
    code, printed, progress = typed(DRY_RUN, tmp_path)
    assert code == 0
    assert progress + printed == f"{OUTPUTS[0]}\n"
    assert "\nMarital = " in (tmp_path / "columns.toml").read_text()

    code, printed, progress = typed(MISSPELT, tmp_path)
    assert (code, printed) == (2, "")
    assert progress.endswith(f"\n{OUTPUTS[-1]}\n")
    assert not (tmp_path / "models").exists()


@pytest.mark.training  # a search, a proof and a report: a minute or two
@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
def test_the_tutorial_from_its_table_to_its_answers(tmp_path: Path) -> None:
    assert typed(DRY_RUN, tmp_path)[0] == 0
    columns = tmp_path / "columns.toml"
    [line] = blocks(TUTORIAL, "toml")
    changed = re.sub(r"^Marital = .*", line, columns.read_text(), flags=re.MULTILINE)
    columns.write_text(changed)

    code, printed, progress = typed(TRAIN, tmp_path, seconds=20)
    assert code == 0, progress
    assert "0 answers differ" in printed
    assert always(printed) == always(OUTPUTS[2])
    sentence = next(line for line in printed.splitlines() if line.startswith("On "))
    shown = next(line for line in OUTPUTS[2].splitlines() if line.startswith("On "))
    assert NUMBER.sub("N", sentence.split(":")[0]) == NUMBER.sub("N", shown.split(":")[0])
    for each in OUTPUTS[1].splitlines()[:2]:
        assert each in progress
    assert re.search(r"^  constant: ROC AUC 0.5 ± 0 \(\S+ s\)$", progress, re.MULTILINE)

    report = json.loads((tmp_path / "models" / "credit" / "1" / "report.json").read_text())
    assert [each["column"] for each in report["fairness"]] == ["Marital"]
    assert "Marital" not in report["call"]["row"]
    assert {path.name for path in (tmp_path / "models" / "credit" / "1").iterdir()} >= set(FILES)
    assert typed(VERIFY, tmp_path)[:2] == (0, f"{OUTPUTS[3]}\n")
    assert_answered(tmp_path)


def always(printed: str) -> list[str]:
    """The lines that every training of this table ends with, without their numbers."""
    return [NUMBER.sub("N", line) for line in printed.splitlines() if line.startswith(ALWAYS)]


def assert_answered(folder: Path) -> None:
    """The curls get answers of the form that is shown."""
    shown = [json.loads(block) for block in blocks(TUTORIAL, "json")]
    with running_server(folder / "models", CLEAN, folder / "log") as server:
        url = f"http://127.0.0.1:{server.port}"
        for command, expected in zip(CURLS, shown, strict=True):
            words = [word.replace("http://127.0.0.1:8080", url) for word in command]
            answer = json.loads(subprocess.check_output(words, text=True, timeout=30))
            [[bad, good]] = answer.pop("probabilities")
            [label] = answer.pop("prediction")
            assert bad + good == pytest.approx(1)
            assert label == ("good" if good >= bad else "bad")
            assert list(answer.items()) == [
                (k, v) for k, v in expected.items() if k not in ("prediction", "probabilities")
            ]
