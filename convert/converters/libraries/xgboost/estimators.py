"""XGBoost's classifiers, regressors and rankers over trees."""

from __future__ import annotations

from typing import Any

import xgboost

from onnxlet.convert.converters.libraries.xgboost.booster_file import (
    BoosterFile,
    classes,
    converted,
    raw_scores,
    read,
)
from onnxlet.convert.converters.registration import Converters
from onnxlet.convert.graph.converter import Graph, Outputs, Table, Tensor


def classifier(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """What the objective makes of the raw scores, and the class."""
    return classes(graph, *_scored(graph, fitted, table))


def regressor(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """What the objective makes of the raw score."""
    return {"predict": converted(*_scored(graph, fitted, table)).cast(graph.precision)}


def _scored(graph: Graph, fitted: Any, table: Table) -> tuple[BoosterFile, Tensor]:
    model = read(bytes(fitted.get_booster().save_raw("json")))
    sparse = id(fitted) in graph.given_sparse
    return model, raw_scores(graph, model, table, fitted.missing, sparse)


CONVERTERS: Converters = {
    xgboost.XGBClassifier: classifier,
    xgboost.XGBRFClassifier: classifier,
    xgboost.XGBRFRegressor: regressor,
    xgboost.XGBRanker: regressor,
    xgboost.XGBRegressor: regressor,
}
