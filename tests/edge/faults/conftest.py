"""What updates' tests have, for these, and a folder on a disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.edge.update.conftest import (  # noqa: F401 - fixtures
    archives,
    free_tcp_port,
    maker,
    no_settings,
    paths,
    setup,
    supervise,
)
from tests.edge.update.test_fetching import serve  # noqa: F401 - the same


@pytest.fixture
def tmp_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """On a disk: what is in memory would count where memory is limited."""
    return tmp_path_factory.mktemp("disk")
