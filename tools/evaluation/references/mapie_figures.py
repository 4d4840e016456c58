"""MAPIE's intervals and sets of split conformal prediction, of estimators with given answers.

With n held-out rows and coverage c, MAPIE takes the score of rank ceil((n + 1) c), and refuses
where that is above n. Its own habits:

- `residual_normalized` divides by what a given model of the error says (no logarithm, where that
  model is given as fitted), or by 1e-8 where it says less.
- `StdConformityScore`, with the estimator's own standard deviation: the upper bound has that rank,
  the lower one has rank n + 1 - ceil((n + 1) (1 - c)), which is one less unless (n + 1) c is whole
  (and where rounding makes it not so). Written as `std`: only the lower bounds differ.
- LAC: a class is in the set if (1 - p) - q <= 1e-8, where q is the score of that rank and scores
  are 1 - p of the right class. A set may be empty, and is left so.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil
from random import Random
from typing import Any

import numpy as np
from mapie.classification import SplitConformalClassifier
from mapie.conformity_scores import ResidualNormalisedScore, StdConformityScore
from mapie.regression import SplitConformalRegressor
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

from tools.evaluation.references.writing import figure, write

COVERAGES = [0.5, 0.8, 0.9, 0.95]
NEW_ROWS = 12
Numbers = list[float]


class Given(RegressorMixin, BaseEstimator):
    """A fitted regressor: row i, which is the number i, has the prediction i."""

    def __init__(self, numbers: Any, deviations: Any = None) -> None:
        self.numbers = numbers
        self.deviations = deviations

    def fit(self, X: Any, y: Any) -> Given:
        """Nothing is to be fitted."""
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def predict(self, X: Any, return_std: bool = False) -> Any:
        """Numbers of shape (rows,); with them, where they are asked for, standard deviations."""
        rows = np.asarray(X)[:, 0].astype(int)
        numbers = np.array(self.numbers)[rows]
        return (numbers, np.array(self.deviations)[rows]) if return_std else numbers


class GivenProbabilities(ClassifierMixin, BaseEstimator):
    """A fitted classifier: row i, which is the number i, has the probabilities i."""

    def __init__(self, probabilities: Any) -> None:
        self.probabilities = probabilities
        self.classes_ = np.arange(len(probabilities[0]))

    def fit(self, X: Any, y: Any) -> GivenProbabilities:
        """Nothing is to be fitted."""
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def predict_proba(self, X: Any) -> Any:
        """Probabilities of shape (rows, classes)."""
        return np.array(self.probabilities)[np.asarray(X)[:, 0].astype(int)]

    def predict(self, X: Any) -> Any:
        """Classes of shape (rows,)."""
        return self.predict_proba(X).argmax(axis=1)


def main() -> None:
    """Write tests/references/mapie.json."""
    random = Random(4)  # noqa: S311 - no secrets
    figures = {
        "regression": [intervals(random, rows) for rows in (39, 57, 300)],
        "classification": [
            sets(random, rows, classes) for rows, classes in ((39, 3), (58, 2), (300, 4))
        ],
    }
    write("mapie", ["mapie", "numpy", "scikit-learn"], {"coverages": COVERAGES, **figures})


def intervals(random: Random, rows: int) -> dict[str, Any]:
    """Of so many held-out rows: lower and upper bounds of new rows, for each coverage."""
    predictions = [round(random.uniform(-5, 20), 2) for _ in range(rows + NEW_ROWS)]
    scales = [round(random.uniform(0.2, 3), 2) for _ in predictions]
    residuals = [random.gauss(0, scale) for scale in scales[:rows]]
    truths = [round(p + r, 2) for p, r in zip(predictions[:rows], residuals, strict=True)]
    estimator = Given(predictions, scales)
    scores = {
        "absolute": "absolute",
        "normalised": ResidualNormalisedScore(residual_estimator=Given(scales), prefit=True),
        "std": StdConformityScore(),
    }
    found = {}
    for name, score in scores.items():
        regressor = SplitConformalRegressor(estimator, COVERAGES, score, prefit=True)
        bounds = regressor.conformalize(_rows(0, rows), np.array(truths)).predict_interval(
            _rows(rows, rows + NEW_ROWS)
        )[1]
        found[name] = _by_coverage(bounds, lambda row: [figure(bound) for bound in row])
    return {
        "held_out": {"prediction": predictions[:rows], "scale": scales[:rows], "truth": truths},
        "new": {"prediction": predictions[rows:], "scale": scales[rows:]},
        "intervals": found,
    }


def sets(random: Random, rows: int, classes: int) -> dict[str, Any]:
    """Of so many held-out rows: indices of the classes in sets of new rows, for each coverage.

    Of the last two rows, one has a class that is as likely as the limit for 0.8, and one is even.
    """
    probabilities = [_probabilities(random, classes) for _ in range(rows + NEW_ROWS)]
    truths = [random.choices(range(classes), row)[0] for row in probabilities[:rows]]
    truths[:classes] = range(classes)  # MAPIE has to know all of them
    least = 1000 // classes - 1
    probabilities[-1] = _of_thousandths([1000 - least * (classes - 1)] + [least] * (classes - 1))
    right = sorted(row[truth] for row, truth in zip(probabilities[:rows], truths, strict=True))
    limit = round(1000 * right[-ceil((rows + 1) * 0.8)])
    probabilities[-2] = _of_thousandths([limit, 1000 - limit] + [0] * (classes - 2))
    classifier = SplitConformalClassifier(
        GivenProbabilities(probabilities), COVERAGES, conformity_score="lac", prefit=True
    )
    classifier.conformalize(_rows(0, rows), np.array(truths))
    found = classifier.predict_set(_rows(rows, rows + NEW_ROWS))[1]
    return {
        "held_out": {"probabilities": probabilities[:rows], "truth": truths},
        "new": {"probabilities": probabilities[rows:]},
        "sets": _by_coverage(found, lambda row: np.flatnonzero(row).tolist()),
    }


def _probabilities(random: Random, classes: int) -> Numbers:
    """Thousandths with the sum 1."""
    parts = [random.expovariate(1) ** 2 for _ in range(classes)]
    thousandths = [int(1000 * part / sum(parts)) for part in parts]
    thousandths[0] += 1000 - sum(thousandths)
    return _of_thousandths(thousandths)


def _of_thousandths(parts: list[int]) -> Numbers:
    return [part / 1000 for part in parts]


def _rows(first: int, end: int) -> Any:
    return np.arange(first, end, dtype=np.float64)[:, None]


def _by_coverage(found: Any, written: Callable[[Any], list[Any]]) -> dict[str, Any]:
    """What was found, of shape (rows, …, coverages), as it is written."""
    return {
        str(coverage): [written(row) for row in found[..., index]]
        for index, coverage in enumerate(COVERAGES)
    }


if __name__ == "__main__":
    main()
