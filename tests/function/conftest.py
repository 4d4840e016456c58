"""Models that several folders of these tests ask."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from onnxlet.convert.build import build
from onnxlet.convert.sources.source import Source
from onnxlet.function.app import create_app
from onnxlet.function.settings import Settings
from tests.conftest import Client, client_of, quiet
from tests.function.calibrated import sources as calibrated_sources
from tests.function.near import sources as near_sources


@pytest.fixture(scope="session")
def calibrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of model directories, version 1 of each source of `calibrated`."""
    return built(calibrated_sources(), tmp_path_factory.mktemp("calibrated"))


@pytest.fixture(scope="module")
def local(models: Path) -> Client:
    """What does not depend on the transport is tried only in this process."""
    return client_of(create_app(models, settings=Settings(models)))


@pytest.fixture(scope="session")
def near(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of model directories, version 1 of each source of `near`."""
    return built(near_sources(), tmp_path_factory.mktemp("near"))


def built(sources: Mapping[str, Source], folder: Path) -> Path:
    for name, source in sources.items():
        build(source, name, folder, quiet)
    return folder
