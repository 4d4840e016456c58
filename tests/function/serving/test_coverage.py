"""Intervals and sets: their numbers a second way, what they cover, and what is refused."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from onnxlet.convert.directory.conformal import conformal_table
from onnxlet.convert.reference.answers import Task
from onnxlet.function.arrays import Array, LateOutputs
from onnxlet.function.errors import NotCalibrated
from onnxlet.function.messages import Prediction, PredictRequest
from onnxlet.function.models.example import highest, table_of
from onnxlet.function.models.model import Model, load_model
from onnxlet.function.protocols import native, v2
from onnxlet.function.protocols.v2.outputs import AnswerOptions
from onnxlet.function.serving.options import beside, region, score_at, scores_at
from onnxlet.function.serving.predict import predict
from tests.conftest import ran
from tests.function import calibrated as made

COVERAGES = (0.5, 0.8, 0.9, 0.95, 0.99)
NEW = 20_000


@pytest.fixture(scope="module")
def models(calibrated: Path) -> dict[str, Model]:
    return {name: load_model(calibrated / name / "1") for name in made.sources()}


def asked(model: Model, X: Array, coverage: float | None, nulls: bool = False) -> Prediction:
    return predict(model, PredictRequest(X.tolist(), coverage=coverage, nulls=nulls))


def quantile(scores: Array, coverage: float, ranks: list[int]) -> float:
    """The score at the next rank that is kept, from all scores."""
    rank = math.ceil((len(scores) + 1) * Fraction(str(coverage)))
    return float(np.sort(scores)[min(each for each in ranks if each >= rank) - 1])


@pytest.mark.parametrize("coverage", COVERAGES)
@pytest.mark.parametrize("name", ["line", "std", "adaptive", "two"])
def test_intervals_are_those_of_the_raw_residuals(
    models: dict[str, Model], name: str, coverage: float
) -> None:
    source, model = made.sources()[name], models[name]
    ranks = model.manifest["conformal"]["ranks"]
    X, truths = source.X_test, np.asarray(source.y_test)
    new = made.rows(50, 99)

    residuals = np.abs(truths - source.estimator.predict(X))
    predicted = source.estimator.predict(new)
    if name == "std":
        deviations = source.estimator.predict(X, return_std=True)[1]
        q = quantile(residuals / deviations, coverage, ranks)
        half = q * source.estimator.predict(new, return_std=True)[1]
    elif name == "adaptive":
        half = adaptive(source.estimator.predict(X), residuals, predicted, coverage, model)
    elif name == "two":
        each = [quantile(residuals[:, k], coverage, ranks) for k in range(2)]
        half = np.broadcast_to(each, predicted.shape)
    else:
        half = np.full(50, quantile(residuals, coverage, ranks))

    interval = asked(model, new, coverage).outputs["interval"]
    assert interval.dtype == np.float64
    assert interval.shape == (*predicted.shape, 2)
    np.testing.assert_allclose(interval[..., 0], predicted - half, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(interval[..., 1], predicted + half, rtol=1e-9, atol=1e-12)


def adaptive(
    held_out: Array, residuals: Array, predicted: Array, coverage: float, model: Model
) -> Array:
    """Half widths by a model of errors, made once more from its edges only."""
    table = model.manifest["conformal"]

    def of(values: Array) -> list[int]:
        return [sum(value > edge for edge in table["scale"]["edges"]) for value in values]

    bins, fitted = np.array(of(held_out)), np.arange(len(held_out)) % 2 == 0
    error = [residuals[fitted & (bins == k)].mean() for k in range(bins.max() + 1)]
    scores = residuals[~fitted] / np.array(error)[bins[~fitted]]
    q = quantile(scores, coverage, table["ranks"])
    return q * np.array([error[k] for k in of(predicted)])


@pytest.mark.parametrize("coverage", COVERAGES)
def test_sets_are_those_of_the_raw_scores(models: dict[str, Model], coverage: float) -> None:
    source, model = made.sources()["classes"], models["classes"]
    shares = source.estimator.predict_proba(source.X_test)
    position = {label: k for k, label in enumerate(made.CLASSES)}
    right = [position[label] for label in source.y_test]
    scores = 1 - shares[np.arange(len(right)), right]
    q = quantile(scores, coverage, model.manifest["conformal"]["ranks"])
    new = made.rows(500, 98)

    expected = []
    for row in source.estimator.predict_proba(new):
        inside = [label for label, share in zip(made.CLASSES, row, strict=True) if 1 - share <= q]
        expected.append(inside or [made.CLASSES[int(row.argmax())]])
    assert asked(model, new, coverage).outputs["set"].tolist() == expected
    assert any(len(each) > 1 for each in expected) or coverage < 0.8


@pytest.mark.parametrize("name", ["line", "std", "adaptive", "two", "classes"])
def test_nothing_else_changes(models: dict[str, Model], name: str) -> None:
    X = made.rows(20, 5)
    plain, covered = asked(models[name], X, None), asked(models[name], X, 0.9)

    added = "set" if name == "classes" else "interval"
    assert covered.outputs.keys() - plain.outputs.keys() == {added}
    for output, array in plain.outputs.items():
        assert covered.outputs[output].tolist() == array.tolist()
    assert covered.rows == plain.rows == 20


@pytest.mark.parametrize("name", ["line", "std", "adaptive", "two", "classes"])
def test_what_is_covered_grows_with_the_coverage(models: dict[str, Model], name: str) -> None:
    X = made.rows(100, 6)
    before: Any = None
    for coverage in np.arange(0.02, 0.99, 0.01).round(2).tolist():
        outputs = asked(models[name], X, coverage).outputs
        if name == "classes":
            now: Any = [set(each) for each in outputs["set"]]
            # A top label that stood for an empty set stays: it is the next to come in.
            assert before is None or all(a <= b for a, b in zip(before, now, strict=True))
            assert all(now)
        else:
            now = outputs["interval"]
            assert (now[..., 0] <= now[..., 1]).all()
            assert before is None or (now[..., 0] <= before[..., 0]).all()
            assert before is None or (now[..., 1] >= before[..., 1]).all()
        before = now


def fresh(name: str, seed: int, rows: int) -> tuple[Any, dict[str, Array], Array]:
    """An estimator's task, its answers to rows that nobody saw, and their truths."""
    estimator = made.sources()[name].estimator
    X, y, c = made.held_out(seed, rows)
    answers = {"prediction": estimator.predict(X)}
    if name == "classes":
        answers["probabilities"] = estimator.predict_proba(X)
        return Task("classification", {}, made.CLASSES), answers, c
    if name == "std":
        answers["std"] = estimator.predict(X, return_std=True)[1]
    return Task("regression", {}), answers, y


def covered(model: Model, outputs: Mapping[str, Array], truths: Array, coverage: float) -> float:
    """The share of answers whose interval or set holds the truth."""
    name, regions = region(model, score_at(model, coverage), outputs)
    if name == "set":
        return float(np.mean([t in s for t, s in zip(truths, regions, strict=True)]))
    return float(np.mean((regions[:, 0] <= truths) & (truths <= regions[:, 1])))


@pytest.mark.parametrize("coverage", [0.8, 0.9, 0.95])
@pytest.mark.parametrize("name", ["line", "std", "adaptive", "classes"])
def test_new_rows_are_covered_as_often_as_asked(
    models: dict[str, Model], name: str, coverage: float
) -> None:
    X, y, c = made.held_out(50, NEW)
    truths = c if name == "classes" else y
    outputs = asked(models[name], X[:4000], None).outputs  # the same, whatever the table
    splits = 40
    shares = []
    for seed in range(splits):
        task, answers, known = fresh(name, 100 + seed, 1000 if name == "adaptive" else 500)
        table = conformal_table(task, answers, known)
        model = models[name].with_manifest({**models[name].manifest, "conformal": table})
        shares.append(covered(model, outputs, truths[:4000], coverage))

    error = np.std(shares) / math.sqrt(splits) + math.sqrt(coverage * (1 - coverage) / 4000)
    assert np.mean(shares) >= coverage - 3 * error
    assert np.mean(shares) <= coverage + 3 * error + 0.012  # the ranks that are not kept
    # One split is a draw, too: of 500 rows its coverage has a standard deviation of 0.02.
    assert min(shares) > coverage - 0.09


def test_intervals_adapt_where_the_noise_grows(models: dict[str, Model]) -> None:
    X, y, _ = made.held_out(51, NEW)
    quiet, loud = X[:, 0] < -1, X[:, 0] > 1

    def by_group(name: str) -> list[float]:
        outputs = [asked(models[name], X[group], None).outputs for group in (quiet, loud)]
        pairs = zip(outputs, (y[quiet], y[loud]), strict=True)
        return [covered(models[name], *pair, 0.9) for pair in pairs]

    fixed, adapted = by_group("line"), by_group("adaptive")
    assert fixed[0] - fixed[1] > 0.2  # what the how-to says of groups
    assert abs(adapted[0] - adapted[1]) < 0.1


def test_ties_stay_inside() -> None:
    """Truths that are whole numbers, and one prediction for all: every row is at some edge."""
    truths = np.random.default_rng(0).integers(0, 4, 400)
    for value in (2.3, 1 / 3, 0.7):
        predicted = np.full(400, value)
        table = conformal_table(Task("regression", {}), {"prediction": predicted}, truths)
        assert table is not None
        for kind in (np.float64, np.float32):
            outputs = {"prediction": predicted.astype(kind)}
            found = region_of(table, 0.9, outputs)
            inside = (found[:, 0] <= truths) & (truths <= found[:, 1])
            assert inside.mean() >= 0.9, (value, kind)


def region_of(table: Any, coverage: float, outputs: dict[str, Array]) -> Array:
    model = Bare({"conformal": table}, None)
    return region(model, score_at(model, coverage), outputs)[1]  # type: ignore[arg-type] # what is read of one


class Bare:
    """What is read of a model here, without a graph."""

    name = "bare"

    def __init__(self, manifest: dict[str, Any], classes: list[Any] | None) -> None:
        self.manifest, self.classes = manifest, classes


def test_probabilities_that_float32_rounds_stay_inside() -> None:
    """0.45 is less in float32; and it is not the likeliest class, which an empty set would get."""
    shares = np.tile([0.45, 0.55], (50, 1))
    answers = {"prediction": np.ones(50, int), "probabilities": shares}
    table = conformal_table(Task("classification", {}, [0, 1]), answers, np.zeros(50, int))

    model = Bare({"conformal": table}, [0, 1])
    for kind in (np.float64, np.float32):
        outputs = {"probabilities": shares.astype(kind)}
        name, sets = region(model, score_at(model, 0.9), outputs)  # type: ignore[arg-type] # what is read of one
        assert (name, sets.tolist()) == ("set", [[0, 1]] * 50)


def test_a_row_without_numbers_has_an_interval_without_and_a_set_of_all() -> None:
    gap = np.array([np.nan, 1.0])
    table = {"rows": 20, "scale": {"edges": [0.0], "error": [1.0, 2.0]}, "ranks": [20]}
    found = region_of({**table, "scores": [1.0]}, 0.9, {"prediction": gap})
    assert np.isnan(found[0]).all()
    assert found[1] == pytest.approx([-1, 3])

    model = Bare({"conformal": {"rows": 20, "ranks": [20], "scores": [0.1]}}, ["a", "b"])
    outputs = {"probabilities": np.array([[np.nan, np.nan], [0.4, 0.6]])}
    _, sets = region(model, score_at(model, 0.9), outputs)  # type: ignore[arg-type] # what is read of one
    assert sets.tolist() == [["a", "b"], ["b"]]  # the second one was empty


@pytest.mark.parametrize("name", ["line", "two", "classes", "std"])
def test_rows_that_are_not_answered_have_none(models: dict[str, Model], name: str) -> None:
    X = made.rows(3, 1)
    good = asked(models[name], X, 0.9).outputs
    rows: list[Any] = [None, X[0].tolist(), [1], X[1].tolist(), X[2].tolist(), "x"]

    got = predict(models[name], PredictRequest(rows, coverage=0.9, nulls=True))
    [added] = got.outputs.keys() - {"prediction", "probabilities", "std"}
    whole = [None if each is None else np.asarray(each).tolist() for each in got.outputs[added]]
    a, b, c = good[added].tolist()
    assert whole == [None, a, None, b, c, None]

    none = predict(models[name], PredictRequest([None, "x"], coverage=0.9, nulls=True))
    assert none.outputs[added].tolist() == [None, None]


@pytest.mark.parametrize("rows", [20, 57, 99, 100, 1000])
def test_the_rows_that_are_needed_are_the_fewest(rows: int) -> None:
    table = {"rows": rows, "scale": None, "ranks": [rows], "scores": [1.0]}
    model: Any = Bare({"conformal": table}, None)
    for coverage in (0.9, 0.95, 0.97, 0.99, 0.995, 0.999, 1 / 3, highest(table)):
        exact = Fraction(repr(coverage))
        fewest = next(n for n in range(1, 2000) if math.ceil((n + 1) * exact) <= n)
        if fewest <= rows:
            assert score_at(model, coverage) == 1.0
            continue
        with pytest.raises(NotCalibrated) as refused:
            score_at(model, coverage)
        assert refused.value.message == (
            f"'coverage': {coverage} needs at least {fewest} held-out rows, and model 'bare' was "
            f"built with {rows}"
        )
    assert rows / (rows + 1) - highest(table) < 1e-6


def test_a_coverage_means_what_is_written() -> None:
    """100 · 0.07 is 7.000000000000001 in floats, and would be the eighth score."""
    table = {"rows": 99, "scale": None, "ranks": [7, 99], "scores": [7.0, 99.0]}
    assert score_at(Bare({"conformal": table}, None), 0.07) == 7.0  # type: ignore[arg-type] # the same


def test_answers_out_of_reach_are_named() -> None:
    table = {"rows": 100, "scale": None, "ranks": [90], "scores": [1.0]}
    with pytest.raises(NotCalibrated, match="built with 100, 10 of them out of its reach"):
        score_at(Bare({"conformal": table}, None), 0.95)  # type: ignore[arg-type] # the same


LACKING = {
    "plain": "was built without y_test, with fewer than 20 rows of it, or with gaps in it",
    "few": "was built without y_test, with fewer than 20 rows of it, or with gaps in it",
    "clusters": "has no intervals or sets: its task is clustering",
    "scores": "has no probabilities, of which sets are made",
    "many-labels": "answers several labels for a row, and sets are of one",
}


@pytest.mark.parametrize(("name", "reason"), LACKING.items())
def test_models_without_a_table_say_why(models: dict[str, Model], name: str, reason: str) -> None:
    assert "conformal" not in models[name].manifest
    with pytest.raises(NotCalibrated) as refused:
        asked(models[name], made.rows(1, 0), 0.9)
    assert refused.value.message == f"'coverage': model '{name}' {reason}"
    assert "y_test" in refused.value.hint
    assert refused.value.status == 409


@pytest.mark.parametrize("table", [None, {}, [], "x", {"rows": 30, "ranks": [], "scores": []}])
def test_a_table_of_another_form_is_none(models: dict[str, Model], table: Any) -> None:
    model = models["line"].with_manifest({**models["line"].manifest, "conformal": table})
    assert asked(model, made.rows(1, 0), None).rows == 1
    with pytest.raises(NotCalibrated):
        asked(model, made.rows(1, 0), 0.9)


def test_a_refused_coverage_runs_nothing(
    models: dict[str, Model], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Model, "run", None)
    with pytest.raises(NotCalibrated):
        asked(models["line"], made.rows(1, 0), 0.9999)


def test_what_is_written_is_small(calibrated: Path) -> None:
    for path in calibrated.glob("*/1/manifest.json"):
        table = json.loads(path.read_bytes()).get("conformal")
        assert len(json.dumps(table)) < 8000


def test_requests_without_a_coverage_load_nothing_of_it(calibrated: Path) -> None:
    code = """
import json, sys
from pathlib import Path
from onnxlet.function.app import create_app
client = create_app(Path(sys.argv[1])).test_client()
rows = [[1, 2, 3], [1]]
shown = json.dumps({"instances": rows[:1]})
for path in ("/models/line/predict", "/v1/models/line:predict"):
    assert client.post(path, data=shown, content_type="application/json").status_code == 200
client.post("/models/line/predict?on_error=null", json=rows)
client.post("/invocations", json={"inputs": rows[:1]},
    headers={"X-Amzn-SageMaker-Target-Model": "line", "X-Amzn-SageMaker-Custom-Attributes": "a"})
tensor = {"name": "input", "shape": [1, 3], "datatype": "FP64", "data": [1, 2, 3]}
assert client.post("/v2/models/line/infer", json={"inputs": [tensor]}).status_code == 200
LATE = ("models.example", "serving.options", ".back_end")
before = [name for name in sys.modules if name.endswith(LATE) or name == "fractions"]
client.post("/models/line/predict?coverage=0.9", json=rows[:1])
print(before, [name for name in sys.modules if name.endswith(LATE)])
"""
    done = ran([sys.executable, "-c", code, str(calibrated)], check=True)
    late = ("models.example", "serving.options")
    assert done.stdout.splitlines()[-1] == f"[] {[f'onnxlet.function.{each}' for each in late]}"


@pytest.mark.parametrize("spoilt", [False, True])
def test_lists_have_the_bytes_of_arrays(models: dict[str, Model], spoilt: bool) -> None:
    """Of few rows, with and without one that is not answered; also where none is."""
    calibrated = {name: each for name, each in models.items() if table_of(each.manifest)}
    assert len(calibrated) == 5
    for name, model in calibrated.items():
        rows = json.loads(golden_of(model).read_bytes())["instances"]
        if spoilt:
            rows = [["odd"], *rows]
        for some in (rows, rows[:1], rows[:3]):
            request = PredictRequest(some, coverage=0.7, nulls=True, options=AnswerOptions())
            by_lists = predict(model, request)
            assert isinstance(by_lists.outputs, LateOutputs), name
            plain = predict(model, request._replace(coverage=None))
            arrays = {each: array.copy() for each, array in plain.outputs.items()}
            answered = plain.answered and {each: plain.answered[each] for each in plain.answered}
            as_arrays = plain._replace(outputs=arrays, answered=answered)
            outputs = beside(as_arrays, scores_at(model, 0.7), 1.0)
            by_arrays = as_arrays._replace(outputs=outputs, coverage=0.7)
            protocols: list[Any] = [native] if spoilt else [native, v2]
            for protocol in protocols:
                written = [protocol.encode(e, request).body for e in (by_lists, by_arrays)]
                assert written[0] == written[1], name


def golden_of(model: Model) -> Path:
    assert model.directory is not None
    return model.directory / "golden.json"
