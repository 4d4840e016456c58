"""What changed between versions of scikit-learn: names, parameters, and what fit has left.

Where an older one computes otherwise with the same attributes, a converter asks for `FITTED_BY`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from inspect import signature
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.tree._tree import NODE_DTYPE

Version = tuple[int, ...]
State = dict[str, Any]
NEWEST: Version = (10**6,)
FITTED_BY = "_onnxlet_fitted_by"  # an attribute of what an older scikit-learn fitted
MODULES: Mapping[str, str] = {
    "_loss": "sklearn._loss._loss",  # as 1.5 calls it, and later ones
    "sklearn.neighbors._dist_metrics": "sklearn.metrics._dist_metrics",  # until 1.0
}
# Parameters until 1.1, and what fit has left by them.
PARAMETERS = {"base_estimator": "estimator", "sparse": "sparse_output"}
LOSSES = {
    "deviance": "log_loss",
    "log": "log_loss",
    "binary_crossentropy": "log_loss",
    "categorical_crossentropy": "log_loss",
    "ls": "squared_error",
    "least_squares": "squared_error",
    "squared_loss": "squared_error",
    "lad": "absolute_error",
    "least_absolute_deviation": "absolute_error",
}
# Attributes that nothing is answered by: their classes come and go.
NOT_ASKED = frozenset({
    "closs", "cv_results_", "loss_", "loss_function_", "multimetric_", "scorer_", "scoring",
    "_loss", "_optimizer", "_random_state", "_label_encoder", "train_score_",
})  # fmt: skip


def found(module: str, name: str) -> Any:
    """A class or function by its name, where it is today. Raises ImportError, AttributeError."""
    there = import_module(MODULES.get(module, module))
    first, *others = name.split(".")
    value = getattr(there, first if hasattr(there, first) else f"{first}64")  # distances, since 1.3
    for part in others:
        value = getattr(value, part)
    return value


def adapted(made: Any, state: Any, version: Version) -> Any:
    """The state of an object as today's class has it; None where it has been taken."""
    kind = type(made).__name__
    if not isinstance(state, dict):
        return state
    names = BY_ARGUMENTS.get(kind, ())
    if names and state.keys() >= set(names):
        made.__init__(*(state[name] for name in names))
        return None
    if isinstance(made, BaseEstimator):
        state = _with_parameters(made, state)
        state[FITTED_BY] = version
    for before, kinds, change in CHANGES:
        if version < before and kind in kinds:
            change(made, state)
    return state


def _with_parameters(made: Any, state: State) -> State:
    """The state with today's parameters: those that it lacks have their defaults."""
    known = signature(type(made)).parameters
    state = dict(state)
    for old, new in PARAMETERS.items():
        if old in state and old not in known:
            value = state.pop(old)
            if not (isinstance(value, str) and value == "deprecated"):
                state[new] = value
            if f"{old}_" in state:
                state[f"{new}_"] = state.pop(f"{old}_")
    if isinstance(loss := state.get("loss"), str):
        state["loss"] = LOSSES.get(loss, loss)
    defaults = {n: each.default for n, each in known.items() if each.default is not each.empty}
    return {**defaults, **state}


def _tree(made: Any, state: State) -> None:
    """Missing values have a side since 1.3; a classifier's values were rows' weights until 1.3."""
    nodes, values = state["nodes"], state["values"]
    state["nodes"] = np.zeros(len(nodes), dtype=NODE_DTYPE)
    for name in nodes.dtype.names:
        state["nodes"][name] = nodes[name]
    if values.shape[2] > 1:
        state["values"] = values / values.sum(axis=2, keepdims=True)


def _loss(made: Any, state: State) -> None:
    vars(made).update(state)
    state["_loss"] = made._get_loss(None)


def _isolation(made: Any, state: State) -> None:
    from sklearn.ensemble._iforest import _average_path_length

    trees = [each.tree_ for each in state["estimators_"]]
    state["_average_path_length_per_tree"] = tuple(
        _average_path_length(tree.n_node_samples) for tree in trees
    )
    state["_decision_path_lengths"] = tuple(tree.compute_node_depths() for tree in trees)


def _idf(made: Any, state: State) -> None:
    if "_idf_diag" in state:
        state["idf_"] = state.pop("_idf_diag").diagonal()


def _classes(made: Any, state: State) -> None:
    state.setdefault("classes_", state["_label_binarizer"].classes_)


def _empty(made: Any, state: State) -> None:
    begun = state["initial_imputer_"].statistics_
    empty = np.array([value != value for value in begun.tolist()])
    state.setdefault("_is_empty_feature", empty)


def _infrequent(made: Any, state: State) -> None:
    state.setdefault("_infrequent_enabled", False)
    if "drop_idx_" in state:
        state.setdefault("_drop_idx_after_grouping", state["drop_idx_"])


def _calibrated(made: Any, state: State) -> None:
    for old, new in (("base_estimator", "estimator"), ("calibrators_", "calibrators")):
        if old in state:
            state[new] = state.pop(old)


def _centroids(made: Any, state: State) -> None:
    """Until 1.5 the nearest counts, whatever the classes' sizes and spreads are."""
    count, width = state["centroids_"].shape
    state["class_prior_"] = np.full(count, 1 / count)
    state["within_class_std_dev_"] = np.ones(width)


BY_ARGUMENTS = {"BSpline": ("t", "c", "k", "extrapolate", "axis")}  # SciPy's
# Before which version, of which classes, what is done to the state.
CHANGES: tuple[tuple[Version, tuple[str, ...], Callable[[Any, State], None]], ...] = (
    ((1, 4), ("Tree",), _tree),
    ((1, 4), ("GradientBoostingClassifier", "GradientBoostingRegressor"), _loss),
    ((1, 3), ("IsolationForest",), _isolation),
    ((1, 5), ("TfidfTransformer",), _idf),
    (NEWEST, ("RidgeClassifier", "RidgeClassifierCV"), _classes),
    (NEWEST, ("IterativeImputer",), _empty),
    ((1, 3), ("OneHotEncoder", "OrdinalEncoder"), _infrequent),
    ((1, 3), ("_CalibratedClassifier",), _calibrated),
    ((1, 6), ("NearestCentroid",), _centroids),
)
