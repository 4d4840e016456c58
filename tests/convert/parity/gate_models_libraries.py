"""Small models of other libraries' estimators, for the gate to be tried with."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from onnxlet.convert.sources.source import Source
from tools.coverage import samples
from tools.coverage.samples import Sample


def _fitted(estimator: Any, sample: Sample) -> Source:
    return Source(estimator.fit(sample.X, sample.y), sample.others)


def _of(name: str) -> Any:
    """A class by its full name: its library is imported only now."""
    module, _, kind = name.rpartition(".")
    return getattr(importlib.import_module(module), kind)


def _sampled() -> Any:
    steps = [
        ("scaler", StandardScaler()),
        ("smote", _of("imblearn.over_sampling.SMOTE")(random_state=0)),
        ("logistic", LogisticRegression()),
    ]
    return _of("imblearn.pipeline.Pipeline")(steps)


# By the package that has to be there, and what of it is tried.
LIBRARY_MODELS: dict[tuple[str, str], Callable[[], Source]] = {
    ("imblearn", "pipeline"): lambda: _fitted(_sampled(), samples.three_classes()),
    ("imblearn", "balanced forest"): lambda: _fitted(
        _of("imblearn.ensemble.BalancedRandomForestClassifier")(10, max_depth=5, random_state=0),
        samples.unscaled(),
    ),
    ("imblearn", "undersampled boosting"): lambda: _fitted(
        _of("imblearn.ensemble.RUSBoostClassifier")(n_estimators=10, random_state=0),
        samples.three_classes(),
    ),
}
