"""The bench's models, on scikit-learn's breast cancer data: 569 rows, 30 numbers, two classes."""

from __future__ import annotations

from typing import Any

from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from bench.texts import texts


def breast_cancer_split() -> Any:
    """X_train, X_test, y_train and y_test."""
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    return train_test_split(X, y, random_state=0)


def breast_cancer_train() -> tuple[Any, Any]:
    """The training rows and their classes."""
    X_train, _, y_train, _ = breast_cancer_split()
    return X_train, y_train


def _fitted(estimator: Any) -> tuple[Any, Any, Any]:
    X_train, X_test, y_train, y_test = breast_cancer_split()
    return estimator.fit(X_train, y_train), X_test, y_test


def logistic() -> tuple[Any, Any, Any]:
    """A scaler and a logistic regression."""
    return _fitted(make_pipeline(StandardScaler(), LogisticRegression()))


def forest() -> tuple[Any, Any, Any]:
    """A random forest of 200 trees."""
    return _fitted(RandomForestClassifier(n_estimators=200, random_state=0))


def array() -> tuple[Any, Any, Any]:
    """The logistic regression, fitted on arrays: one tensor goes in."""
    estimator, X_test, y_test = logistic()
    X_train, y_train = breast_cancer_train()
    return estimator.fit(X_train.to_numpy(), y_train), X_test.to_numpy(), y_test


MODELS = {"logistic": logistic, "forest": forest, "array": array, "texts": texts}
