"""Commands of a checkout before its packages are there: a line and the way out, no traceback."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from onnxlet.function.command_line import Command
from tests.conftest import ROOT


def started(checkout: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """By a Python without any packages."""
    return subprocess.run(
        [sys.executable, "-S", "-m", *arguments],
        cwd=checkout,
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The code as it is cloned: nothing was set up."""
    home = tmp_path_factory.mktemp("checkout")
    for folder in ("convert", "edge", "function", "onnxlet"):
        shutil.copytree(
            ROOT / folder, home / folder, symlinks=True, ignore=shutil.ignore_patterns("__pyc*")
        )
    (home / "Makefile").touch()
    return home


@pytest.mark.parametrize(
    "command", [("convert", "build", "m.py:build"), ("convert",), ("edge", "serve")]
)
def test_the_missing_packages_are_reported_and_make_setup(
    command: tuple[str, ...], checkout: Path
) -> None:
    end = started(checkout, *command)

    assert (end.returncode, end.stdout) == (1, "")
    error, hint = end.stderr.splitlines()
    assert error.startswith("error: ")
    assert error.endswith(" has no 'click'")
    assert hint == (
        f"hint: make setup, in {checkout}, brings the packages; "
        f"then .venv/bin/python -m {command[0]}"
    )


def test_with_some_packages_the_next_is_reported(checkout: Path, tmp_path: Path) -> None:
    (tmp_path / "click").symlink_to(Path(click.__file__).parent)

    end = started(checkout, "convert", "build", PYTHONPATH=str(tmp_path))

    assert end.returncode == 1
    assert "has no 'numpy'" in end.stderr
    assert "Traceback" not in end.stderr


def test_once_set_up_the_other_python_is_named(checkout: Path) -> None:
    (checkout / ".venv").mkdir()
    (checkout / ".venv" / "ready").touch()
    try:
        hint = started(checkout, "edge", "serve").stderr.splitlines()[1]
    finally:
        shutil.rmtree(checkout / ".venv")
    assert hint == ("hint: Use the Python that has the packages: .venv/bin/python -m edge")


def test_a_package_that_a_command_asks_for_late() -> None:
    def lacking() -> None:
        raise ModuleNotFoundError("no", name="skl2onnx.common")

    def broken() -> None:
        raise ModuleNotFoundError("no", name="onnxlet.convert.gone")

    end = CliRunner().invoke(Command("build", callback=lacking, example="x"), [])
    assert end.exit_code == 1
    assert "has no 'skl2onnx'" in end.stderr
    end = CliRunner().invoke(Command("build", callback=broken, example="x"), [])
    assert isinstance(end.exception, ModuleNotFoundError)  # a mistake of ours, whole
