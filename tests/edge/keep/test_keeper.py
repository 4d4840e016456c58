"""Answers that are kept, truths that are joined to them, and what the server says of both."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn import metrics

from onnxlet.edge.forward import writer
from onnxlet.edge.forward.database import transaction
from onnxlet.edge.keep.keeper import Keeper
from onnxlet.edge.service.app import make_app
from onnxlet.edge.service.secret import Secret
from onnxlet.function.app import SERVICE
from onnxlet.function.settings import Settings
from tests.conftest import Client, client_of, start_server, stop_server, through_socket
from tests.edge.service.test_serve import CLEAN
from tests.function.serving.test_predict import HOUSE, SHOP

IRIS = "/models/iris/predict"
FLOWERS = [[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3], [5.9, 3.0, 4.2, 1.5]]


class Kept:
    """An app that keeps its answers."""

    def __init__(self, models: Path, path: Path, secret: Secret, **bounds: Any) -> None:
        self.lines: list[dict[str, Any]] = []
        bounds = {"max_mb": 100, "max_days": 90, **bounds}
        self.keep = Keeper(path, log=self.lines.append, **bounds)
        settings = Settings(models, reload_seconds=0)
        app = make_app(
            models, settings=settings, secret=secret, log=lambda entry: None, keep=self.keep
        )
        self.service = app.extensions[SERVICE]
        self.client: Client = client_of(app)

    def predict(self, name: str, rows: list[Any], path: str = IRIS, query: str = "") -> Any:
        answer = self.client.post(path + query, {"instances": rows}, {"X-Request-Id": name})
        assert answer.status == 200, answer.body
        return answer.json()

    def truth(self, *entries: tuple[str, int, Any]) -> Any:
        return self.client.post("/truth", said(*entries)).json()

    def report(self, name: str = "iris") -> Any:
        return self.keep.report(self.service.repository.choose(name))


def said(*entries: tuple[str, int, Any]) -> dict[str, Any]:
    return {"truth": [{"id": id_, "row": row, "value": value} for id_, row, value in entries]}


Make = Callable[..., Kept]


@pytest.fixture
def make(models: Path, tmp_path: Path) -> Iterator[Make]:
    made: list[Kept] = []

    def one(path: Path | None = None, **bounds: Any) -> Kept:
        made.append(Kept(models, path or tmp_path / "kept" / "kept.db", Secret("s" * 32), **bounds))
        return made[-1]

    yield one
    for each in made:
        each.keep.stop()


def counts(kept: int, joined: int, again: int = 0, unknown: int = 0) -> dict[str, int]:
    return {"kept": kept, "joined": joined, "again": again, "unknown": unknown}


def test_truth_is_joined_by_id_and_row(make: Make) -> None:
    kept = make()
    answer = kept.predict("a", FLOWERS)

    assert kept.truth(("a", 2, answer["prediction"][2]), ("a", 0, 7)) == counts(2, 2)
    report = kept.report()
    assert (report["rows"], report["accuracy"], report["unknown_labels"]) == (2, 0.5, 1)
    assert kept.service.realised is kept.keep
