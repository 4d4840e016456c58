"""A .skops file with harmless classes only, and in them what is not expected there."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import (
    ColumnTransformer,
    TransformedTargetRegressor,
    make_column_selector,
    make_column_transformer,
)
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    GradientBoostingClassifier,
    RandomForestClassifier,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
)
from sklearn.feature_selection import RFECV, SelectFromModel, SelectKBest, mutual_info_classif
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import f1_score, make_scorer
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    RandomizedSearchCV,
    TunedThresholdClassifierCV,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import ClassifierChain
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC
from sklearn.utils import Bunch
from skops.io import dump

from onnxlet.convert.errors import SourceFailed
from onnxlet.convert.sources.saved import load_saved
from tests.convert.sources.hostile_skops import (
    Node,
    mapped,
    node,
    plain,
    transformer,
    tupled,
    written,
)

RANDOM = np.random.default_rng(0)
X = np.abs(RANDOM.normal(size=(40, 3)))
Y = (X[:, 0] > X[:, 1]).astype(int)
LABELS = np.column_stack([Y, 1 - Y])
FRAME = pd.DataFrame(X, columns=["a", "b", "c"])
LOGISTIC = LogisticRegression()
PAYLOAD = np.array([b"#!/bin/sh"])


def read(estimator: Any, folder: Path) -> Any:
    dump(estimator, folder / "model.skops")
    return load_saved(folder / "model.skops", (), print)


def assert_refused(made: Any, folder: Path) -> None:
    """It is, by the name of what holds the wrong thing."""
    with pytest.raises(SourceFailed, match="not known to be harmless") as refused:
        read(made, folder)
    assert type(made).__name__ in refused.value.message


def changed(made: Any, **attributes: Any) -> Any:
    made.__dict__.update(attributes)
    return made


# what was found to write a file


def rows_become(anything: Any) -> list[tuple[str, Any]]:
    """Steps of a pipeline that put an object in the place of the rows."""
    told = {"axis": None, "dtype": object, "initial": anything, "where": False}
    return [
        ("fill", FunctionTransformer(np.nan_to_num, kw_args={"nan": 0.0})),
        ("sum", FunctionTransformer(np.sum, kw_args=told)),
    ]


def test_a_stack_does_not_write_a_file(tmp_path: Path) -> None:
    target = tmp_path / "written"
    stack = StackingRegressor([("a", Ridge())], cv=2).fit(X, Y)
    changed(stack, estimators_=[PAYLOAD], stack_method_=["tofile"])
    dump(Pipeline([*rows_become(str(target)), ("stack", stack)]), tmp_path / "model.skops")

    with pytest.raises(SourceFailed) as refused:
        load_saved(tmp_path / "model.skops", (), print).predict(X)

    assert not target.exists()
    assert "_stacking.StackingRegressor" in refused.value.message
    assert "_function_transformer.FunctionTransformer" in refused.value.message


def stack() -> Any:
    return StackingClassifier([("a", LogisticRegression())], cv=2).fit(X, Y)


def chain() -> Any:
    return ClassifierChain(LogisticRegression()).fit(X, LABELS)


def threshold(**given: Any) -> Any:
    return FixedThresholdClassifier(LogisticRegression(), **given).fit(X, Y)


METHODS: dict[str, Callable[[], Any]] = {
    "stack_method_": lambda: changed(stack(), stack_method_=["tofile"]),
    "stack_method": lambda: changed(stack(), stack_method="dump"),
    "an array of them": lambda: changed(stack(), stack_method_=np.array(["tofile"], object)),
    "an array of text": lambda: changed(stack(), stack_method_=np.array(["tofile"])),
    "chain_method_": lambda: changed(chain(), chain_method_="save_model"),
    "chain_method": lambda: changed(chain(), chain_method="save_model"),
    "response_method": lambda: changed(threshold(), response_method="save_model"),
    "_response_method": lambda: changed(make_scorer(f1_score), _response_method="dump"),
    "importance_getter": lambda: SelectFromModel(LOGISTIC, importance_getter="__class__.mro"),
}


@pytest.mark.parametrize("what", METHODS)
def test_no_method_is_called_but_those_that_answer(tmp_path: Path, what: str) -> None:
    assert_refused(METHODS[what](), tmp_path)


SCALER = StandardScaler()
NO_ESTIMATOR: dict[str, Callable[[], Any]] = {
    "array": lambda: changed(stack(), estimators_=[PAYLOAD]),
    "array within an array": lambda: changed(
        stack(), estimators_=np.array([PAYLOAD, None], dtype=object)
    ),
    "bytes": lambda: changed(stack(), final_estimator_=b"#!/bin/sh"),
    "Bunch": lambda: changed(stack(), final_estimator_=Bunch(predict=np.sum)),
    "function": lambda: changed(threshold(), estimator_=np.sum),
    "partial": lambda: Pipeline([("a", partial(np.clip, a_min=0))]),
    "scorer": lambda: FrozenEstimator(make_scorer(f1_score)),
    "frozen": lambda: FrozenEstimator(PAYLOAD),
    "column": lambda: ColumnTransformer([("a", PAYLOAD, [0])]),
    "columns": lambda: changed(ColumnTransformer([]), transformers_=[("a", PAYLOAD, [0])]),
    "union": lambda: FeatureUnion([("a", PAYLOAD)]),
    "search": lambda: changed(GridSearchCV(LOGISTIC, {}), best_estimator_=PAYLOAD),
    "target": lambda: changed(TransformedTargetRegressor(), regressor_=PAYLOAD),
    "named": lambda: changed(stack(), named_estimators_=Bunch(a=PAYLOAD)),
}


@pytest.mark.parametrize("what", NO_ESTIMATOR)
def test_what_is_called_as_an_estimator_is_one(tmp_path: Path, what: str) -> None:
    assert_refused(NO_ESTIMATOR[what](), tmp_path)


KEYWORDS: dict[str, Callable[[], Any]] = {
    "initial": lambda: rows_become("/path")[1][1],
    "out": lambda: FunctionTransformer(np.clip, kw_args={"out": np.zeros(3)}),
    "a ufunc's dtype": lambda: FunctionTransformer(np.log1p, kw_args={"dtype": "object"}),
    "an object": lambda: FunctionTransformer(np.clip, kw_args={"a_min": LOGISTIC}),
    "a function": lambda: FunctionTransformer(np.clip, kw_args={"a_min": np.sum}),
    "of the inverse": lambda: FunctionTransformer(
        np.log1p, np.sum, inv_kw_args={"initial": "/path"}
    ),
    "after a partial": lambda: FunctionTransformer(
        partial(np.sum, axis=1), kw_args={"initial": "/path"}
    ),
    "of a type": lambda: FunctionTransformer(np.asarray, kw_args={"like": Bunch()}),
    "of a scorer": lambda: make_scorer(f1_score, pos_label=FrozenEstimator(LOGISTIC)),
    "of a distance": lambda: KNeighborsClassifier(metric=np.sum, metric_params={"initial": "a"}),
    "of a kernel": lambda: changed(
        FunctionTransformer(rbf_kernel), kw_args={"gamma": 1, "Y": FrozenEstimator(LOGISTIC)}
    ),
    "a scorer as a function": lambda: FunctionTransformer(make_scorer(f1_score)),
}


@pytest.mark.parametrize("what", KEYWORDS)
def test_a_function_is_called_with_numbers_only(tmp_path: Path, what: str) -> None:
    assert_refused(KEYWORDS[what](), tmp_path)


PARTIALS = {
    "keyword": partial(np.sum, axis=None, dtype=object, initial="/path", where=False),
    "in order": partial(np.sum, [0], None, object, None, False, "/path", False),
    "out": partial(np.log1p, np.zeros(3)),
    "attribute": changed(partial(np.log1p), predict=np.sum),
}


@pytest.mark.parametrize("what", PARTIALS)
def test_a_partial_binds_no_more_than_numbers(tmp_path: Path, what: str) -> None:
    dump(FunctionTransformer(PARTIALS[what]), tmp_path / "model.skops")
    with pytest.raises(
        SourceFailed, match=r"not known to be harmless: functools\.partial \(by what it holds\)\n"
    ):
        load_saved(tmp_path / "model.skops", (), print)


@pytest.mark.parametrize(
    "name", ["__sklearn_tags__", "__deepcopy__", "predict", "get_params", "score"]
)
def test_an_attribute_does_not_pass_for_a_method(tmp_path: Path, name: str) -> None:
    frozen = FrozenEstimator(LogisticRegression().fit(X, Y))
    assert_refused(changed(frozen, **{name: np.sum}), tmp_path)


# nodes


@pytest.mark.parametrize("half", [{"__loader__": None}, {"__loader__": ["JsonNode"]}, {}])
def test_a_node_without_a_loader_is_refused(tmp_path: Path, half: Node) -> None:
    """Skops takes it for the node that has its id."""
    scorer = node("ObjectNode", "sklearn.metrics._scorer._Scorer")
    scorer["content"] = mapped(other={**plain("dump"), "__id__": 7}, _response_method=plain(""))
    scorer["content"]["content"]["_response_method"] = {**half, "__id__": 7, "content": '"predict"'}
    path = written(tmp_path / "model.skops", scorer)
    with pytest.raises(SourceFailed, match="a node does not say by a text what loads it"):
        load_saved(path, (), print)


@pytest.mark.parametrize("value", [{"initial": "/path"}, [["predict", 1]]])
def test_a_text_does_not_hold_attributes(tmp_path: Path, value: Any) -> None:
    path = written(tmp_path / "model.skops", transformer(node("FunctionNode", "numpy.clip")))
    state = node("ObjectNode", "sklearn.svm._classes.SVC", content=plain(value))
    with pytest.raises(SourceFailed, match="a node of a text holds a list or an object"):
        load_saved(written(path, state), (), print)


@pytest.mark.parametrize("name", ["svm._classes.SVC", "gaussian_process.kernels.RBF"])
def test_pairs_do_not_become_attributes(tmp_path: Path, name: str) -> None:
    pairs = tupled([tupled([plain("predict"), plain(1)])])
    path = written(tmp_path / "model.skops", node("ObjectNode", f"sklearn.{name}", content=pairs))
    with pytest.raises(SourceFailed, match=rf"harmless: sklearn\.{name} \(by what it holds\)"):
        load_saved(path, (), print)


def test_a_name_is_the_text_that_it_is_judged_by(tmp_path: Path) -> None:
    state = mapped(C=plain(1))
    state["key_types"]["content"] = [node("TypeNode", "numpy.str_")]
    path = tmp_path / "model.skops"
    written(path, node("ObjectNode", "sklearn.svm._classes.SVC", content=state))
    with pytest.raises(SourceFailed, match=r"SVC \(by what it holds\)"):
        load_saved(path, (), print)


def test_an_archive_does_not_pass_for_an_array(tmp_path: Path) -> None:
    inner = io.BytesIO()
    np.savez(inner, X)
    array = node("NdArrayNode", "numpy.ndarray", type="numpy", file="a.npy")
    path = written(tmp_path / "model.skops", array, {"a.npy": inner.getvalue()})
    with pytest.raises(SourceFailed, match=r"'a\.npy' in it is no array"):
        load_saved(path, (), print)


def test_a_function_is_no_type_of_a_key(tmp_path: Path) -> None:
    path = tmp_path / "model.skops"
    dump({"a": 1}, path)
    with zipfile.ZipFile(path) as archive:
        schema = json.loads(archive.read("schema.json"))
    schema["key_types"]["content"][0].update(__module__="numpy", __class__="asarray")
    with pytest.raises(SourceFailed, match=r"not known to be harmless: builtins\.dict"):
        load_saved(written(path, schema), (), print)


# what is as it should be

BASES = [("a", LogisticRegression()), ("b", RandomForestClassifier(3))]
F1 = make_scorer(f1_score, zero_division=0.0, labels=np.array([0, 1]), pos_label=1)
PIPED = make_pipeline(StandardScaler(), LogisticRegression())
SCALED = make_column_transformer(
    (FunctionTransformer(np.clip, kw_args={"a_min": np.float64(0), "a_max": 1.0}), ["a"]),
    (StandardScaler(), make_column_selector(dtype_include="number")),
    ("passthrough", slice(1, 2)),
    ("drop", ["c"]),
)
HONEST: dict[str, Any] = {
    "search": GridSearchCV(PIPED, {"logisticregression__C": [1, 2]}, scoring=F1, cv=2),
    "many scorers": GridSearchCV(
        LOGISTIC, {"C": [1, 2]}, scoring={"f": F1, "a": "accuracy"}, refit="f", cv=2
    ),
    "random search": RandomizedSearchCV(
        RandomForestClassifier(), {"n_estimators": np.arange(2, 4)}, n_iter=2, cv=2
    ),
    "stack": StackingClassifier(BASES, cv=2, passthrough=True),
    "stack by method": StackingClassifier(BASES, cv=2, stack_method="predict"),
    "one left out": StackingClassifier([*BASES, ("c", "drop")], cv=2),
    "vote": VotingClassifier(BASES, voting="soft", weights=[1, 2]),
    "rest": OneVsRestClassifier(LogisticRegression()),
    "fixed": FixedThresholdClassifier(LogisticRegression(), response_method="predict_proba"),
    "tuned": TunedThresholdClassifierCV(LogisticRegression(), scoring=F1, cv=2),
    "calibrated": CalibratedClassifierCV(SVC(), cv=2),
    "eliminated": RFECV(LogisticRegression(), cv=2, importance_getter="coef_"),
    "chosen": make_pipeline(
        SelectFromModel(PIPED, importance_getter="named_steps.logisticregression.coef_"), SVC()
    ),
    "best": make_pipeline(SelectKBest(partial(mutual_info_classif, random_state=0), k=2), SVC()),
    "bags": BaggingClassifier(PIPED, n_estimators=2),
    "boosted": GradientBoostingClassifier(n_estimators=2, init=LogisticRegression()),
    "adapted": AdaBoostClassifier(n_estimators=2),
    "columns": make_pipeline(SCALED, LogisticRegression()),
    "union": make_pipeline(FeatureUnion([("a", SCALED), ("b", "passthrough")]), SVC()),
    "frozen": FrozenEstimator(LogisticRegression().fit(FRAME, Y)),
    "neighbours": KNeighborsClassifier(
        metric="minkowski", algorithm="brute", metric_params={"w": np.ones(3)}
    ),
    "power": make_pipeline(FunctionTransformer(partial(np.power, 2)), LogisticRegression()),
    "array": make_pipeline(FunctionTransformer(np.asarray), LogisticRegression()),
    "kernel": make_pipeline(FunctionTransformer(rbf_kernel, kw_args={"Y": X, "gamma": 1}), SVC()),
}


@pytest.mark.parametrize("what", HONEST)
def test_an_honest_estimator_is_read(tmp_path: Path, what: str) -> None:
    model = HONEST[what].fit(FRAME, Y)

    made = read(model, tmp_path)
    assert np.array_equal(made.predict(FRAME), model.predict(FRAME))


@pytest.mark.parametrize("method", ["predict", "predict_proba", ["decision_function", "predict"]])
def test_an_honest_chain_is_read(tmp_path: Path, method: Any) -> None:
    model = ClassifierChain(LogisticRegression(), chain_method=method).fit(X, LABELS)

    assert np.array_equal(read(model, tmp_path).predict(X), model.predict(X))


def test_what_the_user_trusts_may_stand_anywhere(tmp_path: Path) -> None:
    path = tmp_path / "model.skops"
    dump(FunctionTransformer(sorted, kw_args={"key": LogisticRegression()}), path)
    with pytest.raises(SourceFailed, match=r"not known to be harmless: builtins\.sorted\n"):
        load_saved(path, (), print)

    assert load_saved(path, ["builtins.sorted"], print).func is sorted
