"""Histogram gradient boosting, with missing values and categories.

A node sends x left where x <= threshold, both float64, or where x is one of its categories; a
missing value goes where training sent it. Categories are encoded as 0, 1, …; any other value counts
as missing: `sklearn/ensemble/_hist_gradient_boosting/gradient_boosting.py` (`_preprocess_X`,
`_raw_predict`), `_predictor.pyx`. Upstream: skl2onnx rounds the thresholds to float32 (sklearn-onnx
#1192), and answers without an error where there are categories (#1051).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn import ensemble
from sklearn.base import is_classifier
from sklearn.ensemble._hist_gradient_boosting.binning import _BinMapper
from sklearn.ensemble._hist_gradient_boosting.gradient_boosting import BaseHistGradientBoosting
from sklearn.ensemble._hist_gradient_boosting.predictor import TreePredictor

from onnxlet.convert.converters.linear.models import two_sided
from onnxlet.convert.converters.registration import Converters, Registration, Splits, exact
from onnxlet.convert.graph.converter import Graph, Outputs, Table, Tensor, Unsupported
from onnxlet.convert.graph.tree_ensemble import LEQ, MEMBER, Tree, constant, sums
from onnxlet.function.arrays import Array

MULTINOMIAL, BINOMIAL = "HalfMultinomialLoss", "HalfBinomialLoss"
NO_CATEGORY = -1.0  # equals no code: stands in an empty set


def histogram_boosting(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """Raw scores, and what the loss makes of them."""
    raw = _raw(graph, fitted, table)
    if not is_classifier(fitted):
        return {"predict": _unlinked(fitted, raw)}
    loss = type(fitted._loss).__name__
    if loss not in (MULTINOMIAL, BINOMIAL):
        raise Unsupported(f"its loss is {loss}", "Fit it with loss='log_loss'.")
    # > 0 below; the older gradient boosting has >= 0.
    if loss == MULTINOMIAL:
        shares, indices = raw.softmax(), raw.argmax()
    else:
        shares, indices = two_sided(raw.unary("Sigmoid")), (raw > 0.0).cast("int64")
    return {"decision_function": raw, "predict_proba": shares, "class_index": indices}


def _unlinked(fitted: Any, raw: Tensor) -> Tensor:
    link = type(fitted._loss.link).__name__
    if link not in ("IdentityLink", "LogLink"):
        raise Unsupported(f"its loss has the link {link}", "Fit it with one of the named losses.")
    return raw.unary("Exp") if link == "LogLink" else raw


def _raw(graph: Graph, fitted: Any, table: Table) -> Tensor:
    begun = np.ravel(fitted._baseline_prediction).tolist()
    parts = [constant(value, target) for target, value in enumerate(begun)]
    for row in fitted._predictors:
        parts += [_tree(predictor, target) for target, predictor in enumerate(row)]
    x = _encoded(graph, fitted, table).cast("float64")
    return sums(graph, x, parts, len(begun)).cast(graph.precision)


def _encoded(graph: Graph, fitted: Any, table: Table) -> Tensor:
    """The columns in the trees' order: categories first, as codes."""
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
        _members(predictor.raw_left_cat_bitsets[nodes["bitset_idx"][categorical]]),
    )


def _members(bitsets: Array) -> list[float]:
    """The categories in each bitset of 8 times 32 bits, each set ended by a NaN.

    A set is empty where only missing values go left; ONNX Runtime needs one that is not.
    """
    bits = (bitsets[:, :, None] >> np.arange(32, dtype=np.uint32)) & 1
    members: list[float] = []
    for row in bits.reshape(-1, 256):
        known = np.flatnonzero(row).astype(np.float64).tolist()
        members += [*(known or [NO_CATEGORY]), np.nan]
    return members


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
    BaseHistGradientBoosting: Registration(splits=splits),
    _BinMapper: exact(),
    TreePredictor: exact(),
    ensemble.HistGradientBoostingClassifier: exact(histogram_boosting),
    ensemble.HistGradientBoostingRegressor: exact(histogram_boosting),
}
