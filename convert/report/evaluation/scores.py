"""Scores with intervals, each beside those of the baselines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from onnxlet.convert.report.evaluation.baselines import CONSTANT, baselines, constant
from onnxlet.convert.report.evaluation.evaluation import Subject
from onnxlet.convert.report.evaluation.intervals import interval, wilson
from onnxlet.convert.report.evaluation.measures import ASKED_FOR, Answered, Measure, fitting
from onnxlet.function.arrays import Array

Drawn = Mapping[str, Array]  # by whose answers they are, a score of each draw


def scores(subject: Subject) -> list[dict[str, Any]]:
    """Every score of the answers, the one that was optimised first."""
    others = baselines(subject)
    first = subject.measure
    shown = [
        measure
        for measure in fitting(subject.task, subject.answered)
        if measure.name != first.name and measure.name not in ASKED_FOR
    ]
    every = [
        (measure, {"": subject.answered, CONSTANT: constant(subject, measure)} | others)
        for measure in (first, *shown)
    ]
    drawn = _drawn(subject, every)
    return [_score(subject, m, by_whom, d) for (m, by_whom), d in zip(every, drawn, strict=True)]


def _drawn(
    subject: Subject, every: list[tuple[Measure, dict[str, Answered]]]
) -> list[dict[str, Array]]:
    """Each score of each draw; the same draws for all, so that differences are paired."""
    parts: list[dict[str, list[Array]]] = [
        {whose: [] for whose, answered in by_whom.items() if measure.fits(subject.task, answered)}
        for measure, by_whom in every
    ]
    for weights in subject.resamples():
        for (measure, by_whom), found in zip(every, parts, strict=True):
            for whose in found:
                found[whose].append(measure.drawn(subject.truth, by_whom[whose], weights))
    return [{whose: np.concatenate(p) for whose, p in found.items()} for found in parts]


def _score(
    subject: Subject, measure: Measure, by_whom: Mapping[str, Answered], drawn: Drawn
) -> dict[str, Any]:
    units = subject.units
    values = {whose: measure.value(subject.truth, by_whom[whose]) for whose in drawn}
    return {
        "metric": measure.name,
        "title": measure.title,
        "greater_is_better": measure.greater_is_better,
        "rows": len(subject.rows),
        "model": _with_interval(subject, measure, values[""], drawn[""]),
        "baselines": [
            {
                "name": name,
                **_with_interval(subject, measure, values[name], drawn[name]),
                "gain": interval(
                    measure.gain(values[""], values[name]),
                    measure.gain(drawn[""], drawn[name]),
                    units,
                ),
            }
            for name in drawn
            if name
        ],
    }


def _with_interval(
    subject: Subject, measure: Measure, value: float, drawn: Array
) -> dict[str, Any]:
    found = interval(value, drawn, subject.units)
    of_rows = subject.groups is None and subject.outputs == 1  # as Wilson's interval is
    if of_rows and measure.name == "accuracy" and found["low"] is not None:
        found["low"], found["high"] = wilson(value * len(subject.rows), len(subject.rows))
    elif measure.greater_is_better and value == found["low"] == 1 and subject.truth.labels:
        found["low"] = _low_of_perfect(subject)
    return found


def _low_of_perfect(subject: Subject) -> float:
    """What a score without a fault may really be: no resample has one, and yet it is not sure.

    The rarest class has the fewest rows, or groups, in which a fault could have shown.
    """
    values = subject.truth.values
    fewest = min(subject.units_of(np.flatnonzero(values == value)) for value in np.unique(values))
    return wilson(fewest, fewest)[0]
