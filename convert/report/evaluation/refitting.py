"""Refitting the estimator on parts of its training rows, as long as the time lasts."""

from __future__ import annotations

import time
import warnings
from typing import Any

from sklearn.base import clone

from onnxlet.convert.report.evaluation.evaluation import Evaluation, some_rows
from onnxlet.function.arrays import Array


class Refits:
    """Refits within a time."""

    def __init__(self, case: Evaluation) -> None:
        self._case = case
        self.left = case.measured.seconds
        self.seconds_a_row = 0.0  # of the refit on the most rows until now: small ones differ
        self._most = 0
        # Answers to training rows by models that have not seen them, once they are known.
        self.unseen: Array | None = None

    def fit(self, rows: Array) -> Any:
        """The estimator, fitted on some training rows; it raises what scikit-learn does."""
        measured, start = self._case.measured, time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            refit = measured.fit or clone(measured.estimator).fit
            fitted = refit(some_rows(measured.X_train, rows), some_rows(measured.y_train, rows))
        took = time.perf_counter() - start
        self.left -= took
        if len(rows) > self._most:
            self._most, self.seconds_a_row = len(rows), took / len(rows)
        return fitted

    def lasts(self, rows: float) -> bool:
        """Whether the time that is left is enough to fit so many rows in all."""
        return rows * self.seconds_a_row <= self.left
