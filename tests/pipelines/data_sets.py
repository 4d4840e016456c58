"""Small real data sets, split and spoilt: gaps and categories never seen, as clients send them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

HERE = Path(__file__).parent / "data"
EXAMPLES = Path(__file__).parents[2] / "convert" / "examples" / "data"

Split = tuple[Any, Any, Any]  # X_train, X_test, y_train


def load(name: str, rows: int | None = None) -> pd.DataFrame:
    """A data set, or so many of its rows."""
    home = HERE if (HERE / f"{name}.csv.gz").is_file() else EXAMPLES
    frame = pd.read_csv(home / f"{name}.csv.gz")
    return frame.sample(min(rows or len(frame), len(frame)), random_state=0).reset_index(drop=True)


def split(X: Any, y: Any) -> Split:
    """Training rows, test rows, and what the training rows should be answered with."""
    X_train, X_test, y_train, _ = train_test_split(X, y, test_size=0.4, random_state=0)
    return X_train, X_test, y_train


def with_gaps(X: pd.DataFrame, columns: Sequence[str], share: float = 0.08) -> pd.DataFrame:
    """Missing values in some columns."""
    random, X = np.random.default_rng(1), X.copy()
    for column in columns:
        if X[column].dtype.kind in "iu":
            X[column] = X[column].astype("float64")
        X.loc[X.index[random.random(len(X)) < share], column] = None
    return X


def with_unseen(X: pd.DataFrame, columns: Sequence[str], share: float = 0.04) -> pd.DataFrame:
    """Categories that training never saw."""
    random, X = np.random.default_rng(2), X.copy()
    for column in columns:
        X.loc[X.index[random.random(len(X)) < share], column] = "never seen"
    return X


def ames(rows: int = 1500) -> tuple[pd.DataFrame, Any]:
    """House sales and their prices."""
    frame = load("ames", rows)
    return frame, frame.pop("Sale_Price")


def churn() -> tuple[pd.DataFrame, Any]:
    """Telecom customers, and whether they left: text."""
    frame = load("wa_churn", 3000)
    return frame, frame.pop("churn").to_numpy(dtype=object)


def mlc() -> tuple[pd.DataFrame, Any]:
    """Other telecom customers, and whether they left: 0 or 1."""
    frame = load("mlc_churn", 3000)
    return frame, (frame.pop("churn") == "yes").astype(int).to_numpy()


def credit() -> tuple[pd.DataFrame, Any]:
    """Loans with gaps, and whether they went well: a boolean."""
    frame = load("credit_data", 3000)
    return frame, (frame.pop("Status") == "good").to_numpy()


def attrition() -> tuple[pd.DataFrame, Any]:
    """Employees, and whether they left: a boolean."""
    frame = load("attrition")
    return frame, (frame.pop("Attrition") == "Yes").to_numpy()


def taxi() -> tuple[pd.DataFrame, Any]:
    """Taxi trips, and whether there was a tip."""
    frame = load("taxi", 4000)
    return frame, (frame.pop("tip") == "yes").astype(int).to_numpy()


def penguins() -> tuple[pd.DataFrame, Any]:
    """Penguins with gaps, and their species."""
    frame = load("penguins").drop(columns="year")
    return frame, frame.pop("species").to_numpy(dtype=object)


def movies() -> tuple[Any, Any]:
    """Sentences of film reviews, good or bad."""
    frame = load("movie_snippets", 2500)
    return frame[["text"]], np.where(frame["score"] > 0, "pos", "neg").astype(object)


def reviews() -> tuple[Any, Any]:
    """Chinese reviews, good or bad."""
    frame = load("zh_reviews", 2000)
    return frame[["text"]], frame["label"].to_numpy(dtype=object)


def numbers(X: pd.DataFrame) -> list[str]:
    """The columns of numbers."""
    return [str(column) for column in X if X[column].dtype.kind in "if"]


def texts(X: pd.DataFrame) -> list[str]:
    """The other columns."""
    return [str(column) for column in X if column not in numbers(X)]
