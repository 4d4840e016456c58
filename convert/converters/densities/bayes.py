"""Classes by their densities: naive Bayes, and discriminant analysis, linear and quadratic.

Source: `sklearn/naive_bayes.py`, `sklearn/discriminant_analysis.py`. Upstream: skl2onnx computes
BernoulliNB partly in float32, and its CategoricalNB does not load in float64. Of discriminants of
two classes it takes the softmax of plus and minus the decision, which squares the odds:
probabilities are off by up to 0.15 (sklearn-onnx #1116).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn import discriminant_analysis, naive_bayes

from onnxlet.convert.converters.registration import Converters
from onnxlet.convert.graph.converter import Converter, Graph, Outputs, Table, Tensor, Unsupported
from onnxlet.convert.graph.responses import total, two_classes
from onnxlet.function.arrays import Array

FEW_NUMBERS = 128  # up to so many numbers, a matrix product adds in order, as scikit-learn does
Likelihood = Callable[[Graph, Any, Table], Tensor]


def _converter(likelihood: Likelihood) -> Converter:
    """Probabilities as `exp(jll - logsumexp(jll))`: a softmax rounds differently."""

    def convert(graph: Graph, fitted: Any, table: Table) -> Outputs:
        joint = likelihood(graph, fitted, table)
        shares = (joint - joint.logsumexp()).unary("Exp")
        return {"class_index": joint.argmax(), "predict_proba": shares}

    return convert


def gaussian(graph: Graph, fitted: Any, table: Table) -> Tensor:
    """Squared distances from each class's means, in units of its variances."""
    x = graph.matrix(table)
    columns = []
    with np.errstate(divide="ignore"):
        priors = np.log(fitted.class_prior_)
    for index, prior in enumerate(priors.tolist()):
        mean, variance = fitted.theta_[index], fitted.var_[index]
        spread = float(-0.5 * np.sum(np.log(2.0 * np.pi * variance)))
        step = x - _row(mean)
        with np.errstate(divide="ignore"):
            weights = -0.5 / variance.reshape(-1, 1)
        columns.append(step * step @ weights + (spread + prior))
    return graph.concat(columns)


def multinomial(graph: Graph, fitted: Any, table: Table) -> Tensor:
    """Counts times log probabilities."""
    scores = graph.matrix(table) @ _finite(fitted.feature_log_prob_).T
    return scores + _row(fitted.class_log_prior_)


def complement(graph: Graph, fitted: Any, table: Table) -> Tensor:
    """Counts times the other classes' log probabilities, without a prior."""
    return graph.matrix(table) @ _finite(fitted.feature_log_prob_).T


def _finite(weights: Array) -> Array:
    """Refuse infinities: times 0 they are NaN for scikit-learn, but not if the 0 is sparse."""
    if np.isfinite(weights).all():
        return weights
    raise Unsupported("some of its log probabilities are infinite", "Fit it with alpha above 0.")


def bernoulli(graph: Graph, fitted: Any, table: Table) -> Tensor:
    """Log probabilities of the columns that are on, and of those that are off."""
    x = graph.matrix(table)
    if fitted.binarize is not None:  # 1 above the threshold, else 0; compact columns stay compact
        compact, threshold = x.compact, float(fitted.binarize)
        x = (x > threshold).cast(x.dtype)
        if compact is not None:
            indices, values = compact
            x = replace(x, compact=(indices, (values > threshold).cast(x.dtype)))
    there = _finite(fitted.feature_log_prob_)
    with np.errstate(divide="ignore"):
        absent = _finite(np.log(1 - np.exp(there)))
    return x @ (there - absent).T + _row(fitted.class_log_prior_ + absent.sum(axis=1))


def _in_one_table(graph: Graph, table: Table, known: Sequence[Array]) -> Tensor:
    """The sum over the columns of the rows of `known` that their categories select.

    All columns share one table and one Gather.
    """
    ends, count = np.cumsum([len(part) for part in known]), known[0].shape[1]
    indices = graph.matrix(table, "int64") + np.array([0, *ends[:-1]])
    bounds = [graph.constant(np.array(bound), "int64") for bound in (0, ends[-1] - 1)]
    indices = graph.op("Clip", indices, *bounds, dimensions=2)
    rows = graph.constant(np.concatenate(known), graph.precision)
    found = graph.op("Gather", rows, indices, width=len(known), axis=0)
    flat = found.reshape([0, -1], len(known) * count)
    return flat @ np.tile(np.eye(count), (len(known), 1))


def _row(values: Any) -> Array:
    return np.reshape(values, (1, -1))


def categorical(graph: Graph, fitted: Any, table: Table) -> Tensor:
    """Each column's log probabilities of its category, one column after another.

    Numbers are truncated. scikit-learn raises for a category beyond those of training.
    """
    count, known = len(fitted.classes_), [part.T for part in fitted.feature_log_prob_]
    if len(known) * count <= FEW_NUMBERS and all(np.isfinite(part).all() for part in known):
        return _in_one_table(graph, table, known) + _row(fitted.class_log_prior_)
    shares = []
    for column, known in zip(graph.columns(table), fitted.feature_log_prob_, strict=True):
        index = column.cast("int64").clip(0, known.shape[1] - 1)
        rows = graph.constant(known.T, graph.precision)
        found = graph.op("Gather", rows, index, width=count, axis=0)
        shares.append(found.reshape([-1, count], count))
    return total(shares) + _row(fitted.class_log_prior_)


def linear_discriminant(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """LinearDiscriminantAnalysis; it has a `transform` too, unless solved by least squares."""
    x = graph.matrix(table, "float64")
    weights, shift = np.asarray(fitted.coef_).T, np.asarray(fitted.intercept_)
    if len(fitted.classes_) == 2:
        outputs = two_classes(x @ -weights - shift)
    else:
        score = x @ weights + shift
        outputs = {
            "class_index": score.argmax(),
            "predict_proba": score.softmax(),
            "decision_function": score,
        }
    if fitted.solver != "lsqr":
        centred = x - np.asarray(fitted.xbar_) if fitted.solver == "svd" else x
        outputs["transform"] = centred @ np.asarray(fitted.scalings_)[:, : fitted._max_components]
    return _in_precision(graph, outputs)


def quadratic_discriminant(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """QuadraticDiscriminantAnalysis: the log posterior of a Gaussian for each class."""
    x = graph.matrix(table, "float64")
    distances, volumes = [], []
    for mean, rotation, scaling in zip(
        fitted.means_, fitted.rotations_, fitted.scalings_, strict=True
    ):
        distances.append(((x - mean) @ (rotation * scaling**-0.5)).sum_of_squares())
        volumes.append(np.log(scaling).sum())
    score = (graph.concat(distances) + np.array(volumes)) * -0.5 + np.log(fitted.priors_)
    decision = score.take([1]) - score.take([0]) if score.width == 2 else score
    return _in_precision(
        graph,
        {
            "class_index": score.argmax(),
            "predict_proba": score.softmax(),
            "decision_function": decision,
        },
    )


def _in_precision(graph: Graph, outputs: dict[str, Tensor]) -> Outputs:
    return {
        name: answer if answer.dtype == "int64" else answer.cast(graph.precision)
        for name, answer in outputs.items()
    }


CONVERTERS: Converters = {
    naive_bayes.GaussianNB: _converter(gaussian),
    naive_bayes.MultinomialNB: _converter(multinomial),
    naive_bayes.ComplementNB: _converter(complement),
    naive_bayes.BernoulliNB: _converter(bernoulli),
    naive_bayes.CategoricalNB: _converter(categorical),
    discriminant_analysis.LinearDiscriminantAnalysis: linear_discriminant,
    discriminant_analysis.QuadraticDiscriminantAnalysis: quadratic_discriminant,
}
