"""Unfitted pipelines: by family, of parameters and a seed.

What each kind of learner is meta of the columns are numbers, in forms that convert exactly. Every
form answers missing and unseen values: imputed, a category of their own, or left to the learner.
None of them learns of validation rows: targets are encoded out of fold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    VotingClassifier,
)
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import has_fit_parameter

from onnxlet.convert.estimators.images import Images
from onnxlet.convert.estimators.trend_and_rest import TrendAndRest
from onnxlet.convert.train.fitting import COPIES
from onnxlet.convert.train.kinds.category import CATEGORY, ENCODED
from onnxlet.convert.train.kinds.date import DATE
from onnxlet.convert.train.kinds.image import IMAGE
from onnxlet.convert.train.kinds.kind import Part, Wanted
from onnxlet.convert.train.kinds.profile import TableColumn
from onnxlet.convert.train.kinds.registry import FEATURES, KINDS, columns_encoded_as, columns_of
from onnxlet.convert.train.trials import Parameters

SIMILAR = 200  # training rows that a kernel's similarities are with
LEAVES = 28_000  # of all trees of a candidate: a leaf is about 30 bytes of ONNX
OF_FEATURES = ("counts", "pairs", "codes", "terms")  # as trees may have them
OF_ROWS = (*OF_FEATURES, "log", "augment", "fading")  # what is not the learner's own
# Before scikit-learn 1.7, which brought this parameter, none could stop on labels of text.
STOPS_ON_TEXT = has_fit_parameter(HistGradientBoostingClassifier, "X_val")


def linear_columns(columns: Sequence[TableColumn], wanted: Wanted) -> ColumnTransformer:
    """For linear models, perceptrons and neighbours: scaled numbers, and a column a category."""
    return ColumnTransformer(_parts("linear", columns, wanted))


def _parts(learner: str, columns: Sequence[TableColumn], wanted: Wanted) -> list[Part]:
    """Of the kinds that there are columns of, in the order in which the learner has them."""
    groups = [(kind, columns_encoded_as(columns, kind)) for kind in FEATURES[learner]]
    parts = [p for kind, some in groups if some for p in getattr(kind, learner)(some, wanted)]
    return [part for part in parts if part[2]]


def width_of(columns: Sequence[TableColumn]) -> int:
    """About so many columns a linear model has, without those of texts."""
    return sum(KINDS[one.kind].encoded_as.width(one) for one in columns if one.used)


def variance_of(columns: Sequence[TableColumn]) -> float:
    """About that of all columns of a linear model together, without those of texts."""
    return sum(KINDS[one.kind].encoded_as.variance(one) for one in columns if one.used)


@dataclass(frozen=True)
class MetaFeatures:
    """What is known of a table, and of what is wanted of it, before a candidate is made for it."""

    task: str  # binary, multiclass or regression
    columns: tuple[TableColumn, ...]
    rows: int
    classes: int  # 1 for regression
    absolute: bool  # the metric is of absolute errors, which the median answers best
    logged: bool  # the logarithm of the target is tried

    @property
    def regression(self) -> bool:
        """Numbers are predicted, no labels."""
        return self.task == "regression"


def constant(meta: MetaFeatures, parameters: Parameters, seed: int) -> Pipeline:
    """The classes' shares, or the mean or median of the target.

    Requests have images all the same: one step reads them.
    """
    model = DummyClassifier(strategy="prior")
    if meta.regression:
        model = DummyRegressor(strategy="median" if meta.absolute else "mean")
    images = columns_of(meta.columns, IMAGE)
    read = [(one.name, Images(1, 1), [one.name]) for one in images]
    columns = [("columns", ColumnTransformer(read))] if read else []
    return Pipeline([*columns, ("model", model)])


def linear(meta: MetaFeatures, parameters: Parameters, seed: int) -> Pipeline:
    """Ridge or logistic regression, of numbers, splines, categories and terms."""
    texts = ("words", "characters") if parameters.get("characters") else ("words",)
    wanted = Wanted(meta.rows, seed=seed, curves=parameters["curves"], texts=texts)
    columns = linear_columns(meta.columns, wanted)
    if meta.regression:
        return _whole(columns, Ridge(parameters["alpha"], random_state=seed), parameters)
    model = LogisticRegression(C=parameters["C"], max_iter=500, random_state=seed)
    return _whole(columns, model, parameters)


def trend(meta: MetaFeatures, parameters: Parameters, seed: int) -> Pipeline:
    """Ridge regression on dates only."""
    dates = columns_of(meta.columns, DATE)
    columns = linear_columns(dates, Wanted(meta.rows, seed=seed, seasons=False))
    return Pipeline([("columns", columns), ("model", Ridge(parameters["alpha"]))])


def trend_and_trees(meta: MetaFeatures, parameters: Parameters, seed: int) -> Pipeline:
    """A linear model, and LightGBM on what it leaves."""
    wanted = Wanted(meta.rows, seed=seed, curves=False, seasons=False)
    straight = linear_columns(meta.columns, wanted)
    first = Pipeline([("columns", straight), ("model", Ridge(parameters["alpha"]))])
    trees = {name: value for name, value in parameters.items() if name != "alpha"}
    rest = lightgbm(meta, {**trees, "n_jobs": 1}, seed)
    return Pipeline([("model", TrendAndRest(first, rest))])


def kernel(meta: MetaFeatures, parameters: Parameters, seed: int) -> Pipeline:
    """A linear model of similarities to some training rows: nearly a kernel machine."""
    similar = Nystroem(
        gamma=parameters["gamma"] / variance_of(meta.columns),
        n_components=SIMILAR,
        random_state=seed,
    )
    model: Any = Ridge(parameters["alpha"]) if meta.regression else None
    if model is None:
        model = LogisticRegression(C=parameters["C"], max_iter=500, random_state=seed)
    columns = _without_curves(meta, seed)
    whole = _whole(columns, model, parameters)
    return Pipeline([whole.steps[0], ("similar", similar), whole.steps[1]])


def lightgbm(meta: MetaFeatures, parameters: Parameters, seed: int) -> Pipeline:
    """LightGBM on one-hot columns and encoded targets."""
    from lightgbm import LGBMClassifier, LGBMRegressor

    settings = {
        **_without(parameters), "random_state": seed, "verbose": -1, "subsample_freq": 1,
        "deterministic": True, "force_row_wise": True,
    }  # fmt: skip
    if meta.regression and meta.absolute:
        settings["objective"] = "regression_l1"
    kind = LGBMRegressor if meta.regression else LGBMClassifier
    return _whole(_tree_columns(meta, parameters, seed), kind(**settings), parameters)


def catboost(meta: MetaFeatures, parameters: Parameters, seed: int) -> Pipeline:
    """CatBoost, with categories of its own unless there is text."""
    from catboost import CatBoostClassifier, CatBoostRegressor

    settings = {
        **_without(parameters), "random_seed": seed, "verbose": 0, "allow_writing_files": False,
    }  # fmt: skip
    if all(KINDS[one.kind].encoded_as in FEATURES["native"] for one in meta.columns if one.used):
        # A frame in which categories are whole numbers; and their names, which as a list could not
        # be cloned.
        wanted = Wanted(meta.rows, pairs=bool(parameters.get("pairs")))
        parts = _parts("native", meta.columns, wanted)
        columns = ColumnTransformer(parts, sparse_threshold=0.0).set_output(transform="pandas")
        categories = columns_encoded_as(meta.columns, CATEGORY)
        settings["cat_features"] = tuple(f"{ENCODED}__{one.name}" for one in categories)
    else:
        columns = _tree_columns(meta, parameters, seed)
    if meta.regression:
        settings["loss_function"] = "MAE" if meta.absolute else "RMSE"
    kind = CatBoostRegressor if meta.regression else CatBoostClassifier
    return _whole(columns, kind(**settings), parameters)


def xgboost(meta: MetaFeatures, parameters: Parameters, seed: int) -> Pipeline:
    """XGBoost, on the columns that LightGBM has.

    It takes labels only as whole numbers from 0: a vote of one encodes them.
    """
    from xgboost import XGBClassifier, XGBRegressor

    settings = {**_without(parameters), "random_state": seed, "tree_method": "hist"}
    if meta.regression and meta.absolute:
        settings["objective"] = "reg:absoluteerror"
    made: Any = XGBRegressor(**settings)
    if not meta.regression:
        made = VotingClassifier([("xgboost", XGBClassifier(**settings))], voting="soft")
    return _whole(_tree_columns(meta, parameters, seed), made, parameters)


def histogram(meta: MetaFeatures, parameters: Parameters, seed: int) -> Pipeline:
    """scikit-learn's histogram boosting, on the columns that LightGBM has."""
    settings = {**_without(parameters), "random_state": seed, "early_stopping": False}
    if meta.regression and meta.absolute:
        settings["loss"] = "absolute_error"
    kind = HistGradientBoostingRegressor if meta.regression else HistGradientBoostingClassifier
    return _whole(_tree_columns(meta, parameters, seed), kind(**settings), parameters)


def extra_trees(meta: MetaFeatures, parameters: Parameters, seed: int) -> Pipeline:
    """Extremely randomised trees, of bounded leaves."""
    trees = parameters["trees"]
    settings = {
        "n_estimators": trees, "random_state": seed,
        "min_samples_leaf": parameters["min_samples_leaf"],
        "max_features": parameters["max_features"],
        # A leaf has a weight for each class.
        "max_leaf_nodes": max(8, LEAVES // (trees * max(1, meta.classes // 2))),
    }  # fmt: skip
    kind = ExtraTreesRegressor if meta.regression else ExtraTreesClassifier
    return _whole(_tree_columns(meta, parameters, seed, filled=True), kind(**settings), parameters)


def perceptron(meta: MetaFeatures, parameters: Parameters, seed: int) -> Pipeline:
    """One hidden layer, stopped early on a tenth of the rows."""
    kind = MLPRegressor if meta.regression else MLPClassifier
    copies = bool(parameters.get("augment"))  # early stopping would look at copies of its rows
    model = kind(
        hidden_layer_sizes=(parameters["width"],), alpha=parameters["alpha"],
        learning_rate_init=0.003,
        batch_size=min(128, max(8, meta.rows // 10)), max_iter=100 // COPIES if copies else 100,
        early_stopping=(STOPS_ON_TEXT or meta.regression) and not copies,
        random_state=seed,
    )  # fmt: skip
    columns = _without_curves(meta, seed)
    whole: Any = model
    if meta.regression:  # a layer learns targets of the size of 1
        whole = TransformedTargetRegressor(model, transformer=StandardScaler())
    return Pipeline([("columns", columns), ("model", whole)])


def neighbours(meta: MetaFeatures, parameters: Parameters, seed: int) -> Pipeline:
    """Nearest neighbours, weighted by distance."""
    kind = KNeighborsRegressor if meta.regression else KNeighborsClassifier
    model = kind(parameters["neighbours"], weights="distance")
    columns = _without_curves(meta, seed)
    return Pipeline([("columns", columns), ("model", model)])


def _without_curves(meta: MetaFeatures, seed: int) -> ColumnTransformer:
    return linear_columns(meta.columns, Wanted(meta.rows, seed=seed, curves=False))


def _tree_columns(
    meta: MetaFeatures, parameters: Parameters, seed: int, *, filled: bool = False
) -> ColumnTransformer:
    """Numbers as they are, categories one-hot where few, else by their target."""
    chosen: dict[str, Any] = {name: bool(parameters.get(name)) for name in OF_FEATURES}
    wanted = Wanted(meta.rows, meta.task, seed, filled=filled, **chosen)
    return ColumnTransformer(_parts("trees", meta.columns, wanted), sparse_threshold=0.0)


def _without(parameters: Parameters) -> dict[str, Any]:
    return {name: value for name, value in parameters.items() if name not in OF_ROWS}


def _whole(columns: ColumnTransformer, model: Any, parameters: Parameters) -> Pipeline:
    """The pipeline; where its target is a logarithm, the last step takes it."""
    if parameters.get("log"):
        model = TransformedTargetRegressor(
            model, func=np.log1p, inverse_func=np.expm1, check_inverse=False
        )
    return Pipeline([("columns", columns), ("model", model)])
