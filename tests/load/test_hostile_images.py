"""A thousand files that are no image, or nearly one: each is answered or refused by its row."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import pytest

from onnxlet.function.settings import MAX_PIXELS
from tests.conftest import start_server, stop_server
from tests.edge.service.test_serve import CLEAN
from tests.function.image_models import add_model, picture
from tests.function.inputs.hostile_images import (
    BYTES_A_PIXEL,
    MAKERS,
    hostile,
    outcomes,
    peak,
    unlike,
)

pytestmark = [
    pytest.mark.load,
    pytest.mark.skipif(sys.platform != "linux", reason="no /proc, which has a process's peak"),
]
FILES = 1000


def test_a_thousand_hostile_images(tmp_path: Path) -> None:
    add_model(tmp_path / "models", "photos")
    server = start_server(tmp_path / "models", CLEAN, tmp_path / "log")
    good = [("good", picture())] * 3
    try:
        assert [each.status for each in outcomes(server.port, iter(good))] == [200] * 3
        before = peak(server)

        found = outcomes(server.port, hostile(FILES))

        assert unlike(found) == []
        assert len(found) == FILES
        statuses = Counter(each.status for each in found)
        assert statuses[422] > FILES / 2
        assert statuses[200] > FILES / 20  # what is only little damaged is an image
        assert {each.kind for each in found} == set(MAKERS)
        assert peak(server) - before <= BYTES_A_PIXEL * MAX_PIXELS
        assert [each.status for each in outcomes(server.port, iter(good))] == [200] * 3
    finally:
        code = stop_server(server)
    assert code == 0
    assert "Traceback" not in (tmp_path / "log").read_text()
