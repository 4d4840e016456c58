"""The table of intervals and sets, beside plain NumPy over all residuals."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import BayesianRidge

from onnxlet.convert.build import build
from onnxlet.convert.directory.conformal import (
    APART,
    FEWEST_ROWS,
    MOST_OUTPUTS,
    ROWS_IN_BIN,
    conformal_table,
    error_model,
    stored_ranks,
)
from onnxlet.convert.imported.import_onnx import import_onnx
from onnxlet.convert.reference.answers import Task
from onnxlet.convert.sources.source import Source
from onnxlet.function import json_text
from onnxlet.function.arrays import Array
from tests.conftest import quiet
from tests.convert.imported import onnx_files

NUMBERS = Task("regression", {"prediction": "predict"})
LABELS = Task("classification", {"prediction": "predict"}, ["a", "b", "c"])


def drawn(rows: int, seed: int = 0) -> tuple[Array, Array]:
    """Predictions, and truths around them."""
    random = np.random.default_rng(seed)
    predicted = random.normal(size=rows) * 5
    return predicted, predicted + random.normal(size=rows) * np.exp(predicted / 8)


def numbers(predicted: Array, truths: Any, **others: Array) -> dict[str, Any] | None:
    return conformal_table(NUMBERS, {"prediction": predicted, **others}, truths)


def made(*given: Any, **others: Array) -> dict[str, Any]:
    """The table of numbers, where there is one."""
    table = numbers(*given, **others)
    assert table is not None
    return table


def shares(rows: int, seed: int = 0) -> tuple[Array, Array]:
    """Probabilities of three classes, and labels that follow them."""
    random = np.random.default_rng(seed)
    probabilities = random.dirichlet([1, 1, 1], rows)
    drawn_at = random.random((rows, 1))
    position = (drawn_at > probabilities.cumsum(axis=1)).sum(axis=1).clip(0, 2)
    return probabilities, np.array(["a", "b", "c"])[position]


def labels(probabilities: Array, truths: Any, task: Task = LABELS) -> dict[str, Any] | None:
    prediction = np.array(["a", "b", "c"])[probabilities.argmax(axis=1)]
    return conformal_table(task, {"prediction": prediction, "probabilities": probabilities}, truths)


@pytest.mark.parametrize("rows", [20, 21, 99, 100, 999])
def test_scores_are_the_sorted_residuals_at_the_ranks(rows: int) -> None:
    predicted, truths = drawn(rows)

    residuals = sorted(abs(t - p) for t, p in zip(truths, predicted, strict=True))
    assert numbers(predicted, truths) == {
        "rows": rows,
        "scale": None,
        "ranks": stored_ranks(rows),
        "scores": [residuals[rank - 1] for rank in stored_ranks(rows)],
    }


@pytest.mark.parametrize("rows", [20, 21, 99, 100, 639, 1000, 5000, 20_000, 1_000_000])
def test_ranks_are_apart_few_and_closer_at_the_top(rows: int) -> None:
    ranks = np.array(stored_ranks(rows))
    steps = np.diff(ranks)

    assert ranks[-1] == rows
    assert ranks[0] >= 1
    assert len(ranks) <= 220
    assert (steps >= APART).all()
    assert (steps[ranks[1:] > rows * 0.95] <= 2 * max(APART, rows // 240)).all()
    assert (steps <= 2 * max(APART, rows // 50)).all()
    if rows >= 200:
        usual = [-(-(rows + 1) * percent // 100) for percent in (50, 80, 90, 95)]
        assert set(usual) <= set(ranks.tolist())
    assert steps[-1] < 2 * APART
    if rows >= 1000:  # 0.8, 0.9 and 0.95 are met within half a hundredth
        for wanted in (0.8, 0.9, 0.95):
            above = ranks[np.searchsorted(ranks, np.ceil((rows + 1) * wanted))]
            assert above / (rows + 1) - wanted < 0.0065


def test_several_outputs_have_scores_of_their_own() -> None:
    first, second = drawn(60, 1), drawn(60, 2)
    predicted = np.column_stack([first[0], second[0]])
    truths = pd.DataFrame({"a": first[1], "b": second[1]})

    table = made(predicted, truths)
    ordered = [np.sort(np.abs(truth - made)) for made, truth in (first, second)]
    assert table["scores"] == [[each[rank - 1] for each in ordered] for rank in stored_ranks(60)]


def test_std_is_what_residuals_are_divided_by() -> None:
    predicted, truths = drawn(2000)
    std = np.random.default_rng(3).uniform(0.1, 2, 2000)

    table = made(predicted, truths, std=std)
    ordered = np.sort(np.abs(truths - predicted) / std)
    assert (table["rows"], table["scale"]) == (2000, "std")
    assert table["scores"] == [ordered[rank - 1] for rank in stored_ranks(2000)]


@pytest.mark.parametrize("wrong", [0.0, np.nan, np.inf, -1.0])
def test_a_std_that_can_not_be_one_is_not_divided_by(wrong: float) -> None:
    predicted, truths = drawn(100)
    std = np.ones(100)
    std[7] = wrong

    assert numbers(predicted, truths, std=std) == numbers(predicted, truths)


@pytest.mark.parametrize("shape", [(100,), (100, 2)])
def test_the_std_of_several_outputs(shape: tuple[int, ...]) -> None:
    predicted = np.column_stack([drawn(100, 1)[0], drawn(100, 2)[0]])
    std = np.random.default_rng(0).uniform(1, 2, shape)

    table = made(predicted, predicted + 1, std=std)
    each = std if std.ndim == 2 else np.column_stack([std, std])
    expected = np.sort(np.abs(predicted + 1 - predicted) / each, axis=0)
    assert table["scores"] == expected[np.array(stored_ranks(100)) - 1].tolist()


def test_errors_by_bins_come_from_every_other_row_and_scores_from_the_others() -> None:
    predicted, truths = drawn(1001)
    errors = np.abs(truths - predicted)

    table = made(predicted, truths)
    edges, error = table["scale"]["edges"], table["scale"]["error"]
    bin_of = [sum(p > edge for edge in edges) for p in predicted]
    fitted, rest = range(0, 1001, 2), range(1, 1001, 2)
    for number, mean in enumerate(error):
        members = [errors[row] for row in fitted if bin_of[row] == number]
        assert len(members) >= ROWS_IN_BIN
        assert mean == pytest.approx(sum(members) / len(members), rel=1e-12)
    ordered = sorted(errors[row] / error[bin_of[row]] for row in rest)
    assert (table["rows"], table["ranks"]) == (500, stored_ranks(500))
    assert table["scores"] == [ordered[rank - 1] for rank in table["ranks"]]
    assert len(error) == len(edges) + 1 <= 10
    assert error[-1] > error[0]  # as the noise was made


def test_fewer_than_a_thousand_rows_have_no_error_model() -> None:
    table = made(*drawn(999))
    assert table["scale"] is None


def test_edges_lie_between_values_and_no_error_is_zero() -> None:
    predicted = np.repeat([1.0, 2.0, 3.0], [30, 300, 80])
    errors = np.where(predicted == 3, 4.0, 0.0)

    model = error_model(predicted, errors)
    assert model == {"edges": [2.5], "error": [0.05 * errors.mean(), 4.0]}


@pytest.mark.parametrize("value", [0.0, 1.5, np.nan])
def test_constant_predictions_have_no_error_model(value: float) -> None:
    predicted = np.full(2000, value)
    truths = np.random.default_rng(0).integers(0, 4, 2000)

    table = numbers(predicted, truths)
    if np.isnan(value):
        assert table is None
    else:
        assert table is not None
        ordered = np.sort(np.abs(truths - value))
        assert (table["rows"], table["scale"]) == (2000, None)
        assert table["scores"] == [ordered[rank - 1] for rank in table["ranks"]]


def test_a_model_without_errors_has_scores_of_zero() -> None:
    predicted = drawn(1500)[0]

    table = made(predicted, predicted)
    assert (table["rows"], table["scale"], set(table["scores"])) == (1500, None, {0.0})


def test_answers_that_are_no_numbers_count_as_missed() -> None:
    predicted, truths = drawn(100)
    gaps = predicted.copy()
    gaps[[3, 50, 99]] = np.nan, np.inf, -np.inf

    table = made(gaps, truths)
    finite = np.sort(np.abs(truths - gaps)[np.isfinite(gaps)])
    assert (table["rows"], table["ranks"]) == (100, stored_ranks(97))
    assert table["scores"] == [finite[rank - 1] for rank in stored_ranks(97)]


def test_numbers_survive_json_as_they_are() -> None:
    for rows in (50, 1200):
        table = numbers(*drawn(rows))
        assert json_text.loads(json_text.dumps(table)) == table


def test_float32_and_whole_numbers() -> None:
    predicted, truths = drawn(50)
    small = predicted.astype(np.float32)

    table = made(small, truths.round().astype(int).tolist())
    ordered = np.sort(np.abs(truths.round() - small.astype(float)))
    assert table["scores"] == [ordered[rank - 1] for rank in stored_ranks(50)]


@pytest.mark.parametrize(
    "truths",
    [
        None,
        [None, *range(29)],
        [np.nan, *range(29)],
        [np.inf, *range(29)],
        ["x"] * 30,
        ["3"] * 30,
        pd.array([None, *range(29)], dtype="Int64"),
        np.ones((30, 2)),
        pd.date_range("2024-01-01", periods=30),
        np.array([[1], [1, 2], *[[1]] * 28], dtype=object),
    ],
    ids=str,
)
def test_truths_of_another_kind_or_with_gaps_make_no_table(truths: Any) -> None:
    assert numbers(np.arange(30.0), truths) is None


@pytest.mark.parametrize("wrap", [list, pd.Series, lambda y: np.array(y)[:, np.newaxis]])
def test_truths_in_any_form(wrap: Any) -> None:
    predicted, truths = drawn(40)
    assert numbers(predicted, wrap(truths.tolist())) == numbers(predicted, truths)
    objects = np.array(truths.tolist(), dtype=object)
    assert numbers(predicted, objects) == numbers(predicted, truths)


def test_nineteen_rows_are_too_few() -> None:
    predicted, truths = drawn(FEWEST_ROWS)
    assert numbers(predicted, truths) is not None
    assert numbers(predicted[1:], truths[1:]) is None
    predicted[0] = np.nan
    assert numbers(predicted, truths) is None


def test_more_outputs_than_a_manifest_has_room_for() -> None:
    predicted = np.zeros((30, MOST_OUTPUTS + 1))
    assert numbers(predicted, predicted) is None
    assert numbers(predicted[:, 1:], predicted[:, 1:]) is not None


def test_the_score_of_a_class_is_one_less_its_probability() -> None:
    probabilities, truths = shares(200)

    position = {"a": 0, "b": 1, "c": 2}
    ordered = sorted(1 - p[position[t]] for p, t in zip(probabilities, truths, strict=True))
    assert labels(probabilities, truths) == {
        "rows": 200,
        "ranks": stored_ranks(200),
        "scores": [ordered[rank - 1] for rank in stored_ranks(200)],
    }
    for wrapped in (pd.Series(truths, dtype="category"), truths[:, np.newaxis], truths.tolist()):
        assert labels(probabilities, wrapped) == labels(probabilities, truths)


def test_a_class_that_the_model_does_not_know_is_missed() -> None:
    probabilities, truths = shares(200)
    unknown = truths.astype(object)
    unknown[:10] = "new"

    table = labels(probabilities, unknown)
    assert table is not None
    known = labels(probabilities[10:], truths[10:])
    assert (table["rows"], table["ranks"]) == (200, stored_ranks(190))
    assert known is not None
    assert table["scores"] == known["scores"]


def test_classes_without_a_table() -> None:
    probabilities, truths = shares(50)
    gaps = truths.astype(object)
    gaps[3] = None
    several = Task("classification", {}, [["a"], ["b"]])
    multilabel = {"prediction": np.ones((50, 3)), "probabilities": probabilities}

    assert labels(probabilities, gaps) is None
    assert labels(probabilities, np.arange(50)) is None
    assert labels(probabilities, None) is None
    assert labels(probabilities[:, :2], truths) is None
    assert labels(probabilities, truths, several) is None
    assert labels(probabilities, truths, Task("clustering", {})) is None
    assert conformal_table(LABELS, {"prediction": truths}, truths) is None
    assert conformal_table(LABELS, multilabel, np.ones((50, 3))) is None


def test_a_build_writes_it_and_a_std_that_is_left_out_is_not_divided_by(tmp_path: Path) -> None:
    X, truths = np.random.default_rng(0).normal(size=(200, 2)), drawn(200)[1]
    estimator = BayesianRidge().fit(X[:100], truths[:100])
    source = Source(estimator, X[100:], truths[100:])

    whole = build(source, "whole", tmp_path, quiet).manifest
    without = build(replace(source, without=("std",)), "without", tmp_path, quiet).manifest
    unscored = build(replace(source, y_test=None), "unscored", tmp_path, quiet).manifest

    assert whole["conformal"]["scale"] == "std"
    assert without["conformal"] == numbers(estimator.predict(X[100:]), truths[100:])
    assert "conformal" not in unscored


@pytest.mark.parametrize(("rows", "latest"), [(400, 200), (70, 50), (30, 30)])
def test_in_the_order_of_time_it_is_of_the_latest_rows_and_adapts(rows: int, latest: int) -> None:
    predicted, truths = drawn(rows)
    table = conformal_table(NUMBERS, {"prediction": predicted}, truths, by_time=True)
    assert table == {**made(predicted[-latest:], truths[-latest:]), "adaptive": True}
    probabilities, labels = shares(rows)
    answers = {"prediction": labels, "probabilities": probabilities}
    of_latest = {name: array[-latest:] for name, array in answers.items()}
    expected = conformal_table(LABELS, of_latest, labels[-latest:])
    assert conformal_table(LABELS, answers, labels, by_time=True) == {
        **(expected or {}), "adaptive": True
    }  # fmt: skip


def test_an_import_has_none_since_its_expected_outputs_are_its_own(tmp_path: Path) -> None:
    proto = onnx_files.model(
        [onnx_files.node("Neg", "x", "y")],
        [onnx_files.value("x", dims=("batch", 2))],
        [onnx_files.value("y", dims=("batch", 2))],
    )
    sample, expected = tmp_path / "in.npz", tmp_path / "out.npz"
    rows = np.random.default_rng(0).normal(size=(50, 2)).astype(np.float32)
    np.savez(sample, x=rows)
    np.savez(expected, y=-rows)
    path = onnx_files.save(tmp_path, proto)

    made = import_onnx(path, "net", tmp_path / "models", quiet, sample=sample, expected=expected)
    assert "conformal" not in made.manifest
