"""Models of each form that a coverage is answered for, and of each that it is not."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from sklearn.cluster import KMeans
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import (
    BayesianRidge,
    LinearRegression,
    LogisticRegression,
    RidgeClassifier,
)

from onnxlet.convert.sources.source import Source
from onnxlet.function.arrays import Array

TRAINED = 300
CLASSES = ["high", "low", "mid"]


def rows(count: int, seed: int) -> Array:
    """Rows of three numbers."""
    return np.random.default_rng(seed).normal(size=(count, 3))


def numbers(X: Array, seed: int) -> Array:
    """Truths whose noise grows with the first column."""
    noise = np.random.default_rng(seed).normal(size=len(X))
    return np.asarray(3 * X[:, 0] + X[:, 1] + noise * (0.2 + np.exp(X[:, 0] / 2)))


def labels(X: Array, seed: int) -> Array:
    """One of three classes, which overlap."""
    shift = np.random.default_rng(seed).normal(size=len(X))
    return np.array(["low", "mid", "high"])[np.digitize(X[:, 0] + 0.7 * shift, [-0.5, 0.8])]


def held_out(seed: int = 1, count: int = 400) -> tuple[Array, Array, Array]:
    """Rows, numbers and labels that no model here was fitted on."""
    X = rows(count, seed)
    return X, numbers(X, seed + 1000), labels(X, seed + 2000)


@cache
def sources() -> dict[str, Source]:
    """Fitted estimators and their held-out rows, by name. Nobody changes them."""
    X_fit, y_fit, c_fit = held_out(0, TRAINED)
    X, y, c = held_out()
    many, y_many, _ = held_out(7, 1200)
    pairs_fit = np.column_stack([y_fit, X_fit[:, 2]])
    pairs = np.column_stack([y, X[:, 2] + 0.1 * y])
    forest = RandomForestClassifier(3, max_depth=3, random_state=0)
    line = LinearRegression().fit(X_fit, y_fit)
    classifier = LogisticRegression().fit(X_fit, c_fit)
    return {
        "line": Source(line, X, y),
        "adaptive": Source(line, many, y_many),
        "std": Source(BayesianRidge().fit(X_fit, y_fit), X, y),
        "two": Source(LinearRegression().fit(X_fit, pairs_fit), X, pairs),
        "classes": Source(classifier, X, c),
        "plain": Source(line, X),
        "few": Source(line, X[:19], y[:19]),
        "clusters": Source(KMeans(3, random_state=0).fit(X_fit), X),
        "scores": Source(RidgeClassifier().fit(X_fit, c_fit), X, c),
        "many-labels": several(forest, X_fit, X),
    }


def several(forest: Any, X_fit: Array, X: Array) -> Source:
    """A classifier that answers two labels for each row."""
    return Source(forest.fit(X_fit, (X_fit[:, :2] > 0).astype(int)), X, (X[:, :2] > 0).astype(int))
