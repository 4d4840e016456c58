"""Fairness by group: rates, their differences, and a mitigation beside them.

Differences are between the groups with the highest and the
lowest rate; their intervals are of the signed difference between these two on resampled rows, and
so may cross zero.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from onnxlet.convert.directory.reference_statistics import FREQUENT_AT_LEAST
from onnxlet.convert.report.evaluation.evaluation import Evaluation, some_rows
from onnxlet.convert.report.evaluation.learning import Refits
from onnxlet.convert.report.evaluation.mitigation import Setting, mitigated
from onnxlet.convert.report.evaluation.statistics import grouped, interval
from onnxlet.convert.report.form.figures import Difference, Fairness, Group
from onnxlet.function.arrays import Array

SMALL = 30  # rows: smaller groups are flagged, and not compared


class Rate(NamedTuple):
    """A mean over some of a group's rows."""

    of: Array  # the value of each row
    among: Array  # which rows count


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


def fairness(case: Evaluation, refits: Refits) -> list[Fairness] | None:
    """What groups of each sensitive column get; None where there is no such column."""
    if not case.measured.sensitive or case.outputs > 1:
        return None
    return [_column(case, name, refits) for name in case.measured.sensitive]


def _column(case: Evaluation, name: str, refits: Refits) -> Fairness:
    measured = case.measured
    given = some_rows(np.asarray(measured.sensitive[name], dtype=object), case.rows)
    groups, train_groups = grouped(given, _training_values(case, name))
    notes: list[str] = []
    rows = dict(zip(*np.unique(groups, return_counts=True), strict=True))
    if len([group for group in rows if rows[group] >= SMALL]) < 2:
        notes.append(f"not compared: fewer than two groups have {SMALL} test rows")
    predicted = case.answered.prediction
    found = by_group(rates(case, predicted), groups)
    before = differences(case, predicted, groups)
    mitigation, trained = None, case.trained
    known = measured.X_train is not None
    if before and known and trained is not None and train_groups is not None:
        setting = Setting(case, refits, trained, train_groups, groups, before, notes)
        mitigation = mitigated(setting, differences)
    elif before:
        notes.append("no mitigation: the training rows, their answers or groups are unknown")
    return Fairness(
        column=name,
        groups=[
            Group(
                group=str(group),
                rows=int(count),
                small=count < SMALL,
                # A rate of one row is what it was answered.
                **(found[group] if count >= FREQUENT_AT_LEAST else {}),
            )
            for group, count in rows.items()
        ],
        differences=before,
        mitigation=mitigation,
        notes=notes,
    )


def _training_values(case: Evaluation, name: str) -> Any:
    """The column's values in the training rows, where they are known."""
    measured = case.measured
    if name in measured.sensitive_train:
        return measured.sensitive_train[name]
    columns = getattr(measured.X_train, "columns", ())
    return np.asarray(measured.X_train[name], dtype=object) if name in columns else None


def rates(case: Evaluation, predicted: Array) -> dict[str, Rate]:
    """The rates that predictions have, by name."""
    truth, every = case.truth, np.ones(len(predicted), dtype=bool)
    if case.task == "regression":
        off = predicted - truth.values
        return {"mean_error": Rate(off, every), "mean_absolute_error": Rate(np.abs(off), every)}
    right = {"accuracy": Rate((predicted == truth.values).astype(float), every)}
    if case.task != "binary":
        return right
    selected, positive = (predicted == truth.positive).astype(float), truth.is_positive
    return {
        "selection_rate": Rate(selected, every),
        "true_positive_rate": Rate(selected, positive),
        "false_positive_rate": Rate(selected, ~positive),
        **right,
    }


def by_group(found: Mapping[str, Rate], groups: Array) -> dict[str, dict[str, float]]:
    """By group, its rates; NaN where none of its rows counts."""
    return {
        group: {
            name: _mean(each.of[each.among & (groups == group)]) for name, each in found.items()
        }
        for group in np.unique(groups)
    }


def _mean(values: Array) -> float:
    return float(values.mean()) if len(values) else float("nan")


def differences(case: Evaluation, predicted: Array, groups: Array) -> list[Difference]:
    """How far the groups are apart that are large enough, with intervals; [] where there is one."""
    names, counts = np.unique(groups, return_counts=True)
    compared = names[counts >= SMALL]
    if len(compared) < 2:
        return []
    found = rates(case, predicted)
    known = by_group(found, groups)
    drawn = _drawn(case, found, groups, compared)
    rows = case.units
    made = []
    for rate in (name for name in NAMES if name in found):
        values = np.array([known[group][rate] for group in compared])
        for is_ratio in (False, True) if rate in RATIOS else (False,):
            made.append(_difference(rate, values, drawn[rate], compared, is_ratio, rows))
    odds = [(each.value, each) for each in made if each.measure in ODDS and each.value is not None]
    if odds:
        _, widest = max(odds, key=lambda pair: float(np.nan_to_num(pair[0], nan=-1)))
        title = "equalised odds, difference"
        made.append(replace(widest, measure="equalized_odds_difference", title=title))
    return made


def _drawn(
    case: Evaluation, found: Mapping[str, Rate], groups: Array, compared: Array
) -> dict[str, Array]:
    """By rate, its value for each resample and group: (draws, groups)."""
    parts: dict[str, list[Array]] = {name: [] for name in found}
    is_of = (groups[:, None] == compared[None, :]).astype(float)
    for weights in case.resamples():
        for name, rate in found.items():
            counting = is_of * rate.among[:, None]
            with np.errstate(all="ignore"):
                means = weights @ (counting * rate.of[:, None]) / (weights @ counting)
            parts[name].append(means)
    return {name: np.concatenate(members) for name, members in parts.items()}


def _difference(
    rate: str, values: Array, drawn: Array, compared: Array, is_ratio: bool, rows: int
) -> Difference:
    measure = f"{rate}_{'ratio' if is_ratio else 'difference'}"
    title = rate.replace("_", " ") + (", lowest by highest" if is_ratio else ", difference")
    if np.isnan(values).all():
        return Difference(measure=measure, title=title, value=None)
    high, low = int(np.nanargmax(values)), int(np.nanargmin(values))
    apart: Callable[[Any, Any], Any] = np.divide if is_ratio else lambda least, most: most - least
    with np.errstate(all="ignore"):
        value = float(apart(values[low], values[high]))
        of_draws = apart(drawn[:, low], drawn[:, high])
    between = [str(compared[high]), str(compared[low])]
    ends = interval(value, of_draws, rows)
    return Difference(measure=measure, title=title, **ends, between=between)
