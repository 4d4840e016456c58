"""A collector for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.edge.tracing.collector import Collector, collecting


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as collector:
        yield collector
