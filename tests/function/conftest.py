"""Models that several folders of these tests ask."""

from __future__ import annotations

from pathlib import Path

import pytest

from onnxlet.convert.build import build
from tests.conftest import quiet
from tests.function.calibrated import sources as calibrated_sources
from tests.function.near import sources as near_sources


@pytest.fixture(scope="session")
def calibrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of model directories, version 1 of each source of `calibrated`."""
    folder = tmp_path_factory.mktemp("calibrated")
    for name, source in calibrated_sources().items():
        build(source, name, folder, quiet)
    return folder


@pytest.fixture(scope="session")
def near(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of model directories, version 1 of each source of `near`."""
    folder = tmp_path_factory.mktemp("near")
    for name, source in near_sources().items():
        build(source, name, folder, quiet)
    return folder
