"""Pipelines that select columns by name inside other estimators are given the whole table."""

from __future__ import annotations

from typing import Any

import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import RandomForestClassifier, StackingClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    TunedThresholdClassifierCV,
)
from sklearn.multiclass import OneVsRestClassifier, OutputCodeClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.tree import DecisionTreeClassifier

from tests.convert.converters.composition.test_calibration import METHODS
from tests.convert.converters.samples import FRAME, NAMES, SEVERAL, TEXT, fit, mixed
from tests.convert.exactness import assert_exact

BASE = mixed(LogisticRegression())
FOREST = mixed(RandomForestClassifier(5, random_state=0))
VOTERS = [("linear", BASE), ("tree", mixed(DecisionTreeClassifier(max_depth=2, random_state=0)))]
GRID = {"logisticregression__C": [0.1, 1.0]}
MODELS: dict[str, tuple[Any, Any]] = {
    "one of two against the rest": (OneVsRestClassifier(BASE), TEXT),
    "one of three against the rest": (OneVsRestClassifier(BASE), NAMES),
    "codes of two": (OutputCodeClassifier(BASE), TEXT),
    "codes of three": (OutputCodeClassifier(BASE), NAMES),
    "several outputs": (MultiOutputClassifier(BASE), SEVERAL),
    "hard votes": (VotingClassifier(VOTERS, voting="hard"), TEXT),
    "soft votes": (VotingClassifier(VOTERS, voting="soft"), TEXT),
    "a stack": (StackingClassifier([("a", BASE), ("b", FOREST)], cv=2), NAMES),
    "a threshold": (FixedThresholdClassifier(BASE, threshold=0.3, pos_label="no"), TEXT),
    "a tuned threshold": (TunedThresholdClassifierCV(BASE, cv=2, thresholds=20), TEXT),
    "a search": (
        GridSearchCV(BASE, GRID, scoring=["accuracy", "neg_log_loss"], refit="neg_log_loss", cv=2),
        NAMES,
    ),
    **{m: (CalibratedClassifierCV(BASE, method=m, cv=2), NAMES) for m in METHODS},
}


@pytest.mark.parametrize("name", MODELS)
def test_pipelines_over_mixed_columns_are_given_the_table(name: str) -> None:
    model, y = MODELS[name]
    assert_exact(fit(model, FRAME, y), FRAME, tolerance=1e-8 if name == "a stack" else 1e-9)
