"""A predictor's model: folds, stacks, weighted ensembles, calibration, labels and quantiles.

Sources: `core/models/ensemble/bagged_ensemble_model.py`, `stacker_ensemble_model.py`,
`core/calibrate/temperature_scaling.py`, `core/data/label_cleaner.py`, `core/utils/utils.py`
(normalize_pred_probas, get_pred_from_proba). What one model hands on to another is float32.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from onnxlet.convert.autogluon.predictor import AutoGluonClassifier, AutoGluonRegressor
from onnxlet.convert.converters.autogluon.borders import borders
from onnxlet.convert.converters.autogluon.members import answered
from onnxlet.convert.converters.registration import Converters, Registration
from onnxlet.convert.graph.converter import Graph, Outputs, Table, Tensor
from onnxlet.convert.graph.responses import total, two_sided

EPSILON = 1e-7  # probabilities are kept away from 0, where the metric asks for that


def classifier(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """The class above the threshold, or the most probable; those that were too rare have 0."""
    about = fitted.description
    shares = _last(graph, about, table)
    wide = shares.cast(graph.precision)
    if about["problem"] == "binary":
        wide, index = two_sided(wide), (shares > about["threshold"]).cast("int64")
    else:
        index = shares.argmax()
    kept, count = about["kept"], len(about["classes"])
    if len(kept) < count:
        index = index.look_up(kept, "int64")
        nothing = wide.take([0]) * 0.0
        at = [kept.index(n) if n in kept else len(kept) for n in range(count)]
        wide = graph.concat([wide, nothing]).take(at)
    return {"class_index": index, "predict_proba": wide}


def regressor(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """A number, or one for each quantile."""
    return {"predict": _last(graph, fitted.description, table).cast(graph.precision)}


def _last(graph: Graph, about: Mapping[str, Any], table: Table) -> Tensor:
    """What the model answers, once all that it needs have answered."""
    made: dict[str, Tensor] = {}
    for part in about["parts"]:
        stacked = [
            replace(made[name].cast(graph.precision), labels=tuple(names))
            for name, names in part["stacked"]
        ]
        given = Table((*stacked, *table.tensors))
        folds = [
            _calibrated(answered(graph, member, given, about["problem"]), member, about["problem"])
            for member in part["members"]
        ]
        whole = total(folds) / float(len(folds)) if len(folds) > 1 else folds[0]
        made[part["name"]] = _calibrated(whole, part, about["problem"])
    return made[about["model"]]


def _calibrated(answer: Tensor, part: Mapping[str, Any], problem: str) -> Tensor:
    if part["normalised"]:
        answer = _normalised(answer, problem)
    if part.get("temperature") is not None:
        shares = two_sided(answer.cast("float64")) if problem == "binary" else answer
        scaled = (shares.unary("Log") / float(part["temperature"])).softmax()
        answer = scaled.take([1]) if problem == "binary" else scaled
    elif part.get("conformal") is not None:
        answer = answer + np.asarray(part["conformal"])[None]
    return answer


def _normalised(shares: Tensor, problem: str) -> Tensor:
    """Probabilities away from 0 and 1."""
    if problem == "multiclass":
        clipped = shares.maximum(EPSILON)
        return clipped / clipped.sum()
    least, most = EPSILON, 1 - EPSILON
    above = 1.0 - (-(shares - most)).unary("Exp") * EPSILON
    below = (-(least - shares)).unary("Exp") * EPSILON
    return (shares > most).where(above, (shares < least).where(below, shares))


CONVERTERS: Converters = {
    AutoGluonClassifier: Registration(classifier, borders=borders),
    AutoGluonRegressor: Registration(regressor, borders=borders),
}
