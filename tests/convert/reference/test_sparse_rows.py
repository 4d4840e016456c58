"""Which estimators of XGBoost are given sparse rows is seen, wherever they stand in a model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from onnxlet.convert.reference.estimators import parts_of
from onnxlet.convert.reference.reference import given_sparse
from onnxlet.convert.sources.source import Source
from tests.convert.helpers import reference_of

xgboost = pytest.importorskip("xgboost")

RANDOM = np.random.default_rng(0)
X = pd.DataFrame({"a": RANDOM.normal(size=90), "c": RANDOM.choice([*"abcdefghij"], 90)})
Y = (X["a"] > 0).astype(int)


def boosted() -> Any:
    return xgboost.XGBClassifier(n_estimators=2)


def behind(model: Any, threshold: float = 0.3) -> Any:
    encoder = (OneHotEncoder(), ["c"])
    columns = make_column_transformer(encoder, remainder="passthrough", sparse_threshold=threshold)
    return make_pipeline(columns, model)


MODELS: dict[str, tuple[Callable[[], Any], list[bool]]] = {
    "sparse": (lambda: behind(boosted()), [True]),
    "dense": (lambda: behind(boosted(), 0), [False]),
    "one of two": (
        lambda: StackingClassifier(
            [("s", behind(boosted())), ("d", behind(boosted(), 0))], cv=2
        ), [False, True]
    ),
    "in a vote": (
        lambda: behind(VotingClassifier([("x", boosted()), ("l", LogisticRegression())])), [True]
    ),
    "calibrated": (lambda: behind(CalibratedClassifierCV(boosted(), cv=2)), [True, True]),
    "one against the rest": (lambda: behind(OneVsRestClassifier(boosted())), [True]),
    "none": (lambda: behind(LogisticRegression()), []),
}  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
def test_it_is_seen_who_is_given_sparse_rows(name: str) -> None:
    make, wanted = MODELS[name]
    reference, rows = reference_of(Source(make().fit(X, Y), X))

    sparse = given_sparse(reference, rows[:1])

    boosters = {
        id(part): part
        for part in parts_of(reference.estimator)
        if hasattr(part, "get_booster") and hasattr(part, "_Booster")
    }
    assert sorted(key in sparse for key in boosters) == wanted
    assert not any({"predict", "predict_proba"} & vars(part).keys() for part in boosters.values())
