"""Commands of a checkout before its packages are there: a line and the way out, no traceback."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from onnxlet import not_set_up
from onnxlet.commands import Command
from onnxlet.convert.errors import SourceFailed
from onnxlet.convert.sources.saved import load_saved
from onnxlet.convert.sources.source import load_source
from onnxlet.folders import VERSION
from onnxlet.not_set_up import CONVERT, EXTRAS, check_installed, explained
from tests.conftest import ROOT, quiet, ran


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

    assert end.returncode == 2
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


def test_what_the_extras_bring_is_known_by_what_is_imported() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    brought = {
        extra: {line.partition(">")[0].lower() for line in lines}
        for extra, lines in project["optional-dependencies"].items()
    }
    imported = packages_distributions()
    named = {
        extra: {dist.lower() for name in names for dist in imported.get(name, ())}
        for extra, names in (*EXTRAS.items(), ("convert", CONVERT))
    }

    here = {dist.lower() for dists in imported.values() for dist in dists}
    for extra in EXTRAS:
        assert named[extra] == brought[extra.rpartition(",")[2]] & here
    # Others come with those: SciPy with scikit-learn, and so on. uv is a program.
    assert named["convert"] - {"scipy", "threadpoolctl"} == brought["convert"] - {"uv"}
    assert not set(CONVERT) & {name for names in EXTRAS.values() for name in names}


@pytest.mark.parametrize("from_file", [True, False])
@pytest.mark.parametrize(
    ("package", "extras"),
    [
        ("sklearn.linear_model", "convert"),
        ("pyarrow.csv", "convert,train"),
        ("lightgbm", "convert,train,boosters"),
        ("dask", "convert,train,engines"),
    ],
)
def test_in_python_the_command_brings_the_extra_that_is_missing(
    package: str, extras: str, from_file: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / f"onnxlet-{VERSION}.dist-info").mkdir()
    if from_file:
        (tmp_path / f"onnxlet-{VERSION}.dist-info" / "direct_url.json").touch()
    monkeypatch.setattr(not_set_up, "ROOT", tmp_path)
    monkeypatch.setattr(sys, "executable", "/my project/bin/python")
    named = f"onnxlet[{extras}]=={VERSION}"
    wheel = f"onnxlet-{VERSION}-py3-none-any.whl[{extras}]" if from_file else named

    said = str(explained(ModuleNotFoundError("no", name=package)))

    assert said.endswith(f"'/my project/bin/python' -m pip install '{wheel}'")


def test_what_the_caller_s_own_code_lacks_is_left_to_it() -> None:
    """A hint of ours would be wrong: a stranger's package may have such a name."""
    for name in ("shop", "convert", "function.steps", "edge"):
        theirs = ModuleNotFoundError(f"No module named '{name}'", name=name)
        assert explained(theirs) is theirs


def test_what_is_needed_at_the_end_is_asked_for_at_the_start() -> None:
    check_installed("json", "click")
    with pytest.raises(ModuleNotFoundError) as missing:
        check_installed("json", "no_such_package_of_ours")
    assert missing.value.name == "no_such_package_of_ours"


@pytest.mark.parametrize("room", ["convert", "edge", "function"])
def test_nobody_is_told_to_install_what_has_the_name_of_a_folder_here(
    room: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "m.py").write_text(f"import {room}.steps\ndef build(): ...\n")
    (tmp_path / "m.pkl").write_bytes(f"c{room}.steps\nStep\n.".encode())
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p and Path(p).resolve() != ROOT])
    hints = [str(explained(ModuleNotFoundError("no", name=f"{room}.steps"), "convert"))]
    with pytest.raises(SourceFailed) as failed:
        load_source(f"{tmp_path}/m.py:build", None, None, (), quiet)
    hints.append(failed.value.hint)
    with pytest.raises(SourceFailed) as failed:
        load_saved(tmp_path / "m.pkl", (), quiet, None)
    hints.append(failed.value.hint)

    for hint in hints:
        assert f"import onnxlet.{room}.steps" in hint
        assert "nstall it" not in hint
        assert f"nstall {room}" not in hint
