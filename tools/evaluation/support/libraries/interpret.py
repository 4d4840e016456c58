"""interpret's glassbox models, with fewer rounds than by default."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from interpret import glassbox, privacy
from sklearn.base import is_classifier

from tools.evaluation.support import samples
from tools.evaluation.support.estimators import Case

ROUNDS: dict[str, Any] = {"outer_bags": 2, "max_rounds": 100, "n_jobs": 1, "random_state": 0}
BOOSTING = "ExplainableBoosting"
NOT_INSTALLED = ("APLRClassifier", "APLRRegressor", "DecisionListClassifier")  # aplr, skope-rules


def cases() -> Iterator[Case]:
    """All glassbox models, by name, and those with differential privacy."""
    kinds = {
        name: kind
        for module in (glassbox, privacy)
        for name, kind in vars(module).items()
        if isinstance(kind, type) and hasattr(kind, "fit") and name not in NOT_INSTALLED
    }
    for name in sorted(kinds):
        options: dict[str, Any] = {}
        if BOOSTING in name:
            options = ROUNDS | ({} if name.startswith("DP") else {"interactions": 3})
        made = kinds[name](**options)
        several = () if name.startswith("DP") else (samples.three_classes,)
        found = (samples.two_classes, *several) if is_classifier(made) else (samples.one_target,)
        yield Case(name, made, found, gaps=name.startswith(BOOSTING))
