"""Numbers at which trees of AutoGluon's models split columns that come to them as they are."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from typing import Any

from onnxlet.convert.converters.libraries.lightgbm import booster_text as lightgbm

Border = tuple[str, float]  # a column's name, and where it is split
AS_THEY_ARE = ("number", "whole")  # features


def borders(fitted: Any) -> tuple[list[str], list[tuple[int, float]]]:
    """The names of the columns, and the borders of each."""
    about = fitted.description
    features = dict(about["features"]["features"])
    raw = {n: each["column"] for n, each in features.items() if each["is"] in AS_THEY_ARE}
    names = list(dict.fromkeys(raw.values()))
    members = chain.from_iterable(part["members"] for part in about["parts"])
    found = chain.from_iterable(SPLITS.get(m["kind"], _none)(m) for m in members)
    known = dict.fromkeys((raw[name], border) for name, border in found if name in raw)
    return names, [(names.index(name), border) for name, border in sorted(known)]


def _none(member: Mapping[str, Any]) -> Iterator[Border]:
    yield from ()


def _lightgbm(member: Mapping[str, Any]) -> Iterator[Border]:
    for text in member["texts"]:
        for index, border in lightgbm.borders(lightgbm.read(text)):
            yield member["columns"][index], border


def _catboost(member: Mapping[str, Any]) -> Iterator[Border]:
    features = json.loads(member["json"].tobytes())["features_info"]
    for feature in features.get("float_features") or []:
        for border in feature["borders"]:
            yield member["columns"][feature["flat_feature_index"]], float(border)


def _xgboost(member: Mapping[str, Any]) -> Iterator[Border]:
    """Columns of numbers come behind those that are one-hot."""
    booster = json.loads(member["json"].tobytes())["learner"]["gradient_booster"]
    lines = ("left_children", "split_indices", "split_conditions")
    for tree in booster.get("gbtree", booster)["model"]["trees"]:
        for left, index, border in zip(*(tree[name] for name in lines), strict=True):
            if left >= 0 and index >= member["hot"]["width"]:
                yield member["numbers"][index - member["hot"]["width"]], float(border)


def _forest(member: Mapping[str, Any]) -> Iterator[Border]:
    for tree in (each.tree_ for each in member["fitted"].estimators_):
        for feature, border in zip(tree.feature.tolist(), tree.threshold.tolist(), strict=True):
            if feature >= 0:
                yield member["columns"][feature], border


SPLITS: Mapping[str, Callable[[Mapping[str, Any]], Iterator[Border]]] = {
    "CatBoostModel": _catboost,
    "LGBModel": _lightgbm,
    "RFModel": _forest,
    "XGBoostModel": _xgboost,
    "XTModel": _forest,
}
