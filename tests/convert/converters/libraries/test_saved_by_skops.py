"""imbalanced-learn's own classes in .skops files: trusted, and nothing else that is found there."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from skops.io import dump

from onnxlet.convert.errors import SourceFailed
from onnxlet.convert.sources.saved import load_saved
from tests.convert.sources.hostile_skops import (
    assert_harmless,
    listed,
    mapped,
    names,
    node,
    plain,
    taken_by_the_judge,
    tupled,
    watched,
    written,
)

pytest.importorskip("imblearn")
from imblearn.combine import SMOTETomek
from imblearn.ensemble import (
    BalancedBaggingClassifier,
    BalancedRandomForestClassifier,
    EasyEnsembleClassifier,
    RUSBoostClassifier,
)
from imblearn.over_sampling import SMOTE
from imblearn.pipeline import make_pipeline
from imblearn.under_sampling import RandomUnderSampler

X, y = load_breast_cancer(return_X_y=True)
X = X[:, :4]
MODELS: list[Any] = [
    BalancedBaggingClassifier(n_estimators=2, random_state=0),
    BalancedRandomForestClassifier(n_estimators=2, random_state=0),
    EasyEnsembleClassifier(n_estimators=2, random_state=0),
    RUSBoostClassifier(n_estimators=2, random_state=0),
    make_pipeline(SMOTE(random_state=0), LogisticRegression()),
    make_pipeline(SMOTETomek(random_state=0), RandomUnderSampler(), LogisticRegression()),
]
PIPELINE = "imblearn.pipeline.Pipeline"
OPENED = 60  # files
HARMFUL = (
    "imblearn.pipeline._fit_resample_one",
    "imblearn.pipeline.validate_params",
    "imblearn.utils.testing._CustomClusterer",
    "imblearn.utils.testing.import_module",
    "imblearn.datasets._zenodo.makedirs",
    "imblearn.datasets._zenodo.BytesIO",
    "imblearn.ensemble._forest.Parallel",
)


@pytest.mark.parametrize("model", MODELS, ids=str)
def test_its_classes_are_trusted(model: Any, tmp_path: Path) -> None:
    fitted, path = model.fit(X, y), tmp_path / "model.skops"
    dump(fitted, path)
    read = load_saved(path, [], list[str]().append)
    np.testing.assert_array_equal(read.predict_proba(X), fitted.predict_proba(X))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a child that is watched")
def test_what_its_modules_reach_is_refused_or_does_nothing(tmp_path: Path) -> None:
    reachable = names(["imblearn"])
    accepted = taken_by_the_judge(reachable)
    assert not {name for name, _ in accepted} & set(HARMFUL)
    assert {PIPELINE, "imblearn.ensemble._forest.BalancedRandomForestClassifier"} <= {
        name for name, _ in accepted
    }
    chosen = random.Random(16)  # noqa: S311 # no secret
    assert_harmless(chosen.sample(accepted, min(OPENED, len(accepted))), tmp_path)


@pytest.mark.parametrize("name", HARMFUL)
def test_what_is_harmful_there_is_refused(name: str, tmp_path: Path) -> None:
    for loader in ("FunctionNode", "ObjectNode", "TypeNode"):
        path = written(tmp_path / "model.skops", node(loader, name, content=plain(None)))
        with pytest.raises(SourceFailed, match="not known to be harmless"):
            load_saved(path, [], list[str]().append)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a child that is watched")
def test_its_pipeline_asks_nothing_but_estimators(tmp_path: Path) -> None:
    tree = node("ObjectNode", "sklearn.tree._classes.DecisionTreeClassifier", content=mapped())
    state = {"transform_input": plain(None), "memory": plain(None), "verbose": plain(False)}
    for number, step in enumerate((listed([]), node("SetNode", "builtins.set", content=[]), tree)):
        steps = listed([tupled([plain("step"), step])])
        schema = node("ObjectNode", PIPELINE, content=mapped(steps=steps, **state))
        path = written(tmp_path / f"{number}.skops", schema)
        [told], seen = watched([path])
        assert seen == []
        refused = told is not None and "harmless" in told
        assert refused == (step is not tree and step["__loader__"] != "ListNode"), told
