"""CatBoost: the model file, categories, the trees, and the estimators' losses."""

from __future__ import annotations

import catboost

from onnxlet.convert.converters.catboost_models.estimators import classifier, raw_score, regressor
from onnxlet.convert.graph.converter import Converter

CONVERTERS: dict[type, Converter] = {
    catboost.CatBoost: raw_score,
    catboost.CatBoostClassifier: classifier,
    catboost.CatBoostRanker: raw_score,
    catboost.CatBoostRegressor: regressor,
}
