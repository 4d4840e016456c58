"""The ensemble against all weights that there are, and against the best one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from onnxlet.convert.metrics.metrics import METRICS
from onnxlet.convert.train import ensemble
from onnxlet.convert.train.ensemble import MOST, choose, weighted
from onnxlet.convert.train.scoring import Scorer, scorer

random = np.random.default_rng(1)
Y = random.normal(size=2000)


def judged(rows: int = 2000) -> Scorer:
    parts = np.array_split(np.arange(rows), 5)
    return scorer(METRICS["rmse"], Y[:rows], None, [(np.arange(1), part) for part in parts])


def chosen(answers: list[Any], **given: Any) -> dict[int, float]:
    found = judged(len(answers[0]))
    return choose(answers, [found.worth(one) for one in answers], found, **given)


def test_the_weights_are_near_the_best_there_are() -> None:
    errors = [1.0, 1.0, 2.0]
    answers = [Y + random.normal(0, error, 2000) for error in errors]
    found = chosen(answers)
    best = np.array([1 / e**2 for e in errors]) / sum(1 / e**2 for e in errors)
    assert [found[i] for i in range(3)] == pytest.approx(best, abs=0.08)
    assert sum(found.values()) == pytest.approx(1)
    worth = judged().worth
    assert worth(weighted(answers, found)) > max(map(worth, answers))


def test_at_most_five_are_in_it() -> None:
    found = chosen([Y + random.normal(0, 1, 2000) for _ in range(12)])
    assert len(found) == MOST


def test_copies_of_the_best_are_no_ensemble() -> None:
    one = Y + random.normal(0, 1, 2000)
    found = chosen([one + 3, one, one + 2])
    assert found == {1: 1.0}


@pytest.mark.parametrize(("off", "taken"), [(2.2, True), (6.0, False)])
def test_what_gains_in_the_mean_over_folds_is_taken(off: float, taken: bool) -> None:
    y = Y[:500]
    # Three folds of 10 rows and two of 235: the mean over folds is not that of all rows.
    fold = np.repeat(np.arange(5), [10, 10, 10, 235, 235])
    judge = scorer(METRICS["mae"], y, None, [(y, np.flatnonzero(fold == n)) for n in range(5)])
    one, two = y + 1, y + np.where(fold < 3, off, 0.2 - off)
    worths = [judge.worth(one), judge.worth(two)]
    assert (len(choose([one, two], worths, judge)) == 2) is taken


def test_with_no_time_left_it_is_the_best_one() -> None:
    answers = [Y + random.normal(0, 1, 2000) for _ in range(3)]
    found = chosen(answers, over=lambda: True)
    assert list(found.values()) == [1.0]


def test_many_rows_are_thinned_and_choose_nearly_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [Y + random.normal(0, error, 2000) for error in (1.0, 1.0)]
    monkeypatch.setattr(ensemble, "MOST_ROWS", 700)
    assert chosen(answers) == pytest.approx({0: 0.5, 1: 0.5}, abs=0.1)
