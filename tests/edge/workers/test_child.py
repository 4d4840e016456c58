"""A worker's process: how long it is waited with, and what one that reads nothing gets."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from onnxlet.edge.workers import child
from onnxlet.edge.workers.child import Child, Pauses
from tests.conftest import ROOT

FLAGS = """
import sys
from onnxlet.edge.workers.child import _flags
print(_flags())
"""


def test_pauses_double_to_ten_seconds_and_begin_again_after_a_long_life() -> None:
    pauses = Pauses()
    assert [pauses.after(1) for _ in range(9)] == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10, 10]
    assert [pauses.after(life) for life in (30, 1, 29.9, 31)] == [0.1, 0.2, 0.4, 0.1]


def test_it_is_started_as_this_interpreter_was() -> None:
    command = [sys.executable, "-B", "-W", "error", "-X", "utf8", "-c", FLAGS]
    assert subprocess.check_output(command, cwd=ROOT, text=True).strip() == str(
        ["-B", "-W", "error", "-X", "utf8"]
    )


def test_it_imports_nothing_from_where_the_server_was_called(tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("import pathlib; pathlib.Path('ran').touch()")
    subprocess.run(  # it has nothing to do, and ends
        [sys.executable, child.START, "{}", *sys.path], cwd=tmp_path, capture_output=True,
        env={**os.environ, "PYTHONPATH": ":"}, check=False,
    )  # fmt: skip
    assert not (tmp_path / "ran").exists()


def test_one_that_takes_nothing_is_killed_before_its_messages_fill_the_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(child, "MOST_UNSENT_BYTES", 1_000_000)
    monkeypatch.setattr(child, "START", Path(__file__).with_name("sleeper.py"))
    sleeper = Child({}, {"number": 0}, {})
    try:
        while not sleeper.why:
            sleeper.send(b"x" * 100_000)
        assert sleeper.end() == -9
        assert sleeper.why == "it read nothing of what others told it"
    finally:
        sleeper.kill()
