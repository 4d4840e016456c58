"""Scores with intervals, each beside those of the baselines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from onnxlet.convert.metrics.metrics import ASKED_FOR, Metric, fitting
from onnxlet.convert.metrics.resampled import Answered
from onnxlet.convert.report.evaluation.baselines import CONSTANT, baselines, constant
from onnxlet.convert.report.evaluation.evaluation import Evaluation
from onnxlet.convert.report.evaluation.intervals import interval, wilson
from onnxlet.convert.report.form.figures import Baseline, Estimate, Score
from onnxlet.function.arrays import Array

Drawn = Mapping[str, Array]  # by whose answers they are, a score of each draw


def scores(case: Evaluation) -> list[Score]:
    """Every score of the answers, the one that was optimised first."""
    others = baselines(case)
    first = case.metric
    shown = [
        metric
        for metric in fitting(case.task, case.answered)
        if metric.name != first.name and metric.name not in ASKED_FOR
    ]
    every = [
        (metric, {"": case.answered, CONSTANT: constant(case, metric)} | others)
        for metric in (first, *shown)
    ]
    drawn = _drawn(case, every)
    return [_score(case, m, by_whom, d) for (m, by_whom), d in zip(every, drawn, strict=True)]


def _drawn(
    case: Evaluation, every: list[tuple[Metric, dict[str, Answered]]]
) -> list[dict[str, Array]]:
    """Each score of each draw; the same draws for all, so that differences are paired."""
    parts: list[dict[str, list[Array]]] = [
        {whose: [] for whose, answered in by_whom.items() if metric.fits(case.task, answered)}
        for metric, by_whom in every
    ]
    for weights in case.resamples():
        for (metric, by_whom), found in zip(every, parts, strict=True):
            for whose in found:
                found[whose].append(metric.drawn(case.truth, by_whom[whose], weights))
    return [{whose: np.concatenate(p) for whose, p in found.items()} for found in parts]


def _score(
    case: Evaluation, metric: Metric, by_whom: Mapping[str, Answered], drawn: Drawn
) -> Score:
    units = case.units
    values = {whose: metric.value(case.truth, by_whom[whose]) for whose in drawn}
    return Score(
        metric=metric.name,
        title=metric.in_full[case.task],
        greater_is_better=metric.greater_is_better,
        rows=len(case.rows),
        model=Estimate(**_with_interval(case, metric, values[""], drawn[""])),
        baselines=[
            Baseline(
                name=name,
                **_with_interval(case, metric, values[name], drawn[name]),
                gain=Estimate(
                    **interval(
                        metric.gain(values[""], values[name]),
                        metric.gain(drawn[""], drawn[name]),
                        units,
                    )
                ),
            )
            for name in drawn
            if name
        ],
    )


def _with_interval(case: Evaluation, metric: Metric, value: float, drawn: Array) -> dict[str, Any]:
    found = interval(value, drawn, case.units)
    of_rows = case.groups is None and case.outputs == 1  # as Wilson's interval is
    if of_rows and metric.name == "accuracy" and found["low"] is not None:
        found["low"], found["high"] = wilson(value * len(case.rows), len(case.rows))
    elif metric.greater_is_better and value == found["low"] == 1 and case.truth.labels:
        found["low"] = _low_of_perfect(case)
    return found


def _low_of_perfect(case: Evaluation) -> float:
    """What a score without a fault may really be: no resample has one, and yet it is not sure.

    The rarest class has the fewest rows, or groups, in which a fault could have shown.
    """
    values = case.truth.values
    fewest = min(case.units_of(np.flatnonzero(values == value)) for value in np.unique(values))
    return wilson(fewest, fewest)[0]
