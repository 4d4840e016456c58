"""PairArithmetic: sums, differences, products and ratios of the number columns that matter most."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_is_fitted

from onnxlet.function.arrays import LARGEST_FLOAT32, Array

Pair = tuple[int, str, int]  # a column, an operator, another column
BINS = 16  # quantiles of a column, in which its target is averaged
# By sign: of two columns, float64.
OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
}


class PairArithmetic(TransformerMixin, BaseEstimator):  # type: ignore[misc] # scikit-learn has no types
    """Columns made of pairs of number columns, float64, NaN where either is missing.

    What is beyond float32, a division by 0 among it, becomes the largest number of float32, so
    that any learner may come after it; 0 / 0 is NaN.

    Args:
        columns: so many of those that explain the target best are paired.
        keep: so many of the made columns are kept: those that explain more of the target than
            either of their pair does.
    """

    def __init__(self, columns: int = 6, keep: int = 12) -> None:
        self.columns = columns
        self.keep = keep

    def fit(self, X: Any, y: Any) -> PairArithmetic:
        """Choose the pairs.

        Args:
            X: numbers, of shape (rows, columns), two columns at least.
            y: the target, of shape (rows,): labels or float64.

        Raises:
            ValueError: there is one column only.
        """
        if isinstance(X, pd.DataFrame):
            self.feature_names_in_ = np.array(X.columns, dtype=object)
        x = _numbers(X)
        self.n_features_in_ = x.shape[1]
        if x.shape[1] < 2:
            raise ValueError(f"expected two columns of numbers or more, got {x.shape[1]}")
        target = _as_columns(y)
        worth = np.array([_explained(x[:, at], target) for at in range(x.shape[1])])
        best = sorted(np.argsort(-worth, kind="stable")[: self.columns].tolist())
        made = list(_candidates(best))
        gains = [
            _explained(_made(x, one), target) - max(worth[one[0]], worth[one[2]]) for one in made
        ]
        chosen = np.argsort(-np.array(gains), kind="stable")[: self.keep]
        self.pairs_ = [made[at] for at in sorted(chosen.tolist())]
        return self

    def transform(self, X: Any) -> Array:
        """The made columns, of shape (rows, pairs).

        Raises:
            ValueError: X has another number of columns.
        """
        check_is_fitted(self)
        x = _numbers(X)
        if x.shape[1] != self.n_features_in_:
            raise ValueError(f"expected {self.n_features_in_} columns, got {x.shape[1]}")
        return np.column_stack([_made(x, pair) for pair in self.pairs_])

    def get_feature_names_out(self, input_features: Any = None) -> Array:
        """Such as `price / area`."""
        names = getattr(self, "feature_names_in_", [f"x{at}" for at in range(self.n_features_in_)])
        made = [f"{names[left]} {sign} {names[right]}" for left, sign, right in self.pairs_]
        return np.array(made, dtype=object)


def _candidates(columns: Iterable[int]) -> Iterator[Pair]:
    """All operators of each pair; ratios both ways round."""
    for left, right in combinations(columns, 2):
        yield from ((left, sign, right) for sign in OPERATORS)
        yield (right, "/", left)


def _numbers(X: Any) -> Array:
    return np.asarray(X, dtype=np.float64)


def _made(x: Array, pair: Pair) -> Array:
    left, sign, right = pair
    with np.errstate(all="ignore"):
        made: Array = OPERATORS[sign](x[:, left], x[:, right])
    return np.clip(made, -LARGEST_FLOAT32, LARGEST_FLOAT32)


def _as_columns(y: Any) -> Array:
    """The target as float64 columns of mean 0: one for each class, ranks of numbers."""
    y = np.asarray(y)
    if type_of_target(y).startswith("continuous") or y.dtype.kind == "f":
        columns = np.argsort(np.argsort(y, kind="stable"), kind="stable")[:, None].astype(float)
    else:
        columns = (y[:, None] == np.unique(y)[None, :]).astype(float)
    return np.asarray(columns - columns.mean(axis=0))


def _explained(column: Array, target: Array) -> float:
    """The share of the target's variance between quantiles of a column: eta squared, 0 to 1.

    Missing values are a bin of their own.
    """
    known = column[~np.isnan(column)]
    if not len(known):
        return 0.0
    edges = np.unique(np.quantile(known, np.linspace(0, 1, BINS + 1)[1:-1], method="lower"))
    bins = np.where(np.isnan(column), len(edges) + 1, np.searchsorted(edges, column))
    counts = np.bincount(bins, minlength=len(edges) + 2)
    sums = np.array([np.bincount(bins, one, len(edges) + 2) for one in target.T])
    between = (sums**2 / np.maximum(counts, 1)).sum()
    return float(between / max((target**2).sum(), 1e-300))
