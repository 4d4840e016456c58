"""A worker's process: how long it is waited with, and what one that reads nothing gets."""

from __future__ import annotations

import signal

import pytest

from onnxlet.edge.workers import child
from onnxlet.edge.workers.child import Child, Pauses


def test_pauses_double_to_ten_seconds_and_begin_again_after_a_long_life() -> None:
    pauses = Pauses()
    assert [pauses.after(1) for _ in range(9)] == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10, 10]
    assert [pauses.after(life) for life in (30, 1, 29.9, 31)] == [0.1, 0.2, 0.4, 0.1]


def test_one_that_takes_nothing_is_killed_before_its_messages_fill_the_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(child, "MOST_UNSENT_BYTES", 1_000_000)
    sleeper = Child({"number": 0}, {})
    if not sleeper.pid:  # this is the process
        while True:
            signal.pause()
    while not sleeper.why:
        sleeper.send(b"x" * 100_000)
    assert sleeper.end() == -9
    assert sleeper.why == "it read nothing of what others told it"
