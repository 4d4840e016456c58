"""imbalanced-learn's pipelines and ensembles answer as themselves: samplers are gone by then."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Perceptron
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from onnxlet.convert.errors import Refusal
from onnxlet.convert.parity.rounding import rounds
from onnxlet.convert.reference.estimators import before_last, parts_of
from onnxlet.convert.sources.source import Source
from tests.convert.exactness import assert_exact
from tests.convert.helpers import built
from tools.evaluation.support import samples

pytest.importorskip("imblearn")
from imblearn import FunctionSampler
from imblearn.combine import SMOTEENN
from imblearn.ensemble import (
    BalancedBaggingClassifier,
    BalancedRandomForestClassifier,
    EasyEnsembleClassifier,
    RUSBoostClassifier,
)
from imblearn.over_sampling import SMOTE, RandomOverSampler
from imblearn.pipeline import Pipeline, make_pipeline
from imblearn.under_sampling import (
    InstanceHardnessThreshold,
    RandomUnderSampler,
    TomekLinks,
)

TUMOURS, WINES = samples.two_classes(), samples.three_classes()


def _keep_the_first_300(X: Any, y: Any) -> tuple[Any, Any]:
    return X[:300], y[:300]


SAMPLERS = {
    "SMOTE": SMOTE(random_state=0),
    "SMOTEENN": SMOTEENN(random_state=0),
    "FunctionSampler": FunctionSampler(func=_keep_the_first_300),
    "InstanceHardnessThreshold": InstanceHardnessThreshold(random_state=0, cv=3),
    "TomekLinks": TomekLinks(),
}


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_pipeline_answers_without_its_sampler(name: str) -> None:
    model = make_pipeline(StandardScaler(), SAMPLERS[name], LogisticRegression())
    assert_exact(model.fit(TUMOURS.X, (TUMOURS.y == "benign").astype(int)), TUMOURS.others)


@pytest.mark.parametrize(
    "steps",
    [
        (RandomUnderSampler(random_state=0), StandardScaler(), LogisticRegression()),
        (StandardScaler(), SMOTE(random_state=0), TomekLinks(), DecisionTreeClassifier()),
        ("passthrough", RandomOverSampler(random_state=0), LogisticRegression()),
        (RandomOverSampler(random_state=0), StandardScaler()),
    ],
)
def test_samplers_may_stand_anywhere(steps: tuple[Any, ...]) -> None:
    model = Pipeline([(f"step {n}", step) for n, step in enumerate(steps)])
    assert_exact(model.fit(WINES.X, WINES.y), WINES.others)


@pytest.mark.parametrize(
    "model",
    [
        BalancedBaggingClassifier(random_state=0),
        BalancedBaggingClassifier(
            LogisticRegression(), n_estimators=4, max_features=0.5, random_state=0
        ),
        BalancedBaggingClassifier(Perceptron(), n_estimators=5, random_state=0),
        BalancedBaggingClassifier(
            RandomForestClassifier(5), 3, sampler=SMOTE(random_state=0), random_state=0
        ),
        BalancedRandomForestClassifier(15, max_depth=5, random_state=0),
        BalancedRandomForestClassifier(
            5, sampling_strategy="all", replacement=True, bootstrap=False, random_state=0
        ),
        RUSBoostClassifier(n_estimators=15, random_state=0),
        RUSBoostClassifier(
            DecisionTreeClassifier(max_depth=3), n_estimators=8, learning_rate=0.1, random_state=0
        ),
        EasyEnsembleClassifier(3, random_state=0),
        EasyEnsembleClassifier(3, estimator=LogisticRegression(), random_state=0),
    ],
    ids=str,
)
@pytest.mark.parametrize("sample", [TUMOURS, WINES], ids=["two classes", "three classes"])
def test_balanced_ensembles(model: Any, sample: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted = model.fit(sample.X, sample.y)
    assert_exact(fitted, sample.others)


def test_samplers_are_no_part_of_what_answers() -> None:
    model = make_pipeline(SMOTE(random_state=0), StandardScaler(), DecisionTreeClassifier())
    model.fit(TUMOURS.X, TUMOURS.y)
    kinds = [type(part).__name__ for part in parts_of(model)]
    assert kinds == ["Pipeline", "StandardScaler", "DecisionTreeClassifier"]
    assert not rounds(model)  # SMOTE's neighbours would
    before = before_last(model)
    assert before is not None
    assert np.array_equal(before.transform(TUMOURS.X), model[1].transform(TUMOURS.X))
    assert before_last(make_pipeline(SMOTE(), DecisionTreeClassifier())) is None


def test_copies_of_trees_are_looked_at_once() -> None:
    forest = BalancedRandomForestClassifier(3, random_state=0).fit(TUMOURS.X, TUMOURS.y)
    found = [part for part in parts_of(forest) if hasattr(part, "tree_")]
    assert len(found) == 3


@pytest.mark.parametrize("before", [(), (StandardScaler(),)], ids=["bare", "in a pipeline"])
def test_a_sampler_is_no_model(before: tuple[Any, ...], tmp_path: Path) -> None:
    model = make_pipeline(*before, SMOTE()) if before else SMOTE()
    model.fit(TUMOURS.X, TUMOURS.y)
    with pytest.raises(Refusal, match="changes the rows of a fit, and answers none") as refused:
        built(Source(model, TUMOURS.others), tmp_path)
    assert "pipeline" in refused.value.hint


def test_a_pipeline_without_a_last_step_transforms() -> None:
    model = make_pipeline(StandardScaler(), SMOTE(random_state=0), "passthrough")
    model.fit(TUMOURS.X, TUMOURS.y)
    assert_exact(model, TUMOURS.others)
    assert [type(part).__name__ for part in parts_of(model)] == ["Pipeline", "StandardScaler"]
