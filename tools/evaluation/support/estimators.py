"""Every estimator of scikit-learn: what it is made with where it needs something, and its data."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn import ensemble, feature_selection, linear_model, multiclass, multioutput
from sklearn import model_selection as selection
from sklearn.base import is_classifier, is_regressor
from sklearn.compose import ColumnTransformer
from sklearn.experimental import enable_halving_search_cv, enable_iterative_imputer  # noqa: F401
from sklearn.feature_extraction.image import PatchExtractor
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from sklearn.utils import all_estimators

from onnxlet import Images
from tools.evaluation.support import samples
from tools.evaluation.support.samples import Sample

TARGETS_ONLY = frozenset({"LabelBinarizer", "LabelEncoder", "MultiLabelBinarizer"})

MakesSample = Callable[[], Sample]


@dataclass(frozen=True)
class Case:
    """One estimator to be converted."""

    name: str  # of the class
    estimator: Any  # not yet fitted
    samples: tuple[MakesSample, ...]  # that it is fitted on, one after the other
    needs: str = ""  # a package that its fit needs and that is not in the sweep's environment
    gaps: bool = True  # it takes missing values where its tags say so: some libraries' are wrong


def cases() -> Iterator[Case]:
    """All estimators, by name."""
    for name, kind in all_estimators():
        estimator = MADE[name]() if name in MADE else kind(**ARGUMENTS.get(name, {}))
        if "random_state" in estimator.get_params(deep=False):
            estimator.set_params(random_state=0)
        yield Case(name, estimator, _samples(name, estimator))


def _samples(name: str, estimator: Any) -> tuple[MakesSample, ...]:
    if name in SAMPLES:
        found = SAMPLES[name]
        return found if isinstance(found, tuple) else (found,)
    if is_classifier(estimator):
        return samples.two_classes, samples.three_classes
    if is_regressor(estimator):
        return (samples.one_target,)
    if type(estimator).__module__.split(".")[1] in ("preprocessing", "impute", "feature_selection"):
        return (samples.unscaled,)
    return (samples.two_classes,)


def _logistic() -> Any:
    return linear_model.LogisticRegression()


def _ridge() -> Any:
    return linear_model.Ridge()


def _classifiers() -> list[tuple[str, Any]]:
    return [("logistic", _logistic()), ("tree", DecisionTreeClassifier(max_depth=4))]


def _regressors() -> list[tuple[str, Any]]:
    return [("ridge", _ridge()), ("tree", DecisionTreeRegressor(max_depth=4))]


def _columns() -> Any:
    return ColumnTransformer(
        [("numbers", StandardScaler(), ["Age", "Income"]), ("texts", OneHotEncoder(), ["Job"])],
        remainder="drop",
    )


def _search(kind: str, parameter: str) -> Callable[[], Any]:
    return lambda: getattr(selection, kind)(_logistic(), **{parameter: {"C": [0.01, 1.0]}})


# With what they can't be made without.
MADE: dict[str, Callable[[], Any]] = {
    "ClassifierChain": lambda: multioutput.ClassifierChain(_logistic()),
    "ColumnTransformer": _columns,
    "FeatureUnion": lambda: FeatureUnion([("a", StandardScaler()), ("b", MinMaxScaler())]),
    "FixedThresholdClassifier": lambda: selection.FixedThresholdClassifier(
        _logistic(), threshold=0.3, pos_label="malignant"
    ),
    "FrozenEstimator": lambda: FrozenEstimator(_frozen()),
    "GridSearchCV": _search("GridSearchCV", "param_grid"),
    "HalvingGridSearchCV": _search("HalvingGridSearchCV", "param_grid"),
    "HalvingRandomSearchCV": _search("HalvingRandomSearchCV", "param_distributions"),
    "MultiOutputClassifier": lambda: multioutput.MultiOutputClassifier(_logistic()),
    "PatchExtractor": lambda: make_pipeline(
        Images(8, 8),
        FunctionTransformer(lambda X: X.reshape(-1, 8, 8)),
        PatchExtractor(patch_size=(3, 3)),
        FunctionTransformer(lambda P: P.reshape(-1, 6 * 6 * 3 * 3)),
    ),
    "MultiOutputRegressor": lambda: multioutput.MultiOutputRegressor(_ridge()),
    "OneVsOneClassifier": lambda: multiclass.OneVsOneClassifier(_logistic()),
    "OneVsRestClassifier": lambda: multiclass.OneVsRestClassifier(_logistic()),
    "OutputCodeClassifier": lambda: multiclass.OutputCodeClassifier(_logistic()),
    "Pipeline": lambda: Pipeline([("columns", _columns()), ("logistic", _logistic())]),
    "RFE": lambda: feature_selection.RFE(_logistic(), n_features_to_select=3),
    "RFECV": lambda: feature_selection.RFECV(_logistic()),
    "RandomizedSearchCV": lambda: selection.RandomizedSearchCV(
        _logistic(), {"C": [0.01, 1.0]}, n_iter=2
    ),
    "RegressorChain": lambda: multioutput.RegressorChain(_ridge()),
    "SelectFromModel": lambda: feature_selection.SelectFromModel(_logistic()),
    "SequentialFeatureSelector": lambda: feature_selection.SequentialFeatureSelector(
        _logistic(), n_features_to_select=2
    ),
    "StackingClassifier": lambda: ensemble.StackingClassifier(_classifiers()),
    "StackingRegressor": lambda: ensemble.StackingRegressor(_regressors()),
    "TunedThresholdClassifierCV": lambda: selection.TunedThresholdClassifierCV(_logistic()),
    "VotingClassifier": lambda: ensemble.VotingClassifier(_classifiers(), voting="soft"),
    "VotingRegressor": lambda: ensemble.VotingRegressor(_regressors()),
}


def _frozen() -> Any:
    sample = samples.two_classes()
    return _logistic().fit(sample.X, sample.y)


# What makes them answer new rows, or fit in time; else they stay as scikit-learn makes them.
ARGUMENTS: dict[str, dict[str, Any]] = {
    "DictionaryLearning": {"n_components": 6, "max_iter": 50},
    "FeatureHasher": {"n_features": 2**10},
    "GaussianRandomProjection": {"n_components": 4},
    "HashingVectorizer": {"n_features": 2**10},
    "IsolationForest": {"n_estimators": 20},
    "KernelDensity": {"leaf_size": 1000},
    "LocalOutlierFactor": {"novelty": True},
    "MiniBatchDictionaryLearning": {"n_components": 6},
    "MiniBatchNMF": {"n_components": 4, "max_iter": 20},
    "NMF": {"n_components": 4},
    "PolynomialCountSketch": {"n_components": 10},
    "RadiusNeighborsClassifier": {"radius": 2.0, "outlier_label": "most_frequent"},
    "RadiusNeighborsRegressor": {"radius": 3.0},
    "RandomTreesEmbedding": {"n_estimators": 20},
    "SelectKBest": {"k": 3},
    "SelfTrainingClassifier": {"estimator": _logistic()},
    "SparseRandomProjection": {"n_components": 4},
    "SparseCoder": {"dictionary": np.eye(12)[:8] + np.eye(12, k=2)[:8]},
}

# Other than by the kind of the estimator.
SAMPLES: dict[str, MakesSample | tuple[MakesSample, ...]] = {
    **dict.fromkeys(("CCA", "PLSCanonical", "PLSRegression", "PLSSVD"), samples.two_targets),
    **dict.fromkeys(
        ("MultiTaskElasticNet", "MultiTaskElasticNetCV", "MultiTaskLasso", "MultiTaskLassoCV",
         "MultiOutputRegressor", "RegressorChain"), samples.two_targets
    ),
    **dict.fromkeys(
        ("FixedThresholdClassifier", "FrozenEstimator", "TunedThresholdClassifierCV"),
        samples.two_classes,
    ),
    **dict.fromkeys(
        ("AdditiveChi2Sampler", "ComplementNB", "DictionaryLearning", "FactorAnalysis",
         "MiniBatchDictionaryLearning", "MiniBatchNMF", "MultinomialNB", "NMF",
         "SkewedChi2Sampler", "SparseCoder"), samples.pixels
    ),
    **dict.fromkeys(
        ("CategoricalNB", "LatentDirichletAllocation", "TfidfTransformer"), samples.counts
    ),
    **dict.fromkeys(("OneHotEncoder", "OrdinalEncoder", "TargetEncoder"), samples.categories),
    **dict.fromkeys(("ColumnTransformer", "Pipeline"), samples.loans),
    **dict.fromkeys(
        ("CountVectorizer", "HashingVectorizer", "TfidfVectorizer"), samples.sentences
    ),
    **dict.fromkeys(("DictVectorizer", "FeatureHasher"), samples.word_counts),
    "BernoulliRBM": samples.shades,
    "ClassifierChain": samples.two_indicators,
    "IsotonicRegression": samples.one_column,
    "KernelCenterer": samples.similarities,
    "MissingIndicator": samples.with_gaps_in_it,
    "MultiOutputClassifier": samples.two_labels,
    "PatchExtractor": samples.images,
}  # fmt: skip
