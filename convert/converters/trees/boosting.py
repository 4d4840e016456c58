"""Gradient boosting over regression trees, by values and by histograms; AdaBoost over any.

Gradient boosting adds trees, times the learning rate, to the raw score of a simple initial
estimator: `sklearn/ensemble/_gb.py` (`_raw_predict`, `_init_raw_predictions`). AdaBoost lets
classifiers vote, each with its weight, and takes the weighted median of regressors:
`sklearn/ensemble/_weight_boosting.py`. Upstream: skl2onnx sums in float32, ignores a fitted `init`,
and has no AdaBoost in float64.

Histogram boosting has missing values and categories. A node sends x left where x <= threshold, both
float64, or where x is one of its categories; a missing value goes where training sent it.
Categories are encoded as 0, 1, …; any other value counts as missing:
`sklearn/ensemble/_hist_gradient_boosting/gradient_boosting.py` (`_preprocess_X`, `_raw_predict`),
`_predictor.pyx`. Upstream: skl2onnx rounds the thresholds to float32 (sklearn-onnx #1192), and
answers without an error where there are categories (#1051).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn import ensemble
from sklearn.base import is_classifier
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble._gb import _init_raw_predictions
from sklearn.ensemble._hist_gradient_boosting.binning import _BinMapper
from sklearn.ensemble._hist_gradient_boosting.gradient_boosting import BaseHistGradientBoosting
from sklearn.ensemble._hist_gradient_boosting.predictor import TreePredictor

from onnxlet.convert.converters.registration import Converters, Registration, Splits, exact
from onnxlet.convert.converters.trees.forests import (
    all_trees,
    as_tree,
    as_trees_see,
    in_float64,
    tree_ensemble,
)
from onnxlet.convert.graph.categories import Meaning, look_up
from onnxlet.convert.graph.converter import Graph, Outputs, Table, Tensor, Unsupported, labelled
from onnxlet.convert.graph.responses import fitted_by, total, two_sided
from onnxlet.convert.graph.tree_ensemble import LEQ, MEMBER, Tree, constant, members, sums, values
from onnxlet.function.arrays import Array

TINY = float(np.finfo(np.float64).eps)


def gradient_boosting(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """Raw scores, and what the loss makes of them."""
    raw = _raw(graph, fitted, table)
    if not is_classifier(fitted):
        return {"predict": raw}
    logit = 2.0 * raw if fitted.loss == "exponential" and raw.width == 1 else raw
    return _classes(raw, logit, lambda score: score >= 0.0)


def _classes(raw: Tensor, logit: Tensor, is_second: Callable[[Tensor], Tensor]) -> Outputs:
    """The outputs of several classes' raw scores, or of the one score of two."""
    if raw.width > 1:
        shares, indices = raw.softmax(), raw.argmax()
    else:
        shares, indices = two_sided(logit.unary("Sigmoid")), is_second(raw).cast("int64")
    return {"decision_function": raw, "predict_proba": shares, "class_index": indices}


def _raw(graph: Graph, fitted: Any, table: Table) -> Tensor:
    """The raw score: the initial one, as a tree of one leaf if it is constant, and the trees."""
    initial = _initial(fitted)
    parts = [constant(value, target) for target, value in enumerate(initial)]
    for row in fitted.estimators_:
        for target, part in enumerate(row):
            one = as_tree(part)
            parts.append(replace(one, value=one.value * fitted.learning_rate, target=target))
    total = tree_ensemble(graph, table, parts, fitted.estimators_.shape[1]).cast(graph.precision)
    return (
        total
        if len(initial)
        else _initial_scores(graph, fitted, as_trees_see(graph, table)) + total
    )


def _initial(fitted: Any) -> Array:
    """The initial raw score of each target if it is the same for all rows, else empty."""
    init = fitted.init_
    if isinstance(init, str):  # 'zero'
        return np.zeros(fitted.estimators_.shape[1])
    constant_shares = isinstance(init, DummyClassifier) and init.strategy != "stratified"
    if constant_shares or isinstance(init, DummyRegressor):
        row = np.zeros((1, fitted.n_features_in_))
        return np.ravel(_init_raw_predictions(row, init, fitted._loss, is_classifier(fitted)))
    return np.empty(0)


def _initial_scores(graph: Graph, fitted: Any, x: Tensor) -> Tensor:
    """The raw score of an initial estimator that depends on the row, which it gets in float32."""
    given = Table((x,))
    if not is_classifier(fitted):
        return graph.call(fitted.init_, given, "predict").cast(graph.precision)
    shares = graph.call(fitted.init_, given, "predict_proba").cast(graph.precision)
    least = TINY if fitted_by(fitted) >= (1, 8) else float(np.finfo(np.float32).eps)
    if fitted._loss.is_multiclass:
        logs = shares.clip(least, 1.0 - least).unary("Log")
        return logs - logs.sum() / float(logs.width)
    share = shares.take([1]).clip(least, 1.0 - least)
    logit = (share / (1.0 - share)).unary("Log")
    return 0.5 * logit if fitted.loss == "exponential" else logit


def votes(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """AdaBoostClassifier: an estimator's weight is for its class, and partly against others."""
    count = int(fitted.n_classes_)
    if count == 1:
        raise Unsupported("it has seen one class only", "Fit it on rows of two classes or more.")
    table = labelled(table, ())
    weights = fitted.estimator_weights_[: len(fitted.estimators_)]
    by_logs = vars(fitted).get("algorithm") == "SAMME.R"  # until 1.5
    if by_logs:
        summed = _logarithms(graph, fitted, table)
    elif all_trees(fitted.estimators_):
        summed = _votes_of_trees(graph, fitted, table, weights)
    else:
        summed = _votes_of_any(graph, fitted, table, weights)
    score = (summed / float(fitted.estimator_weights_.sum())).cast(graph.precision)
    if count == 2:
        # scikit-learn negates the first class's column and adds it to the second's.
        score = score + score if by_logs or _loses(fitted) else score
        both = graph.concat([-score, score]) / 2.0
        indices = (score > 0.0).cast("int64")
        return {"decision_function": score, "class_index": indices, "predict_proba": both.softmax()}
    shares = (score / float(count - 1)).softmax()
    return {"decision_function": score, "class_index": score.argmax(), "predict_proba": shares}


def _ballots(fitted: Any, part: Any) -> Array:
    """For each class that one estimator may predict, its votes; with two classes, the second's."""
    count = int(fitted.n_classes_)
    at = np.searchsorted(fitted.classes_, part.classes_)
    others = -1.0 / (count - 1) if count == 2 or _loses(fitted) else 0.0
    ballots = np.where(np.arange(count) == at[:, None], 1.0, others)
    return ballots[:, 1:] if count == 2 else ballots


def _loses(fitted: Any) -> bool:
    """Whether a vote for one class is a part of one against each other: since 1.3."""
    return fitted_by(fitted) >= (1, 3)


def _logarithms(graph: Graph, fitted: Any, table: Table) -> Tensor:
    """SAMME.R: each estimator's logarithms of its shares, less their mean.

    `_samme_proba` in `sklearn/ensemble/_weight_boosting.py` of scikit-learn 1.5.
    """
    count = int(fitted.n_classes_)
    parts = []
    for part in fitted.estimators_:
        shares = graph.call(part, table, "predict_proba").cast("float64")
        logs = shares.clip(TINY, None).unary("Log")
        parts.append((logs - logs.sum() / float(count)) * float(count - 1))
    summed = total(parts)
    return summed.take([1]) if count == 2 else summed


def _votes_of_trees(graph: Graph, fitted: Any, table: Table, weights: Array) -> Tensor:
    """One node for all trees."""
    parts = []
    for part, weight in zip(fitted.estimators_, weights.tolist(), strict=True):
        one = as_tree(part)
        chosen = one.value.argmax(axis=1)
        parts.append(replace(one, value=(_ballots(fitted, part) * weight)[chosen]))
    return tree_ensemble(graph, table, parts)


def _votes_of_any(graph: Graph, fitted: Any, table: Table, weights: Array) -> Tensor:
    votes = []
    for part, weight in zip(fitted.estimators_, weights.tolist(), strict=True):
        ballots = graph.constant(_ballots(fitted, part) * weight, "float64")
        indices = graph.call(part, table, "class_index").reshape([-1], 1)
        width = ballots.width
        votes.append(graph.op("Gather", ballots, indices, dtype="float64", width=width, axis=0))
    return total(votes)


def weighted_median(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """AdaBoostRegressor: the first prediction in ascending order that half the weight reaches."""
    table, parts = labelled(table, ()), fitted.estimators_
    if all_trees(parts):
        guesses = values(graph, *in_float64(graph, table, [as_tree(part) for part in parts]))
    else:
        answers = [graph.call(part, table, "predict").cast("float64") for part in parts]
        guesses = graph.concat(answers)
    weights = graph.constant(fitted.estimator_weights_[: len(fitted.estimators_)], "float64")
    if guesses.width == 1:
        return {"predict": guesses.cast(graph.precision)}
    every = graph.constant([guesses.width], "int64")
    kinds = [(guesses.dtype, guesses.width), ("int64", guesses.width)]
    ordered, order = graph.ops("TopK", [guesses, every], kinds, axis=1, largest=0, sorted=1)
    weight = graph.op("Gather", weights, order, dtype="float64", width=guesses.width, axis=0)
    below = graph.op("CumSum", weight, graph.constant(np.array(1), "int64"))
    reached = below >= 0.5 * below.take([guesses.width - 1])
    index = reached.cast("int64").argmax()
    median = graph.op("GatherElements", ordered, index, width=1, axis=1)
    return {"predict": median.cast(graph.precision)}


def histogram_boosting(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """Raw scores, and what the loss makes of them."""
    raw = _raw_of_histograms(graph, fitted, table)
    if not is_classifier(fitted):
        link = type(fitted._loss.link).__name__
        if link not in ("IdentityLink", "LogLink"):
            raise Unsupported(
                f"its loss has the link {link}", "Fit it with one of the named losses."
            )
        return {"predict": raw.unary("Exp") if link == "LogLink" else raw}
    loss = type(fitted._loss).__name__
    if loss not in ("HalfMultinomialLoss", "HalfBinomialLoss"):
        raise Unsupported(f"its loss is {loss}", "Fit it with loss='log_loss'.")
    return _classes(raw, raw, lambda score: score > 0.0)  # the older one has >= 0


def _raw_of_histograms(graph: Graph, fitted: Any, table: Table) -> Tensor:
    begun = np.ravel(fitted._baseline_prediction).tolist()
    parts = [constant(value, target) for target, value in enumerate(begun)]
    for row in fitted._predictors:
        parts += [_tree(predictor, target) for target, predictor in enumerate(row)]
    x = _encoded(graph, fitted, table).cast("float64")
    return sums(graph, x, parts, len(begun)).cast(graph.precision)


def _encoded(graph: Graph, fitted: Any, table: Table) -> Tensor:
    """The columns in the trees' order: categories first, as codes."""
    if fitted_by(fitted) < (1, 4) and fitted.is_categorical_ is not None:
        return _known_only(graph, fitted, table)
    if getattr(fitted, "_preprocessor", None) is None:
        return graph.matrix(table)
    indices = np.arange(table.width)
    names = getattr(fitted, "feature_names_in_", None)
    if names is not None and table.labels:
        indices = np.array([table.labels.index(name) for name in names])
    categorical = np.asarray(fitted.is_categorical_)
    encoder = fitted._preprocessor.named_transformers_["encoder"]
    codes = graph.call(encoder, graph.select(table, indices[categorical].tolist()), "transform")
    if categorical.all():
        return codes
    numbers = graph.matrix(graph.select(table, indices[~categorical].tolist()))
    return graph.concat([codes, numbers])


def _known_only(graph: Graph, fitted: Any, table: Table) -> Tensor:
    """The columns in their order, as before 1.4: a category that fit has not seen is missing."""
    parts = []
    for index, is_category in enumerate(fitted.is_categorical_):
        part = graph.matrix(graph.select(table, [index])).cast("float64")
        if is_category:  # cut to a whole number, which is compared
            known = np.asarray(fitted._bin_mapper.bin_thresholds_[index], dtype=np.float64)
            seen = Meaning(known, known.reshape(-1, 1), np.array([np.nan]))
            part = look_up(graph, Table((part.unary("Floor"),)), [seen], "float64")
        parts.append(part)
    return graph.concat(parts)


def _tree(predictor: Any, target: int) -> Tree:
    nodes = predictor.nodes
    leaf = nodes["is_leaf"].astype(bool)
    categorical = nodes["is_categorical"].astype(bool) & ~leaf
    return Tree(
        np.where(leaf, -1, nodes["left"].astype(np.int64)),
        nodes["right"].astype(np.int64),
        nodes["feature_idx"],
        np.where(categorical, 0.0, nodes["num_threshold"]),
        nodes["missing_go_to_left"],
        nodes["value"].reshape(-1, 1),
        np.where(categorical, MEMBER, LEQ),
        target,
        members(predictor.raw_left_cat_bitsets[nodes["bitset_idx"][categorical]]),
    )


def splits(fitted: Any) -> Iterator[Splits]:
    """The trees' comparisons with thresholds."""
    for predictor in np.ravel(getattr(fitted, "_predictors", [])):
        nodes = predictor.nodes
        numeric = (nodes["is_leaf"] == 0) & (nodes["is_categorical"] == 0)
        yield Splits(
            nodes["feature_idx"].astype(int), nodes["num_threshold"],
            nodes["left"].astype(int), nodes["right"].astype(int), numeric, np.float64,
        )  # fmt: skip


CONVERTERS: Converters = {
    ensemble.AdaBoostClassifier: votes,
    ensemble.AdaBoostRegressor: weighted_median,
    ensemble.GradientBoostingClassifier: exact(gradient_boosting),
    ensemble.GradientBoostingRegressor: exact(gradient_boosting),
    BaseHistGradientBoosting: Registration(splits=splits),
    _BinMapper: exact(),
    TreePredictor: exact(),
    ensemble.HistGradientBoostingClassifier: exact(histogram_boosting),
    ensemble.HistGradientBoostingRegressor: exact(histogram_boosting),
}
