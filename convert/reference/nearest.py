"""Neighbours and recommendations: what estimators answer for a number of them, and ties."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from onnxlet.convert.reference.inputs import Data
from onnxlet.function.arrays import Array
from onnxlet.function.serving.golden import size_of_distances

MARGIN = "margin"  # among answers: how near the nearest and the next one are


def _distances(fitted: Any, X: Data, k: int | None) -> Array:
    return np.asarray(fitted.kneighbors(X, k)[0])


def _scores(fitted: Any, X: Data, k: int | None) -> Array:
    return np.asarray(fitted.recommend(X, k)[1])


NEAREST: dict[str, Callable[[Any, Data, int | None], Array]] = {
    "kneighbors": lambda fitted, X, k: np.asarray(fitted.kneighbors(X, k, return_distance=False)),
    "distances": _distances,
    "margin": lambda fitted, X, k: _distances(
        fitted, X, min((k or fitted.n_neighbors) + 1, fitted.n_samples_fit_)
    ),
    "recommend": lambda fitted, X, k: np.asarray(fitted.recommend(X, k)[0]),
    "scores": _scores,
    "lead": lambda fitted, X, k: (
        -np.asarray(fitted.rank(X, min((k or fitted.n_items) + 1, fitted.n_features_in_))[1])
    ),
}


def equally_near(margin: Array, tolerance: float) -> Array:
    """Which of the nearest are as near as the next one, to within the tolerance of their size.

    Of distances in ascending order, (rows, count), NaN where there is none, to bool (rows, count -
    1).
    """
    scale = np.maximum(np.abs(margin[:, 1:]), size_of_distances(margin))
    with np.errstate(invalid="ignore"):  # infinities are equal to each other
        step = margin[:, 1:] - margin[:, :-1]
    return np.asarray((step <= tolerance * scale) | (margin[:, 1:] == margin[:, :-1]))
