"""Converters of MAPIE's conformal models: the points and labels that their `predict` returns.

Intervals and sets are other methods (`predict_interval`, `predict_set`), which are not served.

Sources: `mapie/regression/regression.py`, `quantile_regression.py`, `mapie/classification.py`,
`mapie/estimator/regressor.py` (EnsembleRegressor.predict), `mapie/aggregation_functions.py`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from mapie import calibration, classification, conditional_conformal_prediction, regression

from onnxlet.convert.graph.converter import Converter, Graph, Outputs, Table, Unsupported, refusing
from onnxlet.convert.graph.responses import predicted
from onnxlet.function.arrays import Array

WAY_OUT = "Return the estimator that it was made with, fitted."


def split(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """The estimator inside, fitted on all rows."""
    return _whole(graph, fitted, table, _inside(fitted).estimator_.single_estimator_)


def of_folds(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """The mean of the folds' or bootstraps' estimators, or the one of all rows."""
    ensemble = _inside(fitted).estimator_
    if ensemble.method in ensemble.no_agg_methods_ or ensemble.use_split_method_:
        return split(graph, fitted, table)
    if ensemble.agg_function != "mean":
        reason = f"its points are aggregated by {ensemble.agg_function!r}"
        raise Unsupported(reason, f"Let the mean aggregate them. {WAY_OUT}")
    # The weight of each estimator is the mean over the training rows of each row's own mean. A row
    # that was in every bootstrap has no estimator, and is left out.
    known = np.nan_to_num(ensemble.k_, nan=0.0)
    known = known[known.sum(axis=1) > 0]
    shares = (known / known.sum(axis=1, keepdims=True)).mean(axis=0)
    return _weighted(graph, fitted, table, ensemble.estimators_, shares)


def quantiles(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """The last of three estimators: the median's."""
    return _whole(graph, fitted, table, fitted._mapie_quantile_regressor.estimators_[2])


def quantiles_of_folds(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """The estimator of all rows; or the folds' mean, weighted by their pinball losses."""
    if fitted.method == "base":
        return _whole(graph, fitted, table, fitted._base_central_estimator_[0])
    parts, level = fitted.central_estimators_, str(fitted.alpha[0])
    weights = np.ones(len(parts))
    if fitted.quantiles[level].size == 3:
        weights = 1 / (np.asarray(fitted.pinball_losses[level], dtype=float)[:, 2] + 1e-8)
    return _weighted(graph, fitted, table, parts, weights / weights.sum())


def labels(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """The most probable class."""
    _check_plain(fitted)
    share = graph.call(_inside(fitted).estimator_.single_estimator_, table, "predict_proba")
    return {"class_index": share.argmax()}


# Calibrators whose probabilities no table of numbers holds: TopLabelCalibrator numbers its
# calibrators by the labels that are in the batch; a Venn-ABERS probability is made anew from all
# calibration rows.
REFUSED = refusing(
    "{0.__class__.__name__}'s probabilities depend on the whole batch, or are made anew from the "
    "calibration rows for each row",
    "Use scikit-learn's CalibratedClassifierCV instead, which has a converter.",
)


def _whole(graph: Graph, fitted: Any, table: Table, inside: Any) -> Outputs:
    _check_plain(fitted)
    return {"predict": predicted(graph, inside, table)}


def _weighted(graph: Graph, fitted: Any, table: Table, estimators: Any, weights: Array) -> Outputs:
    _check_plain(fitted)
    parts = graph.concat([predicted(graph, each, table) for each in estimators])
    return {"predict": parts @ weights.reshape(-1, 1)}


def _inside(fitted: Any) -> Any:
    """The estimator of MAPIE's older interface, which the newer ones hold."""
    for name in ("_mapie_regressor", "_mapie_classifier"):
        if hasattr(fitted, name):
            return getattr(fitted, name)
    return fitted


def _check_plain(fitted: Any) -> None:
    if getattr(fitted, "_predict_params", None):
        raise Unsupported("it hands parameters to its estimator's predict", WAY_OUT)


CONVERTERS: dict[type, Converter] = {
    calibration.TopLabelCalibrator: REFUSED,
    calibration.VennAbersCalibrator: REFUSED,
    classification.CrossConformalClassifier: labels,
    classification.SplitConformalClassifier: labels,
    conditional_conformal_prediction.ConditionalSplitConformalClassifier: labels,
    conditional_conformal_prediction.ConditionalSplitConformalRegressor: split,
    regression.ConformalizedQuantileRegressor: quantiles,
    regression.CrossConformalRegressor: of_folds,
    regression.CrossConformalizedQuantileRegressor: quantiles_of_folds,
    regression.JackknifeAfterBootstrapRegressor: of_folds,
    regression.SplitConformalRegressor: split,
    regression.TimeSeriesRegressor: split,
}
