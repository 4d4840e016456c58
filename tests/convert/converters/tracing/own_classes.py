"""Estimators as users write them, in NumPy's and in pandas' style, without a converter."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, TransformerMixin
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_array, check_is_fitted, validate_data


class Own(TransformerMixin, BaseEstimator):  # type: ignore[misc] # scikit-learn has no types
    """Learns what its class learns, and what its columns are called."""

    def fit(self, X: Any, y: Any = None) -> Any:
        self.learn(X, y)
        made = self.transform(X)
        numbered = [f"{type(self).__name__.lower()}{n}" for n in range(made.shape[1])]
        self.names_ = list(made.columns) if hasattr(made, "columns") else numbered
        return self

    def learn(self, X: Any, y: Any) -> None:
        """Nothing."""

    def transform(self, X: Any) -> Any:
        raise NotImplementedError

    def get_feature_names_out(self, input_features: Any = None) -> Any:
        return np.array(self.names_, dtype=object)


class Ratio(Own):
    def __init__(self, least: float = 1e-3) -> None:
        self.least = least

    def learn(self, X: Any, y: Any) -> None:
        validate_data(self, X)

    def transform(self, X: Any) -> Any:
        check_is_fitted(self)
        X = validate_data(self, X, reset=False)
        return np.column_stack([X, X[:, 0] / np.maximum(X[:, 1], self.least)])


class Logarithm(Own):
    def transform(self, X: Any) -> Any:
        return np.log1p(X)


class ClippedByQuantiles(Own):
    def __init__(self, share: float = 0.1) -> None:
        self.share = share

    def learn(self, X: Any, y: Any) -> None:
        self.low_, self.high_ = np.quantile(X, [self.share, 1 - self.share], axis=0)

    def transform(self, X: Any) -> Any:
        check_is_fitted(self, ["low_", "high_"])
        X = check_array(X, dtype=np.float64, copy=True)
        return np.clip(X, self.low_, self.high_)


class MeanOfGroup(Own):
    def learn(self, X: Any, y: Any) -> None:
        self.means_ = X.groupby("g")["a"].mean().to_dict()
        self.default_ = float(X["a"].mean())

    def transform(self, X: Any) -> Any:
        X = X.copy()
        X["mean"] = X["g"].map(self.means_).fillna(self.default_)
        return X[["a", "mean"]]


class Frequency(Own):
    def learn(self, X: Any, y: Any) -> None:
        self.shares_ = {name: X[name].value_counts(normalize=True) for name in ["g", "h"]}

    def transform(self, X: Any) -> Any:
        made = {name: X[name].map(share).fillna(0.0) for name, share in self.shares_.items()}
        return pd.DataFrame(made)


class RareToOther(Own):
    def __init__(self, least: float = 0.1) -> None:
        self.least = least

    def learn(self, X: Any, y: Any) -> None:
        shares = X["g"].value_counts(normalize=True)
        self.frequent_ = set(shares[shares >= self.least].index)

    def transform(self, X: Any) -> Any:
        return X[["g"]].assign(g=np.where(X["g"].isin(self.frequent_), X["g"], "other"))


class Winsorised(Own):
    def __init__(self, columns: Any = ("a", "b")) -> None:
        self.columns = columns

    def learn(self, X: Any, y: Any) -> None:
        self.limits_ = {one: (X[one].quantile(0.05), X[one].quantile(0.95)) for one in self.columns}

    def transform(self, X: Any) -> Any:
        X = X[list(self.columns)].copy()
        for column, (low, high) in self.limits_.items():
            X[column] = X[column].clip(lower=low, upper=high)
        return X


class AboveMedian(Own):
    def learn(self, X: Any, y: Any) -> None:
        self.medians_ = X.median()

    def transform(self, X: Any) -> Any:
        return (X - self.medians_ > 0).astype(int)


class Cyclical(Own):
    def __init__(self, period: float = 24) -> None:
        self.period = period

    def transform(self, X: Any) -> Any:
        angle = self._angle(np.asarray(X, dtype=float))
        return np.hstack([np.sin(angle), np.cos(angle)])

    def _angle(self, X: Any) -> Any:
        return 2 * np.pi * X / self.period


class Interactions(Own):
    def __init__(self, pairs: Any = (("a", "b"), ("b", "c"))) -> None:
        self.pairs = pairs

    def transform(self, X: Any) -> Any:
        made = X.copy()
        for one, other in self.pairs:
            made[f"{one}*{other}"] = X[one] * X[other]
        return made


class WithoutCorrelated(Own):
    def learn(self, X: Any, y: Any) -> None:
        found = np.triu(X.corr().abs().to_numpy(), 1)
        self.dropped_ = X.columns[(found > 0.9).any(axis=0)]

    def transform(self, X: Any) -> Any:
        return X.drop(columns=self.dropped_)


class Digitised(Own):
    def learn(self, X: Any, y: Any) -> None:
        self.edges_ = [np.quantile(column, [0.25, 0.5, 0.75]) for column in np.asarray(X).T]

    def transform(self, X: Any) -> Any:
        X = check_array(X)
        return np.column_stack([np.digitize(X[:, n], one) for n, one in enumerate(self.edges_)])


class Cut(Own):
    def learn(self, X: Any, y: Any) -> None:
        self.bins_ = [-np.inf, *X["a"].quantile([0.3, 0.6]), np.inf]

    def transform(self, X: Any) -> Any:
        bins = pd.cut(X["a"], self.bins_, labels=["low", "middle", "high"])
        return pd.DataFrame({"bin": bins})


class LengthAndWords(Own):
    def transform(self, X: Any) -> Any:
        text = X["text"]
        made = {"length": text.str.len(), "words": text.str.split().str.len()}
        return pd.DataFrame(made).assign(dashes=text.str.split("-").str.len())


class LengthAndWordsOfEach(Own):
    def __init__(self, marks: str = "!?") -> None:
        self.marks = marks

    def transform(self, X: Any) -> Any:
        return np.array([self._of(text) for text in X["text"]])

    def _of(self, text: str) -> Any:
        return [len(text), len(text.split()), sum(text.count(mark) for mark in self.marks)]


class Pattern(Own):
    def __init__(self, pattern: str = r"(\d{1,5})") -> None:
        self.pattern = pattern

    def transform(self, X: Any) -> Any:
        number = X["text"].str.extract(self.pattern, expand=False)
        return pd.DataFrame({"has": number.notna() * 1, "n": number.fillna("0").astype(float)})


class Cleaned(Own):
    def transform(self, X: Any) -> Any:
        X = X.copy()
        for name in X.columns:
            X[name] = X[name].str.strip().str.lower().str.replace("-", " ", regex=False)
        return X


class ImputedByGroup(Own):
    def learn(self, X: Any, y: Any) -> None:
        self.medians_ = X.groupby("g")["a"].median()
        self.all_ = X["a"].median()

    def transform(self, X: Any) -> Any:
        X = X.copy()
        X["a"] = X["a"].fillna(X["g"].map(self.medians_)).fillna(self.all_)
        return X[["a"]]


class ScoreInGroup(Own):
    def learn(self, X: Any, y: Any) -> None:
        self.stats_ = X.groupby("g")["a"].agg(["mean", "std"])

    def transform(self, X: Any) -> Any:
        X = X.merge(self.stats_, left_on="g", right_index=True, how="left")
        return ((X["a"] - X["mean"]) / X["std"]).fillna(0.0).to_frame("z")


class Days(Own):
    def transform(self, X: Any) -> Any:
        return (X["end"] - X["start"]).dt.days.to_frame("days")


class Weighted(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    def fit(self, X: Any, y: Any) -> Any:
        design = np.column_stack([np.ones(len(X)), np.asarray(X)])
        self.weights_ = np.linalg.lstsq(design, np.asarray(y, dtype=float), rcond=None)[0]
        return self

    def predict(self, X: Any) -> Any:
        return check_array(X) @ self.weights_[1:] + self.weights_[0]


class Thresholded(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    def __init__(self, threshold: float = 0.3) -> None:
        self.threshold = threshold

    def fit(self, X: Any, y: Any) -> Any:
        self.model_ = LogisticRegression().fit(X, np.where(y > np.median(y), "yes", "no"))
        self.classes_ = self.model_.classes_
        return self

    def predict_proba(self, X: Any) -> Any:
        return self.model_.predict_proba(X)

    def predict(self, X: Any) -> Any:
        return self.classes_[(self.predict_proba(X)[:, 1] > self.threshold).astype(int)]


class MeanOfTarget(Own):
    """With pandas' apply."""

    def learn(self, X: Any, y: Any) -> None:
        self.means_ = pd.Series(y, index=X.index).groupby(X["g"]).mean().to_dict()
        self.default_ = float(np.mean(y))

    def transform(self, X: Any) -> Any:
        return X["g"].apply(lambda group: self.means_.get(group, self.default_)).to_frame()


class Standardised(Own):
    """A transformer inside."""

    def learn(self, X: Any, y: Any) -> None:
        self.scaler_ = StandardScaler().fit(X)

    def transform(self, X: Any) -> Any:
        return np.clip(self.scaler_.transform(X), -2, 2)
