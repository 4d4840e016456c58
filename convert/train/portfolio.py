"""The candidates of a table, in order of measured worth: all of them convert exactly.

Sizes are bounded here, not by the search: a candidate is at most about 1 MB of ONNX, so that an
ensemble of five stays below 5 MB, and one row takes well below 1 ms.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np

from onnxlet.convert.train import spaces
from onnxlet.convert.train.candidate import Candidate
from onnxlet.convert.train.features import MOST, Column, of_kind
from onnxlet.convert.train.pipelines import MAKERS, Given
from onnxlet.function.arrays import Array

ABSOLUTE = ("absolute", "mae", "mape", "median")  # words in the names of metrics of the median
SKEWED = 1.0  # skewness of a target beyond which its logarithm is tried
KEPT = 120_000  # numbers that nearest neighbours may keep: 8 bytes each of the model
ABSENT = {
    "catboost": "CatBoost is not installed: it is often the best on tables with categories",
    "xgboost": "XGBoost is not installed: it is one more for the ensemble",
    "lightgbm": "LightGBM is not installed: without it most of what the search tries is missing",
}
EXTRA = "pip install 'onnxlet[train]', or make train"
HOW = {"catboost": EXTRA, "xgboost": EXTRA, "lightgbm": "make setup"}


def portfolio(
    task: str,
    taken: Sequence[Column],
    rows: int,
    y: Array | None = None,
    metric: str | None = None,
) -> tuple[list[Candidate], list[str]]:
    """All candidates for a table, and notes on what is missing.

    Args:
        task: binary, multiclass or regression.
        taken: the columns.
        rows: of training.
        y: the target of these, for sizes by the number of classes and for skewed targets; without
            it ten classes are expected, and no logarithm is tried.
        metric: the name of what the search optimises.

    Returns:
        In order of worth; the first two are the constant and the linear model. The notes say what
        an absent library would add.
    """
    given = _given(task, taken, rows, y, metric)
    listed = [*_baselines(given), *_by_worth(given)]
    absent = [name for name in ABSENT if not find_spec(name)]
    kept = [one for one in listed if LIBRARIES.get(one.family) not in absent]
    return kept, [f"{ABSENT[name]} ({HOW[name]})" for name in absent]


LIBRARIES = {"CatBoost": "catboost", "LightGBM": "lightgbm", "XGBoost": "xgboost"}


def _given(
    task: str, taken: Sequence[Column], rows: int, y: Array | None, metric: str | None
) -> Given:
    expected = {"binary": 2, "multiclass": 10}.get(task, 1)
    classes = expected if y is None or task == "regression" else len(np.unique(y))
    absolute = any(word in (metric or "").lower() for word in ABSOLUTE)
    logged = task == "regression" and y is not None and is_skewed(y)
    return Given(task, tuple(taken), rows, classes, absolute, logged)


def is_skewed(y: Array) -> bool:
    """Whether a target is positive and its logarithm is far more even than it is."""
    y = np.asarray(y, dtype=np.float64)
    if y.min() < 0 or y.std() == 0:
        return False
    before, after = _skewness(y), _skewness(np.log1p(y))
    return bool(before > SKEWED and abs(after) < before / 2)


def _skewness(y: Array) -> float:
    deviation = y.std()
    return float((((y - y.mean()) / deviation) ** 3).mean()) if deviation > 0 else 0.0


def _candidate(
    given: Given,
    name: str,
    family: str,
    parameters: dict[str, Any],
    rounds: str | None = None,
    space: Callable[[Any], dict[str, Any]] | None = None,
) -> Candidate:
    return Candidate(name, family, parameters, partial(MAKERS[family], given), rounds, space)


def _baselines(given: Given) -> Iterator[Candidate]:
    yield _candidate(given, "constant", "constant", {})
    yield _candidate(
        given, "linear", "linear", {"curves": True, "log": False, **_penalty(given)},
        space=partial(spaces.linear, given),
    )  # fmt: skip


def _penalty(given: Given) -> dict[str, float]:
    """Weak for numbers, and for terms of text, of which each says little, weaker in classifiers."""
    texts = bool(of_kind(given.taken, "text"))
    if given.task == "regression":
        return {"alpha": 1.0 if texts else 10.0}
    return {"C": 4.0 if texts else 0.5}


def _by_worth(given: Given) -> Iterator[Candidate]:
    texts = bool(of_kind(given.taken, "text"))
    if texts:
        yield from _texts(given)
    if given.logged:
        parameters = {"curves": True, "log": True, **_penalty(given)}
        yield _candidate(
            given, "linear, log target", "linear", parameters, space=partial(spaces.linear, given)
        )
    # LightGBM is nearly as good as CatBoost, in a tenth of the time.
    usual, extra, *pairs = _lightgbm(given)
    yield from (*usual, *extra, *_catboost(given), *_xgboost(given), *_histogram(given))
    if not texts:
        yield _candidate(given, "perceptron", "perceptron", {"width": 48, "alpha": 0.01})
    for one in pairs:
        yield from one
    yield from _extra_trees(given)
    if not texts and given.rows * _width(given) <= KEPT:
        yield _candidate(given, "nearest neighbours", "neighbours", {"neighbours": 15})


def _width(given: Given) -> int:
    """About so many columns a linear model has."""
    categories = [one for one in given.taken if one.used and one.kind in ("category", "boolean")]
    others = len(of_kind(given.taken, "number")) * 2 + len(of_kind(given.taken, "date")) * 10
    return others + sum(min(one.distinct, MOST) for one in categories)


def _texts(given: Given) -> Iterator[Candidate]:
    yield _candidate(
        given, "linear, words and characters", "linear",
        {"curves": True, "characters": True, "log": False, **_penalty(given)},
        space=partial(spaces.linear, given),
    )  # fmt: skip


def _logs(given: Given) -> list[bool]:
    """The logarithm first, where it is tried at all."""
    return [True, False] if given.logged else [False]


def _named(name: str, log: bool) -> str:
    return f"{name}, log target" if log else name


def _boosted(given: Given, leaves: int, slowest: float) -> dict[str, Any]:
    """Rounds within the size, and a learning rate that they suffice for."""
    rounds = spaces.rounds_of(given, leaves)
    return {"n_estimators": rounds, "learning_rate": round(max(slowest, min(0.15, 20 / rounds)), 3)}


def _leaves(given: Given) -> int:
    """Of a tree: few where there are few rows, or many classes, each of which has its trees."""
    by_rows = 8 if given.rows < 4_000 else 16 if given.rows < 15_000 else 50
    return min(by_rows, 16) if given.classes > 4 else by_rows


def _lightgbm(given: Given) -> Iterator[list[Candidate]]:
    """As it is, with extra trees, and with pairs of numbers where there are two of these."""
    leaves = _leaves(given)
    usual = {
        "num_leaves": leaves,
        "min_child_samples": spaces.least_of(given, 10 if given.task == "regression" else 40),
        "subsample": 0.75, "colsample_bytree": 0.8, "reg_lambda": 1.0, "counts": True,
        "pairs": False, **_boosted(given, leaves, 0.04),
    }  # fmt: skip
    made: list[tuple[str, dict[str, Any]]] = [
        ("LightGBM", {}),
        ("LightGBM, extra trees", {"extra_trees": True, "colsample_bytree": 0.4}),
    ]
    if len(of_kind(given.taken, "number")) > 1:
        made.append(("LightGBM, pairs", {"pairs": True}))
    for name, others in made:
        yield [
            _candidate(
                given, _named(name, log), "LightGBM", {**usual, **others, "log": log},
                "n_estimators", partial(spaces.lightgbm, given),
            )
            for log in (_logs(given) if not others else _logs(given)[:1])
        ]  # fmt: skip


def _catboost(given: Given) -> Iterator[Candidate]:
    for log in _logs(given):
        parameters = {
            "depth": 6, "l2_leaf_reg": 3.0, "log": log,
            # Five times as fast as CatBoost's own 2 and 4, on a table of 44 columns of categories.
            "one_hot_max_size": 12, "max_ctr_complexity": 2,
            **_boosted(given, 64, 0.08),
        }  # fmt: skip
        yield _candidate(
            given, _named("CatBoost", log), "CatBoost", parameters, "n_estimators",
            partial(spaces.catboost, given),
        )  # fmt: skip


def _xgboost(given: Given) -> Iterator[Candidate]:
    depth = 4 if given.rows < 15_000 or given.classes > 4 else 6
    for log in _logs(given)[:1]:
        parameters = {
            "max_depth": depth, "min_child_weight": 3.0, "subsample": 0.8, "colsample_bytree": 0.6,
            "reg_lambda": 3.0, "log": log, **_boosted(given, 2**depth, 0.05),
        }  # fmt: skip
        yield _candidate(
            given, _named("XGBoost", log), "XGBoost", parameters, "n_estimators",
            partial(spaces.xgboost, given),
        )  # fmt: skip


def _histogram(given: Given) -> Iterator[Candidate]:
    leaves = 8 if given.classes > 4 else 16
    boosted = _boosted(given, leaves, 0.06)
    for log in _logs(given)[:1]:
        parameters = {
            "max_leaf_nodes": leaves, "min_samples_leaf": spaces.least_of(given, 20),
            "l2_regularization": 1.0, "log": log,
            "max_iter": min(400, boosted["n_estimators"]),
            "learning_rate": boosted["learning_rate"],
        }  # fmt: skip
        yield _candidate(
            given, _named("histogram boosting", log), "histogram boosting", parameters, "max_iter",
            partial(spaces.histogram, given),
        )  # fmt: skip


def _extra_trees(given: Given) -> Iterator[Candidate]:
    for log in _logs(given)[:1]:
        parameters = {"trees": 100, "min_samples_leaf": 5, "max_features": "sqrt", "log": log}
        yield _candidate(
            given, _named("extra trees", log), "extra trees", parameters,
            space=partial(spaces.extra_trees, given),
        )  # fmt: skip
