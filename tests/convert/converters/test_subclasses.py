"""Subclasses of one's own answer as the class that they leave the answering to, or are followed."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import numpy as np
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.preprocessing import StandardScaler

from tests.convert.exactness import assert_exact, assert_refused

random = np.random.default_rng(0)
X = random.normal(size=(80, 3))
y = X @ [1.0, -2.0, 0.5] + random.normal(size=80)


class Steady(Ridge):  # type: ignore[misc] # untyped there
    """With a setting and a fit of its own, and something to ask it for."""

    def __init__(self, alpha: float = 3.0, clip: float = 1.0) -> None:
        super().__init__(alpha=alpha)
        self.clip = clip

    def fit(self, X: Any, y: Any) -> Any:
        return super().fit(X, np.clip(y, -self.clip, self.clip))

    def largest(self) -> float:
        return float(np.abs(self.coef_).max())


class Named:
    """A mixin that has nothing to do with answers."""

    title = "model"


class Late(LogisticRegression):  # type: ignore[misc] # untyped there
    def predict(self, X: Any) -> Any:
        return self.classes_[(self.predict_proba(X)[:, 1] > 0.7).astype(int)]


class Later(Late):
    pass


class Shifted(LogisticRegression):  # type: ignore[misc] # untyped there
    def decision_function(self, X: Any) -> Any:
        return super().decision_function(X) + 1.0


class Doubling(TransformerMixin, BaseEstimator):  # type: ignore[misc] # untyped there
    def fit(self, X: Any, y: Any = None) -> Any:
        return self

    def transform(self, X: Any) -> Any:
        return X * 2


def test_what_replaces_only_the_fit_is_converted() -> None:
    deepcopy([Ridge(), Steady()])  # this leaves a mark on both classes
    assert_exact(Steady().fit(X, y), X)
    assert_exact(type("Plain", (StandardScaler,), {})().fit(X), X)
    assert_exact(type("Twice", (Named, Steady), {})().fit(X, y), X)


@pytest.mark.parametrize("kind", [Late, Later, type("Mixed", (Named, Late), {})])
def test_what_answers_itself_is_followed(kind: type) -> None:
    assert_exact(kind().fit(X, np.where(y > 0, "yes", "no")), X)


def test_what_a_parent_asks_of_it_is_not_the_parents() -> None:
    fitted = Shifted().fit(X, y > 0)
    assert_exact(fitted, X, methods=["decision_function"])
    reason = "its own decision_function may answer differently from LogisticRegression's"
    assert_refused(fitted, X, reason, methods=["predict"])


def test_what_is_no_subclass_is_followed() -> None:
    assert_exact(Doubling().fit(X), X)
