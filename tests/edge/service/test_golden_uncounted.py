"""Golden rows that a real server asks itself are in no count of drift; others' rows are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from onnxlet.edge.service.app import make_app
from onnxlet.edge.service.secret import KEY_NAME, Secret
from onnxlet.edge.service.self_check import SelfCheck, connector
from onnxlet.function.app import SERVICE
from onnxlet.function.monitoring import watch
from onnxlet.function.settings import Settings
from tests.conftest import client_of
from tests.edge.forward.endpoint import wait_until
from tests.edge.service.test_watchdog import Serving


@pytest.fixture
def serving(models: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Serving]:
    """A server that counts each row at once."""
    monkeypatch.setattr(watch, "GATHERED_BYTES", 1)
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


@pytest.mark.parametrize("readers", [{}, {"reader": bytes(32)}, {KEY_NAME: bytes(32)}])
@pytest.mark.parametrize("clients", [{}, {"client": bytes([1]) * 32}])
def test_what_it_asks_itself_is_answered_whichever_keys_are_set(
    models: Path, readers: dict[str, bytes], clients: dict[str, bytes]
) -> None:
    """It reads figures on rows, too, for a device's status."""
    secret = Secret()
    settings = Settings(models, reload_seconds=0, api_keys=clients, reader_keys=readers)
    client = client_of(make_app(models, secret=secret, settings=settings))
    header = {"X-API-Key": secret.key, "X-Request-Id": secret.request_id}

    predicted = client.post("/models/iris/predict", [[5.1, 3.5, 1.4, 0.2]], header)
    assert predicted.status == 200
    assert client.get("/models/iris/drift", header).status == 200
