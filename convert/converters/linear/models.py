"""Linear models, networks of them, and baselines without any coefficient.

Sources: `sklearn/linear_model/_base.py` (LinearModel, LinearClassifierMixin), `_logistic.py`
(softmax), `_ridge.py` (multilabel), `_stochastic_gradient.py`, `_bayes.py` (standard deviations),
`_glm/glm.py` (links). Upstream: skl2onnx has no RidgeClassifier in float64, no standard deviations,
and takes for SGDClassifier's label the largest probability where modified Huber's decisions differ
(16 of 150 labels).

Multi-layer perceptrons, and the hidden units of a restricted Boltzmann machine:
`sklearn/neural_network/_multilayer_perceptron.py` (`_forward_pass_fast`), `_rbm.py`. Upstream:
skl2onnx's multilabel models do not load in float64, and there is no BernoulliRBM.

Baselines, the same answer for each row: `sklearn/dummy.py`. Upstream: skl2onnx has neither of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn import linear_model, svm
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.neural_network import BernoulliRBM, MLPClassifier, MLPRegressor

from onnxlet.convert.converters.registration import Converters, exact
from onnxlet.convert.graph.converter import Graph, Outputs, Table, Tensor, Unsupported
from onnxlet.convert.graph.responses import (
    decided,
    even_if_none,
    every_row,
    fitted_by,
    sided,
    two_classes,
    two_sided,
)
from onnxlet.function.arrays import Array


def decision(graph: Graph, fitted: Any, table: Table, sign: float = 1.0) -> Tensor:
    """`X @ coef_.T + intercept_`, of shape (rows, outputs); its negative if the sign is -1."""
    weights, shift = sign * _weights(fitted), sign * np.reshape(fitted.intercept_, (1, -1))
    return graph.matrix(table) @ weights.T + shift


def _weights(fitted: Any) -> Array:
    """The coefficients as a dense array of shape (outputs, columns)."""
    coefficients = fitted.coef_
    if hasattr(coefficients, "toarray"):  # after sparsify()
        coefficients = coefficients.toarray()
    return np.atleast_2d(coefficients)


def regressor(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """`predict` is the decision."""
    return {"predict": decision(graph, fitted, table)}


def bayesian(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """Prediction and standard deviation; since scikit-learn 1.9 around the columns' means."""
    x, kept = graph.matrix(table), list(range(len(fitted.coef_)))
    if isinstance(fitted, linear_model.ARDRegression):
        kept = np.flatnonzero(fitted.lambda_ < fitted.threshold_lambda).tolist()
    noise = 1.0 / fitted.alpha_
    if kept:
        near = (x - fitted.X_offset_ if fitted_by(fitted) >= (1, 9) else x).take(kept)
        variance = ((near @ fitted.sigma_) * near).sum() + noise
    else:
        variance = every_row(graph, table, noise)
    return {"predict": decision(graph, fitted, table), "std": variance.unary("Sqrt")}


def exponential(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """Generalised linear models: the inverse of their link."""
    link = type(fitted._base_loss.link).__name__
    score = decision(graph, fitted, table)
    if link == "IdentityLink":
        return {"predict": score}
    if link == "LogLink":
        return {"predict": score.unary("Exp")}
    raise Unsupported(f"the link {link} has no conversion")


def classifier(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """The class of the highest decision."""
    return decided(decision(graph, fitted, table))


def ridge_classifier(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """The class of the highest decision; with several labels, each by its sign."""
    score = decision(graph, fitted, table)
    if fitted._label_binarizer.y_type_.startswith("multilabel"):
        return {"decision_function": score, "predict": (score > 0.0).cast("int64")}
    return decided(score)


def logistic(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """Probabilities by softmax, or by a sigmoid for each class, then normalised.

    Before scikit-learn 1.8 `multi_class` chose between them.
    """
    score = decision(graph, fitted, table)
    setting = getattr(fitted, "multi_class", "auto")
    binary = len(fitted.classes_) <= 2 or getattr(fitted, "solver", "") == "liblinear"
    if setting in ("ovr", "warn") or (setting in ("auto", "deprecated") and binary):
        if score.width == 1:
            return two_classes(decision(graph, fitted, table, sign=-1.0))
        share = one_versus_rest(score)
    else:
        share = (graph.concat([-score, score]) if score.width == 1 else score).softmax()
    return {**decided(score), "predict_proba": share}


def one_versus_rest(score: Tensor) -> Tensor:
    """`LinearClassifierMixin._predict_proba_lr`: sigmoids, normalised where there are several.

    In float64 where there are: those of float32 vanish at -88, and the largest would be lost.
    """
    if score.width == 1:
        return two_sided(score.sigmoid())
    return even_if_none(score.cast("float64").sigmoid()).cast(score.dtype)


def stochastic(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """SGDClassifier; only the logistic and the modified Huber loss have probabilities."""
    score = decision(graph, fitted, table)
    outputs = decided(score)
    if fitted.loss == "log_loss" and score.width == 1:
        return two_classes(decision(graph, fitted, table, sign=-1.0))
    if fitted.loss == "log_loss":
        outputs["predict_proba"] = one_versus_rest(score)
    elif fitted.loss == "modified_huber":
        outputs["predict_proba"] = huber_shares(score)
    return outputs


def huber_shares(score: Tensor) -> Tensor:
    """Decisions clipped to -1 and 1 as probabilities; equal ones where no class has any."""
    share = (score.clip(-1.0, 1.0) + 1.0) / 2.0
    return two_sided(share) if score.width == 1 else even_if_none(share)


def robust_to_outliers(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """RANSACRegressor: the model that it kept."""
    return {"predict": graph.call(fitted.estimator_, table, "predict")}


def one_class(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """SGDOneClassSVM: the side of a plane."""
    score = graph.matrix(table) @ _weights(fitted).T - float(np.ravel(fitted.offset_)[0])
    return sided(graph, score)


REGRESSORS = (
    "ElasticNet", "ElasticNetCV", "HuberRegressor", "Lars", "LarsCV", "Lasso", "LassoCV",
    "LassoLars", "LassoLarsCV", "LassoLarsIC", "LinearRegression", "MultiTaskElasticNet",
    "MultiTaskElasticNetCV", "MultiTaskLasso", "MultiTaskLassoCV", "OrthogonalMatchingPursuit",
    "OrthogonalMatchingPursuitCV", "PassiveAggressiveRegressor", "QuantileRegressor", "Ridge",
    "RidgeCV", "SGDRegressor", "TheilSenRegressor",
)  # fmt: skip
CLASSIFIERS = ("PassiveAggressiveClassifier", "Perceptron")


OPERATORS = {"tanh": "Tanh", "relu": "Relu", "exp": "Exp"}


def forward(graph: Graph, fitted: Any, table: Table) -> Tensor:
    """The last layer's activation."""
    x = graph.matrix(table)
    last = len(fitted.coefs_) - 1
    for layer, (weights, bias) in enumerate(zip(fitted.coefs_, fitted.intercepts_, strict=True)):
        x = x @ weights + bias.reshape(1, -1)
        x = activated(x, fitted.activation if layer < last else fitted.out_activation_)
    return x


def activated(x: Tensor, name: str) -> Tensor:
    """One of `sklearn/neural_network/_base.py`'s activations."""
    if name == "identity":
        return x
    if name == "softmax":
        return x.softmax()
    if name == "logistic":
        return x.sigmoid()
    if name not in OPERATORS:
        raise Unsupported(f"the activation {name} has no conversion")
    return x.unary(OPERATORS[name])


def perceptron_classifier(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """The class above one half, or the largest; with several labels, each above one half."""
    share = forward(graph, fitted, table)
    kind = fitted._label_binarizer.y_type_
    above = (share > 0.5).cast("int64")
    if kind.startswith("multilabel"):
        return {"predict": above, "predict_proba": share}
    if kind == "multiclass":
        return {"class_index": share.argmax(), "predict_proba": share}
    if len(fitted.classes_) == 1:
        above = above * 0
    return {"class_index": above, "predict_proba": two_sided(share)}


def perceptron(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """`predict` is the last layer."""
    return {"predict": forward(graph, fitted, table)}


def hidden_units(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """BernoulliRBM: the probability that each hidden unit is on."""
    score = graph.matrix(table) @ fitted.components_.T + fitted.intercept_hidden_.reshape(1, -1)
    return {"transform": score.sigmoid()}


def constant_classifier(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """The most frequent class, or one that was given, of each output."""
    strategy = fitted._strategy
    if strategy in ("stratified", "uniform"):
        raise Unsupported(
            f"it answers at random (strategy='{strategy}')", "Use strategy='prior' for a baseline."
        )
    several = fitted.n_outputs_ > 1
    classes = fitted.classes_ if several else [fitted.classes_]
    priors = fitted.class_prior_ if several else [fitted.class_prior_]
    if strategy == "constant":
        given = np.ravel(fitted.constant).tolist()
        indices = [np.asarray(c).tolist().index(v) for c, v in zip(classes, given, strict=True)]
    else:
        indices = [int(np.argmax(prior)) for prior in priors]
    shares = [
        np.asarray(prior) if strategy == "prior" else np.eye(len(prior))[index]
        for prior, index in zip(priors, indices, strict=True)
    ]
    return {
        "class_index": every_row(graph, table, _answered(fitted, classes, indices)).cast("int64"),
        "predict_proba": every_row(graph, table, np.concatenate(shares)),
    }


def _answered(fitted: Any, classes: Sequence[Array], indices: Sequence[int]) -> Sequence[int]:
    """For sparse targets, scikit-learn predicts the index of the frequent class, not the class."""
    if not fitted.sparse_output_ or fitted.strategy == "constant":
        return indices
    pairs = [
        (np.asarray(known).tolist(), index) for known, index in zip(classes, indices, strict=True)
    ]
    if any(index not in known for known, index in pairs):
        raise Unsupported("fitted on sparse targets, it predicts classes that it has not seen")
    return [known.index(index) for known, index in pairs]


def constant_regressor(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """A mean, quantile or constant of each output."""
    constant = np.asarray(fitted.constant_, dtype=np.float64)
    return {
        "predict": every_row(graph, table, constant),
        "std": every_row(graph, table, np.zeros_like(constant)),
    }


CONVERTERS: Converters = {
    **{getattr(linear_model, n): regressor for n in REGRESSORS if hasattr(linear_model, n)},
    **{getattr(linear_model, n): classifier for n in CLASSIFIERS if hasattr(linear_model, n)},
    linear_model.ARDRegression: bayesian,
    linear_model.BayesianRidge: bayesian,
    linear_model.GammaRegressor: exponential,
    linear_model.LogisticRegression: logistic,
    linear_model.LogisticRegressionCV: logistic,
    linear_model.PoissonRegressor: exponential,
    linear_model.RANSACRegressor: robust_to_outliers,
    linear_model.RidgeClassifier: ridge_classifier,
    linear_model.RidgeClassifierCV: ridge_classifier,
    linear_model.SGDClassifier: stochastic,
    linear_model.SGDOneClassSVM: one_class,
    linear_model.TweedieRegressor: exponential,
    svm.LinearSVC: classifier,
    svm.LinearSVR: regressor,
    MLPClassifier: perceptron_classifier,
    MLPRegressor: perceptron,
    BernoulliRBM: hidden_units,
    DummyClassifier: exact(constant_classifier),
    DummyRegressor: exact(constant_regressor),
}
