"""The search: what it chooses, that it keeps its time, and what it does with what fails."""

from __future__ import annotations

import _thread
import re
import signal
import threading
import time
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from onnxlet.convert.errors import Refusal
from onnxlet.convert.metrics.metrics import METRICS, metric_named
from onnxlet.convert.progress import listening
from onnxlet.convert.train import race as racing
from onnxlet.convert.train import search as searching
from onnxlet.convert.train.race import Budget, SearchProgress
from onnxlet.convert.train.search import _searched, search
from onnxlet.convert.train.trials import Candidate, Job, Searched, TrainingData, Trial, evaluate
from onnxlet.function.errors import WrongUse
from tests.convert.train import candidates as made

pytestmark = pytest.mark.training


def searched(data: made.Data, candidates: Any, **given: Any) -> Searched:
    """A search in this process; where `cores` are given, by so many others."""
    settings: dict[str, Any] = {
        "seconds": None, "trials": len(candidates), "seed": 0, "small": False,
        "report": lambda line: None, "fit": made.fit, "cores": 1,
    }  # fmt: skip
    metric = METRICS[given.pop("metric", metric_named(None, data.task).name)]
    X, y = data.trained
    with pytest.MonkeyPatch.context() as patch:
        if "cores" not in given:
            patch.setattr(searching, "local_fits", made.Here)
        return search(X, y, data.task, data.splits.folds, candidates, metric, **(settings | given))


def told(found: Searched) -> list[Any]:
    """All of a search but its seconds."""
    trials = [
        [t.number, t.candidate.name, dict(t.candidate.parameters), t.score, t.error, t.rounds,
         t.state, t.why, None if t.out_of_fold is None else t.out_of_fold.tobytes()]
        for t in found.trials
    ]  # fmt: skip
    return [trials, [(t.number, weight) for t, weight in found.weights], found.how_ended]


def score(trial: Trial) -> float:
    assert trial.score is not None
    return trial.score


def out_of_fold(trial: Trial) -> Any:
    assert trial.out_of_fold is not None
    return trial.out_of_fold


@pytest.fixture(scope="module")
def tuned() -> Searched:
    everyone = [made.constant(), made.linear(), made.tree(), made.boosting()]
    return searched(made.binary(), everyone, trials=10, cores=2)


def test_scores_are_those_of_the_answers_out_of_fold(tuned: Searched) -> None:
    data = made.binary()
    y = data.y[data.splits.train]
    first = [valid for _, valid in data.splits.folds[:5]]
    for trial in tuned.trials[:2]:
        answers = out_of_fold(trial)
        assert trial.state == "done"
        assert answers.shape == (len(y), 2)
        assert answers.sum(axis=1) == pytest.approx(1)
        each = [roc_auc_score(y[v] == "yes", answers[v, 1]) for v in first]
        assert score(trial) == pytest.approx(np.mean(each), abs=0.03)  # here repeats are averaged
    assert score(tuned.trials[0]) == 0.5
    assert 0.6 < score(tuned.trials[1]) < 0.9


def test_out_of_fold_answers_are_of_pipelines_that_have_not_seen_the_row() -> None:
    data = made.binary(2000)  # one repeat
    found = searched(data, [made.constant(), made.linear()])
    X, y = data.X.iloc[data.splits.train], data.y[data.splits.train]
    answers = np.zeros((len(y), 2))
    scores = []
    for train, valid in data.splits.folds:
        fitted = made.fit(made.linear(), X.iloc[train], y[train], "binary", seed=0)
        answers[valid] = fitted.pipeline.predict_proba(X.iloc[valid])
        scores.append(roc_auc_score(y[valid], answers[valid, 1]))
    trial = found.trials[1]
    assert np.allclose(out_of_fold(trial), answers)
    assert trial.score == pytest.approx(np.mean(scores))
    assert trial.error == pytest.approx(np.std(scores, ddof=1) / np.sqrt(5))


def test_tuning_goes_on_to_the_number_of_trials(tuned: Searched) -> None:
    assert [trial.number for trial in tuned.trials] == list(range(10))
    names = [trial.candidate.name for trial in tuned.trials[4:]]
    assert tuned.trials[4].candidate.rounds == "n_estimators"
    assert all(name.startswith(("tree, tuned", "boosting, tuned")) for name in names)
    tried = [tuple(sorted(t.candidate.parameters.items())) for t in tuned.trials[4:]]
    assert len(set(tried)) == 6
    assert tuned.how_ended == "it tried as many as it was to"


def test_rounds_are_those_that_stopped_early(tuned: Searched) -> None:
    boosting = tuned.trials[3]
    assert boosting.candidate.name == "boosting"
    assert boosting.rounds is not None
    assert 1 <= boosting.rounds < 60
    assert tuned.trials[1].rounds is None


def test_what_is_chosen_is_at_least_as_good_as_the_best_one(tuned: Searched) -> None:
    data = made.binary()
    assert sum(weight for _, weight in tuned.weights) == pytest.approx(1)
    assert 1 <= len(tuned.weights) <= 5
    answers: Any = sum(weight * out_of_fold(trial) for trial, weight in tuned.weights)
    y = data.y[data.splits.train]
    best = max(score(trial) for trial in tuned.trials if trial.state == "done")
    assert roc_auc_score(y == "yes", answers[:, 1]) > best - 0.02


def test_the_same_seed_gives_the_very_same(tuned: Searched) -> None:
    everyone = [made.constant(), made.linear(), made.tree(), made.boosting()]
    again = searched(made.binary(), everyone, trials=10, cores=2)
    assert told(again) == told(tuned)


def test_regression_and_weights() -> None:
    data = made.regression()
    baselines = [made.constant("regression"), made.linear("regression")]
    lines: list[str] = []
    found = searched(data, baselines, report=lines.append)
    assert [trial.candidate.name for trial, _ in found.weights] == ["linear"]
    assert found.trials[1].score == pytest.approx(0.5, abs=0.1)  # the noise that is in it
    assert [line.split(" ± ")[0][:30] for line in lines] == [
        f"{t.candidate.name}: root mean squared error {t.score:.5g}"[:30] for t in found.trials
    ]
    linear = searched(data, baselines, weights=np.where(data.trained[0]["a"] > 0, 1.0, 1e-9))
    assert linear.trials[1].score != found.trials[1].score


def test_what_fails_is_recorded_and_the_search_goes_on() -> None:
    everyone = [
        made.constant(), made.linear(), made.doing("failing", made.fail),
        made.doing("dying", made.die), made.tree(),
    ]  # fmt: skip
    found = searched(made.binary(), everyone, cores=1)
    states = {trial.candidate.name: trial.state for trial in found.trials}
    assert states["failing"] == states["dying"] == "failed"
    assert states["linear"] == "done"
    assert found.trials[2].why == "ValueError: it fails on purpose"
    assert "its process ended" in str(found.trials[3].why)
    assert found.trials[2].score is None
    assert found.trials[2].out_of_fold is None


def test_if_all_fail_it_is_refused_with_the_reasons() -> None:
    with pytest.raises(Refusal, match="one: ValueError: it fails on purpose; two: ValueError"):
        searched(made.binary(), [made.doing("one", made.fail), made.doing("two", made.fail)])


def test_a_loser_is_stopped_after_the_first_fold() -> None:
    everyone = [made.constant(), made.linear(), made.doing("loser", lambda: None)]
    found = searched(made.binary(4000), everyone)
    loser = found.trials[2]
    assert (loser.state, loser.why) == ("stopped", "behind linear after a first fit")
    assert loser.out_of_fold is None
    assert loser.error is None
    assert loser.score == 0.5


def test_many_rows_are_first_tried_on_a_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(racing, "SMALL", 500)
    monkeypatch.setattr(racing, "PART", 200)
    twin, loser = made.linear(name="twin"), made.doing("loser", lambda: None)
    found = searched(made.binary(2000), [made.constant(), made.linear(), twin, loser])
    assert [trial.state for trial in found.trials] == ["done", "done", "done", "stopped"]
    for trial in found.trials[:3]:
        assert not np.isnan(out_of_fold(trial)).any()


@pytest.mark.parametrize("rung", ["fold", "part"])
def test_where_time_was_too_short_a_first_fit_has_to_do(rung: str) -> None:
    data = made.binary(2000)
    y, classes = data.y[data.splits.train], np.array(["no", "yes"], object)
    X = data.X.iloc[data.splits.train].reset_index(drop=True)
    table = TrainingData(X, y, "binary", classes, data.splits.folds, None, made.fit, 0, 1)
    metric, budget = METRICS["roc_auc"], Budget(None)
    progress = SearchProgress(lambda line: None, metric, budget, None)
    race = racing.Race(table, metric, budget, None, progress, [], [0, 1, 2, 3, 4])  # type: ignore[arg-type]
    records = race.enter([made.constant(), made.linear(), made.doing("failing", made.fail)])
    for record in records:
        rows = None if rung == "fold" else 10**6
        record.take(0, rows, evaluate(table, Job(record.number, record.candidate, 0, rows)))
    found = _searched(race, False, "the time was up")
    assert [trial.state for trial in found.trials] == ["done", "done", "failed"]
    assert [trial.candidate.name for trial, _ in found.weights] == ["linear"]
    answers, valid = out_of_fold(found.trials[1]), data.splits.folds[0][1]
    assert np.flatnonzero(~np.isnan(answers[:, 0])).tolist() == sorted(valid)
    assert score(found.trials[1]) == pytest.approx(roc_auc_score(y[valid], answers[valid, 1]))


def test_small_takes_the_smallest_within_one_standard_error() -> None:
    def heavy(parameters: Any, seed: int) -> Any:
        pipeline = made.linear().make(parameters, seed)
        pipeline[0].ballast = bytes(10_000)
        return pipeline

    everyone = [made.constant(), Candidate("heavy", "linear", {}, heavy), made.linear(),
                made.tree(1, "stump")]  # fmt: skip
    found = searched(made.binary(2000), everyone, small=True)
    done = [trial for trial in found.trials if trial.state == "done"]
    best = max(done, key=score)
    near = [trial for trial in done if score(trial) >= score(best) - (best.error or 0)]
    expected = min(near, key=lambda trial: trial.size or 0)
    assert [(trial, weight) for trial, weight in found.weights] == [(expected, 1.0)]
    assert (best.candidate.name, expected.candidate.name) == ("heavy", "linear")
    assert (best.size or 0) - (expected.size or 0) > 9_000
    assert (expected.size or 0) > 300


def test_a_threshold_is_part_of_what_is_compared() -> None:
    data = made.binary(2000)
    found = searched(data, [made.constant(), made.linear()], metric="balanced_accuracy")
    assert found.trials[0].score == 0.5
    assert score(found.trials[1]) > 0.6


def test_it_ends_in_time_though_a_fit_would_take_minutes() -> None:
    since = time.monotonic()
    searched(made.binary(), [made.constant(), made.linear()], cores=2)
    seconds = 5.0 + 2 * (time.monotonic() - since)  # on a busy machine processes are slow to start
    since = time.monotonic()
    everyone = [made.constant(), made.linear(), made.doing("slow", made.sleep), made.tree()]
    found = searched(made.binary(), everyone, seconds=seconds, trials=None, cores=2)
    took = time.monotonic() - since
    assert took < seconds + 20  # this process may stand still for a while, and the fit takes 300
    assert found.seconds <= took
    assert found.trials[2].state == "stopped"
    assert found.trials[1].state == "done"
    assert found.how_ended == "the time was up"


def test_ctrl_c_keeps_what_was_found() -> None:
    everyone = [made.constant(), made.linear(), made.doing("slow", made.sleep)]
    timer = threading.Timer(2.0, _thread.interrupt_main)

    def shown(what: str, done: int, total: int) -> None:
        if what.startswith("slow") and timer.ident is None:
            timer.start()

    # What runs in the background, as the suite's own processes do, ignores it.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with listening(shown):
            found = searched(made.binary(), everyone, cores=1)
    finally:
        signal.signal(signal.SIGINT, before)
    assert found.how_ended == "Ctrl-C ended it"
    assert [trial.state for trial in found.trials] == ["done", "done", "stopped"]
    assert [trial.candidate.name for trial, _ in found.weights] == ["linear"]


def test_too_few_seconds_are_refused() -> None:
    with pytest.raises(WrongUse, match="--seconds: expected 5 or more, got 1"):
        searched(made.binary(), [made.constant()], seconds=1, trials=None)


def test_on_a_terminal_one_line_says_what_is_tried_and_the_best_so_far() -> None:
    seen: list[tuple[str, int, int]] = []
    lines: list[str] = []
    with listening(lambda *what: seen.append(what)):
        searched(made.binary(), [made.constant(), made.linear()], report=lines.append)
    assert lines == []
    assert any(what.startswith("linear") for what, _, _ in seen)
    assert "; best so far ROC AUC 0." in seen[-1][0]
    assert seen[-1][1:] == (2, 2)


def nearly_linear(seed: int) -> Candidate:
    """A linear model of another penalty, whose family says nothing of that."""

    def make(parameters: Any, seed: int) -> Any:
        return make_pipeline(StandardScaler(), Ridge(alpha=parameters["alpha"]))

    return Candidate(f"ridge {seed}", "ridge", {"alpha": 10.0**seed}, make)


def test_a_linear_model_is_served_where_nothing_is_clearly_better() -> None:
    data = made.regression(2000, seed=3)  # one repeat
    y, folds = data.trained[1], [valid for _, valid in data.splits.folds]
    candidates = [made.constant("regression"), made.linear("regression")]
    candidates += [nearly_linear(seed) for seed in range(-2, 3)]
    found = searched(data, candidates)
    linear = found.trials[1]
    assert found.weights == [(linear, 1.0)]
    [other] = re.findall(r"folds: (ridge \S+) has", found.plainer)
    [ridge] = [trial for trial in found.trials if trial.candidate.name == other]
    one, more = (
        np.array([np.sqrt(np.mean((y[v] - out_of_fold(t)[v]) ** 2)) for v in folds])
        for t in (linear, ridge)
    )
    gains = one - more
    error = gains.std(ddof=1) / np.sqrt(5)
    assert 0 <= gains.mean() <= 2 * error
    assert found.plainer == (
        f"linear is served, root mean squared error {one.mean():.5g} over the folds: {other} has "
        f"{more.mean():.5g}, which is not clearly better (by {gains.mean():.2g} ± {error:.2g})"
    )
    assert searched(data, candidates, small=True).plainer == ""


def test_what_is_clearly_better_than_a_linear_model_is_served() -> None:
    data = made.binary(2000)
    data = data._replace(y=np.where(data.X["b"] * data.X["c"] > 0, "yes", "no").astype(object))
    better = searched(data, [made.constant(), made.linear(), made.tree(6)])
    assert better.plainer == ""
    assert "tree" in {trial.candidate.name for trial, _ in better.weights}
