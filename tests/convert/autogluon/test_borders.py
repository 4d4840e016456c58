"""Where trees of AutoGluon's models split columns, by what each library's file says."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from onnxlet.convert.autogluon.predictor import predictor_of
from onnxlet.convert.converters.autogluon.borders import borders
from tests.convert.autogluon.test_predictor import two_classes

LIGHTGBM = """tree
num_tree_per_iteration=1

Tree=0
split_feature=1 0 0
threshold=2.5 0 -1.25
decision_type=2 1 2

Tree=1
leaf_value=0.5

"""


def content(value: Any) -> Any:
    return np.frombuffer(json.dumps(value).encode(), np.uint8)


def borders_of(member: dict[str, Any]) -> Any:
    features = two_classes()["features"]
    about = {"features": features, "parts": [{"members": [member]}], "classes": np.array([0, 1])}
    return borders(predictor_of(about)[-1])


def test_of_forests_they_are_the_thresholds_of_all_trees_that_see_numbers() -> None:
    about = two_classes()
    members = [member for part in about["parts"] for member in part["members"]]
    expected = {
        (name, threshold)
        for member in members
        if member["kind"] in ("RFModel", "XTModel")
        for tree in member["fitted"].estimators_
        for feature, threshold in zip(tree.tree_.feature, tree.tree_.threshold, strict=True)
        if feature >= 0 and (name := member["columns"][feature]) in ("a", "b")
    }
    names, found = borders(predictor_of(about)[-1])

    assert names == ["a", "b"]
    assert {(names[index], border) for index, border in found} == expected
    assert len(found) == len(expected) > 20


def test_of_lightgbm_sets_of_categories_are_none() -> None:
    member = {"kind": "LGBModel", "columns": ["b", "a"], "texts": [LIGHTGBM]}

    assert borders_of(member) == (["a", "b"], [(0, 2.5), (1, -1.25)])


def test_of_catboost_they_are_those_of_its_columns_of_numbers() -> None:
    features = [
        {"flat_feature_index": 1, "borders": [0.5, 1.5]}, {"flat_feature_index": 2, "borders": []},
    ]  # fmt: skip
    model = {"features_info": {"float_features": features, "categorical_features": None}}
    member = {"kind": "CatBoostModel", "columns": ["city", "b", "a"], "json": content(model)}

    assert borders_of(member)[1] == [(1, 0.5), (1, 1.5)]
    assert borders_of({**member, "json": content({"features_info": {}})})[1] == []


def test_of_xgboost_numbers_come_behind_what_is_one_hot() -> None:
    tree = {
        "left_children": [1, -1, 3, -1], "split_indices": [4, 0, 2, 0],
        "split_conditions": [0.25, 9, 1, 8],
    }  # fmt: skip
    model = {"learner": {"gradient_booster": {"model": {"trees": [tree]}}}}
    member = {
        "kind": "XGBoostModel", "columns": ["city", "a", "b"], "numbers": ["a", "b"],
        "hot": {"width": 3, "at": {}}, "json": content(model),
    }  # fmt: skip

    assert borders_of(member)[1] == [(1, 0.25)]
