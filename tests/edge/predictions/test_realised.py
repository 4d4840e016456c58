"""Truths alarm where they are worse than the build promised, and by chance as often as said."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil
from typing import Any

import numpy as np
import pytest
from scipy.stats import hypergeom

from onnxlet.convert.directory.conformal import conformal_table
from onnxlet.convert.directory.expected_performance import expected_performance
from onnxlet.convert.reference.answers import Task
from onnxlet.edge.predictions import realised
from onnxlet.edge.predictions.performance import Performance
from onnxlet.function.arrays import Array
from onnxlet.function.monitoring.two_samples import CHANCE as CHANCE_PER_REPORT
from tests.edge.predictions.test_performance import regressor

REGRESSION = Task("regression", {"prediction": "predict"})
CHANCE = 0.05  # in place of the real one, which would take millions of windows
WINDOWS = 3000
MOST = 0.05 + 3 * (0.05 * 0.95 / WINDOWS) ** 0.5
# Of errors: from tame to without a mean.
TAILS: dict[str, Callable[[np.random.Generator, int], Array]] = {
    "normal": lambda random, rows: np.abs(random.normal(size=rows)),
    "lognormal": lambda random, rows: random.lognormal(0, 2, rows),
    "Cauchy": lambda random, rows: np.abs(random.standard_cauchy(rows)),
    "few values": lambda random, rows: random.integers(0, 4, rows).astype(float),
}


def built_on(errors: Array) -> dict[str, Any]:
    """What the manifest has of held-out rows whose prediction was 0."""
    answers = {"prediction": np.zeros(len(errors))}
    estimate = expected_performance(REGRESSION, answers, errors)
    conformal = conformal_table(REGRESSION, answers, errors)
    assert estimate
    assert conformal
    return {**regressor(1, estimate), "conformal": conformal}


def came(manifest: dict[str, Any], errors: Array, *asked: float) -> list[dict[str, Any]]:
    """The tests of truths with these errors; each with an interval of each coverage in turn."""
    table, counted = manifest["conformal"], Performance(manifest)
    answers = []
    for number in range(len(errors)):
        answer: dict[str, Any] = {"prediction": 0.0}
        if asked:
            coverage = asked[number % len(asked)]
            needed = ceil((table["rows"] + 1) * coverage - 1e-9)
            at = next(n for n, rank in enumerate(table["ranks"]) if rank >= needed)
            reach = table["scores"][at]
            answer |= {"interval": [-reach, reach], "coverage": coverage}
        answers.append(answer)
    counted.add(answers, errors.tolist())
    report = counted.report()
    assert report
    tests: list[dict[str, Any]] = report["tests"]
    return tests


def figures_of_a_classifier(right: int, rows: int) -> dict[str, Any]:
    return {"rows": rows, "accuracy": right / rows, "coverage": []}


@pytest.mark.long
@pytest.mark.parametrize("tail", TAILS)
@pytest.mark.parametrize(("held_out", "truths"), [(60, 2000), (500, 400), (2000, 20)])
def test_errors_like_those_of_the_build_alarm_by_chance_as_often_as_said(
    tail: str, held_out: int, truths: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(realised, "CHANCE", CHANCE)
    random = np.random.default_rng(5)
    alarms = 0
    for _ in range(WINDOWS):
        manifest = {"estimate": expected_performance(
            REGRESSION, {"prediction": np.zeros(held_out)}, TAILS[tail](random, held_out)
        )}  # fmt: skip
        errors = TAILS[tail](random, truths)
        edges = manifest["estimate"]["large_errors"]["above"]  # type: ignore[index]
        figures = {"rows": truths, "mean_absolute_error": errors.mean(), "coverage": []}
        figures["large_errors"] = [{"above": e, "rows": int((errors > e).sum())} for e in edges]
        tests = realised.tests(manifest, figures)
        alarms += any(test["alarmed"] for test in tests)

    assert alarms / WINDOWS <= MOST


@pytest.mark.parametrize(("held_out", "truths"), [(60, 1000), (500, 400), (2000, 20)])
@pytest.mark.parametrize("asked", [0.5, 0.9])
def test_coverage_alarms_by_chance_as_often_as_said(
    held_out: int, truths: int, asked: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(realised, "CHANCE", CHANCE)
    random = np.random.default_rng(6)
    rank = ceil((held_out + 1) * asked - 1e-9)
    table = {"rows": held_out, "ranks": [rank]}
    alarms = 0
    for _ in range(WINDOWS):
        reach = np.sort(random.random(held_out))[rank - 1]
        hits = float((random.random(truths) <= reach).mean())
        figures = {"rows": 0, "coverage": [{"asked": asked, "realised": hits, "rows": truths}]}
        [test] = realised.tests({"conformal": table}, figures)
        alarms += test["alarmed"]

    assert CHANCE / 4 < alarms / WINDOWS <= MOST  # it has power, too


@pytest.mark.parametrize(("held_out", "truths"), [(60, 1000), (500, 400), (2000, 20)])
def test_accuracy_alarms_by_chance_as_often_as_said(
    held_out: int, truths: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(realised, "CHANCE", CHANCE)
    random = np.random.default_rng(7)
    then = random.binomial(held_out, 0.85, WINDOWS) / held_out
    now = random.binomial(truths, 0.85, WINDOWS)
    alarms = 0
    for accuracy, right in zip(then.tolist(), now.tolist(), strict=True):
        manifest = {"estimate": {"rows": held_out, "held_out": {"accuracy": accuracy}}}
        [test] = realised.tests(manifest, figures_of_a_classifier(right, truths))
        alarms += test["alarmed"]

    assert CHANCE / 8 < alarms / WINDOWS <= MOST


def test_truths_that_are_off_by_more_than_was_reported_alarm_in_words() -> None:
    """Mean error 7.49 where 4.41 was reported, and coverage 0.68 where 0.9 was asked for."""
    random = np.random.default_rng(8)
    held_out = random.gamma(1.6, 1, 500)
    held_out *= 4.41 / held_out.mean()
    errors = random.gamma(1.6, 1, 400)
    errors *= 7.49 / errors.mean()
    manifest = built_on(held_out)

    of_errors, coverage = came(manifest, errors, 0.9)

    edge = manifest["estimate"]["large_errors"]["above"][1]
    now, then = [100 * float((e > edge).mean()) for e in (errors, held_out)]
    assert of_errors["alarmed"]
    assert coverage["alarmed"]
    assert of_errors["sentence"].startswith(
        "The mean absolute error of 400 recent truths is 7.49; at build it was 4.41. "
    )
    assert of_errors["sentence"].endswith(
        f"{now:.1f} % of the errors are above {edge:.2f}; at build {then:g} % were."
    )
    inside = 100 * (errors <= np.sort(held_out)[450]).mean()
    assert coverage["statistic"] == "coverage 0.9"
    assert coverage["side"] == "below"
    assert coverage["value"] == pytest.approx(inside / 100, abs=0.01)
    assert " of 400 recent truths lie in their interval or set; 90 % was" in coverage["sentence"]


def test_thresholds_are_those_of_scipy() -> None:
    """Of 200 held-out answers 20 are wrong: how many of 400 have to be, for one in 1 / CHANCE."""
    manifest = {"estimate": {"rows": 200, "held_out": {"accuracy": 0.9}}}
    alarmed = [
        realised.tests(manifest, figures_of_a_classifier(400 - wrong, 400))[0]["alarmed"]
        for wrong in range(401)
    ]
    slow = [
        hypergeom(600, 20 + wrong, 400).sf(wrong - 1) <= CHANCE_PER_REPORT for wrong in range(401)
    ]
    assert alarmed == slow
    [test] = realised.tests(manifest, figures_of_a_classifier(400 - slow.index(True), 400))
    assert test["threshold"] == pytest.approx(1 - (slow.index(True) - 1) / 400)
    assert test["sentence"].endswith("of 400 recent answers were right; at build 90 % of 200 were.")


def test_several_tests_share_the_chance() -> None:
    manifest = built_on(np.random.default_rng(9).gamma(1.6, 1, 500))
    errors = np.random.default_rng(10).gamma(1.6, 1, 600)
    one = came(manifest, errors[:200], 0.9)[-1]
    several = came(manifest, errors, 0.5, 0.8, 0.9)[-1]
    assert (one["statistic"], several["statistic"]) == ("coverage 0.9", "coverage 0.9")
    assert several["threshold"] < one["threshold"]


def test_what_is_better_or_not_promised_is_calm() -> None:
    held_out = np.random.default_rng(11).gamma(1.6, 4, 500)
    assert [test["alarmed"] for test in came(built_on(held_out), held_out[:400] / 9, 0.9)] == [
        False,
        False,
    ]
    manifest = built_on(held_out)
    del manifest["estimate"]["large_errors"]  # as versions before have it
    del manifest["conformal"]
    assert realised.tests(manifest, {"rows": 400, "coverage": []}) == []
    mixed = {"asked": 0.7, "realised": 0.1, "rows": 400, "others": True}
    assert realised.tests(built_on(held_out), {"rows": 400, "coverage": [mixed]}) == []
