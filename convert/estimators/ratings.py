"""Ratings: items that a user may like, by the items that they have rated."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted, validate_data

from onnxlet.function.arrays import Array

TRIPLES = 'of triples, pivot(index="user", columns="item", values="rating") makes such'
START = 0.1  # standard deviation of the factors that the rounds begin with


class Ratings(BaseEstimator):  # type: ignore[misc] # scikit-learn has no types
    """Recommendations by factorised ratings, learned by alternating least squares with biases.

    A rating is the mean, and a bias of the item, and a bias of the user, and the product of the
    user's factors and the item's; what is beyond the ratings of the fit counts as the nearest of
    these. After the fit items are fixed; a user is known by their ratings only, from which a ridge
    regression finds their bias and factors. So users need not have been there at the fit, and the
    model keeps no user. Sources: Y. Koren, R. Bell, C. Volinsky, "Matrix Factorization Techniques
    for Recommender Systems", 2009; of the steps in turn, Y. Zhou et al., "Large-scale Parallel
    Collaborative Filtering for the Netflix Prize", 2008.

    Args:
        n_factors: numbers that describe an item, and a user.
        regularisation: of biases and factors, in ratings: so many ratings that are the mean count
            against those that a user, or an item, has.
        n_items: that are recommended to each user.
        n_rounds: of the steps in turn.
        random_state: a whole number, of the factors that the rounds begin with.
    """

    def __init__(
        self,
        n_factors: int = 16,
        regularisation: float = 5.0,
        n_items: int = 10,
        n_rounds: int = 15,
        random_state: int = 0,
    ) -> None:
        self.n_factors = n_factors
        self.regularisation = regularisation
        self.n_items = n_items
        self.n_rounds = n_rounds
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> Ratings:
        """Learn what the items have in common.

        Args:
            X: ratings, of shape (users, items); NaN where there is none. Of triples of user, item
                and rating, `triples.pivot(index="user", columns="item", values="rating")`.
            y: is ignored.

        Raises:
            ValueError: nothing is rated, an item is infinitely rated, or a parameter is out of its
                range.
        """
        ratings = self._checked(X, reset=True)
        rated = ~np.isnan(ratings)
        self._check_parameters(rated)
        self.lowest_, self.highest_ = float(ratings[rated].min()), float(ratings[rated].max())
        self.mean_ = float(ratings[rated].mean())
        residual = np.where(rated, ratings - self.mean_, 0.0)
        random = np.random.default_rng(self.random_state)
        users, items = ratings.shape
        # Of an item and a user: their bias, then their factors.
        biases = residual.sum(axis=0) / (rated.sum(axis=0) + self.regularisation)
        factors = random.normal(0.0, START, (items, self.n_factors))
        of_items = np.column_stack([biases, factors])
        factors = random.normal(0.0, START, (users, self.n_factors))
        of_users = np.column_stack([np.zeros(users), factors])
        for _ in range(self.n_rounds):
            of_users = _ridge(of_items, residual, rated, self.regularisation)
            of_items = _ridge(of_users, residual.T, rated.T, self.regularisation)
        self.biases_, self.factors_ = of_items[:, 0], of_items[:, 1:]
        return self

    def recommend(self, X: Any, n_items: int | None = None) -> tuple[Array, Array]:
        """The items that each user is predicted to rate highest, without those that they rated.

        A user who has rated nothing is recommended what is rated highest by all.

        Args:
            X: ratings, of shape (users, items); NaN where there is none.
            n_items: how many; as the estimator was made with if not given.

        Raises:
            ValueError: a rating is lower than any of the fit, or higher.

        Returns:
            Indices of columns, int64, best first, and their predicted ratings, float64, within
            those of the fit; both of shape (users, n_items). -1 and NaN where no more items are
            left.
        """
        items, scores = self.rank(X, n_items)
        return items, scores.clip(self.lowest_, self.highest_)

    def rank(self, X: Any, n_items: int | None = None) -> tuple[Array, Array]:
        """What `recommend` returns, with the scores that give the order: beyond the fit's, too."""
        check_is_fitted(self)
        ratings = self._checked(X)
        count = min(n_items or self.n_items, ratings.shape[1])
        scores = np.where(np.isnan(ratings), self._predicted(ratings), -np.inf)
        best = np.argsort(-scores, axis=1, kind="stable")[:, :count].astype(np.int64)
        found = np.take_along_axis(scores, best, axis=1)
        left = np.isfinite(found)
        return np.where(left, best, -1), np.where(left, found, np.nan)

    def predict_ratings(self, X: Any) -> Array:
        """What each user would rate every item, float64 of shape (users, items), within the fit's.

        Args:
            X: ratings, of shape (users, items); NaN where there is none.
        """
        check_is_fitted(self)
        return self._predicted(self._checked(X)).clip(self.lowest_, self.highest_)

    def _predicted(self, ratings: Array) -> Array:
        rated = ~np.isnan(ratings)
        residual = np.where(rated, ratings - self.mean_, 0.0)
        of_items = np.column_stack([self.biases_, self.factors_])
        users = _ridge(of_items, residual, rated, self.regularisation)
        made: Array = self.mean_ + self.biases_ + users[:, :1] + users[:, 1:] @ self.factors_.T
        return made

    def _checked(self, X: Any, reset: bool = False) -> Array:
        if isinstance(X, pd.DataFrame) and (text := _text_columns(X)):
            raise ValueError(
                f"X: expected a row of ratings for each user, got text in {text}; {TRIPLES}"
            )
        checked: Array = validate_data(
            self, X, reset=reset, dtype=np.float64, ensure_all_finite="allow-nan"
        )
        if not reset:
            off = np.argwhere((checked < self.lowest_) | (checked > self.highest_))
            if len(off):
                row, column = off[0]
                name = getattr(self, "feature_names_in_", range(checked.shape[1]))[column]
                raise ValueError(
                    f"X: expected ratings from {self.lowest_:g} to {self.highest_:g}, as in the "
                    f"fit, got {checked[row, column]:g} in row {row}, column {name!r}, and "
                    f"{len(off) - 1} more"
                )
        return checked

    def _check_parameters(self, rated: Array) -> None:
        if not rated.any():
            raise ValueError("X: expected some ratings, got none")
        for name in ("n_factors", "n_items", "n_rounds"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: expected at least 1, got {getattr(self, name)}")
        if not self.regularisation > 0:
            raise ValueError(f"regularisation: expected above 0, got {self.regularisation}")


def _ridge(others: Array, residual: Array, rated: Array, regularisation: float) -> Array:
    """Each row's own bias and factors, by a ridge regression on those of what it is rated with.

    Others are the bias and factors of each column (columns, 1 + factors); the residual has ratings
    above the mean (rows, columns), 0 where there is none. The result is (rows, 1 + factors).
    """
    known = np.column_stack([np.ones(len(others)), others[:, 1:]])
    made = np.empty((len(residual), known.shape[1]))
    ridge = regularisation * np.eye(known.shape[1])
    for row, there in enumerate(rated):
        some = known[there]
        target = some.T @ (residual[row, there] - others[there, 0])
        made[row] = np.linalg.solve(some.T @ some + ridge, target)
    return made


def _text_columns(X: pd.DataFrame) -> str:
    """The columns of a table that hold text, as a message names them."""
    names = [
        f"'{name}'"
        for name in X.columns
        if not pd.api.types.is_numeric_dtype(X[name])
        and any(isinstance(value, str) for value in X[name])
    ]
    return ", ".join(names[:5])
