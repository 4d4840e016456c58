"""Linear models: coefficients times the columns, and what is made of it.

Sources: `sklearn/linear_model/_base.py` (LinearModel, LinearClassifierMixin), `_logistic.py`
(softmax), `_glm/glm.py` (links).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn import linear_model, svm

from convert.converters.graph import Answers, Converter, Graph, Table, Tensor, Unsupported


def decision(graph: Graph, fitted: Any, table: Table) -> Tensor:
    """`X @ coef_.T + intercept_`, of shape (rows, outputs)."""
    coefficients = fitted.coef_
    if hasattr(coefficients, "toarray"):
        coefficients = coefficients.toarray()
    coefficients = np.atleast_2d(coefficients)
    return graph.matrix(table) @ coefficients.T + np.reshape(fitted.intercept_, (1, -1))


def regressor(graph: Graph, fitted: Any, table: Table) -> Answers:
    """The decision itself."""
    return {"predict": decision(graph, fitted, table)}


def bayesian(graph: Graph, fitted: Any, table: Table) -> Answers:
    """With the standard deviation of the prediction: `sklearn/linear_model/_bayes.py`."""
    x = graph.matrix(table)
    if isinstance(fitted, linear_model.ARDRegression):
        x = x.take(np.flatnonzero(fitted.lambda_ < fitted.threshold_lambda))
        mean = decision(graph, fitted, table)
    else:
        mean = decision(graph, fitted, table)
    variance = ((x @ fitted.sigma_) * x).sum() + 1.0 / fitted.alpha_
    return {"predict": mean, "std": variance.unary("Sqrt")}


def exponential(graph: Graph, fitted: Any, table: Table) -> Answers:
    """Generalised linear models: the inverse of their link."""
    link = type(fitted._base_loss.link).__name__
    score = decision(graph, fitted, table)
    if link == "IdentityLink":
        return {"predict": score}
    if link == "LogLink":
        return {"predict": score.unary("Exp")}
    raise Unsupported(f"the link {link} has no conversion")


def places_of(score: Tensor) -> Tensor:
    """The class of a decision: its sign where there are two, else the largest."""
    if score.width == 1:
        return (score > 0).cast("int64")
    return score.argmax()


def classifier(graph: Graph, fitted: Any, table: Table) -> Answers:
    """The class of the highest decision."""
    score = decision(graph, fitted, table)
    return {"decision_function": score, "places": places_of(score)}


def two_sided(probability: Tensor) -> Tensor:
    """Of both classes, from that of the second."""
    return probability.graph.concat([1.0 - probability, probability])


def logistic(graph: Graph, fitted: Any, table: Table) -> Answers:
    """Softmax over the decisions, or each its own sigmoid and then normalised."""
    answers = dict(classifier(graph, fitted, table))
    score = answers["decision_function"]
    assert isinstance(score, Tensor)  # noqa: S101 - what `classifier` just made
    multinomial = len(fitted.classes_) > 2 and getattr(fitted, "solver", "") != "liblinear"
    if multinomial:
        answers["predict_proba"] = score.softmax()
    else:
        answers["predict_proba"] = one_versus_rest(score)
    return answers


def one_versus_rest(score: Tensor) -> Tensor:
    """`LinearClassifierMixin._predict_proba_lr`: sigmoids, normalised where there are several."""
    probability = score.unary("Sigmoid")
    if score.width == 1:
        return two_sided(probability)
    return probability / probability.sum()


def stochastic(graph: Graph, fitted: Any, table: Table) -> Answers:
    """SGDClassifier: probabilities of its logistic and modified Huber losses."""
    answers = dict(classifier(graph, fitted, table))
    score = answers["decision_function"]
    assert isinstance(score, Tensor)  # noqa: S101 - what `classifier` just made
    if fitted.loss == "log_loss":
        answers["predict_proba"] = one_versus_rest(score)
    elif fitted.loss == "modified_huber":
        probability = (score.clip(-1.0, 1.0) + 1.0) / 2.0
        if score.width == 1:
            answers["predict_proba"] = two_sided(probability)
        else:
            total = probability.sum()
            none = total.equals(0.0)
            even = 1.0 / len(fitted.classes_)
            answers["predict_proba"] = none.where(even, probability / none.where(1.0, total))
    return answers


def robust_to_outliers(graph: Graph, fitted: Any, table: Table) -> Answers:
    """RANSACRegressor: the model that it kept."""
    return {"predict": graph.ask(fitted.estimator_, table, "predict")}


def one_class(graph: Graph, fitted: Any, table: Table) -> Answers:
    """SGDOneClassSVM: the side of a plane."""
    plane = np.reshape(fitted.coef_, (1, -1))
    score = graph.matrix(table) @ plane.T - float(np.ravel(fitted.offset_)[0])
    side = (score >= 0.0).where(graph.constant(1, "int64"), -1)
    return {"decision_function": score, "predict": side}


REGRESSORS = (
    "ElasticNet", "ElasticNetCV", "HuberRegressor", "Lars", "LarsCV", "Lasso", "LassoCV",
    "LassoLars", "LassoLarsCV", "LassoLarsIC", "LinearRegression", "MultiTaskElasticNet",
    "MultiTaskElasticNetCV", "MultiTaskLasso", "MultiTaskLassoCV", "OrthogonalMatchingPursuit",
    "OrthogonalMatchingPursuitCV", "PassiveAggressiveRegressor", "QuantileRegressor", "Ridge",
    "RidgeCV", "SGDRegressor", "TheilSenRegressor",
)  # fmt: skip
CLASSIFIERS = ("PassiveAggressiveClassifier", "Perceptron", "RidgeClassifier", "RidgeClassifierCV")

CONVERTERS: dict[type, Converter] = {
    **{getattr(linear_model, name): regressor for name in REGRESSORS},
    **{getattr(linear_model, name): classifier for name in CLASSIFIERS},
    linear_model.ARDRegression: bayesian,
    linear_model.BayesianRidge: bayesian,
    linear_model.GammaRegressor: exponential,
    linear_model.LogisticRegression: logistic,
    linear_model.LogisticRegressionCV: logistic,
    linear_model.PoissonRegressor: exponential,
    linear_model.RANSACRegressor: robust_to_outliers,
    linear_model.SGDClassifier: stochastic,
    linear_model.SGDOneClassSVM: one_class,
    linear_model.TweedieRegressor: exponential,
    svm.LinearSVC: classifier,
    svm.LinearSVR: regressor,
}
