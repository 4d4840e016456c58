"""A certificate and an endpoint that records are sent to, for all tests of devices."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.edge.certificates import Pair, make_pair
from tests.edge.forward.endpoint import Endpoint, listening


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """A certificate of these days."""
    return make_pair(tmp_path_factory.mktemp("pair"))


@pytest.fixture
def patient_writer(monkeypatch: pytest.MonkeyPatch) -> None:
    """No answer says that the disk hangs: it may take seconds where others write, too."""
    monkeypatch.setattr("onnxlet.edge.store.writer.DISK_TIMEOUT_SECONDS", 60.0)


@pytest.fixture
def endpoint(pair: Pair) -> Iterator[Endpoint]:
    """One that speaks TLS."""
    with listening(pair) as endpoint:
        yield endpoint
