"""What fairer answers would cost: a mitigation fitted on training rows, measured on test rows.

Of two classes with probabilities, a threshold for each group (fairlearn's ThresholdOptimizer:
M. Hardt, E. Price, N. Srebro, "Equality of opportunity in supervised learning", 2016), found on
answers to training rows by models that had not seen them. Of all else, a refit on training rows
that are drawn anew so that no group goes with an answer (reweighing: F. Kamiran, T. Calders,
"Data preprocessing techniques for classification without discrimination", 2012).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import StratifiedKFold

from onnxlet.convert.errors import shortened
from onnxlet.convert.metrics.metrics import METRICS, Metric
from onnxlet.convert.metrics.resampled import ScoredAnswers
from onnxlet.convert.report.evaluation.evaluation import (
    Evaluation,
    estimators_answers,
    indices_of,
    some_rows,
)
from onnxlet.convert.report.evaluation.learning import Refits
from onnxlet.convert.report.evaluation.statistics import OTHERS, generator, interval
from onnxlet.convert.report.form.figures import Difference, Estimate, Mitigation, MitigationScores
from onnxlet.function.arrays import Array

FOLDS = 3
FEWEST = 30  # training rows of a group, and one of each class, that it gets a threshold for
Differences = Callable[[Evaluation, Array, Array], list[Difference]]


class Setting(NamedTuple):
    """What a mitigation is fitted for."""

    case: Evaluation
    refits: Refits
    trained: Array  # answers of the training rows
    train_groups: Array
    groups: Array  # of the test rows
    before: list[Difference]  # of the model as it is
    notes: list[str]  # gets why there is none


def mitigated(setting: Setting, differences: Differences) -> Mitigation | None:
    """A mitigation's differences and scores beside the model's; None where none can be fitted."""
    case, probabilities = setting.case, setting.case.answered.probabilities
    try:
        if case.task == "binary" and probabilities is not None:
            made = _by_thresholds(setting, probabilities)
        else:
            made = _by_drawing(setting)
    except Exception as error:  # of whatever the groups are too small for
        setting.notes.append(
            f"no mitigation: fitting one raises {type(error).__name__}: {shortened(error)}"
        )
        return None
    if made is None:
        return None
    how, predicted = made
    # The score that was optimised where it is one of predictions: a mitigation has no others.
    metric = case.metric if case.metric.needs == "prediction" else METRICS["accuracy"]
    return Mitigation(
        how=how,
        differences=differences(case, predicted, setting.groups),
        metric=metric.name,
        title=metric.in_full[case.task],
        scores=MitigationScores(
            before=_scored(case, metric, case.answered.prediction),
            after=_scored(case, metric, predicted),
        ),
    )


def _scored(case: Evaluation, metric: Metric, predicted: Array) -> Estimate:
    answered, truth = ScoredAnswers(predicted), case.truth
    drawn = np.concatenate([metric.drawn(truth, answered, w) for w in case.resamples()])
    return Estimate(**interval(metric.value(truth, answered), drawn, case.units))


class KnownProbabilities(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Stands for a model whose probabilities are known: its one column of X."""

    def fit(self, X: Any, y: Any) -> KnownProbabilities:
        """Nothing is learnt."""
        self.classes_ = np.array([0, 1])
        return self

    def predict(self, X: Any) -> Array:
        """The probabilities themselves."""
        return np.asarray(X)[:, 0]


def _by_thresholds(setting: Setting, probabilities: Array) -> tuple[str, Array] | None:
    from fairlearn.postprocessing import ThresholdOptimizer  # takes half a second

    truth = setting.case.truth
    positive = indices_of(setting.trained, truth.labels) == truth.positive
    given = _out_of_fold(setting)
    if given is None:
        return None
    # Rows that no fold validated on have no answer: fairlearn never gets past a NaN.
    known = np.isfinite(given)
    given, positive = given[known], positive[known]
    train, test = _with_thresholds(setting.train_groups[known], positive, setting.groups)
    constraint, name = _constraint(setting.before)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        optimizer = ThresholdOptimizer(
            estimator=KnownProbabilities().fit(None, None),
            constraints=constraint,
            objective="accuracy_score",
            prefit=True,
            predict_method="predict",
        ).fit(given[:, None], positive.astype(int), sensitive_features=train)
        said = optimizer.predict(
            probabilities[:, [truth.positive]],
            sensitive_features=test,
            random_state=setting.case.measured.seed,
        )
    negative = 1 - truth.positive
    predicted = np.where(np.asarray(said) == 1, truth.positive, negative)
    return f"a threshold for each group, found for equal {name} (ThresholdOptimizer)", predicted


def _constraint(before: list[Difference]) -> tuple[str, str]:
    """What is furthest from equal now: selection rates, or error rates."""
    values = {each.measure: each.value or 0.0 for each in before}
    odds, selected = values.get("equalized_odds_difference", 0), values["selection_rate_difference"]
    if odds >= selected:
        return "equalized_odds", "true and false positive rates"
    return "demographic_parity", "selection rates"


def _with_thresholds(train: Array, positive: Array, test: Array) -> tuple[Array, Array]:
    """Groups that have rows enough of both classes to find a threshold; the rest are one."""
    enough = [
        group
        for group in np.unique(train)
        if (of := positive[train == group]).size >= FEWEST and 0 < of.sum() < of.size
    ]
    if not enough:
        raise ValueError("no group has training rows enough")
    largest = max(enough, key=lambda group: (train == group).sum())
    rest = OTHERS if OTHERS in enough else largest
    return tuple(np.where(np.isin(g, enough), g, rest).astype(str) for g in (train, test))  # type: ignore[return-value]


def _out_of_fold(setting: Setting) -> Array | None:
    """The positive class' probability of each training row, by a model that has not seen it."""
    case, refits = setting.case, setting.refits
    if case.measured.out_of_fold is not None:
        known = np.asarray(case.measured.out_of_fold)
        return known if known.ndim == 1 else known[:, case.truth.positive]
    if refits.unseen is None:
        if not refits.lasts(len(setting.trained) * (FOLDS - 1)):
            setting.notes.append("no mitigation: no time to refit the model for it")
            return None
        refits.unseen = _unseen(case, refits, setting.trained)
    return refits.unseen


def _unseen(case: Evaluation, refits: Refits, trained: Array) -> Array:
    seed = int(generator(case.measured.seed, "folds").integers(2**31))
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    found = np.empty(len(trained))
    for fitted_on, asked in folds.split(trained, trained):
        model = refits.fit(fitted_on)
        X = some_rows(case.measured.X_train, asked)
        answers = estimators_answers(model, X, case).probabilities
        assert answers is not None  # noqa: S101 - the model has them, too
        found[asked] = answers[:, case.truth.positive]
    return found


def _by_drawing(setting: Setting) -> tuple[str, Array] | None:
    case, trained = setting.case, setting.trained
    if not setting.refits.lasts(len(trained)):
        setting.notes.append("no mitigation: no time to refit the model for it")
        return None
    weights = _weights(setting.train_groups, None if case.task == "regression" else trained)
    random = generator(case.measured.seed, "mitigation")
    rows = np.sort(random.choice(len(trained), len(trained), p=weights / weights.sum()))
    predicted = estimators_answers(setting.refits.fit(rows), case.inputs, case).prediction
    what = "every answer equally often in each group"
    if case.task == "regression":
        what = "every group equally often"
    return f"refitted on training rows drawn to have {what} (reweighing)", predicted


def _weights(groups: Array, answers: Array | None) -> Array:
    """So that groups are equally frequent; or so that answers don't depend on the group."""
    _, group, size = np.unique(groups, return_inverse=True, return_counts=True)
    if answers is None:
        return np.asarray(1.0 / size[group])
    _, answer, many = np.unique(answers, return_inverse=True, return_counts=True)
    together = np.zeros((len(size), len(many)))
    np.add.at(together, (group, answer), 1)
    return np.asarray(size[group] * many[answer] / together[group, answer])
