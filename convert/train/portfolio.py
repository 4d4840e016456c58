"""The candidates of a table, in order of measured worth: all of them convert exactly.

Sizes are bounded here, not by the search: a candidate is at most about 1 MB of ONNX, so that an
ensemble of five stays below 5 MB, and one row takes well below 1 ms.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import skew

from onnxlet.convert.train import pipelines, spaces
from onnxlet.convert.train.kinds.category import CATEGORY, FEW
from onnxlet.convert.train.kinds.date import DATE
from onnxlet.convert.train.kinds.image import IMAGE
from onnxlet.convert.train.kinds.profile import TableColumn
from onnxlet.convert.train.kinds.registry import KINDS, columns_of
from onnxlet.convert.train.kinds.text import TEXT
from onnxlet.convert.train.pipelines import MetaFeatures, width_of
from onnxlet.convert.train.trials import Candidate, Parameters
from onnxlet.function.arrays import Array
from onnxlet.not_set_up import BOOSTERS, to_install

ABSOLUTE = ("absolute", "mae", "mape", "median")  # words in the names of metrics of the median
LATE, LATEST = 0.1, 0.02  # of all rows: a row weighs twice as much as one so many before it
SKEWED = 1.0  # skewness of a target beyond which its logarithm is tried
LARGER = 31  # leaves of a variant where trees have fewer
AUGMENTED = ("linear", "kernel", "perceptron", "LightGBM")
WITH_COPIES = ", augmented"
KEPT = 120_000  # numbers that nearest neighbours may keep: 8 bytes each of the model
ABSENT = {
    "catboost": "CatBoost is not installed: it is often the best on tables with categories",
    "xgboost": "XGBoost is not installed: it is one more for the ensemble",
    "lightgbm": "LightGBM is not installed: without it most of what the search tries is missing",
}


class Family(NamedTuple):
    """Candidates of one sort of learner."""

    make: Callable[[MetaFeatures, Parameters, int], Any]  # of parameters and a seed a pipeline
    space: Callable[[MetaFeatures, Any], dict[str, Any]] | None = None  # for a trial of Optuna's
    rounds: str | None = None  # the learner's parameter that counts boosting rounds
    library: str | None = None  # that need not be installed


FAMILIES = {
    "constant": Family(pipelines.constant),
    "linear": Family(pipelines.linear, spaces.linear),
    "trend": Family(pipelines.trend),
    "trend and trees": Family(pipelines.trend_and_trees, library="lightgbm"),
    "kernel": Family(pipelines.kernel, spaces.kernel),
    "LightGBM": Family(pipelines.lightgbm, spaces.lightgbm, "n_estimators", "lightgbm"),
    "CatBoost": Family(pipelines.catboost, spaces.catboost, "n_estimators", "catboost"),
    "XGBoost": Family(pipelines.xgboost, spaces.xgboost, "n_estimators", "xgboost"),
    "histogram boosting": Family(pipelines.histogram, spaces.histogram, "max_iter"),
    "extra trees": Family(pipelines.extra_trees, spaces.extra_trees),
    "perceptron": Family(pipelines.perceptron),
    "neighbours": Family(pipelines.neighbours),
}
LIBRARIES = {name: family.library for name, family in FAMILIES.items() if family.library}


def portfolio(
    task: str,  # binary, multiclass or regression
    columns: Sequence[TableColumn],
    rows: int,  # of training
    # The target of these, for sizes by the number of classes and for skewed targets; without it ten
    # classes are expected, and no logarithm is tried.
    y: Array | None = None,
    metric: str | None = None,  # the name of what the search optimises
    augment: bool = False,  # the best with images are there twice, the second with copies of rows
    by_time: bool = False,  # the rows are in its order, and later ones are to be predicted
) -> tuple[list[Candidate], list[str]]:
    """All candidates for a table, in order of worth, and notes on what absent libraries would add.

    The first two are the constant and the linear model.
    """
    expected = {"binary": 2, "multiclass": 10}.get(task, 1)
    classes = expected if y is None or task == "regression" else len(np.unique(y))
    absolute = any(word in (metric or "").lower() for word in ABSOLUTE)
    logged = task == "regression" and y is not None and is_skewed(y)
    meta = MetaFeatures(task, tuple(columns), rows, classes, absolute, logged)
    listed = [
        _candidate(meta, "constant", "constant", {}),
        _candidate(meta, "linear", "linear", {**_linear(meta), "log": False}),
        *(_of_a_history(meta) if by_time and task == "regression" else ()),
        *_by_worth(meta),
    ]
    if augment:
        listed = [each for one in listed for each in _with_and_without(meta, one)]
    absent = [name for name in ABSENT if not find_spec(name)]
    kept = [one for one in listed if LIBRARIES.get(one.family) not in absent]
    way = [to_install(BOOSTERS, "make train brings it.")] if absent else []
    return kept, [*(ABSENT[name] for name in absent), *way]


def _with_and_without(meta: MetaFeatures, candidate: Candidate) -> Iterator[Candidate]:
    yield candidate
    # A category that is encoded by its target must not see the copies of a row in other folds.
    encoded = columns_of(meta.columns, CATEGORY, where=lambda one: one.distinct > FEW)
    if candidate.name in AUGMENTED and not (encoded and candidate.family == "LightGBM"):
        yield replace(
            candidate.with_parameters({"augment": True}), name=f"{candidate.name}{WITH_COPIES}"
        )


def is_skewed(y: Array) -> bool:
    """Whether a target is positive and its logarithm is far more even than it is."""
    y = np.asarray(y, dtype=np.float64)
    if y.min() < 0 or y.std() == 0:
        return False
    before, after = skew(y), skew(np.log1p(y))
    return bool(before > SKEWED and abs(after) < before / 2)


def _candidate(meta: MetaFeatures, name: str, family: str, parameters: dict[str, Any]) -> Candidate:
    make, space, rounds, _ = FAMILIES[family]
    return Candidate(
        name, family, parameters, partial(make, meta), rounds,
        None if space is None else partial(space, meta),
    )  # fmt: skip


def _each(
    meta: MetaFeatures, name: str, family: str, parameters: dict[str, Any], *, both: bool = False
) -> Iterator[Candidate]:
    """Of the target's logarithm where that is tried, and with `both` of the target as well."""
    logs = [True, False] if meta.logged else [False]
    for log in logs if both else logs[:1]:
        named = f"{name}, log target" if log else name
        yield _candidate(meta, named, family, {**parameters, "log": log})


def _linear(meta: MetaFeatures) -> dict[str, Any]:
    """Weak penalties for numbers; for terms and pixels, which say little each, weaker ones."""
    little = any(KINDS[one.kind].is_faint for one in meta.columns if one.used)
    if meta.task == "regression":
        return {"curves": True, "alpha": 1.0 if little else 10.0}
    return {"curves": True, "C": 4.0 if little else 0.5}


def _of_a_history(meta: MetaFeatures) -> Iterator[Candidate]:
    """What goes on with a trend of numbers, where trees would stay at the last they have seen."""
    linear = {**_linear(meta), "log": False}
    yield _candidate(
        meta, "linear, later rows weigh more", "linear", {**linear, "curves": False, "fading": LATE}
    )
    if columns_of(meta.columns, DATE):
        yield _candidate(meta, "latest trend", "trend", {"alpha": 1.0, "fading": LATEST})
    trees = {**_lightgbm(meta), **_linear(meta)}
    del trees["curves"]
    yield _candidate(meta, "linear, trees on the rest", "trend and trees", trees)


def _by_worth(meta: MetaFeatures) -> Iterator[Candidate]:
    texts = bool(columns_of(meta.columns, TEXT))
    if texts:
        both_cuts = {**_linear(meta), "characters": True, "log": False}
        yield _candidate(meta, "linear, words and characters", "linear", both_cuts)
    if meta.logged:
        yield from _each(meta, "linear", "linear", _linear(meta))
    images = bool(columns_of(meta.columns, IMAGE))
    if images:
        penalty = {"alpha": 0.1} if meta.task == "regression" else {"C": 100.0}
        yield from _each(meta, "kernel", "kernel", {"gamma": 1.0, **penalty})
    # LightGBM is nearly as good as CatBoost, in a tenth of the time.
    usual = _lightgbm(meta)
    extra = {**usual, "extra_trees": True, "colsample_bytree": 0.4}
    yield from _each(meta, "LightGBM", "LightGBM", usual, both=True)
    yield from _each(meta, "LightGBM, extra trees", "LightGBM", extra)
    yield from _each(meta, "CatBoost", "CatBoost", _catboost(meta), both=True)
    yield from _each(meta, "XGBoost", "XGBoost", _xgboost(meta))
    yield from _each(meta, "histogram boosting", "histogram boosting", _histogram(meta))
    if not texts:
        yield _candidate(meta, "perceptron", "perceptron", {"width": 48, "alpha": 0.01})
    for name, parameters in _variants(meta, usual):
        yield from _each(meta, f"LightGBM, {name}", "LightGBM", parameters)
    forest = {"trees": 100, "min_samples_leaf": 5, "max_features": "sqrt"}
    yield from _each(meta, "extra trees", "extra trees", forest)
    if not texts and meta.rows * width_of(meta.columns) <= KEPT:
        yield _candidate(meta, "nearest neighbours", "neighbours", {"neighbours": 15})


def _variants(meta: MetaFeatures, usual: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Of LightGBM: with other columns, or trees such as larger tables get."""
    if spaces.are_paired(meta):
        yield "pairs", {**usual, "pairs": True}
    if spaces.are_coded(meta):
        yield "codes", {**usual, "counts": False, "codes": True}
    large = usual
    if usual["num_leaves"] < LARGER and meta.classes <= 4:
        large = {**usual, "num_leaves": LARGER, **_boosted(meta, LARGER, 0.05)}
        yield "large trees", large
    if spaces.have_terms(meta):  # another view of the text than all others have: for the ensemble
        yield "terms", {**large, "terms": True}


def _boosted(meta: MetaFeatures, leaves: int, slowest: float) -> dict[str, Any]:
    """Rounds within the size, and a learning rate that they suffice for."""
    rounds = spaces.rounds_of(meta, leaves)
    return {"n_estimators": rounds, "learning_rate": round(max(slowest, min(0.15, 20 / rounds)), 3)}


def _leaves(meta: MetaFeatures) -> int:
    """Of a tree: few where there are few rows, or many classes, each of which has its trees."""
    by_rows = 8 if meta.rows < 4_000 else 16 if meta.rows < 15_000 else 50
    return min(by_rows, 16) if meta.classes > 4 else by_rows


def _lightgbm(meta: MetaFeatures) -> dict[str, Any]:
    leaves = _leaves(meta)
    return {
        "num_leaves": leaves,
        "min_child_samples": spaces.least_of(meta, 10 if meta.task == "regression" else 40),
        "subsample": 0.75, "colsample_bytree": 0.8, "reg_lambda": 1.0, "counts": True,
        "pairs": False, "codes": False, "terms": False, **_boosted(meta, leaves, 0.04),
    }  # fmt: skip


def _catboost(meta: MetaFeatures) -> dict[str, Any]:
    # One-hot up to 12, and combinations of two: five times as fast as CatBoost's own 2 and 4, on
    # a table of 44 columns of categories. Half of its own 254 borders take two thirds of the time
    # and of the memory.
    return {
        "depth": 6, "l2_leaf_reg": 3.0, "one_hot_max_size": 12, "max_ctr_complexity": 2,
        "border_count": 128, "pairs": False, **_boosted(meta, 64, 0.08),
    }  # fmt: skip


def _xgboost(meta: MetaFeatures) -> dict[str, Any]:
    depth = 4 if meta.rows < 15_000 or meta.classes > 4 else 6
    return {
        "max_depth": depth, "min_child_weight": 3.0, "subsample": 0.8, "colsample_bytree": 0.6,
        "reg_lambda": 3.0, "pairs": False, "codes": False, "terms": False,
        **_boosted(meta, 2**depth, 0.05),
    }  # fmt: skip


def _histogram(meta: MetaFeatures) -> dict[str, Any]:
    leaves = 8 if meta.classes > 4 else 16
    boosted = _boosted(meta, leaves, 0.06)
    return {
        "max_leaf_nodes": leaves, "min_samples_leaf": spaces.least_of(meta, 20),
        "l2_regularization": 1.0, "max_iter": min(400, boosted["n_estimators"]),
        "learning_rate": boosted["learning_rate"],
    }  # fmt: skip
