"""Whom the model treats otherwise: rates by group, their differences, and a mitigation beside them.

fairlearn's MetricFrame has the rates. Differences are between the groups with the highest and the
lowest rate; their intervals are of the signed difference between these two on resampled rows, and
so may cross zero.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from sklearn.metrics import accuracy_score, mean_absolute_error

from onnxlet.convert.directory.summaries import FREQUENT_AT_LEAST
from onnxlet.convert.report.evaluation.evaluation import Subject, taken
from onnxlet.convert.report.evaluation.groups import grouped
from onnxlet.convert.report.evaluation.intervals import interval
from onnxlet.convert.report.evaluation.mitigation import Setting, mitigated
from onnxlet.convert.report.evaluation.refitting import Refits
from onnxlet.function.arrays import Array

SMALL = 30  # rows: smaller groups are flagged, and not compared


class Rate(NamedTuple):
    """A mean over some of a group's rows.

    Attributes:
        of: the value of each row.
        among: which rows count.
    """

    of: Array
    among: Array


NAMES = (
    "selection_rate",
    "true_positive_rate",
    "false_positive_rate",
    "accuracy",
    "mean_error",
    "mean_absolute_error",
)
RATIOS = ("selection_rate", "mean_absolute_error")  # that are compared by their ratio, too
ODDS = ("true_positive_rate_difference", "false_positive_rate_difference")


def fairness(subject: Subject, refits: Refits) -> list[dict[str, Any]] | None:
    """What groups of each sensitive column get; None where there is no such column."""
    if not subject.measured.sensitive or subject.outputs > 1:
        return None
    return [_column(subject, name, refits) for name in subject.measured.sensitive]


def _column(subject: Subject, name: str, refits: Refits) -> dict[str, Any]:
    measured = subject.measured
    given = taken(np.asarray(measured.sensitive[name], dtype=object), subject.rows)
    groups, train_groups = grouped(given, _of_training(subject, name))
    notes: list[str] = []
    rows = dict(zip(*np.unique(groups, return_counts=True), strict=True))
    if len([group for group in rows if rows[group] >= SMALL]) < 2:
        notes.append(f"not compared: fewer than two groups have {SMALL} test rows")
    predicted = subject.answered.prediction
    found = by_group(subject, predicted, groups)
    before = differences(subject, predicted, groups)
    setting = Setting(subject, refits, groups, train_groups, before, notes)
    return {
        "column": name,
        "groups": [_group(str(group), int(rows[group]), found[group]) for group in rows],
        "differences": before,
        "mitigation": mitigated(setting, differences) if before else None,
        "notes": notes,
    }


def _of_training(subject: Subject, name: str) -> Any:
    """The column's values in the training rows, where they are known."""
    measured = subject.measured
    if name in measured.sensitive_train:
        return measured.sensitive_train[name]
    columns = getattr(measured.X_train, "columns", ())
    return np.asarray(measured.X_train[name], dtype=object) if name in columns else None


def _group(name: str, rows: int, found: Mapping[str, float]) -> dict[str, Any]:
    shown = found if rows >= FREQUENT_AT_LEAST else {}  # a rate of one row is what it was answered
    rates_of = {key: shown.get(key) for key in NAMES}
    return {"group": name, "rows": rows, "small": rows < SMALL, **rates_of}


def rates(subject: Subject, predicted: Array) -> dict[str, Rate]:
    """The rates that predictions have, by name."""
    truth, every = subject.truth, np.ones(len(predicted), dtype=bool)
    if subject.task == "regression":
        off = predicted - truth.values
        return {"mean_error": Rate(off, every), "mean_absolute_error": Rate(np.abs(off), every)}
    right = {"accuracy": Rate((predicted == truth.values).astype(float), every)}
    if subject.task != "binary":
        return right
    selected, positive = (predicted == truth.positive).astype(float), truth.is_positive
    return {
        "selection_rate": Rate(selected, every),
        "true_positive_rate": Rate(selected, positive),
        "false_positive_rate": Rate(selected, ~positive),
        **right,
    }


def by_group(subject: Subject, predicted: Array, groups: Array) -> dict[str, dict[str, float]]:
    """By group, its rates; NaN where none of its rows counts."""
    from fairlearn.metrics import MetricFrame  # takes half a second

    truth = subject.truth
    y, said = truth.values, predicted
    if subject.task == "binary":
        y, said = truth.is_positive.astype(int), (predicted == truth.positive).astype(int)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of groups without a row that counts
        frame = MetricFrame(
            metrics=_metrics(subject.task), y_true=y, y_pred=said, sensitive_features=groups
        )
    made: dict[str, dict[str, float]] = frame.by_group.to_dict("index")
    for name, rate in rates(subject, predicted).items():
        for group in made:
            if not rate.among[groups == group].any():  # fairlearn has 0 there
                made[group][name] = float("nan")
    return made


def _metrics(task: str) -> dict[str, Callable[..., float]]:
    from fairlearn import metrics

    if task == "regression":
        return {
            "mean_error": lambda y, said: float(np.mean(said - y)),
            "mean_absolute_error": mean_absolute_error,
        }
    if task == "multiclass":
        return {"accuracy": accuracy_score}
    return {
        "selection_rate": metrics.selection_rate,
        "true_positive_rate": partial(metrics.true_positive_rate, pos_label=1),
        "false_positive_rate": partial(metrics.false_positive_rate, pos_label=1),
        "accuracy": accuracy_score,
    }


def differences(subject: Subject, predicted: Array, groups: Array) -> list[dict[str, Any]]:
    """How far the groups are apart that are large enough, with intervals; [] where there is one."""
    names, counts = np.unique(groups, return_counts=True)
    compared = names[counts >= SMALL]
    if len(compared) < 2:
        return []
    found = rates(subject, predicted)
    known = by_group(subject, predicted, groups)
    drawn = _drawn(subject, found, groups, compared)
    rows = subject.units
    made = []
    for rate in (name for name in NAMES if name in found):
        values = np.array([known[group][rate] for group in compared])
        for is_ratio in (False, True) if rate in RATIOS else (False,):
            made.append(_difference(rate, values, drawn[rate], compared, is_ratio, rows))
    odds = [each for each in made if each["measure"] in ODDS and each["value"] is not None]
    if odds:
        widest = max(odds, key=lambda each: float(np.nan_to_num(each["value"], nan=-1)))
        title = "equalised odds, difference"
        made.append({**widest, "measure": "equalized_odds_difference", "title": title})
    return made


def _drawn(
    subject: Subject, found: Mapping[str, Rate], groups: Array, compared: Array
) -> dict[str, Array]:
    """By rate, its value for each resample and group: (draws, groups)."""
    parts: dict[str, list[Array]] = {name: [] for name in found}
    is_of = (groups[:, None] == compared[None, :]).astype(float)
    for weights in subject.resamples():
        for name, rate in found.items():
            counting = is_of * rate.among[:, None]
            with np.errstate(all="ignore"):
                means = weights @ (counting * rate.of[:, None]) / (weights @ counting)
            parts[name].append(means)
    return {name: np.concatenate(members) for name, members in parts.items()}


def _difference(
    rate: str, values: Array, drawn: Array, compared: Array, is_ratio: bool, rows: int
) -> dict[str, Any]:
    how = ", lowest by highest" if is_ratio else ", difference"
    about = {
        "measure": f"{rate}_{'ratio' if is_ratio else 'difference'}",
        "title": rate.replace("_", " ") + how,
    }
    if np.isnan(values).all():
        return {**about, "value": None, "low": None, "high": None, "between": None}
    high, low = int(np.nanargmax(values)), int(np.nanargmin(values))
    apart: Callable[[Any, Any], Any] = np.divide if is_ratio else lambda least, most: most - least
    with np.errstate(all="ignore"):
        value = float(apart(values[low], values[high]))
        of_draws = apart(drawn[:, low], drawn[:, high])
    between = [str(compared[high]), str(compared[low])]
    return {**about, **interval(value, of_draws, rows), "between": between}
