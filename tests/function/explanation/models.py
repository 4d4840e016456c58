"""Small models of every task, and what is explained of each."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.cluster import KMeans
from sklearn.compose import make_column_transformer
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingRegressor, IsolationForest, VotingClassifier
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.mixture import GaussianMixture
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from onnxlet.convert.sources.source import Source

X = np.random.default_rng(11).normal(size=(80, 3))
Y = X[:, 0] * X[:, 1] + np.sin(X[:, 2])
THREE = np.digitize(Y, [-0.5, 0.5])
NAMED = np.array(["low", "middle", "high"])[THREE]


class Explained(NamedTuple):
    """An estimator, and what of it is explained.

    Attributes:
        estimator: fitted on X.
        output: its name.
        classes: as the answer has them.
        numbers: what the estimator says itself, of shape (rows, numbers) or (rows,).
    """

    estimator: Any
    output: str
    classes: list[Any] | None
    numbers: Callable[[Any], Any]


def background_rows(folder: Path, name: str) -> list[list[Any]]:
    """Those of version 1 of a model."""
    content = (folder / name / "1" / "background.json").read_bytes()
    rows: list[list[Any]] = json.loads(content)["instances"]
    return rows


def one_hot(labels: Any, classes: Any) -> Any:
    return np.asarray(labels)[:, None] == np.asarray(classes)


def tasks() -> dict[str, Explained]:
    """By name."""
    logistic = LogisticRegression().fit(X, THREE)
    named = DecisionTreeClassifier(max_depth=4, random_state=0).fit(X, NAMED)
    ridge, yes = RidgeClassifier().fit(X, NAMED), RidgeClassifier().fit(X, Y > 0)
    pairs = SVC(decision_function_shape="ovo").fit(X, NAMED)
    votes = VotingClassifier([("a", logistic), ("b", named)]).fit(X, NAMED)
    both = DecisionTreeClassifier(max_depth=3, random_state=0)
    both.fit(X, np.stack([THREE, (Y > 0).astype(int)], axis=1))
    line = LinearRegression().fit(X, Y)
    two = DecisionTreeRegressor(max_depth=4, random_state=0).fit(X, np.stack([Y, X[:, 0]], axis=1))
    clusters = KMeans(3, n_init=1, random_state=0).fit(X)
    mixture = GaussianMixture(2, random_state=0).fit(X)
    forest = IsolationForest(n_estimators=10, random_state=0).fit(X)
    axes = PCA(2).fit(X)
    names = ["high", "low", "middle"]
    return {
        "probabilities": Explained(logistic, "probabilities", [0, 1, 2], logistic.predict_proba),
        "text labels": Explained(named, "probabilities", names, named.predict_proba),
        "scores of each class": Explained(ridge, "score", names, ridge.decision_function),
        "scores of pairs": Explained(pairs, "score", None, pairs.decision_function),
        "one score": Explained(yes, "score", None, yes.decision_function),
        "labels alone": Explained(
            votes, "prediction", names, lambda rows: one_hot(votes.predict(rows), names)
        ),
        "two outputs with classes": Explained(
            both,
            "probabilities",
            [[0, 1, 2], [0, 1]],
            lambda rows: np.hstack(both.predict_proba(rows)),
        ),
        "a number": Explained(line, "prediction", None, line.predict),
        "two numbers": Explained(two, "prediction", None, two.predict),
        "clusters": Explained(
            clusters,
            "prediction",
            [0, 1, 2],
            lambda rows: one_hot(clusters.predict(rows), [0, 1, 2]),
        ),
        "parts of a mixture": Explained(mixture, "probabilities", None, mixture.predict_proba),
        "outliers": Explained(forest, "score", None, forest.decision_function),
        "transformed columns": Explained(axes, "prediction", None, axes.transform),
    }


def with_gaps() -> Source:
    """Numbers, some of them missing, whole numbers, and booleans; in a boosted regressor."""
    random = np.random.default_rng(12)
    frame = pd.DataFrame(
        {
            "a": np.where(random.random(80) < 0.3, np.nan, X[:, 0]),
            "b": X[:, 1],
            "c": (3 * X[:, 2]).astype(int),
            "d": X[:, 0] > 0,
        }
    )
    model = HistGradientBoostingRegressor(max_iter=8, max_leaf_nodes=4, min_samples_leaf=5)
    return Source(model.fit(frame, Y), frame)


GOOD = ["good film", "a very good story", "good, but slow", "the best film", "good acting"]
BAD = ["bad film", "a very bad story", "bad and slow", "the worst film", "not good at all"]
TEXTS = [*GOOD, *BAD] * 4
LIKED = ([True] * 5 + [False] * 5) * 4


def texts() -> Source:
    """Tf-idf of words and pairs of words, of only texts."""
    model = make_pipeline(TfidfVectorizer(ngram_range=(1, 2)), LogisticRegression())
    return Source(model.fit(TEXTS, LIKED), TEXTS)


def mixed() -> Source:
    """A number with gaps, a category, two columns of text, and one that is dropped."""
    random = np.random.default_rng(13)
    frame = pd.DataFrame(
        {
            "price": np.where(np.arange(40) % 7 == 0, np.nan, random.normal(10, 3, 40).round(2)),
            "kind": random.choice(["new", "used"], 40),
            "title": TEXTS,
            "note": random.choice(["red", "blue", "red or blue"], 40),
            "id": [f"row {n}" for n in range(40)],
        }
    )
    columns = make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), ["price"]),
        (OneHotEncoder(handle_unknown="ignore"), ["kind"]),
        (CountVectorizer(), "title"),
        (CountVectorizer(analyzer="char", ngram_range=(1, 2)), "note"),
    )
    model = make_pipeline(columns, LogisticRegression())
    return Source(model.fit(frame, np.where(LIKED, "liked", "not")), frame)


def read_twice() -> Source:
    """A column of text that is counted, and is a category, too."""
    columns = make_column_transformer(
        (CountVectorizer(), "title"), (OneHotEncoder(handle_unknown="ignore"), ["title"])
    )
    frame = pd.DataFrame({"title": TEXTS})
    return Source(make_pipeline(columns, LogisticRegression()).fit(frame, LIKED), frame)
