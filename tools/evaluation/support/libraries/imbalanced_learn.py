"""imbalanced-learn's estimators: what they are made with where they need something, and data."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from imblearn.over_sampling import SMOTE, SMOTENC
from imblearn.pipeline import Pipeline
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from tools.evaluation.support import samples
from tools.evaluation.support.estimators import Case
from tools.evaluation.support.libraries import estimators_of

MADE: dict[str, Callable[[], Any]] = {
    "Pipeline": lambda: Pipeline(
        [
            ("scaler", StandardScaler()),
            ("smote", SMOTE(random_state=0)),
            ("logistic", LogisticRegression()),
        ]
    ),
    "SMOTENC": lambda: SMOTENC(categorical_features=[0]),
}
# Smaller than by default, where the default takes long.
ARGUMENTS: dict[str, dict[str, Any]] = {
    "BalancedRandomForestClassifier": {"n_estimators": 20},
    "EasyEnsembleClassifier": {"n_estimators": 4},
}


def cases() -> Iterator[Case]:
    """All estimators, by name."""
    for name, kind in estimators_of("imblearn").items():
        made = MADE[name]() if name in MADE else kind(**ARGUMENTS.get(name, {}))
        if "random_state" in made.get_params(deep=False):
            made.set_params(random_state=0)
        yield Case(name, made, (samples.two_classes, samples.three_classes))
