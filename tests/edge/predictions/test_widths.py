"""Intervals of a history follow the truths that come, where nobody learns of others by that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from onnxlet.convert.sources.source import Source
from onnxlet.edge.predictions.prediction_store import PredictionStore
from onnxlet.edge.service.app import make_app
from onnxlet.function.app import SERVICE
from onnxlet.function.settings import Settings
from tests.conftest import Client, client_of
from tests.convert.helpers import built
from tests.function.serving.test_predict import HOUSE

PATH = "/models/house-prices/predict?coverage=0.9"


def width(client: Client, name: str, rows: int = 20) -> float:
    answer = client.post(PATH, {"instances": [HOUSE] * rows}, {"X-Request-Id": name})
    assert answer.status == 200, answer.body
    low, high = answer.json()["interval"][0]
    return float(high - low)


@pytest.mark.parametrize(("adaptive", "keys"), [(True, 0), (True, 2), (False, 0)])
def test_truths_that_are_missed_make_intervals_wider(
    sources: Mapping[str, Source], tmp_path: Path, adaptive: bool, keys: int
) -> None:
    source = replace(sources["house-prices"], by_time=adaptive)
    built(source, tmp_path / "models", "house-prices")
    keep = PredictionStore(tmp_path / "kept.db", 100, 90)
    settings = Settings(tmp_path / "models", owned=True, reload_seconds=0)
    app = make_app(tmp_path / "models", settings=settings, keep=keep)
    service: Any = app.extensions[SERVICE]
    service.watches.keys = keys  # clients who may all read figures see no others' truths in these
    client = client_of(app)
    try:
        before = width(client, "first")
        truth = [{"id": "first", "row": row, "value": 9e9} for row in range(20)]
        assert client.post("/truth", {"truth": truth}).json()["joined"] == 20
        assert keep.report(service.repository.choose("house-prices")) is not None
        after = width(client, "second")
    finally:
        keep.stop()
    assert after == pytest.approx(before * (1.9 if adaptive and not keys else 1.0), rel=1e-3)
