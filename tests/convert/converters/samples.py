"""Small data: numbers, mixed columns, and targets of all kinds."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_diabetes, load_iris
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

random = np.random.default_rng(0)
ALL, SPECIES = load_iris(return_X_y=True)
ORDER = random.permutation(len(ALL))
X = np.round(ALL[ORDER] + random.normal(scale=0.3, size=ALL.shape), 1)
THREE = SPECIES[ORDER]
NAMES = np.array(["setosa", "versicolor", "virginica"])[THREE]
TWO = (THREE == 1).astype(int)
TEXT = np.array(["no", "yes"])[TWO]
LABELS = np.column_stack([TWO, THREE > 0, X[:, 0] > 5.8]).astype(int)
SEVERAL = np.column_stack([THREE, TWO + 5])
ROWS = np.vstack([X, X[:5] * 1e6, -X[:5] * 1e3, np.zeros((1, 4))])

X_REG, Y_REG = (part[:120] for part in load_diabetes(return_X_y=True))
X_REG = np.round(X_REG[:, :5] * 100, 1)
Y_TWO = np.column_stack([Y_REG, 300 - Y_REG + X_REG[:, 0]])
ROWS_REG = np.vstack([X_REG, X_REG[:5] * 1e6, np.zeros((1, 5))])

CLASSES = {
    "text": TEXT,
    "bool": TWO.astype(bool),
    "numbers": TWO * 3 - 1,
    "three": THREE * 10 + 5,
    "three text": NAMES,
    "floats": THREE.astype(float),
}

FRAME = pd.DataFrame(
    {
        "size": np.where(random.random(len(X)) < 0.1, np.nan, X[:, 0]),
        "colour": random.choice(["red", "green", "blue"], len(X)),
        "count": (X[:, 1] * 3).astype(int),
        "kind": np.where(random.random(len(X)) < 0.1, None, NAMES),
    }
).astype({"colour": object, "kind": object})

WORDS = ["good", "bad", "film", "plot", "actor", "boring", "great", "sad", "the", "of", "it"]
TEXTS = [" ".join(random.choice(WORDS, random.integers(1, 9))) for _ in X]
TEXTS = [text + ["", " awful", " lovely"][index] for text, index in zip(TEXTS, THREE, strict=True)]
TEXTS[0] = ""


def mixed(final: Any) -> Pipeline:
    """An estimator behind numbers with gaps and text, selected by name."""
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    texts = OneHotEncoder(handle_unknown="ignore")
    columns = make_column_transformer((numbers, ["size", "count"]), (texts, ["colour", "kind"]))
    return make_pipeline(columns, final)


def fit(estimator: Any, X: Any, y: Any = None, **parameters: Any) -> Any:
    """Fit, silent about solvers that stop early and classes that a fold lacks."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return estimator.fit(X, y, **parameters)
