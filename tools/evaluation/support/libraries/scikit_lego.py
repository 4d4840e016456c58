"""scikit-lego's estimators: what they are made with where they need something, and data."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.base import is_classifier, is_regressor
from sklearn.ensemble import IsolationForest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.preprocessing import StandardScaler

from tools.evaluation.support import samples
from tools.evaluation.support.estimators import Case, MakesSample
from tools.evaluation.support.libraries import estimators_of
from tools.evaluation.support.samples import Sample

BASE = "HierarchicalPredictor"  # only others derive from it


def in_groups() -> Sample:
    """Loans, by the home of who asked; and the price of what they buy."""
    X, _, others = samples.loans()
    columns = ["Home", "Age", "Income"]
    return Sample(X[columns], X["Price"].astype(float).to_numpy(), others[columns])


def classes_in_groups() -> Sample:
    """The same, and whether they went well, as 0 and 1."""
    X, _, others = in_groups()
    return Sample(X, (samples.loans().y == "good").astype(int), others)


def many_zeros() -> Sample:
    """How diabetes went on, zero where that is not much."""
    X, y, others = samples.one_target()
    return Sample(X, np.where(y < np.median(y), 0.0, y), others)


def outlying() -> Sample:
    """Tumours: whether they are malignant, as 0 and 1."""
    X, y, others = samples.two_classes()
    return Sample(X, (y == "malignant").astype(int), others)


def numbers_in_a_frame() -> Sample:
    """Loans, numbers only."""
    X, y, others = samples.loans()
    columns = ["Age", "Income", "Price"]
    return Sample(X[columns].astype(float), y, others[columns].astype(float))


CLASSES, TARGET = (samples.two_classes, samples.three_classes), (samples.one_target,)
FRAME = (numbers_in_a_frame,)
PRIOR = {"malignant": 0.2, "benign": 0.8}
# With what they need, and the data, where the kind of the estimator does not say it.
MADE: dict[str, tuple[dict[str, Any], tuple[MakesSample, ...] | None]] = {
    "BayesianGMMOutlierDetector": ({}, (outlying,)),
    "ColumnCapper": ({}, (samples.unscaled,)),
    "ColumnDropper": ({"columns": ["Age"]}, FRAME),
    "ColumnSelector": ({"columns": ["Price", "Age"]}, FRAME),
    "ConfusionBalancer": ({"estimator": LogisticRegression(), "cfm_smooth": 1}, None),
    "DebugPipeline": ({"steps": [("a", StandardScaler()), ("b", Ridge())]}, TARGET),
    "DecayEstimator": ({"model": Ridge()}, TARGET),
    "DictMapper": ({"mapper": {0: 5, 8: 7, 16: -2}, "default": 1}, (samples.counts,)),
    "EstimatorTransformer": ({"estimator": Ridge()}, TARGET),
    "FormulaicTransformer": ({"formula": "Age + Price"}, FRAME),
    "GMMOutlierDetector": ({}, (outlying,)),
    "GroupedClassifier": (
        {"estimator": LogisticRegression(), "groups": ["Home"]},
        (classes_in_groups,),
    ),
    "GroupedPredictor": ({"estimator": Ridge(), "groups": ["Home"]}, (in_groups,)),
    "GroupedRegressor": ({"estimator": Ridge(), "groups": ["Home"]}, (in_groups,)),
    "GroupedTransformer": ({"transformer": StandardScaler(), "groups": ["Home"]}, (in_groups,)),
    "HierarchicalClassifier": (
        {"estimator": LogisticRegression(), "groups": ["Home"], "shrinkage": "relative"},
        (classes_in_groups,),
    ),
    "HierarchicalRegressor": ({"estimator": Ridge(), "groups": ["Home"]}, (in_groups,)),
    "IdentityTransformer": ({}, (samples.unscaled,)),
    "InformationFilter": ({"columns": [0, 3]}, (samples.two_classes,)),
    "IntervalEncoder": ({}, TARGET),
    "LinearEmbedder": ({}, TARGET),
    "LowessRegression": ({"sigma": 20.0}, TARGET),
    "MaximumRelevanceMinimumRedundancy": ({"k": 3}, TARGET),
    "MonotonicSplineTransformer": ({}, (samples.two_classes,)),
    "OrdinalClassifier": ({"estimator": LogisticRegression()}, (samples.three_classes,)),
    "OrthogonalTransformer": ({}, (samples.two_classes,)),
    "OutlierClassifier": ({"model": IsolationForest(n_estimators=10, random_state=0)}, (outlying,)),
    "OutlierRemover": (
        {"outlier_detector": IsolationForest(n_estimators=10, random_state=0)},
        TARGET,
    ),
    "PCAOutlierDetection": ({"n_components": 3, "threshold": 2.0, "variant": "absolute"}, CLASSES),
    "PandasTypeSelector": ({"include": "float"}, FRAME),
    "RandomAdder": ({}, TARGET),
    "RegressionOutlierDetector": ({"model": Ridge(), "column": 0}, TARGET),
    "RepeatingBasisFunction": ({"column": 1, "remainder": "passthrough"}, TARGET),
    "SubjectiveClassifier": (
        {"estimator": LogisticRegression(), "prior": PRIOR},
        (samples.two_classes,),
    ),
    "Thresholder": ({"model": LogisticRegression(), "threshold": 0.3}, (samples.two_classes,)),
    "TypeSelector": ({"include": "number"}, FRAME),
    "UMAPOutlierDetection": ({"threshold": 2.0}, CLASSES),
    "ZeroInflatedRegressor": (
        {"classifier": LogisticRegression(), "regressor": Ridge()},
        (many_zeros,),
    ),
}

NEEDS = {
    "FormulaicTransformer": "formulaic",
    "ProbWeightRegression": "cvxpy",
    "UMAPOutlierDetection": "umap-learn",
}


def cases() -> Iterator[Case]:
    """All estimators, by name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some say what to use instead
        for name, kind in estimators_of("sklego", BASE).items():
            arguments, data = MADE.get(name, ({}, None))
            made = kind(**arguments)
            if "random_state" in made.get_params(deep=False):
                made.set_params(random_state=0)
            yield Case(name, made, data or _samples(made), NEEDS.get(name, ""))


def _samples(estimator: Any) -> tuple[MakesSample, ...]:
    if is_classifier(estimator):
        return CLASSES
    return TARGET if is_regressor(estimator) else (samples.unscaled,)
