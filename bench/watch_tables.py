"""Real tables, and boosted models of them, whose watch is tried."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

from bench.training import FOLDERS, OF
from onnxlet.convert.sources.source import Source
from onnxlet.function.arrays import Array
from onnxlet.function.messages import Prediction
from onnxlet.function.models.model import Model
from tests.function.monitoring.faults import Roles
from tests.function.monitoring.models import answered, built

TREES = 60
# Of the tables that faults are made in.
ROLES: Mapping[str, Roles] = {
    "credit_data": Roles("Age", "Income", "Seniority", "Records", "Home", "Job"),
    "ames": Roles(
        "Gr_Liv_Area", "Lot_Frontage", "Total_Bsmt_SF", "Central_Air", "House_Style", "Neighborhood"
    ),
}


class Watched(NamedTuple):
    """A model of a real table, and its answers to all of its rows.

    Attributes:
        X: all columns but the target.
        model: built with a third of the rows to hold against.
        answers: to every row.
    """

    X: pd.DataFrame
    model: Model
    answers: Prediction


def read_table(name: str) -> tuple[pd.DataFrame, Array]:
    """A table that training is measured on: all columns but the target, and that."""
    path = next(path for folder in FOLDERS if (path := folder / f"{name}.csv.gz").exists())
    X = pd.read_csv(path)
    if name == "ames":  # this copy says 0 where the survey has no value
        X["Lot_Frontage"] = X["Lot_Frontage"].where(X["Lot_Frontage"] > 0).astype(np.float64)
    y = X.pop(OF[name].target).to_numpy()
    return X, y if OF[name].task == "regression" else y.astype(str)


def estimator(name: str) -> Any:
    """Boosted trees of all columns of a table, not fitted."""
    numbers = make_column_selector(dtype_include="number")
    others = make_column_selector(dtype_exclude="number")
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    columns = make_column_transformer(
        (SimpleImputer(strategy="median"), numbers),
        (make_pipeline(SimpleImputer(strategy="most_frequent"), codes), others),
    )
    of = HistGradientBoostingClassifier
    if OF[name].task == "regression":
        of = HistGradientBoostingRegressor
    return make_pipeline(columns, of(max_iter=TREES, random_state=0))


def watched(name: str, folder: Path) -> Watched:
    """A model of two thirds of a table's rows, and what it answers to all of them."""
    X, y = read_table(name)
    third = np.random.default_rng(0).permutation(len(X)) % 3 == 0
    fitted = estimator(name).fit(X[~third], y[~third])
    model = built(Source(fitted, X[third], y[third], X[~third]), folder, name)
    return Watched(X, model, answered(model, X))
