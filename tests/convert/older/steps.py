"""Steps of a user's own, which another Python imports, too."""

from __future__ import annotations

import os
import time
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin


class Own(TransformerMixin, BaseEstimator):  # type: ignore[misc] # scikit-learn ships no types
    """It prints, ends its process for -1, raises for -2, and takes too much for -3 and -4."""

    def __init__(self, factor: float = 2.0) -> None:
        self.factor = factor

    def fit(self, X: Any, y: Any = None) -> Own:
        self.fitted_ = True
        return self

    def transform(self, X: Any) -> Any:
        print("it says something")
        X = np.asarray(X)
        if (X == -1).any():
            os._exit(7)
        if (X == -2).any():
            raise OverflowError("it is -2")
        if (X == -3).any():
            time.sleep(600)
        if (X == -4).any():
            np.empty(2**33, dtype=np.uint8)
        return X * self.factor


class Stateless(Own):
    """It keeps nothing of its fit."""

    def fit(self, X: Any, y: Any = None) -> Stateless:
        return self


def lead_astray(tree: Any) -> None:
    """Have the root of a tree be its own left child."""
    state = tree.__getstate__()
    state["nodes"]["left_child"][0] = 0
    tree.__setstate__(state)
