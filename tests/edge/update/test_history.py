"""The history of updates keeps what an attacker, or a mistake, would have it forget."""

from __future__ import annotations

from onnxlet.edge.update.history import KEPT_BROKEN, History


def test_the_highest_release_never_falls() -> None:
    history = History().accept("bundle", 5).accept("index stable", 2)

    assert history.accept("bundle", 3).highest == {"bundle": 5, "index stable": 2}
    assert history.accept("bundle", 6).highest == {"bundle": 6, "index stable": 2}


def test_the_latest_releases_that_failed_are_remembered() -> None:
    history = History()
    for release in range(1, KEPT_BROKEN + 3):
        history = history.begin("bundle", release).give_up("bundle", release, "it does not start")

    assert list(history.broken["bundle"]) == list(range(3, KEPT_BROKEN + 3))
    assert history.attempt is None
