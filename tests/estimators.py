"""Small fitted estimators, one for each kind of column and task that the tests need."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_iris
from sklearn.ensemble import IsolationForest, RandomForestClassifier
from sklearn.linear_model import (
    BayesianRidge,
    LinearRegression,
    LogisticRegression,
    RidgeClassifier,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from onnxlet.convert.sources.source import Source


def iris() -> Source:
    """A bare array of four numbers, three classes that are whole numbers."""
    X, y = load_iris(return_X_y=True)
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X[::2], y[::2])
    return Source(model, X[1::2], y[1::2])


def shop() -> Source:
    """A column of every type, one closed to its categories, one dropped; labels are booleans."""
    random = np.random.default_rng(3)
    count = 300
    X = pd.DataFrame(
        {
            "Preis (€)": random.normal(10, 3, count).round(2),
            "count": random.integers(0, 9, count),
            "new": random.random(count) < 0.5,
            "色": random.choice(["红", "绿", "蓝"], count),
            "note": random.choice(["a", "b"], count),
        }
    )
    y = (X["Preis (€)"] + X["count"] + 3 * X["new"] + 2 * (X["色"] == "红")) > 17
    columns = make_column_transformer(
        (StandardScaler(), ["Preis (€)", "count"]),
        ("passthrough", ["new"]),
        (OneHotEncoder(), ["色"]),
    )
    model = make_pipeline(columns, LogisticRegression()).fit(X[:200], y[:200])
    return Source(model, X[200:], y[200:], X[:200])


def every_task() -> dict[str, Source]:
    """A small model of each task, and of each form that answers have."""
    random = np.random.default_rng(0)
    X = random.normal(size=(120, 3))
    y = np.where(X[:, 0] > 0, "yes", "no")
    names = np.column_stack([y, np.where(X[:, 1] > 0, "up", "down")])
    forest = RandomForestClassifier(3, random_state=0)
    fitted = {
        "clusters": KMeans(3, random_state=0).fit(X),
        "deviation": BayesianRidge().fit(X, X[:, 0]),
        "outliers": IsolationForest(n_estimators=5, random_state=0).fit(X),
        "scores": RidgeClassifier().fit(X, y),
        "several-labels": clone(forest).fit(X, (X[:, :2] > 0).astype(int)),
        "several-outputs": clone(forest).fit(X, names),
        "transformed": StandardScaler().fit(X),
        "two-numbers": LinearRegression().fit(X, X[:, :2]),
    }
    return {name: Source(estimator, X) for name, estimator in fitted.items()}
