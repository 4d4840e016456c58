"""scikit-lego's models: linear ones, mixtures, densities, and outlier detectors.

Sources: `sklego/linear_model.py`, `sklego/mixture/`, `sklego/naive_bayes.py`,
`sklego/neighbors.py`, `sklego/decomposition/pca_reconstruction.py`, `sklego/dummy.py`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklego import decomposition, dummy, linear_model, mixture, naive_bayes, neighbors

from onnxlet.convert.converters.answers import class_index
from onnxlet.convert.converters.densities.gaussians import SQUARES, constants
from onnxlet.convert.converters.linear import models as linear
from onnxlet.convert.graph.converter import (
    Converter,
    Graph,
    Outputs,
    Table,
    Tensor,
    labelled,
    refusing,
)
from onnxlet.convert.graph.distances import squared_differences


def product(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """DeadZoneRegressor and ProbWeightRegression: coefficients, and no intercept."""
    return {"predict": graph.matrix(table) @ np.reshape(fitted.coef_, (-1, 1))}


def fair(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """The classifiers of DemographicParityClassifier and EqualOpportunityClassifier."""
    kept = list(range(table.width))
    if not fitted.train_sensitive_cols:
        kept = np.delete(kept, fitted.sensitive_col_idx_).tolist()
    score = linear.decision(graph, fitted, graph.select(table, kept))
    return {
        "decision_function": score,
        "class_index": class_index(score),
        "predict_proba": graph.concat([-score, score]).sigmoid(),
    }


def smoothed(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """LowessRegression: the training targets, by weights that fall with the distance."""
    x = graph.matrix(table, "float64")
    distance = squared_differences(x, np.asarray(fitted.X_, dtype=np.float64)).unary("Sqrt")
    weights = (distance * distance * (-1.0 / fitted.sigma)).unary("Exp")
    if fitted.span:
        near = distance <= _quantile(distance, len(fitted.X_), fitted.span)
        weights = weights * near.cast("float64")
    targets = np.asarray(fitted.y_, dtype=np.float64).reshape(-1, 1)
    graph.refuse_rows(weights.cast(graph.precision).sum().equals(0.0))  # far from every row
    return {"predict": ((weights @ targets) / weights.sum()).cast(graph.precision)}


def _quantile(distance: Tensor, count: int, share: float) -> Tensor:
    """`np.quantile` of each row: linear between two of its values."""
    position = share * (count - 1)
    low = int(position)
    ordered, _ = distance.smallest(count)
    first = ordered.take([low])
    if position == low:
        return first
    second, part = ordered.take([low + 1]), position - low
    step = second - first
    return second - step * (1.0 - part) if part >= 0.5 else first + step * part


def density(graph: Graph, fitted: Any, table: Table) -> Tensor:
    """`score_samples` of a Gaussian mixture, float64."""
    x = graph.matrix(table, "float64")
    squares = SQUARES[fitted.covariance_type](x, fitted.means_, fitted.precisions_cholesky_)
    constant = constants(fitted) - 0.5 * table.width * np.log(2 * np.pi)
    made: Tensor = squares * -0.5 + constant
    return made.logsumexp() if made.width > 1 else made


def of_mixtures(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """GMMClassifier: the softmax of each class's density."""
    table = labelled(table, ())
    score = graph.concat([density(graph, fitted.gmms_[c], table) for c in fitted.classes_])
    shares = score.softmax()
    return {"class_index": shares.argmax(), "predict_proba": shares.cast(graph.precision)}


def detector(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """GMMOutlierDetector: outliers have a density below the threshold."""
    return _sided(graph, density(graph, fitted.gmm_, labelled(table, ())) - fitted.offset_)


def _sided(graph: Graph, score: Tensor) -> Outputs:
    side = (score >= 0.0).where(graph.constant([[1]], "int64"), -1)
    return {"decision_function": score.cast(graph.precision), "predict": side}


def naive(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """GaussianMixtureNB: the product of each column's density."""
    table = labelled(table, ())
    scores = []
    for known in fitted.classes_:
        parts = enumerate(fitted.gmms_[known])
        each = [density(graph, part, graph.select(table, [column])) for column, part in parts]
        scores.append(graph.concat(each).sum())
    return _normalised(graph, graph.concat(scores).unary("Exp"))


def _normalised(graph: Graph, likelihood: Tensor) -> Outputs:
    shares = likelihood / likelihood.sum()
    return {"class_index": shares.argmax(), "predict_proba": shares.cast(graph.precision)}


def reconstructed(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """PCAOutlierDetection: how far a row is from what its components say."""
    x, pca = graph.matrix(table), fitted.pca_
    back = pca.components_
    if pca.whiten:
        back = np.sqrt(pca.explained_variance_[:, np.newaxis]) * back
    made = graph.call(pca, labelled(table, ()), "transform") @ back + pca.mean_.reshape(1, -1)
    off = (made - x).unary("Abs").sum()
    if fitted.variant == "relative":
        off = off / x.sum()
    score = -off + fitted.threshold
    side = (off > fitted.threshold).where(graph.constant([[-1]], "int64"), 1)
    return {"decision_function": score, "predict": side}


CONVERTERS: dict[type, Converter] = {
    decomposition.PCAOutlierDetection: reconstructed,
    dummy.RandomRegressor: refusing("it answers at random", "Use scikit-learn's DummyRegressor."),
    linear_model.DeadZoneRegressor: product,
    linear_model.ImbalancedLinearRegression: linear.regressor,
    linear_model.LADRegression: linear.regressor,
    linear_model.LowessRegression: smoothed,
    linear_model.ProbWeightRegression: product,
    linear_model.QuantileRegression: linear.regressor,
    linear_model._DemographicParityClassifier: fair,
    linear_model._EqualOpportunityClassifier: fair,
    mixture.BayesianGMMClassifier: of_mixtures,
    mixture.BayesianGMMOutlierDetector: detector,
    mixture.GMMClassifier: of_mixtures,
    mixture.GMMOutlierDetector: detector,
    naive_bayes.BayesianGaussianMixtureNB: naive,
    naive_bayes.GaussianMixtureNB: naive,
    neighbors.BayesianKernelDensityClassifier: refusing(
        "its densities come from sums and differences of bounds over a tree of points, whose "
        "order changes the third digit",
        "Fit GaussianMixtureNB or GMMClassifier instead.",
    ),
}
