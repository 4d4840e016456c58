"""A watch: every answered row once, in blocks, in constant memory, whatever happens."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import partial
from itertools import cycle, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier

from onnxlet.convert.directory.reference_statistics import read
from onnxlet.convert.sources.source import Source
from onnxlet.function import request_log
from onnxlet.function.app import SERVICE, create_app
from onnxlet.function.arrays import Array
from onnxlet.function.errors import InvalidRows, Problem, TookTooLong
from onnxlet.function.messages import Prediction
from onnxlet.function.models.model import Model
from onnxlet.function.monitoring import sample
from onnxlet.function.monitoring.gathered import Gathered
from onnxlet.function.monitoring.layout import Layout
from onnxlet.function.monitoring.watch import BLOCK_ROWS, Watch
from onnxlet.function.monitoring.watches import Watches
from onnxlet.function.protocols import native
from onnxlet.function.serving.predict import predict
from onnxlet.function.settings import Settings
from tests.conftest import at_once, client_of
from tests.function.monitoring.models import asked, built, customers, in_parts, memory_of


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    X, y = customers()
    numbers = X[["age", "income", "visits", "member"]].astype({"member": int})
    fitted = HistGradientBoostingClassifier(max_iter=20).fit(numbers[:3000], y[:3000])
    source = Source(fitted, numbers[3000:], y[3000:], numbers[:3000])
    return built(source, tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def answered(model: Model) -> Prediction:
    X, _ = customers(2730, seed=1)
    numbers = X[["age", "income", "visits", "member"]].astype({"member": int})
    return asked(model, read(model, numbers.astype(object).to_numpy().tolist()))


def watch_of(model: Model, logged: bool = False) -> Watch:
    return Watch(lambda: Layout(model.manifest, model.signature), logged)


def counted(watch: Watch, prediction: Prediction) -> Array:
    return watch.layout.count(Gathered(prediction))


@pytest.mark.parametrize("sizes", [(1,), (2730,), (249,), (250,), (1, 99, 7, 600), (30, 31)])
def test_every_row_counts_once_however_it_comes(
    model: Model, answered: Prediction, sizes: tuple[int, ...]
) -> None:
    watch = watch_of(model, logged=True)
    for part in in_parts(answered, cycle(sizes)):
        watch.count(part)

    watch.figures()

    figures, logged = watch.figures(), watch.to_log()
    assert figures.total.rows + watch.waiting == answered.rows
    assert watch.waiting < BLOCK_ROWS
    if not watch.waiting:
        assert figures.total.counts.tolist() == counted(watch, answered).tolist()
    assert logged is not None
    assert logged[0].rows == figures.total.rows
    assert logged[0].counts.tolist() == figures.total.counts.tolist()
    assert watch.to_log() is None


def test_a_block_is_shown_whole_or_not_at_all(model: Model, answered: Prediction) -> None:
    watch = watch_of(model)
    seen = []
    for part in in_parts(answered, cycle([1])):
        watch.count(part)
        watch.figures()
        seen.append(watch.figures().total.rows)

    steps = {after - before for before, after in pairwise(seen)}
    assert steps == {0, BLOCK_ROWS}
    assert seen[98:101] == [0, 100, 100]


def test_the_window_has_the_latest_rows(model: Model, answered: Prediction) -> None:
    watch = watch_of(model)
    parts = list(in_parts(answered, cycle([100])))[:27]
    windows = []
    for part in parts:
        watch.count(part)
        watch.figures()
        windows.append(watch.figures().window)

    assert [window.rows for window in windows][:12] == [*range(100, 1200, 100), 1200]
    assert {window.rows for window in windows[10:]} == set(range(1100, 2100, 100))
    latest = sum(counted(watch, part) for part in parts[20:]) + sum(
        counted(watch, part) for part in parts[10:20]
    )
    assert windows[-1].rows == 1700
    assert windows[-1].counts.tolist() == np.asarray(latest).tolist()


def test_halves_are_remembered(model: Model, answered: Prediction) -> None:
    watch = watch_of(model)
    for part in in_parts(answered, cycle([100])):
        watch.count(part)
        watch.figures()

    first, _ = watch.figures().history

    whole = sum(counted(watch, part) for part in list(in_parts(answered, cycle([100])))[:10])
    assert first.rows == 1000
    assert first.expected == watch.layout.expected_performance(np.asarray(whole))
    assert set(first.expected) == {"accuracy", "precision", "recall", "f1", "roc_auc"}


def test_threads(model: Model, answered: Prediction) -> None:
    watch = watch_of(model)
    parts = [list(in_parts(answered, cycle([size]))) for size in (1, 3, 7, 130)]

    def count(own: list[Prediction]) -> None:
        for part in own:
            watch.count(part)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        at_once(*(partial(count, own) for own in parts))
    finally:
        sys.setswitchinterval(interval)
    watch.figures()

    total = watch.figures().total
    assert total.rows + total.beyond + watch.waiting + watch._beyond == 4 * answered.rows
    features = watch.layout.features
    sums = {int(watch.figures().total.counts[feature.bins].sum()) for feature in features}
    assert sums == {watch.figures().total.rows}


def test_a_watch_knows_how_many_came(
    model: Model, answered: Prediction, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = list(in_parts(answered, cycle([1, 2, 300])))
    whole = watch_of(model)
    for part in parts:
        whole.count(part)
    monkeypatch.setattr(sample, "BURST", 400)
    monkeypatch.setattr(sample, "RATE", 4000)
    watch = watch_of(model)
    for part in parts:
        watch.count(part)

    figures, every = watch.figures(), whole.figures()
    total, of_all = figures.total, every.total

    assert total.rows + total.beyond + figures.waiting + watch._beyond == answered.rows
    assert (of_all.rows + every.waiting, of_all.beyond) == (answered.rows, 0)
    assert 400 < total.rows < answered.rows
    for feature in watch.layout.features:
        some, whole_counts = (each.counts[feature.bins].astype(float) for each in (total, of_all))
        assert some.sum() == total.rows
        expected = whole_counts * (total.rows / of_all.rows)
        distance = ((some - expected) ** 2 / np.maximum(expected, 1)).sum()
        assert distance < 10 * len(expected)


@pytest.mark.long
def test_memory(tmp_path: Path) -> None:
    """At most 64 kB, of 200 columns; the same after as many rows as there may be."""
    random = np.random.default_rng(0)
    X = pd.DataFrame(random.normal(size=(900, 200)), columns=[f"c{n}" for n in range(200)])
    fitted = HistGradientBoostingClassifier(max_iter=2).fit(X, X["c0"] > 0)
    model = built(Source(fitted, X[:300], X["c0"][:300] > 0, X), tmp_path)
    prediction = asked(model, read(model, X.to_numpy().tolist()))
    parts = list(in_parts(prediction, cycle([1])))

    def watching() -> Watch:
        watch = watch_of(model)
        for part in parts * 3:
            watch.count(part)
        return watch

    assert watching().figures().total.rows
    assert 20_000 < memory_of(watching) <= 64_000


def test_refused_rows_count_by_their_reason_and_say_nothing_of_what_came(model: Model) -> None:
    watches = Watches()
    problems = [
        Problem(0, "age", "expected a number, got 'secret'"),
        Problem(0, "visits", "expected a number, got 'secret'"),
        Problem(1, "secret", "unknown column"),
        Problem(2, "age", "expected a number, got 'other'"),
        Problem(3, None, "expected 4 values in signature order, got 5"),
    ]

    watches.refuse(model, InvalidRows(problems), "r")
    watches.refuse(model, TookTooLong("it took too long"), "r")

    watch = watches.of(model)
    assert watch is not None
    assert watch.figures().refused == {
        "age: expected a number": 2,
        "other columns than the model's": 2,
        "TookTooLong": 1,
    }


def test_kinds_of_reasons_are_bounded(model: Model) -> None:
    watch = watch_of(model)
    watch.refuse([f"reason {number}" for number in range(1000)])

    refused = watch.figures().refused
    assert len(refused) == 51
    assert sum(refused.values()) == 1000


def test_a_fault_of_counting_fails_no_answer(
    model: Model,
    answered: Prediction,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(request_log, "CHOICE", request_log.Choice())
    watches = Watches()
    for _ in range(3):
        watches.count(answered._replace(outputs={}))

    assert watches.of(model) is None
    assert capfd.readouterr().err.count('"event":"uncounted"') == 1  # it would fail each time


def test_what_is_not_counted(model: Model, answered: Prediction) -> None:
    watches = Watches(uncounted="own")
    watches.count(answered._replace(request_id="own"))
    watches.refuse(model, TookTooLong("it took too long"), "own")

    watch = watches.of(model)
    assert watch is not None
    assert (watch.figures().total.rows, watch.figures().refused) == (0, {})
    assert Watches(on=False).of(model) is None
    without = {k: v for k, v in model.manifest.items() if k != "reference"}
    assert Watches().of(model.with_manifest(without)) is None


def test_another_version_begins_anew(model: Model, answered: Prediction) -> None:
    watches = Watches()
    watches.count(answered)
    other = model.with_manifest(model.manifest)

    begun = watches.of(other)

    assert begun is not None
    assert begun.figures().total.rows == 0


@pytest.fixture
def app(models: Path) -> Any:
    return create_app(models, settings=Settings(owned=True))


def test_rows_that_are_answered_beside_refused_ones_count(app: Any) -> None:
    good = {"Preis (€)": 10.0, "count": 3, "new": True, "色": "红"}
    bad: Mapping[str, Any] = {**good, "色": "黑"}
    rows = [good] * 150 + [bad] * 7

    answer = client_of(app).post("/models/shop/predict?on_error=null", {"instances": rows})

    assert answer.status == 200
    service = app.extensions[SERVICE]
    watch = service.watches.of(service.repository.choose("shop"))
    watch.figures()
    figures = watch.figures()
    assert figures.total.rows == 150
    assert figures.refused == {"色: unknown category": 7}


def test_golden_rows_are_not_counted(app: Any) -> None:
    model = app.extensions[SERVICE].repository.choose("shop")
    row = {"Preis (€)": 10.0, "count": 3, "new": True, "色": "红"}
    predict(model, native.from_object({"instances": [row] * 200}))

    watch = app.extensions[SERVICE].watches.of(model)
    watch.figures()
    assert watch.figures().total.rows == 0
