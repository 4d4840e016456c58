"""The bench's models, of scikit-learn's breast cancer data and of film reviews.

The former has 569 rows of 30 numbers, and two classes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from onnxlet.convert.examples.sentiment_english import DATA

Fitted = dict[str, tuple[Any, Any, Any]]  # by name: an estimator, held-out rows, their answers


def breast_cancer_split() -> Any:
    """X_train, X_test, y_train and y_test."""
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    return train_test_split(X, y, random_state=0)


def without_names(estimator: Any) -> Any:
    """The same, fitted on arrays."""
    from sklearn.base import clone

    X, _, y, _ = breast_cancer_split()
    return clone(estimator).fit(X.to_numpy(), y)


def _fitted(estimator: Any) -> tuple[Any, Any, Any]:
    X_train, X_test, y_train, y_test = breast_cancer_split()
    return estimator.fit(X_train, y_train), X_test, y_test


def logistic() -> tuple[Any, Any, Any]:
    """A scaler and a logistic regression."""
    return _fitted(make_pipeline(StandardScaler(), LogisticRegression()))


def forest() -> tuple[Any, Any, Any]:
    """A random forest of 200 trees."""
    return _fitted(RandomForestClassifier(n_estimators=200, random_state=0))


def texts() -> tuple[Any, Any, Any]:
    """Tf-idf of words and pairs of words of film reviews, and a logistic regression."""
    frame = pd.read_csv(DATA)
    good = np.where(frame["score"] > 0, "good", "bad")
    vectoriser = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
    model = make_pipeline(vectoriser, LogisticRegression(max_iter=300))
    return model.fit(frame["text"][:9000], good[:9000]), frame["text"][9000:], good[9000:]


MODELS = {"logistic": logistic, "forest": forest, "texts": texts}
