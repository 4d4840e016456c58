"""CatBoost's classifiers, regressors and rankers: from raw scores to answers.

Source: `catboost/libs/helpers/eval_helpers` (prediction types). Upstream: CatBoost's own export to
ONNX refuses categories, and answers in float32, with labels by ZipMap.
"""

from __future__ import annotations

from typing import Any

import catboost

from onnxlet.convert.converters.answers import two_sided
from onnxlet.convert.converters.libraries.catboost.model_file import ModelFile
from onnxlet.convert.converters.libraries.catboost.trees import raw_scores
from onnxlet.convert.converters.registration import Converters, Registration
from onnxlet.convert.graph.converter import Graph, Outputs, Table, Unsupported

BINARY = {"CrossEntropy", "Focal", "Logloss"}
SEPARATE = {"MultiClassOneVsAll", "MultiCrossEntropy", "MultiLogloss"}
SEVERAL_LABELS = {"MultiCrossEntropy", "MultiLogloss"}
EXPONENTIAL = {"Poisson", "Tweedie"}


def classifier(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """The class with the highest raw score; with two classes, the second above the bound."""
    model = ModelFile(fitted)
    if not model.loss:
        raise Unsupported(
            "it keeps no loss function, as a sum of models",
            "catboost.to_regressor(model) has its raw scores.",
        )
    if model.loss not in BINARY | SEPARATE | {"MultiClass"}:
        raise Unsupported(
            f"its loss function is {model.loss}", "Fit it with one of the named losses."
        )
    raw = raw_scores(graph, model, table)
    above = (raw > model.probability_bound).cast("int64")
    if model.loss in BINARY:
        return {"class_index": above, "predict_proba": two_sided(raw.unary("Sigmoid"))}
    shares = raw.unary("Sigmoid") if model.loss in SEPARATE else raw.softmax()
    if model.loss in SEVERAL_LABELS:
        return {"predict": above, "predict_proba": shares}
    return {"class_index": raw.argmax(), "predict_proba": shares}


def regressor(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """The raw score, or its exponential."""
    model = ModelFile(fitted)
    raw = raw_scores(graph, model, table)
    if model.loss in EXPONENTIAL:
        return {"predict": raw.unary("Exp")}
    if model.loss == "RMSEWithUncertainty":
        return {"predict": graph.concat([raw.take([0]), (2.0 * raw.take([1])).unary("Exp")])}
    return {"predict": raw}


def raw_score(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """CatBoostRanker, and CatBoost itself, whatever its loss function."""
    return {"predict": raw_scores(graph, ModelFile(fitted), table)}


def borders(fitted: Any) -> tuple[list[str], list[tuple[int, float]]]:
    """The names of the columns, and the borders of each one of numbers."""
    if not fitted.is_fitted():
        return [], []
    known = fitted.get_borders().items()
    names = [str(name) for name in fitted.feature_names_]
    return names, [(index, float(border)) for index, some in known for border in some]


CONVERTERS: Converters = {
    catboost.CatBoost: Registration(raw_score, borders=borders),
    catboost.CatBoostClassifier: classifier,
    catboost.CatBoostRanker: raw_score,
    catboost.CatBoostRegressor: regressor,
}
