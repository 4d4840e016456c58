"""Early stopping, exact rounds, weights, and the same answers for the same seed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import log_loss
from sklearn.utils.validation import has_fit_parameter

from onnxlet.convert.train.fitting import fit, weighted_mean
from onnxlet.convert.train.portfolio import portfolio
from onnxlet.convert.train.trials import Candidate
from tests.convert.train.tables import made

pytestmark = pytest.mark.training

TABLE = made(240)
X, NOTED = TABLE.X, TABLE.columns
CUT = 160


def listed(task: str) -> list[Candidate]:
    return portfolio(task, NOTED, CUT, TABLE.targets[task][:CUT])[0]


def boosted(task: str) -> list[Candidate]:
    """One candidate of each family that boosts; with the logarithm, where it is tried."""
    found = {one.family: one for one in reversed(listed(task)) if one.rounds}
    return [one.with_parameters({"learning_rate": 0.3, str(one.rounds): 150})
            for one in found.values()]  # fmt: skip


CASES = [(task, one.family, one) for task in ("binary", "multiclass", "regression")
         for one in boosted(task)]  # fmt: skip
IDS = [f"{task}-{family}" for task, family, _ in CASES]


def answers(pipeline: Any, rows: Any) -> Any:
    return getattr(pipeline, "predict_proba", pipeline.predict)(rows)


def fit_case(task: str, one: Candidate, **settings: Any) -> Any:
    y = TABLE.targets[task]
    return fit(one, X[:CUT], y[:CUT], task, **{"seed": 1, "threads": 1, **settings})


@pytest.mark.parametrize(("task", "family", "one"), CASES, ids=IDS)
def test_it_stops_early_and_again_with_so_many_rounds(
    task: str, family: str, one: Candidate
) -> None:
    stopped = fit_case(task, one, valid=(X[CUT:], TABLE.targets[task][CUT:]))
    assert one.rounds is not None
    most = one.parameters[one.rounds]
    if has_fit_parameter(HistGradientBoostingClassifier, "X_val") or "histogram" not in family:
        assert 0 < stopped.rounds < most

    again = fit_case(task, one, rounds=stopped.rounds)
    assert again.rounds == stopped.rounds
    if family != "histogram boosting":  # which keeps the rounds after its best
        np.testing.assert_array_equal(answers(again.pipeline, X), answers(stopped.pipeline, X))


@pytest.mark.parametrize("one", boosted("binary"), ids=lambda one: one.family)
def test_the_round_it_stops_at_is_the_best_on_the_validation_rows(one: Candidate) -> None:
    y = TABLE.targets["binary"]
    stopped = fit_case("binary", one, valid=(X[CUT:], y[CUT:])).rounds

    def loss(rounds: int) -> float:
        shares = fit_case("binary", one, rounds=rounds).pipeline.predict_proba(X[CUT:])
        return float(log_loss(y[CUT:] == "yes", shares[:, 1]))

    best = loss(stopped)
    assert all(best <= loss(max(1, stopped + step)) for step in (-4, -1, 1, 15))


@pytest.mark.parametrize("task", ["binary", "regression"])
def test_the_same_seed_gives_the_same_answers_to_the_last_bit(task: str) -> None:
    for one in listed(task):
        rounds = 5 if one.rounds else None
        first, second, other = (
            answers(fit_case(task, one, rounds=rounds, seed=seed).pipeline, X) for seed in (3, 3, 4)
        )
        np.testing.assert_array_equal(first, second, err_msg=one.name)
        if one.family in ("LightGBM", "extra trees"):
            assert not np.array_equal(first, other), one.name


def test_weights_count() -> None:
    y = TABLE.targets["binary"]
    weights = np.where(y[:CUT] == "yes", 9.0, 1.0)
    for one in listed("binary"):
        rounds = 20 if one.rounds else None
        plain, weighted = (
            answers(fit_case("binary", one, rounds=rounds, weights=given).pipeline, X[CUT:])[:, 1]
            for given in (None, weights)
        )
        assert weighted.mean() > plain.mean() + 0.02, one.name


def test_a_label_that_is_new_in_the_validation_rows_stops_nothing() -> None:
    y = TABLE.targets["multiclass"]
    labels = np.unique(y)
    train = np.flatnonzero(y[:CUT] != labels[1])  # the one in the middle
    for one in boosted("multiclass"):
        made = fit(one, X.iloc[train], y[train], "multiclass", seed=0, valid=(X[CUT:], y[CUT:]))
        assert list(made.pipeline.classes_) == [labels[0], *labels[2:]], one.name
        only = y[CUT:] == labels[1]
        valid = X[CUT:][only], y[CUT:][only]
        few = one.with_parameters({str(one.rounds): 3})
        stopped = fit(few, X.iloc[train], y[train], "multiclass", seed=0, valid=valid)
        assert stopped.rounds == 3, one.name


def test_what_comes_before_never_sees_the_validation_rows() -> None:
    one = next(one for one in boosted("binary") if one.family == "LightGBM")
    y = TABLE.targets["binary"]
    with_them = fit_case("binary", one, valid=(X[CUT:], y[CUT:])).pipeline[0]
    without = fit_case("binary", one, rounds=3).pipeline[0]
    np.testing.assert_array_equal(with_them.transform(X), without.transform(X))


def test_together_is_the_weighted_mean() -> None:
    for task in ("binary", "regression"):
        y = TABLE.targets[task]
        parts = [fit_case(task, one, rounds=5).pipeline for one in listed(task)[1:4]]
        whole = weighted_mean(
            list(zip(parts, [3.0, 1.0, 1.0], strict=True)), X[:CUT], y[:CUT], task
        )
        made = [answers(part, X) for part in parts]
        expected = (3 * made[0] + made[1] + made[2]) / 5
        np.testing.assert_allclose(answers(whole, X), expected, rtol=1e-12)
        assert weighted_mean([(parts[0], 1.0)], X, y, task) is parts[0]
