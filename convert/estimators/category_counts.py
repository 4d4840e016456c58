"""CategoryCounts: how often the training rows have a row's category."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.preprocessing import OrdinalEncoder
from sklearn.utils.validation import check_is_fitted

from onnxlet.function.arrays import Array

UNSEEN = -1


class CategoryCounts(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc] # scikit-learn has no types
    """In how many training rows each column has the category, float64; 0 for one never seen.

    A missing value is a category.
    """

    def fit(self, X: Any, y: Any = None) -> CategoryCounts:
        """Count.

        Args:
            X: categories, text or numbers, of shape (rows, columns).
            y: is ignored.
        """
        self.encoder_ = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=UNSEEN)
        codes = self.encoder_.fit_transform(X)
        self.n_features_in_ = codes.shape[1]
        if hasattr(self.encoder_, "feature_names_in_"):
            self.feature_names_in_ = self.encoder_.feature_names_in_
        self.counts_ = [
            _counts(known, column)
            for known, column in zip(self.encoder_.categories_, codes.T, strict=True)
        ]
        return self

    def transform(self, X: Any) -> Array:
        """The counts, of the shape of X."""
        check_is_fitted(self)
        codes = self.encoder_.transform(X)
        made = np.zeros(codes.shape)
        for at, (column, counts) in enumerate(zip(codes.T, self.counts_, strict=True)):
            # NaN is the last of an encoder's categories, and has no code.
            index = np.where(np.isnan(column), len(counts) - 1, column).astype(int)
            made[:, at] = np.where(index == UNSEEN, 0.0, counts[index])
        return made


def _counts(known: Array, codes: Array) -> Array:
    """By category, float64; those that are missing, None and NaN, are counted together."""
    counts = np.bincount(codes[~np.isnan(codes)].astype(int), minlength=len(known))
    missing = pd.isna(known)  # NaN has no code, None has one
    absent = counts[missing].sum() + np.isnan(codes).sum()
    return np.where(missing, absent, counts).astype(np.float64)
