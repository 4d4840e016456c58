"""Format and lint are part of the suite, and so is every file of tests."""

from __future__ import annotations

import sys
from fnmatch import fnmatch

import pytest

from tests.conftest import ROOT, ran


@pytest.mark.parametrize("command", [["format", "--check"], ["check"]], ids=["format", "lint"])
def test_style(command: list[str]) -> None:
    """Types are checked by `make test` itself, beside the tests."""
    done = ran([sys.executable, "-m", "ruff", *command, "."])

    assert done.returncode == 0, done.stdout + done.stderr


def test_no_folder_of_tests_is_left_out(pytestconfig: pytest.Config) -> None:
    patterns = pytestconfig.getini("norecursedirs")
    below = (file.relative_to(ROOT).parts[:-1] for file in (ROOT / "tests").rglob("test_*.py"))
    folders = {name for names in below for name in names}
    assert {"tests", "dist"} <= folders
    assert [name for name in folders if any(fnmatch(name, each) for each in patterns)] == []


def test_no_lock_file_names_an_index_or_lacks_a_hash() -> None:
    for file in (ROOT / "requirements").rglob("*.txt"):
        text = file.read_text()
        assert "://" not in text, file
        assert "--index" not in text, file
        pinned = [line for line in text.splitlines() if "==" in line and line[0] not in " #"]
        assert pinned, file
        assert all(line.endswith("\\") for line in pinned), file
        assert text.count("--hash=sha256:") >= len(pinned), file
