"""Truths that come to any worker, of answers that any worker has kept: one report of all."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_iris

from onnxlet.edge.aggregation import json_values
from onnxlet.edge.predictions import prediction_store
from onnxlet.edge.predictions.performance import Performance
from onnxlet.edge.service.secret import Secret
from onnxlet.function.models.repository import Repository
from tests.edge.aggregation.links import Links
from tests.edge.predictions.test_prediction_store import IRIS, Kept, counts, said
from tests.function.serving.test_predict import HOUSE

FLOWERS = load_iris(return_X_y=True)[0].tolist()


class Keeping(Kept):
    """A worker that keeps its answers."""

    def __init__(self, models: Path, path: Path, links: Links) -> None:
        self.link = links.join()
        super().__init__(models, path, Secret("s" * 32), self.link)

    def predict(self, name: str, rows: list[Any], path: str = IRIS, query: str = "") -> Any:
        return super().predict(name, rows, path, query)["prediction"]

    def realised(self, name: str = "iris") -> Any:
        return self.client.get(f"/models/{name}/drift").json()["realised"]


@pytest.fixture(autouse=True)
def _patient(patient_writer: None) -> None:
    """No truth is refused because the disk is busy."""


@pytest.fixture
def links() -> Links:
    return Links()


Make = Callable[[], Keeping]


@pytest.fixture
def make(models: Path, tmp_path: Path, links: Links) -> Iterator[Make]:
    made: list[Keeping] = []

    def one() -> Keeping:
        made.append(Keeping(models, tmp_path / "kept.db", links))
        return made[-1]

    yield one
    for each in made:
        each.keep.stop()


def test_a_truth_is_joined_whichever_worker_has_answered(make: Make) -> None:
    """At once, too: what another worker has only in memory is written first."""
    one, two, three = make(), make(), make()
    right = one.predict("a", FLOWERS[:20])
    assert two.truth(*(("a", row, right[row]) for row in range(20))) == counts(20, 20)
    assert three.truth(("a", 0, right[0])) == counts(0, 0, again=1)
    assert three.truth(("never", 0, 1)) == counts(0, 0, unknown=1)
    reports = [each.realised() for each in (one, two, three)]
    assert reports[0] == reports[1] == reports[2]
    assert (reports[0]["rows"], reports[0]["accuracy"]) == (20, 1.0)


def test_truths_of_the_wrong_type_join_none_whoever_has_answered(make: Make) -> None:
    one, two = make(), make()
    one.predict("a", FLOWERS[:2])
    two.predict("b", FLOWERS[:2])
    entries = [("b", 0, 1), ("a", 0, "x")]
    assert two.client.post("/truth", said(*entries)).status == 422
    assert two.truth(("b", 0, 1)) == counts(1, 1)


def test_reports_are_equal_at_every_moment(make: Make, links: Links) -> None:
    """Truths come to all in turns, a worker begins late, and one dies."""
    random = np.random.default_rng(1)
    living = [make(), make()]
    for number in range(30):
        rows = random.integers(0, 150, 150)
        right = living[number % 2].predict(f"r{number}", [FLOWERS[n] for n in rows])
        truths = [int(random.integers(0, 3)) if random.random() < 0.2 else p for p in right]
        asked = living[(number // 2) % len(living)]
        many = int(random.integers(1, 150))
        assert asked.truth(*((f"r{number}", n, truths[n]) for n in range(many)))["joined"] == many
        if number == 12:
            living.append(make())
        if number == 20:
            gone = living.pop(0)
            gone.keep.stop()
            links.end(gone.link)  # else others wait for it to write
        reports = [each.realised() for each in living]
        assert all(report == reports[0] for report in reports)
        if number == 12:
            assert reports[0]["total"]["rows"] > 600
    assert reports[0]["total"]["rows"] > 1500


def test_a_worker_goes_on_with_another_ones_figures(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Although the database has fewer rows by now than they have counted."""
    monkeypatch.setattr("onnxlet.edge.predictions.database.NEWEST", 100)
    monkeypatch.setattr(prediction_store, "NEWEST", 100)
    one = make()
    for number in range(4):
        right = one.predict(f"r{number}", FLOWERS)
        one.truth(*((f"r{number}", row, right[row]) for row in range(150)))
    one.predict("houses", [HOUSE] * 30, "/models/house-prices/predict")
    one.truth(*(("houses", row, 100_000.0 + row) for row in range(30)))
    two = make()
    for name, rows in (("iris", 600), ("house-prices", 20)):
        report = two.realised(name)
        assert report == one.realised(name)
        assert report["total"]["rows"] == rows


def test_what_realised_remembers_goes_on_as_if_nothing_was(models: Path) -> None:
    """Of labels with probabilities, two classes and three, and of numbers; by way of JSON."""
    random = np.random.default_rng(0)
    repository = Repository(models)
    for name in ("iris", "loan-default", "house-prices"):
        model = repository.choose(name)
        if name == "house-prices":
            answers: list[dict[str, Any]] = [
                {"prediction": float(p), "interval": [p - 1, p + 1], "coverage": 0.9}
                for p in random.normal(2e5, 5e4, 3333)
            ]
            truths: list[Any] = random.normal(2e5, 5e4, 3333).tolist()
        else:
            classes = model.classes or []
            table = random.dirichlet([1.0] * len(classes), 3333)
            answers = [
                {"prediction": classes[int(row.argmax())], "probabilities": row.tolist()}
                for row in table
            ]
            truths = [classes[n] for n in random.integers(0, len(classes), 3333)]
        whole, first = Performance(model.manifest), Performance(model.manifest)
        for start, end in ((0, 7), (7, 1111), (1111, 2345)):
            for each in (whole, first):
                each.add(answers[start:end], truths[start:end])
        rows, memory = first.memory()
        second = Performance(model.manifest)
        second.remember(json_values.read(json.loads(json.dumps(json_values.written(memory)))))
        assert rows == 2340
        assert second.report() == first.report()
        whole.add(answers[2345:], truths[2345:])
        for row in range(2345, 3333):  # in other parts: the same to the last digit
            second.add(answers[row : row + 1], truths[row : row + 1])
        assert second.report() == whole.report() != first.report()


def test_a_queue_that_another_process_fills_is_counted_too(make: Make, tmp_path: Path) -> None:
    """As of `edge mqtt` beside a server, which is not linked to it."""
    one = make()
    other = Keeping(one.service.repository.folders[0], tmp_path / "kept.db", Links())
    try:
        right = other.predict("m", FLOWERS[:40])
        other.truth(*(("m", row, right[row]) for row in range(40)))
        assert one.realised() == other.realised()
        assert one.realised()["rows"] == 40
    finally:
        other.keep.stop()
