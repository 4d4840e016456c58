"""`python -m convert`, as users call it: exit codes, messages, help."""

from __future__ import annotations

import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from onnxlet.convert.command_line import main
from tests.convert.helpers import FILES, command, invoked

WRONG_USE: dict[str, tuple[list[str], str]] = {
    "no file": (["gone.py:build", "--name", "n"], "there is no file 'gone.py'"),
    "no callable": (["source.py:NUMBER", "--name", "n"], "'source.py' has no function 'NUMBER'"),
    "no module": (["gone:build", "--name", "n"], "there is no module 'gone'"),
    "no package": (["gone.inner:build", "--name", "n"], "there is no module 'gone"),
    "None returned": (["source.py:nothing", "--name", "n"], "got NoneType"),
    "estimator alone": (["source.py:alone", "--name", "n"], "got LinearRegression"),
    "five returned": (["source.py:five", "--name", "n"], "got a tuple of 5"),
    "no name": (["source.py:linear"], "Missing option '--name'"),
    "models is a file": (
        ["source.py:linear", "--name", "n", "--models", "notes.txt"],
        "'notes.txt' is a file",
    ),
    "models below a file": (
        ["source.py:linear", "--name", "n", "--models", "notes.txt/models"],
        "notes.txt' is not a folder",
    ),
    "no data": (["model.joblib", "--name", "n"], "Add --data FILE"),
    "no such data": (
        ["model.joblib", "--name", "n", "--data", "gone.csv"],
        "--data: there is no file 'gone.csv'",
    ),
    "data of no known form": (
        ["model.joblib", "--name", "n", "--data", "notes.txt"],
        "expected a .csv, .csv.gz, .parquet, .xlsx or .json file",
    ),
    "no such target": (
        ["model.joblib", "--name", "n", "--data", "held_out.csv", "--target", "status"],
        "There are age, income, home, Status.",
    ),
    "data for a function": (
        ["source.py:linear", "--name", "n", "--data", "held_out.csv"],
        "--data and --target go with a file",
    ),
}
FAILED: dict[str, tuple[list[str], str]] = {
    "function raises": (
        ["source.py:raising", "--name", "n"],
        "source.py:raising raised RuntimeError: the database is away",
    ),
    "function leaves": (
        ["source.py:leaving", "--name", "n"],
        "source.py:leaving raised SystemExit: 0",
    ),
    "file is not Python": (["broken.py:build", "--name", "n"], "broken.py raised SyntaxError"),
    "module is missing": (
        ["needs.py:build", "--name", "n"],
        "needs module 'a_module_that_is_nowhere'",
    ),
}


@pytest.mark.parametrize("case", [*WRONG_USE, *FAILED])
def test_a_failure_is_reported_on_stderr_with_its_exit_code(case: str, at_home: Path) -> None:
    arguments, wording = {**WRONG_USE, **FAILED}[case]
    before = {entry.name for entry in at_home.iterdir()}

    end = invoked("build", *arguments)

    assert isinstance(end.exception, SystemExit), end.exception  # ours, not Python's
    assert wording in end.stderr
    assert "Traceback" not in end.stderr
    assert (end.exit_code, end.stdout) == (2 if case in WRONG_USE else 1, "")
    assert case in WRONG_USE or "\nerror: " in f"\n{end.stderr}"
    assert {entry.name for entry in at_home.iterdir()} - {"__pycache__"} == before - {"__pycache__"}


@pytest.mark.long
def test_a_process_ends_as_the_command_does(project: Path) -> None:
    def run(arguments: list[str]) -> tuple[int, str, str]:
        end = command(*arguments, cwd=project)
        return end.returncode, end.stdout, end.stderr

    wrong = ["build", "gone.py:build", "--name", "n"]
    failed = ["build", "source.py:raising", "--name", "n"]
    with ThreadPoolExecutor(2) as pool:
        ends = list(pool.map(run, (wrong, failed)))

    assert [end[:2] for end in ends] == [(2, ""), (1, "")]
    for (_, _, errors), wording in zip(
        ends, ("no file 'gone.py'", "the database is away"), strict=True
    ):
        assert wording in errors
        assert "error: " in errors
        assert "Traceback" not in errors


def test_a_package_that_make_run_does_not_install_is_named(
    at_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("rows.parquet").write_bytes(b"PAR1")
    reader = "onnxlet.convert.tables.parquet_file"  # an earlier test may have imported it
    for module in [
        name for name in sys.modules if name.split(".")[0] == "pyarrow" or name == reader
    ]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "pyarrow", None)

    end = invoked("build", "model.joblib", "--name", "n", "--data", "rows.parquet")

    assert (end.exit_code, end.stdout) == (1, "")
    assert re.search(r"^error: .* has no 'pyarrow'\nhint: .+$", end.stderr, re.MULTILINE)


def test_debug_shows_the_traceback_beside_the_message(at_home: Path) -> None:
    end = invoked("build", "source.py:raising", "--name", "n", "--debug")

    assert end.exit_code == 1
    assert "Traceback (most recent call last)" in end.stderr
    assert "in raising" in end.stderr
    assert end.stderr.strip().split("\n")[-1].startswith("error: source.py:raising raised")


@pytest.mark.parametrize("name", sorted(main.commands))
def test_help_of_every_command_has_an_example(name: str) -> None:
    end = invoked(name, "--help")
    example = re.search(rf"^ +Example: python -m convert {name} \S+", end.stdout, re.MULTILINE)
    assert end.exit_code == 0
    assert example is not None
    assert "--debug" in end.stdout


def test_help_lists_the_commands() -> None:
    for option in ("-h", "--help"):
        end = invoked(option)
        assert end.exit_code == 0
        for name in main.commands:
            assert re.search(rf"^ +{name} +\S", end.stdout, re.MULTILINE), name


@pytest.mark.long
def test_a_build_reports_on_stderr_and_prints_the_certificate(
    project: Path, tmp_path: Path
) -> None:
    source = tmp_path / "convert.py"  # a name that is ours, too
    source.write_text((project / "source.py").read_text())

    end = command("build", f"{source}:linear", "--name", "n", "--models", tmp_path / "m")

    assert end.returncode == 0, end.stderr
    assert end.stdout.startswith("parity certificate of n version 1\n")
    assert end.stdout.endswith(f"n version 1 written to {tmp_path / 'm' / 'n' / '1'}\n")
    assert "mean absolute error" in end.stdout
    assert "trying float64 matrix" in end.stderr
    assert {entry.name for entry in (tmp_path / "m" / "n" / "1").iterdir()} == FILES
