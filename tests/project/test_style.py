"""Format, lint and types are part of the suite."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.conftest import ROOT


@pytest.mark.parametrize(
    "command",
    [["ruff", "format", "--check", "."], ["ruff", "check", "."], ["mypy"]],
    ids=["format", "lint", "types"],
)
def test_style(command: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, timeout=200
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_no_lock_file_names_an_index_or_lacks_a_hash() -> None:
    for file in (ROOT / "requirements").rglob("*.txt"):
        text = file.read_text()
        assert "://" not in text, file
        assert "--index" not in text, file
        pinned = [line for line in text.splitlines() if "==" in line and line[0] not in " #"]
        assert pinned, file
        assert all(line.endswith("\\") for line in pinned), file
        assert text.count("--hash=sha256:") >= len(pinned), file
