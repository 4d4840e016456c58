from __future__ import annotations

import pytest

from onnxlet.function import deadline


def test_one_that_was_stopped_watches_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deadline, "_watchdog", None)
    stopped = deadline.watch(10)
    stopped.stop()

    with deadline.watched(10):
        assert deadline._watchdog is not stopped
        assert deadline._watchdog is not None
        assert deadline._watchdog.watches
    assert deadline._watchdog is None


def test_one_that_watches_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deadline, "_watchdog", None)
    there = deadline.watch(10)

    with deadline.watched(10):
        assert deadline._watchdog is there
    assert deadline._watchdog is there
    there.stop()
