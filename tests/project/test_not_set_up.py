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
from tests.conftest import ROOT, ran


def started(checkout: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """By a Python without any packages."""
    return ran([sys.executable, "-S", "-m", *arguments], cwd=checkout, env=environ)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The code as it is cloned: nothing was set up."""
    home = tmp_path_factory.mktemp("checkout")
    for folder in ("convert", "edge", "function", "onnxlet", "requirements"):
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
    assert "has no 'orjson'" in end.stderr
    assert "Traceback" not in end.stderr


def test_once_set_up_the_other_python_is_named(checkout: Path) -> None:
    (checkout / ".venv").mkdir()
    (checkout / ".venv" / "ready").touch()
    try:
        hint = started(checkout, "edge", "serve").stderr.splitlines()[1]
    finally:
        shutil.rmtree(checkout / ".venv")
    assert hint == ("hint: Use the Python that has the packages: .venv/bin/python -m edge")


@pytest.mark.parametrize("program", ["convert", "edge"])
@pytest.mark.parametrize("link", ["function", "convert", "edge"])
def test_links_that_were_lost_are_named(
    link: str, program: str, checkout: Path, tmp_path: Path
) -> None:
    shutil.copytree(checkout, tmp_path / "copy", symlinks=True)
    lost = tmp_path / "copy" / "onnxlet" / link
    lost.unlink()
    for got in ("none", "a file"):  # some systems save a link as a file
        if got == "a file":
            lost.write_text(f"../{link}")
        end = started(tmp_path / "copy", program, "--help")

        assert end.returncode == 1
        assert end.stderr.splitlines() == [
            f"error: onnxlet/{link}: expected a link to ../{link}, got {got}",
            "hint: git checkout onnxlet, or make setup, restores it.",
        ]


@pytest.mark.parametrize("program", ["convert", "edge"])
def test_in_the_folder_onnxlet_the_one_above_is_named(program: str, checkout: Path) -> None:
    end = started(checkout / "onnxlet", program, "--help")

    assert end.returncode == 1
    assert end.stderr.splitlines() == [
        f"error: expected to run in {checkout}, got {checkout / 'onnxlet'}",
        f"hint: cd '{checkout}'",
    ]


@pytest.mark.parametrize("program", ["convert", "edge"])
def test_ctrl_c_while_packages_are_imported(program: str, checkout: Path, tmp_path: Path) -> None:
    (tmp_path / "click.py").write_text("raise KeyboardInterrupt\n")

    end = started(checkout, program, "--help", PYTHONPATH=str(tmp_path))

    assert (end.returncode, end.stdout, end.stderr) == (1, "", "\nAborted!\n")


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
