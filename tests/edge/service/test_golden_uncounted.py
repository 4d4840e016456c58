"""Golden rows that a real server asks itself are in no count of drift; others' rows are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from onnxlet.edge.service.secret import Secret
from onnxlet.edge.service.self_check import SelfCheck, connector
from onnxlet.function.app import SERVICE
from onnxlet.function.monitoring import watch
from tests.edge.forward.endpoint import wait_until
from tests.edge.service.test_watchdog import Serving


@pytest.fixture
def serving(models: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Serving]:
    """A server that counts each row at once."""
    monkeypatch.setattr(watch, "MOST_BYTES", 1)
    monkeypatch.setattr(watch, "LEAST_BYTES", 1)
    serving = Serving(models)
    yield serving
    serving.end()


def counted(serving: Serving) -> dict[str, int]:
    found = serving.app.extensions[SERVICE]
    figures = {each.name: found.watches.figures(each) for each in found.repository.models}
    return {name: each.total.rows for name, each in figures.items() if each}


def test_what_it_asks_itself_is_in_no_count_of_drift(serving: Serving) -> None:
    """Each of four models is asked as often as a block has rows."""
    for _ in range(4 * watch.BLOCK_ROWS):
        assert serving.asker.next() == ""
    assert set(counted(serving).values()) == {0}

    repository = serving.app.extensions[SERVICE].repository
    somebody = SelfCheck(repository, connector(serving.address, False), Secret())
    for _ in range(4 * watch.BLOCK_ROWS):
        assert somebody.next() == ""
    somebody.close()
    # The last row is counted once its answer is sent, and nobody asks the server for it here.
    wait_until(lambda: set(counted(serving).values()) == {watch.BLOCK_ROWS}, 60)
