"""A certificate and an endpoint that records are sent to, for all tests of devices."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.edge.certificates import Pair, make_pair
from tests.edge.forward.endpoint import Endpoint, listening


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """A certificate of these days."""
    return make_pair(tmp_path_factory.mktemp("pair"))


@pytest.fixture
def tmp_path(tmp_path: Path) -> Iterator[Path]:
    """A folder in which no commit waits for a busy disk; a usual one where there is none."""
    memory = Path("/dev/shm")  # noqa: S108 - of this test, by a name of its own
    if not memory.is_dir():
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=memory, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.fixture
def patient_writer(monkeypatch: pytest.MonkeyPatch) -> None:
    """No answer says that the disk hangs: it may take seconds where others write, too."""
    monkeypatch.setattr("onnxlet.edge.store.writer.DISK_TIMEOUT_SECONDS", 60.0)


@pytest.fixture
def endpoint(pair: Pair) -> Iterator[Endpoint]:
    """One that speaks TLS."""
    with listening(pair) as endpoint:
        yield endpoint
