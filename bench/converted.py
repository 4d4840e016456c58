"""Estimators of each family that skl2onnx converts too, on data that suits them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from sklearn import (
    calibration,
    cluster,
    cross_decomposition,
    decomposition,
    discriminant_analysis,
    ensemble,
    feature_selection,
    gaussian_process,
    impute,
    linear_model,
    mixture,
    multiclass,
    naive_bayes,
    neighbors,
    neural_network,
    preprocessing,
    random_projection,
    svm,
    tree,
)
from sklearn.datasets import load_wine, make_classification
from sklearn.pipeline import make_pipeline

from bench.models import breast_cancer_train
from onnxlet.function.arrays import Array

TWO_MODELS = [("a", linear_model.LogisticRegression()), ("b", naive_bayes.GaussianNB())]
TWO_REGRESSORS = [("a", linear_model.Ridge()), ("b", tree.DecisionTreeRegressor(random_state=0))]


class Case(NamedTuple):
    """An estimator, not fitted yet, and the rows that it is fitted on.

    Attributes:
        estimator: of scikit-learn.
        X: shape (rows, columns), float64 or text.
        y: a class for each row.
        note: what distinguishes it from others of its type.
    """

    estimator: Any
    X: Array
    y: Array
    note: str = ""


def cases() -> Iterator[Case]:
    """All cases, on data of scikit-learn and made-up data."""
    X, y = breast_cancer_train()
    X, y = X.to_numpy(), np.asarray(y)
    for estimator, note in [*_numbers(), *_trees(), *_linear(), *_others(), *_kernels()]:
        yield Case(estimator, X, y, note)
    wine, kinds = load_wine(return_X_y=True)
    for estimator in _of_classes():
        yield Case(estimator, wine, kinds, "three classes")
    yield Case(_forest(max_depth=3), wine, kinds, "three classes, depth 3")
    yield Case(svm.SVC(probability=True), wine, kinds, "three classes, probabilities")
    many, kinds = make_classification(5000, 20, n_informative=10, n_classes=3, random_state=0)
    for estimator in (neighbors.KNeighborsClassifier(), _forest(min_samples_leaf=5), svm.SVC()):
        yield Case(estimator, many, kinds, "5,000 rows")
    random = np.random.default_rng(0)
    gaps = np.where(random.random(X.shape) < 0.05, np.nan, X)
    for estimator in (impute.SimpleImputer(), impute.KNNImputer()):
        yield Case(estimator, gaps, y, "gaps")
    y, counts = random.integers(0, 2, 400), random.poisson(1.0, (400, 30)).astype(np.float64)
    for estimator in (naive_bayes.MultinomialNB(), naive_bayes.ComplementNB()):
        yield Case(estimator, counts, y)
    codes = random.integers(0, 6, (400, 8))
    for estimator in (preprocessing.TargetEncoder(random_state=0), naive_bayes.CategoricalNB()):
        yield Case(estimator, codes.astype(np.float64), y)
    for values, note in ((codes.astype(np.float64), "numbers"), (_texts(codes), "text")):
        yield Case(preprocessing.OrdinalEncoder(), values, y, note)
        yield Case(preprocessing.OneHotEncoder(sparse_output=False), values, y, note)


def _texts(codes: Array) -> Array:
    return np.array(["red", "green", "blue", "cyan", "pink", "grey"], dtype=object)[codes]


def _forest(trees: int = 100, **options: Any) -> Any:
    return ensemble.RandomForestClassifier(trees, random_state=0, **options)


def _numbers() -> Iterator[tuple[Any, str]]:
    """Transformers of numeric columns, with a note each."""
    bins = preprocessing.KBinsDiscretizer
    logistic, ridge = linear_model.LogisticRegression(), linear_model.Ridge()
    yield make_pipeline(preprocessing.StandardScaler(), logistic), ""
    yield make_pipeline(impute.SimpleImputer(), ridge), ""
    yield make_pipeline(bins(5, encode="ordinal"), ridge), ""
    yield bins(5, encode="onehot-dense"), "one-hot"
    yield impute.SimpleImputer(), ""
    yield impute.KNNImputer(), ""
    yield preprocessing.MinMaxScaler(), ""
    yield preprocessing.MaxAbsScaler(), ""
    yield preprocessing.RobustScaler(), ""
    yield preprocessing.Binarizer(), ""
    yield preprocessing.Normalizer(), ""
    yield preprocessing.Normalizer("l1"), "l1"
    yield preprocessing.PolynomialFeatures(2), ""
    yield preprocessing.PowerTransformer(), ""
    yield preprocessing.FunctionTransformer(), ""
    yield feature_selection.SelectKBest(k=10), ""
    yield feature_selection.VarianceThreshold(), ""
    yield feature_selection.RFE(linear_model.LogisticRegression(), n_features_to_select=5), ""
    yield decomposition.PCA(5), ""
    yield decomposition.IncrementalPCA(5), ""
    yield decomposition.TruncatedSVD(5), ""
    yield decomposition.KernelPCA(3, kernel="rbf", gamma=1e-6), "rbf"
    yield random_projection.GaussianRandomProjection(5, random_state=0), ""


def _trees() -> Iterator[tuple[Any, str]]:
    yield tree.DecisionTreeClassifier(random_state=0), ""
    yield tree.DecisionTreeRegressor(random_state=0), ""
    yield _forest(), ""
    yield ensemble.RandomForestRegressor(100, random_state=0), ""
    yield ensemble.ExtraTreesClassifier(100, random_state=0), ""
    yield ensemble.ExtraTreesRegressor(100, random_state=0), ""
    yield ensemble.GradientBoostingClassifier(random_state=0), ""
    yield ensemble.GradientBoostingRegressor(random_state=0), ""
    yield ensemble.HistGradientBoostingClassifier(random_state=0), ""
    yield ensemble.HistGradientBoostingRegressor(random_state=0), ""
    yield ensemble.AdaBoostClassifier(n_estimators=20, random_state=0), ""
    yield ensemble.AdaBoostRegressor(random_state=0), ""
    yield ensemble.BaggingClassifier(random_state=0), ""
    yield ensemble.BaggingRegressor(random_state=0), ""
    yield ensemble.IsolationForest(random_state=0), ""
    yield ensemble.RandomTreesEmbedding(10, sparse_output=False, random_state=0), ""


def _linear() -> Iterator[tuple[Any, str]]:
    for name in (
        "LogisticRegression", "Ridge", "RidgeClassifier", "Lasso", "ElasticNet", "BayesianRidge",
        "HuberRegressor", "QuantileRegressor", "PoissonRegressor",
    ):  # fmt: skip
        yield getattr(linear_model, name)(), ""
    for name in ("SGDClassifier", "SGDRegressor", "Perceptron"):
        yield getattr(linear_model, name)(random_state=0), ""
    yield linear_model.SGDClassifier(loss="log_loss", random_state=0), "log loss"
    yield svm.LinearSVC(), ""
    yield svm.LinearSVR(), ""
    yield discriminant_analysis.LinearDiscriminantAnalysis(), ""
    yield cross_decomposition.PLSRegression(2), ""


def _others() -> Iterator[tuple[Any, str]]:
    logistic = linear_model.LogisticRegression()
    yield ensemble.VotingClassifier(TWO_MODELS, voting="soft"), "soft"
    yield ensemble.VotingRegressor(TWO_REGRESSORS), ""
    yield ensemble.StackingClassifier(TWO_MODELS), ""
    yield ensemble.StackingRegressor(TWO_REGRESSORS), ""
    yield calibration.CalibratedClassifierCV(logistic), "sigmoid"
    yield (
        calibration.CalibratedClassifierCV(naive_bayes.GaussianNB(), method="isotonic"),
        "isotonic",
    )
    yield naive_bayes.GaussianNB(), ""
    yield naive_bayes.BernoulliNB(), ""
    yield cluster.KMeans(5, random_state=0), ""
    yield mixture.GaussianMixture(3, random_state=0), ""
    yield mixture.BayesianGaussianMixture(n_components=3, random_state=0), ""
    for activation in ("relu", "tanh", "logistic"):
        options = {"activation": activation, "max_iter": 50, "random_state": 0}
        yield neural_network.MLPClassifier(**options), activation
    yield neural_network.MLPRegressor(max_iter=50, random_state=0), "relu"


def _kernels() -> Iterator[tuple[Any, str]]:
    """Estimators that compare rows with kept training points, with a note each."""
    yield neighbors.KNeighborsClassifier(), ""
    yield neighbors.KNeighborsRegressor(), ""
    yield neighbors.KNeighborsClassifier(weights="distance"), "by distance"
    yield neighbors.LocalOutlierFactor(novelty=True), ""
    for kernel in ("rbf", "linear", "poly", "sigmoid"):
        yield svm.SVC(kernel=kernel), kernel
    yield svm.SVC(probability=True), "rbf, probabilities"
    yield svm.NuSVC(nu=0.2), "rbf"
    yield svm.SVR(), "rbf"
    yield svm.NuSVR(), "rbf"
    yield svm.OneClassSVM(), "rbf"
    yield gaussian_process.GaussianProcessRegressor(), ""
    yield gaussian_process.GaussianProcessClassifier(), ""


def _of_classes() -> Iterator[Any]:
    """Classifiers that answer otherwise where there are more than two classes."""
    logistic = linear_model.LogisticRegression()
    yield logistic
    yield linear_model.SGDClassifier(loss="log_loss", random_state=0)
    yield discriminant_analysis.LinearDiscriminantAnalysis()
    yield discriminant_analysis.QuadraticDiscriminantAnalysis()
    yield naive_bayes.GaussianNB()
    yield neighbors.KNeighborsClassifier()
    yield svm.SVC()
    yield tree.DecisionTreeClassifier(random_state=0)
    yield _forest()
    yield ensemble.ExtraTreesClassifier(100, random_state=0)
    yield ensemble.GradientBoostingClassifier(random_state=0)
    yield ensemble.HistGradientBoostingClassifier(random_state=0)
    yield ensemble.AdaBoostClassifier(n_estimators=20, random_state=0)
    yield neural_network.MLPClassifier(max_iter=50, random_state=0)
    yield multiclass.OneVsRestClassifier(logistic)
    yield multiclass.OneVsOneClassifier(logistic)
    yield calibration.CalibratedClassifierCV(logistic)
    yield ensemble.StackingClassifier(TWO_MODELS)
