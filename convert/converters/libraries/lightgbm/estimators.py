"""LightGBM's classifiers, regressors and rankers."""

from __future__ import annotations

from typing import Any

import lightgbm

from onnxlet.convert.converters.libraries.lightgbm import booster_text
from onnxlet.convert.converters.libraries.lightgbm.booster_text import (
    BoosterText,
    converted,
    raw_scores,
    read,
)
from onnxlet.convert.converters.registration import Converters, Registration, exact
from onnxlet.convert.graph.converter import Converter, Graph, Outputs, Table, Tensor, Unsupported
from onnxlet.convert.graph.responses import two_sided


def classifier(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """Probabilities, which the objective makes of the raw scores."""
    if callable(fitted.objective):
        raise Unsupported("its objective is a function", "Fit it with one of the named objectives.")
    if len(fitted.classes_) < 2:
        raise Unsupported("it has seen one class only", "Fit it on rows of two classes or more.")
    model, raw = _scored(graph, fitted, table)
    made = converted(model, raw)
    shares = made if raw.width > 1 else two_sided(made)
    outputs = {"class_index": shares.argmax(), "predict_proba": shares}
    if hasattr(fitted, "decision_function"):
        outputs["decision_function"] = raw
    return outputs


def regressor(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """The raw score of a ranker or of a custom objective, else what the objective makes of it."""
    return {"predict": converted(*_scored(graph, fitted, table))}


def _scored(graph: Graph, fitted: Any, table: Table) -> tuple[BoosterText, Tensor]:
    """The model up to the best iteration, where there is one, and its raw scores."""
    if fitted.get_params().get("pred_early_stop"):
        raise Unsupported("it stops adding trees early", "Set pred_early_stop to False.")
    model = read(fitted.booster_.model_to_string())
    return model, raw_scores(graph, model, table, fitted.booster_.pandas_categorical or ())


def borders(fitted: Any) -> tuple[list[str], list[tuple[int, float]]]:
    """The names of the columns, and the thresholds of each."""
    if not fitted.__sklearn_is_fitted__():
        return [], []
    model = read(fitted.booster_.model_to_string())
    return list(map(str, fitted.feature_name_)), sorted(set(booster_text.borders(model)))


def trees(convert: Converter) -> Registration:
    """What is known of its estimators."""
    return Registration(convert, only_splits=True, borders=borders)


CONVERTERS: Converters = {
    lightgbm.Booster: exact(),
    lightgbm.LGBMClassifier: trees(classifier),
    lightgbm.LGBMRanker: trees(regressor),
    lightgbm.LGBMRegressor: trees(regressor),
}
