"""What Optuna may try of each family: every choice stays within the bounds of size."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from onnxlet.convert.train.kinds.category import CATEGORY, FEW
from onnxlet.convert.train.kinds.number import NUMBER
from onnxlet.convert.train.kinds.registry import columns_encoded_as, columns_of
from onnxlet.convert.train.kinds.text import TEXT, plain_terms
from onnxlet.convert.train.pipelines import LEAVES, MetaFeatures

MOST_ROUNDS, FEWEST_ROUNDS = 1_000, 60


def linear(meta: MetaFeatures, trial: Any) -> dict[str, Any]:
    """The penalty, splines or none."""
    curves = trial.suggest_categorical("curves", [True, False])
    penalty = _penalty(meta, trial, alpha=(1e-2, 1e3), C=(1e-3, 1e2))
    return {"curves": curves, **penalty, **_target_form(meta, trial)}


def kernel(meta: MetaFeatures, trial: Any) -> dict[str, Any]:
    """How far similarity reaches, and the penalty."""
    gamma = trial.suggest_float("gamma", 0.1, 10.0, log=True)
    penalty = _penalty(meta, trial, alpha=(1e-4, 1e1), C=(1.0, 1e4))
    return {"gamma": gamma, **penalty, **_target_form(meta, trial)}


def _penalty(meta: MetaFeatures, trial: Any, **ends: tuple[float, float]) -> dict[str, Any]:
    """`alpha` of a regressor, `C` of a classifier, between such ends."""
    name = "alpha" if meta.regression else "C"
    return {name: trial.suggest_float(name, *ends[name], log=True)}


def lightgbm(meta: MetaFeatures, trial: Any) -> dict[str, Any]:
    """Sizes of trees and steps, how rows and columns are sampled, penalties, features."""
    leaves = trial.suggest_int("num_leaves", 4, 64, log=True)
    return {
        "num_leaves": leaves,
        "learning_rate": trial.suggest_float("learning_rate", 0.02, 0.15, log=True),
        "n_estimators": rounds_of(meta, leaves),
        "min_child_samples": trial.suggest_int(
            "min_child_samples", 4, least_of(meta, 100), log=True
        ),
        "subsample": trial.suggest_float("subsample", 0.5, 1.0),
        "colsample_bytree": trial.suggest_float("colsample_bytree", 0.3, 1.0),
        "reg_lambda": trial.suggest_float("reg_lambda", 1e-2, 30.0, log=True),
        "extra_trees": trial.suggest_categorical("extra_trees", [True, False]),
        **_column_features(meta, trial, *MAY),
        **_target_form(meta, trial),
    }


def catboost(meta: MetaFeatures, trial: Any) -> dict[str, Any]:
    """Depth, steps, penalties. Not columns sampled for a tree: that doubles the memory of a fit."""
    depth = trial.suggest_int("depth", 2, deepest_of(meta))
    return {
        "depth": depth,
        "learning_rate": trial.suggest_float("learning_rate", 0.03, 0.2, log=True),
        "n_estimators": rounds_of(meta, 2**depth),
        "l2_leaf_reg": trial.suggest_float("l2_leaf_reg", 0.5, 30.0, log=True),
        "random_strength": trial.suggest_float("random_strength", 0.1, 10.0, log=True),
        **_column_features(meta, trial, "pairs"),
        **_target_form(meta, trial),
    }


def xgboost(meta: MetaFeatures, trial: Any) -> dict[str, Any]:
    """Depth, steps, penalties, how rows and columns are sampled."""
    depth = trial.suggest_int("max_depth", 2, deepest_of(meta))
    return {
        "max_depth": depth,
        "learning_rate": trial.suggest_float("learning_rate", 0.03, 0.2, log=True),
        "n_estimators": rounds_of(meta, 2**depth),
        # By two classes' probabilities a row weighs a quarter at most.
        "min_child_weight": trial.suggest_float(
            "min_child_weight", 0.5, least_of(meta, 60) / 4, log=True
        ),
        "subsample": trial.suggest_float("subsample", 0.5, 1.0),
        "colsample_bytree": trial.suggest_float("colsample_bytree", 0.3, 1.0),
        "reg_lambda": trial.suggest_float("reg_lambda", 1e-2, 30.0, log=True),
        **_column_features(meta, trial, *MAY),
        **_target_form(meta, trial),
    }


def histogram(meta: MetaFeatures, trial: Any) -> dict[str, Any]:
    """Sizes of trees and steps, and the penalty."""
    leaves = trial.suggest_int("max_leaf_nodes", 4, 40, log=True)
    return {
        "max_leaf_nodes": leaves,
        "learning_rate": trial.suggest_float("learning_rate", 0.03, 0.2, log=True),
        "max_iter": min(500, rounds_of(meta, leaves)),
        "min_samples_leaf": trial.suggest_int("min_samples_leaf", 4, least_of(meta, 60), log=True),
        "l2_regularization": trial.suggest_float("l2_regularization", 1e-2, 30.0, log=True),
        **_target_form(meta, trial),
    }


def extra_trees(meta: MetaFeatures, trial: Any) -> dict[str, Any]:
    """How many columns a split looks at, and the least of rows in a leaf."""
    return {
        "min_samples_leaf": trial.suggest_int("min_samples_leaf", 1, 12, log=True),
        "max_features": trial.suggest_float("max_features", 0.1, 1.0),
        **_target_form(meta, trial),
    }


def rounds_of(meta: MetaFeatures, leaves: int) -> int:
    """As many rounds as the size allows for trees of so many leaves."""
    return max(FEWEST_ROUNDS, min(MOST_ROUNDS, LEAVES // (leaves * _trees(meta))))


def deepest_of(meta: MetaFeatures) -> int:
    """The depth of trees of which the fewest rounds are within the size: 2 to 8."""
    return max(2, min(8, int(math.log2(LEAVES / (FEWEST_ROUNDS * _trees(meta))))))


def _trees(meta: MetaFeatures) -> int:
    """Of a round: one for each class, but one for two."""
    return meta.classes if meta.classes > 2 else 1


def least_of(meta: MetaFeatures, rows: int) -> int:
    """So many rows of a leaf, or fewer where there are few: a tree is to split at all."""
    return max(5, min(rows, meta.rows // 20))


def are_paired(meta: MetaFeatures) -> bool:
    """Whether there are numbers for arithmetic of pairs."""
    return len(columns_encoded_as(meta.columns, NUMBER)) > 1


def are_coded(meta: MetaFeatures) -> bool:
    """Whether there are categories that trees may have by their positions."""
    return bool(columns_of(meta.columns, CATEGORY, where=lambda one: one.distinct > FEW))


def have_terms(meta: MetaFeatures) -> bool:
    """Whether there is text of which trees may have the terms as they are."""
    return plain_terms(len(columns_of(meta.columns, TEXT)), meta.rows) > 0


MAY: Mapping[str, Callable[[MetaFeatures], bool]] = {
    "pairs": are_paired,
    "codes": are_coded,
    "terms": have_terms,
}


def _column_features(meta: MetaFeatures, trial: Any, *names: str) -> dict[str, Any]:
    """Forms of the columns, those that there are columns for."""
    return {
        name: trial.suggest_categorical(name, [True, False]) for name in names if MAY[name](meta)
    }


def _target_form(meta: MetaFeatures, trial: Any) -> dict[str, Any]:
    return {"log": trial.suggest_categorical("log", [True, False])} if meta.logged else {}
