"""Scores with intervals, each beside those of the baselines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from onnxlet.convert.report.evaluation.baselines import CONSTANT, baselines, constant
from onnxlet.convert.report.evaluation.evaluation import Evaluation
from onnxlet.convert.report.evaluation.intervals import interval, wilson
from onnxlet.convert.report.evaluation.measures import ASKED_FOR, Answered, Measure, fitting
from onnxlet.convert.report.form.figures import Baseline, Estimate, Score
from onnxlet.function.arrays import Array

Drawn = Mapping[str, Array]  # by whose answers they are, a score of each draw


def scores(case: Evaluation) -> list[Score]:
    """Every score of the answers, the one that was optimised first."""
    others = baselines(case)
    first = case.measure
    shown = [
        measure
        for measure in fitting(case.task, case.answered)
        if measure.name != first.name and measure.name not in ASKED_FOR
    ]
    every = [
        (measure, {"": case.answered, CONSTANT: constant(case, measure)} | others)
        for measure in (first, *shown)
    ]
    drawn = _drawn(case, every)
    return [_score(case, m, by_whom, d) for (m, by_whom), d in zip(every, drawn, strict=True)]


def _drawn(
    case: Evaluation, every: list[tuple[Measure, dict[str, Answered]]]
) -> list[dict[str, Array]]:
    """Each score of each draw; the same draws for all, so that differences are paired."""
    parts: list[dict[str, list[Array]]] = [
        {whose: [] for whose, answered in by_whom.items() if measure.fits(case.task, answered)}
        for measure, by_whom in every
    ]
    for weights in case.resamples():
        for (measure, by_whom), found in zip(every, parts, strict=True):
            for whose in found:
                found[whose].append(measure.drawn(case.truth, by_whom[whose], weights))
    return [{whose: np.concatenate(p) for whose, p in found.items()} for found in parts]


def _score(
    case: Evaluation, measure: Measure, by_whom: Mapping[str, Answered], drawn: Drawn
) -> Score:
    units = case.units
    values = {whose: measure.value(case.truth, by_whom[whose]) for whose in drawn}
    return Score(
        metric=measure.name,
        title=measure.title,
        greater_is_better=measure.greater_is_better,
        rows=len(case.rows),
        model=Estimate(**_with_interval(case, measure, values[""], drawn[""])),
        baselines=[
            Baseline(
                name=name,
                **_with_interval(case, measure, values[name], drawn[name]),
                gain=Estimate(
                    **interval(
                        measure.gain(values[""], values[name]),
                        measure.gain(drawn[""], drawn[name]),
                        units,
                    )
                ),
            )
            for name in drawn
            if name
        ],
    )


def _with_interval(
    case: Evaluation, measure: Measure, value: float, drawn: Array
) -> dict[str, Any]:
    found = interval(value, drawn, case.units)
    of_rows = case.groups is None and case.outputs == 1  # as Wilson's interval is
    if of_rows and measure.name == "accuracy" and found["low"] is not None:
        found["low"], found["high"] = wilson(value * len(case.rows), len(case.rows))
    elif measure.greater_is_better and value == found["low"] == 1 and case.truth.labels:
        found["low"] = _low_of_perfect(case)
    return found


def _low_of_perfect(case: Evaluation) -> float:
    """What a score without a fault may really be: no resample has one, and yet it is not sure.

    The rarest class has the fewest rows, or groups, in which a fault could have shown.
    """
    values = case.truth.values
    fewest = min(case.units_of(np.flatnonzero(values == value)) for value in np.unique(values))
    return wilson(fewest, fewest)[0]
