"""CatBoost's estimators, with text as categories where the data has some."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from tools.evaluation.support import samples
from tools.evaluation.support.estimators import Case
from tools.evaluation.support.libraries import estimators_of
from tools.evaluation.support.samples import Sample

ARGUMENTS = {
    "iterations": 30, "random_seed": 0, "verbose": 0, "allow_writing_files": False,
    "thread_count": 1,
}  # fmt: skip
GROUP = 20  # rows that a ranker compares
SAMPLES: dict[str, tuple[Callable[[], Sample], ...]] = {
    "CatBoostClassifier": (samples.two_classes, samples.three_classes, samples.loans),
}


def _fit(self: Any, X: Any, y: Any) -> Any:
    """Fit as CatBoost does, given which columns hold categories."""
    frame = isinstance(X, pd.DataFrame)
    texts = [name for name in X if X[name].dtype.kind not in "fiub"] if frame else []
    options: dict[str, Any] = {"cat_features": texts}
    if type(self).__name__ == "CatBoostRanker":
        options["group_id"] = np.arange(len(X)) // GROUP
    return super(type(self), self).fit(X, y, **options)


def _sklearn_tags(self: Any) -> Any:
    """CatBoost says that it takes gaps: in numbers, and not in categories."""
    tags = super(type(self), self).__sklearn_tags__()
    tags.input_tags.allow_nan = False
    return tags


def _init(self: Any, **arguments: Any) -> None:
    """CatBoost itself takes them in a dictionary, so that scikit-learn can't clone it."""
    super(type(self), self).__init__(arguments)


def cases() -> Iterator[Case]:
    """All estimators, by name."""
    for name, kind in estimators_of("catboost").items():
        if name == "HnswEstimator":
            yield Case(name, kind(n_neighbors=5), (samples.one_target,))
            continue
        changed: dict[str, Any] = {"fit": _fit, "__module__": kind.__module__}
        if name == "CatBoost":
            changed["__init__"] = _init
        if name == "CatBoostClassifier":
            changed["__sklearn_tags__"] = _sklearn_tags
        made = type(name, (kind,), changed)(**ARGUMENTS)
        yield Case(name, made, SAMPLES.get(name, (samples.one_target,)))
