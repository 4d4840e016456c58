"""Selectors against scikit-learn: numbers, text, and what RFE predicts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import feature_selection as selection
from sklearn.base import BaseEstimator
from sklearn.compose import make_column_transformer
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge, RidgeClassifier
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from tests.convert.exactness import assert_exact, assert_refused

NAN = np.nan
RANDOM = np.random.default_rng(9)
X = RANDOM.normal(size=(90, 6)) * [1.0, 1e6, 1e-9, 1.0, 0.1, 1.0] + [0, 1e7, 0, 0, 0, 0]
X[:, 3] = 2.0
SIDE = X[:, 0] + X[:, 5] > 0.2
THREE = np.array(["low", "mid", "top"])[np.digitize(X[:, 0] + X[:, 5], [-0.7, 0.7])]
NUMBER = 3 * X[:, 0] - X[:, 5] + X[:, 4]
GAPS = np.where(RANDOM.random(X.shape) < 0.1, NAN, X)

SELECTORS: dict[str, Any] = {
    "variance": selection.VarianceThreshold(),
    "some variance": selection.VarianceThreshold(0.5),
    "k best": selection.SelectKBest(k=3),
    "all": selection.SelectKBest(k="all"),
    "mutual information": selection.SelectKBest(selection.mutual_info_classif, k=2),
    "percentile": selection.SelectPercentile(percentile=40),
    "false positives": selection.SelectFpr(alpha=0.2),
    "false discoveries": selection.SelectFdr(alpha=0.2),
    "family-wise": selection.SelectFwe(alpha=0.2),
    "generic": selection.GenericUnivariateSelect(mode="k_best", param=2),
    "from a model": selection.SelectFromModel(LogisticRegression(), threshold="mean"),
    "from trees": selection.SelectFromModel(
        ExtraTreesClassifier(5, random_state=0), max_features=2, threshold=-np.inf
    ),
    "sequential": selection.SequentialFeatureSelector(
        RidgeClassifier(), n_features_to_select=2, cv=2
    ),
    "backwards": selection.SequentialFeatureSelector(
        RidgeClassifier(), n_features_to_select=4, direction="backward", cv=2
    ),
    "eliminated": selection.RFE(LogisticRegression(), n_features_to_select=2),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("made", SELECTORS.values(), ids=SELECTORS)
def test_columns(made: Any) -> None:
    made.fit(X, SIDE)
    assert_exact(made, np.vstack([X, X * 1e12, -X]), methods=["transform"], tolerance=0.0)

    frame = pd.DataFrame(X, columns=list("abcdef")).assign(a=lambda f: (f["a"] * 9).astype(int))
    assert_exact(made.fit(frame, SIDE), frame, methods=["transform"])
    model = make_pipeline(StandardScaler(), made, DecisionTreeClassifier(max_depth=3))
    assert_exact(model.fit(X, SIDE), X)


def test_missing_values_pass_through() -> None:
    assert_exact(selection.VarianceThreshold(0.01).fit(GAPS), GAPS, tolerance=0.0)
    prefit = DecisionTreeClassifier(max_depth=3).fit(GAPS, SIDE)
    made = selection.SelectFromModel(prefit, prefit=True, threshold=0.1)
    assert_exact(made.fit(GAPS, SIDE), GAPS, tolerance=0.0)


class Given(BaseEstimator):  # type: ignore[misc]
    """Importances that were computed elsewhere."""

    def fit(self, X: Any, y: Any) -> Any:
        """Nothing to learn."""
        self.feature_importances_ = np.array([0.6, 0.1, 0.3])
        return self


class Odd(LogisticRegression):  # type: ignore[misc]
    """It can't be followed: its answers depend on all rows."""

    def predict(self, X: Any) -> Any:
        return super().predict(X - X.mean())


def test_text_is_selected_as_it_is() -> None:
    frame = pd.DataFrame(
        {
            "t": RANDOM.choice(["x", "y"], 90),
            "n": X[:, 0],
            "u": RANDOM.choice(["a", "b", "c"], 90),
        }
    )
    made = selection.SelectFromModel(Given().fit(frame, SIDE), prefit=True, threshold=0.2)
    made.set_output(transform="pandas")
    assert_exact(make_pipeline(made, OneHotEncoder()).fit(frame, SIDE), frame)


ELIMINATED: dict[str, Any] = {
    "binary": (selection.RFE(LogisticRegression(), n_features_to_select=3), SIDE),
    "three": (selection.RFE(LogisticRegression(), n_features_to_select=3), THREE),
    "decision": (selection.RFE(RidgeClassifier(), n_features_to_select=3), THREE),
    "number": (selection.RFE(Ridge(), n_features_to_select=3, step=0.4), NUMBER),
    "cross-validated": (selection.RFECV(LogisticRegression(), cv=3), THREE),
    "cross-validated number": (selection.RFECV(Ridge(), cv=3), NUMBER),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case", ELIMINATED)
def test_what_the_last_estimator_predicts(case: str) -> None:
    made, y = ELIMINATED[case]
    scaled = StandardScaler().fit_transform(X)
    assert_exact(made.fit(scaled, y), np.vstack([scaled, scaled * 1e3, np.zeros((1, 6))]))
    assert_exact(make_pipeline(StandardScaler(), made).fit(X, y), X)
    last = LinearRegression() if y is NUMBER else LogisticRegression()
    assert_exact(make_pipeline(StandardScaler(), made, last).fit(X, y), X)


@pytest.mark.filterwarnings("ignore")
def test_an_estimator_that_only_eliminates_needs_no_conversion() -> None:
    made = selection.RFE(Odd(), n_features_to_select=2)
    assert_exact(make_pipeline(made, LogisticRegression()).fit(X, SIDE), X)
    assert_refused(selection.RFE(Odd(), n_features_to_select=2).fit(X, SIDE), X, "Odd")


def test_parts_of_a_column_transformer() -> None:
    frame = pd.DataFrame(GAPS, columns=list("abcdef")).assign(t=RANDOM.choice(["x", "y"], 90))
    numbers = make_pipeline(SimpleImputer(), StandardScaler(), selection.SelectKBest(k=2))
    columns = make_column_transformer((numbers, list("abcef")), (OneHotEncoder(), ["t"]))

    assert_exact(make_pipeline(columns, LogisticRegression()).fit(frame, SIDE), frame)


@pytest.mark.filterwarnings("ignore")
def test_a_part_that_selects_nothing_adds_no_column() -> None:
    parts = [("none", selection.SelectFpr(alpha=1e-300)), ("all", StandardScaler())]
    made = FeatureUnion(parts).fit(X[:, 1:3], SIDE)
    assert made.transform(X[:, 1:3]).shape[1] == 2
    assert_exact(made, X[:, 1:3])


class EveryOther(selection.SelectorMixin, BaseEstimator):  # type: ignore[misc] # untyped there
    """A selector of one's own, as scikit-learn's guide has them."""

    def fit(self, X: Any, y: Any = None) -> Any:
        self.n_features_in_ = X.shape[1]
        return self

    def _get_support_mask(self) -> Any:
        return np.arange(self.n_features_in_) % 2 == 0


class Halved(EveryOther):
    def transform(self, X: Any) -> Any:
        return super().transform(X) / 2.0


def test_a_selector_of_ones_own_is_asked_for_its_columns() -> None:
    assert_exact(EveryOther().fit(X), X)
    assert_exact(Halved().fit(X), X)
