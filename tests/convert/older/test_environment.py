"""Environments of other scikit-learns: which is made, where, and what is said where none can be."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from onnxlet.convert.errors import SourceFailed
from onnxlet.convert.older import environment
from onnxlet.convert.older.environment import belonging, cache, commands, interpreter_of
from tests.convert.helpers import quiet
from tests.convert.older.kept import keep_environment


@pytest.mark.parametrize(
    ("version", "numpy", "newest"),
    [
        ("0.24.2", "numpy<1.22", (3, 9)), ("1.1.2", "numpy<1.24", (3, 10)),
        ("1.1.3", "numpy<1.24", (3, 11)), ("1.2", "numpy<1.25", (3, 11)),
        ("1.2.2", "numpy<1.25", (3, 11)), ("1.5.1", "numpy<2.2", (3, 12)),
        ("1.5.2", "numpy<2.2", (3, 13)), ("1.10.0", "numpy", (3, 14)),
    ],
)  # fmt: skip
def test_what_belongs_to_a_version(version: str, numpy: str, newest: tuple[int, int]) -> None:
    belongs = belonging(version)

    assert (belongs.packages[0], belongs.newest) == (numpy, newest)


@pytest.mark.parametrize(
    "version", ["0.23.2", "1.8.dev0", "2.0rc1", "1.2.2; rm", "", "1." + "9" * 5000]
)
def test_others_are_refused(version: str) -> None:
    with pytest.raises(SourceFailed, match=r"expected a release of scikit-learn from 0\.24 on"):
        belonging(version)


def test_one_that_is_there_is_taken_and_none_that_is_half_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    python = keep_environment(tmp_path, "1.7.2")
    half = python.parent.parent.with_name(f".making-{python.parent.parent.name}-x")
    (half / "bin").mkdir(parents=True)
    (half / "bin" / "python").write_text("")

    assert interpreter_of("1.7.2", quiet) == python
    with monkeypatch.context() as offline:
        _go_offline(offline, tmp_path)
        python.unlink()
        with pytest.raises(SourceFailed):
            interpreter_of("1.7.2", quiet)


def _go_offline(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(folder / "uv"))


def test_without_a_network_the_commands_are_named_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    _go_offline(monkeypatch, tmp_path)
    said: list[str] = []
    with pytest.raises(SourceFailed) as failed:
        interpreter_of("1.7.2", said.append)

    running = f"{sys.version_info[0]}.{sys.version_info[1]}"
    folder = tmp_path / "onnxlet" / "environments" / f"scikit-learn-1.7.2-python{running}"
    assert said == [f"making an environment with scikit-learn 1.7.2, once: '{folder}'"]
    assert "an environment with scikit-learn 1.7.2 can't be made:\n" in failed.value.message
    assert (
        f"uv --no-config venv --quiet --no-project --allow-existing --python {running} {folder}"
        in (failed.value.hint)
    )
    assert "scikit-learn==1.7.2 'numpy<2.4' 'scipy<1.17' 'pandas<3' joblib" in failed.value.hint
    assert [path.name for path in folder.parent.iterdir()] == [f".{folder.name}.lock"]


def test_a_python_that_is_not_installed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in ("UV_PYTHON_INSTALL_DIR", "HOME", "PYENV_ROOT", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    with pytest.raises(SourceFailed) as failed:
        interpreter_of("0.24.2", quiet)

    assert "has wheels for Python 3.8 to 3.9, and none of them is installed" in (
        failed.value.message
    )
    assert "uv python install 3.9" in failed.value.hint


def test_a_cache_that_can_not_be_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(SourceFailed, match="can't be kept") as failed:
        interpreter_of("1.7.2", quiet)
    assert "XDG_CACHE_HOME" in failed.value.hint


def test_a_relative_cache_folder_counts_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "here")

    assert cache() == Path.home() / ".cache" / "onnxlet" / "environments"


def test_commands_take_wheels_only() -> None:
    _, install = commands(Path("/e"), "3.11", ["scikit-learn==1.2.2"])

    assert install[2:] == (
        "--quiet", "--only-binary", ":all:", "--python", "/e/bin/python", "scikit-learn==1.2.2",
    )  # fmt: skip
    assert environment.UV[0] == sys.executable


def test_no_folder_says_where_packages_come_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    _go_offline(monkeypatch, tmp_path)
    monkeypatch.chdir(tmp_path)
    said = []
    for name, table in (("uv.toml", "pip"), ("pyproject.toml", "tool.uv.pip")):
        (tmp_path / name).write_text(f'[{table}]\nfind-links = ["{tmp_path}/no-wheels-here"]\n')
        with pytest.raises(SourceFailed, match="can't be made") as failed:
            interpreter_of("1.7.2", quiet)
        said.append(failed.value.message)
        (tmp_path / name).unlink()
    (tmp_path / "cache/onnxlet/environments/uv.toml").write_text("[pip]\nindex-url = 1\n")
    with pytest.raises(SourceFailed) as failed:
        interpreter_of("1.7.2", quiet)

    assert "no-wheels-here" not in " ".join(said)
    assert "uv.toml" not in failed.value.message


def test_no_python_of_the_current_folder_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    here = tmp_path / "here"
    python = here / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    monkeypatch.chdir(here)
    (here / ".venv" / "pyvenv.cfg").write_text("home = /usr/bin\n")
    python.write_text(f"#!/bin/sh\ntouch {tmp_path}/run\n")
    python.chmod(0o755)
    cache().mkdir(parents=True)
    environment._uv("python", "find", "--no-project", "--no-python-downloads", "3.8")

    assert not (tmp_path / "run").exists()


def test_without_consent_none_is_made_and_one_that_is_there_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(environment, "commands", lambda *given: pytest.fail("it is made"))
    with pytest.raises(SourceFailed, match=r"scikit-learn==1\.7\.2, numpy<2\.4, ") as failed:
        interpreter_of("1.7.2", quiet, may_be_made=False)

    assert failed.value.hint == "Add --trust scikit-learn==1.7.2 if they may be."
    python = keep_environment(tmp_path, "1.7.2")
    assert interpreter_of("1.7.2", quiet, may_be_made=False) == python
