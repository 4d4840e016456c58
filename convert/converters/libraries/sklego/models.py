"""scikit-lego's models: linear ones, mixtures, densities, detectors, and those around others.

Sources: `sklego/linear_model.py`, `sklego/mixture/`, `sklego/naive_bayes.py`,
`sklego/neighbors.py`, `sklego/decomposition/pca_reconstruction.py`, `sklego/dummy.py`,
`sklego/meta/`, `sklego/pipeline.py`.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from sklego import decomposition, dummy, linear_model, meta, mixture, naive_bayes, neighbors
from sklego.pipeline import DebugPipeline

from onnxlet.convert.converters.composition.pipelines import pipeline
from onnxlet.convert.converters.composition.wrappers import delegating
from onnxlet.convert.converters.densities.gaussians import SQUARES, constants
from onnxlet.convert.converters.linear import models as linear
from onnxlet.convert.converters.registration import Converters, exact
from onnxlet.convert.graph.converter import (
    Graph,
    Outputs,
    Table,
    Tensor,
    Unsupported,
    labelled,
    refusing,
)
from onnxlet.convert.graph.distances import squared_differences
from onnxlet.convert.graph.responses import class_index, every_row, one_hot, predicted, sided


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
    return sided(graph, density(graph, fitted.gmm_, labelled(table, ())) - fitted.offset_)


def naive(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """GaussianMixtureNB: the product of each column's density."""
    table = labelled(table, ())
    scores = []
    for known in fitted.classes_:
        parts = enumerate(fitted.gmms_[known])
        each = [density(graph, part, graph.select(table, [column])) for column, part in parts]
        scores.append(graph.concat(each).sum())
    likelihood = graph.concat(scores).unary("Exp")
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


def balanced(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """ConfusionBalancer: probabilities, partly by what they were mistaken for."""
    shares = graph.call(fitted.estimator_, labelled(table, ()), "predict_proba")
    made = shares * (1 - fitted.alpha) + (shares * fitted.alpha) @ fitted.cfm_
    return {"class_index": made.argmax(), "predict_proba": made}


def answered(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """EstimatorTransformer: what a method answers, as columns."""
    made = graph.call(fitted.estimator_, table, fitted.predict_func)
    if made.width > 1 and not fitted.multi_output_:
        raise Unsupported(
            f"it puts the {made.width} columns of {fitted.predict_func} below each other",
            "Use a method that answers one number.",
        )
    return {"transform": labelled(Table((made,)), ())}


def ordinal(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """OrdinalClassifier: differences of the probabilities of being at most so high."""
    table = labelled(table, ())
    below = [
        graph.call(part, table, "predict_proba").take([1]) for part in fitted.estimators_.values()
    ]
    ends = [every_row(graph, Table((below[0],)), value) for value in (0.0, 1.0)]
    bounds = [ends[0], *below, ends[1]]
    steps = [high - low for low, high in pairwise(bounds)]
    made = graph.concat(steps)
    return {"class_index": made.argmax(), "predict_proba": made}


def outliers(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """OutlierClassifier: 1 for outliers, with Platt's sigmoid of the detector's score."""
    table = labelled(table, ())
    side = graph.call(fitted.estimator_, table, "predict").cast("int64")
    score = graph.call(fitted.estimator_, table, "decision_function")
    sigmoid = fitted._predict_proba_sigmoid
    share = (-(score * float(sigmoid.a_) + float(sigmoid.b_))).sigmoid()
    return {
        "class_index": side.equals(-1).cast("int64"),
        "predict_proba": graph.concat([1.0 - share, share]),
    }


def unexplained(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """RegressionOutlierDetector: a column that is far from what the others predict for it."""
    x = graph.matrix(table)
    # A column by name is among the others, too: scikit-lego looks for the name among positions.
    others = [position for position in range(table.width) if position != fitted.column]
    truth = x.take([int(fitted.idx_)])
    given = labelled(graph.select(table, others), ())
    off = truth - predicted(graph, fitted.estimator_, given)
    score = off / truth if fitted.method == "relative" else off
    scale = float(fitted.sd_) if fitted.method == "sd" else 1.0
    outside = (score < -fitted.lower * scale) | (score > fitted.upper * scale)
    side = outside.where(graph.constant([[-1]], "int64"), 1)
    return {"decision_function": score - fitted.offset_, "predict": side}


def subjective(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """SubjectiveClassifier: probabilities by what was believed of the classes before."""
    shares = graph.call(fitted.estimator_, labelled(table, ()), "predict_proba")
    if fitted.evidence == "predict_proba":
        weights = np.array([[fitted.prior[known] for known in fitted.classes_]])
        made = _shares(shares * weights)
    else:
        chosen = one_hot(shares.argmax(), shares.width).cast(shares.dtype)
        made = chosen @ fitted.posterior_matrix_.T
        if fitted.evidence == "both":
            made = _shares(made * shares)
    return {"class_index": made.argmax(), "predict_proba": made}


def _shares(x: Tensor) -> Tensor:
    """Divided by the sum of absolute values, where that is not zero."""
    norms = x.unary("Abs").sum()
    return x / norms.equals(0.0).where(1.0, norms)


def thresholded(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """Thresholder: the second class where its probability is above the threshold."""
    shares = graph.call(fitted.estimator_, table, "predict_proba")
    above = shares.take([1]) > fitted.threshold
    return {"class_index": above.cast("int64"), "predict_proba": shares}


def zero_inflated(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """ZeroInflatedRegressor: the regressor's answer where the classifier says there is one."""
    table = labelled(table, ())
    some = graph.call(fitted.classifier_, table, "predict")
    if some.dtype == "string":
        raise Unsupported("its classifier's labels are text", "Give it one with 0 and 1.")
    nothing = some.cast(graph.precision).equals(0.0)
    return {"predict": nothing.where(0.0, predicted(graph, fitted.regressor_, table))}


CONVERTERS: Converters = {
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
    DebugPipeline: exact(pipeline),
    meta.ConfusionBalancer: balanced,
    meta.DecayEstimator: delegating("estimator_"),  # rows are weighed only while it is fitted
    meta.EstimatorTransformer: exact(answered),
    meta.OrdinalClassifier: ordinal,
    meta.OutlierClassifier: outliers,
    meta.RegressionOutlierDetector: unexplained,
    meta.SubjectiveClassifier: subjective,
    meta.Thresholder: exact(thresholded),
    meta.ZeroInflatedRegressor: exact(zero_inflated),
}
