"""Models that several folders of these tests ask."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Client, app_of, client_of
from tests.estimators import every_task
from tests.function.calibrated import sources as calibrated_sources
from tests.function.near import sources as near_sources
from tests.kept_builds import kept_builds


@pytest.fixture(scope="session")
def calibrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of model directories, version 1 of each source of `calibrated`."""
    return kept_builds(calibrated_sources(), tmp_path_factory.mktemp("calibrated"))


@pytest.fixture(scope="session")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of model directories, version 1 of a model of each task."""
    return kept_builds(every_task(), tmp_path_factory.mktemp("tasks"))


@pytest.fixture(scope="module")
def local(models: Path) -> Client:
    """What does not depend on the transport is tried only in this process."""
    return client_of(app_of(models))


@pytest.fixture(scope="session")
def near(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of model directories, version 1 of each source of `near`."""
    return kept_builds(near_sources(), tmp_path_factory.mktemp("near"))
