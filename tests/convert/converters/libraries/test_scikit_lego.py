"""scikit-lego's estimators answer as themselves: columns, models, parts for groups of rows."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import IsolationForest, RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import LabelBinarizer, StandardScaler

from onnxlet.convert.reference.answers import task_of
from onnxlet.convert.sources.source import Source
from tests.convert.converters.samples import fit
from tests.convert.exactness import answers, assert_exact, assert_refused
from tests.convert.helpers import built
from tools.evaluation.support import samples

pytest.importorskip("sklego")
from sklego import linear_model, meta, preprocessing
from sklego.decomposition import PCAOutlierDetection
from sklego.dummy import RandomRegressor
from sklego.mixture import BayesianGMMOutlierDetector, GMMClassifier, GMMOutlierDetector
from sklego.naive_bayes import GaussianMixtureNB
from sklego.neighbors import BayesianKernelDensityClassifier

TUMOURS, WINES, DIABETES = samples.two_classes(), samples.three_classes(), samples.one_target()
ODD = np.array([0.0, -1.0, 1.0, 1e6, -1e6])
LOANS = samples.loans()
FRAME = LOANS.X[["Home", "Job", "Age", "Income"]]
OTHERS = LOANS.others[["Home", "Job", "Age", "Income"]].reset_index(drop=True)
OTHERS.loc[::29, "Home"] = "never seen"
GOOD = (LOANS.y == "good").astype(int)


def _with_odd(X: Any) -> Any:
    return np.vstack([X, np.tile(ODD[:, np.newaxis], X.shape[1])])


@pytest.mark.parametrize(
    "estimator",
    [
        preprocessing.ColumnCapper((10, 60), interpolation="nearest"),
        preprocessing.IntervalEncoder(n_chunks=1),
        preprocessing.IntervalEncoder(n_chunks=40, method="average", span=0.9),
        preprocessing.OrthogonalTransformer(normalize=True),
        preprocessing.InformationFilter([1, 4], alpha=0.3),
        preprocessing.MonotonicSplineTransformer(n_knots=5, degree=2, knots="quantile"),
        preprocessing.LinearEmbedder(LinearRegression()),
        preprocessing.IdentityTransformer(check_X=True),
        linear_model.LowessRegression(sigma=9.0, span=0.25),
        linear_model.LowessRegression(sigma=50.0, span=0.2),
        linear_model.DeadZoneRegressor(threshold=5.0, effect="quadratic"),
        linear_model.ImbalancedLinearRegression(overestimation_punishment_factor=50.0),
        meta.EstimatorTransformer(Ridge()),
        meta.DecayEstimator(Ridge(), decay_func="linear"),
        meta.RegressionOutlierDetector(Ridge(), 2, method="absolute", lower=0.5, upper=0.7),
        meta.RegressionOutlierDetector(Ridge(), 2, method="relative", lower=0.5, upper=0.7),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_numbers(estimator: Any) -> None:
    rows = DIABETES.others
    if isinstance(estimator, preprocessing.ColumnCapper | preprocessing.IntervalEncoder):
        rows = _with_odd(rows)
    assert_exact(fit(estimator, DIABETES.X, DIABETES.y), rows)


@pytest.mark.filterwarnings("ignore::UserWarning")  # they say what to use instead
def test_quantiles() -> None:
    for kind in (linear_model.LADRegression, linear_model.QuantileRegression):
        model = fit(kind(fit_intercept=False, alpha=0.1), DIABETES.X, DIABETES.y)
        assert_exact(model, DIABETES.others)


def test_a_capper_keeps_gaps_and_infinities_as_it_is_told() -> None:
    rows = DIABETES.others.copy()
    rows[::3, 1], rows[1::3, 1], rows[2::3, 1] = np.nan, np.inf, -np.inf
    for discards in (False, True):
        capper = preprocessing.ColumnCapper(discard_infs=discards)
        assert_exact(fit(capper, DIABETES.X, DIABETES.y), rows)


@pytest.mark.parametrize("sample", [TUMOURS, WINES], ids=["two classes", "three classes"])
@pytest.mark.parametrize(
    "estimator",
    [
        GMMClassifier(2, covariance_type="tied", random_state=0),
        GMMClassifier(covariance_type="spherical"),
        GaussianMixtureNB(2, random_state=0),
        meta.ConfusionBalancer(RandomForestClassifier(5, random_state=0), alpha=0.7, cfm_smooth=1),
        meta.DecayEstimator(LogisticRegression()),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_classes(estimator: Any, sample: Any) -> None:
    assert_exact(fit(estimator, sample.X, sample.y), sample.others)


@pytest.mark.parametrize("evidence", ["predict_proba", "confusion_matrix", "both"])
def test_a_subjective_classifier(evidence: str) -> None:
    prior = {"malignant": 0.2, "benign": 0.8}
    forest = RandomForestClassifier(5, max_depth=2, random_state=0)
    model = meta.SubjectiveClassifier(forest, prior, evidence)
    assert_exact(fit(model, TUMOURS.X, TUMOURS.y), TUMOURS.others)


@pytest.mark.parametrize(
    "estimator",
    [
        GMMOutlierDetector(method="stddev", threshold=1.5, n_components=2, random_state=0),
        BayesianGMMOutlierDetector(threshold=0.9, covariance_type="diag"),
        PCAOutlierDetection(n_components=2, threshold=0.5, variant="relative"),
        PCAOutlierDetection(n_components=2, threshold=3.0, variant="absolute", whiten=True),
        meta.OutlierClassifier(IsolationForest(n_estimators=5, random_state=0)),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_outliers(estimator: Any) -> None:
    assert_exact(fit(estimator, TUMOURS.X, TUMOURS.y == "benign"), TUMOURS.others)


def test_what_has_coefficients_only() -> None:
    """These need a solver for their fit; their answers need coefficients."""
    weights = linear_model.ProbWeightRegression()
    weights.coef_, weights.n_features_in_ = np.array([0.2, 0.3, 0.5]), 3
    rows = TUMOURS.others[:, :3]
    assert_exact(weights, rows)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fair = linear_model._DemographicParityClassifier(None, sensitive_cols=[1])
    fair.coef_, fair.intercept_ = np.array([[0.5, -2.0]]), np.array([0.1])
    fair.classes_, fair.sensitive_col_idx_ = np.array([0, 1]), [1]
    assert_exact(fair, rows)
    several = OneVsRestClassifier(fair)
    several.estimators_ = [fair]
    several.label_binarizer_ = LabelBinarizer().fit([0, 1])
    several.classes_ = np.array([0, 1])
    got = answers(several, rows, ["predict_proba"])["predict_proba"]
    assert np.allclose(got, fair.predict_proba(rows))


@pytest.mark.parametrize("threshold", [0.2, 0.9])
def test_a_threshold(threshold: float) -> None:
    model = meta.Thresholder(LogisticRegression(), threshold)
    assert_exact(fit(model, TUMOURS.X, TUMOURS.y), TUMOURS.others)


def test_zero_inflated_and_ordinal_models() -> None:
    zeros = np.where(DIABETES.y < 120, 0.0, DIABETES.y)
    model = meta.ZeroInflatedRegressor(RandomForestClassifier(5, random_state=0), Ridge())
    assert_exact(fit(model, DIABETES.X, zeros), DIABETES.others)
    model = meta.OrdinalClassifier(LogisticRegression(), use_calibration=True)
    assert_exact(fit(model, WINES.X, WINES.y), WINES.others)


def test_columns_by_name_and_type() -> None:
    numbers = preprocessing.TypeSelector(include="number")
    others = preprocessing.ColumnDropper(["Home", "Age"])
    for selector in (
        make_pipeline(preprocessing.ColumnSelector(["Income", "Age"]), StandardScaler()),
        make_pipeline(others, preprocessing.ColumnSelector("Income")),
        make_union(numbers, preprocessing.ColumnSelector(["Income"])),
    ):
        rows = FRAME.astype({"Home": object, "Job": object})
        assert_exact(fit(selector, rows, GOOD), OTHERS.astype({"Home": object, "Job": object}))


def test_types_are_those_that_x_test_has(tmp_path: Path) -> None:
    numbers = preprocessing.TypeSelector(include="number")
    rows = FRAME.astype({"Home": "str", "Job": object})[["Home", "Job", "Age"]].dropna()
    model = make_pipeline(numbers, Ridge()).fit(rows, rows["Age"])
    answered = built(Source(model, rows), tmp_path)

    assert answered.manifest["parity"]["differing_rows"] == 0


def test_a_dictionary_of_texts() -> None:
    mapper = preprocessing.DictMapper({"rent": 3, "owner": 1.9, "parents": -1, 7: 2}, default=9)
    model = make_pipeline(preprocessing.ColumnSelector(["Home", "Job"]), mapper)
    assert_exact(fit(model, FRAME, GOOD), OTHERS)
    unknown = fit(preprocessing.DictMapper({None: 3}, 0), DIABETES.X, None)
    assert_refused(unknown, DIABETES.others, "missing key")


def test_a_circle() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        bases = preprocessing.RepeatingBasisFunction(
            "Age", remainder="drop", n_periods=5, input_range=(18, 68), width=1.3
        )
    assert_exact(fit(bases, FRAME[["Age", "Income"]], GOOD), OTHERS[["Age", "Income"]])


GROUPED = {
    "regressor": meta.GroupedRegressor(Ridge(), "Home"),
    "two columns": meta.GroupedRegressor(Ridge(), ["Home", "Job"]),
    "predictor": meta.GroupedPredictor(Ridge(), ["Home"]),
    "transformer": meta.GroupedTransformer(StandardScaler(), ["Home"]),
    "no groups": meta.GroupedTransformer(StandardScaler(), None),
    "hierarchy": meta.HierarchicalRegressor(Ridge(), ["Home", "Job"]),
    "relative": meta.HierarchicalRegressor(Ridge(), ["Home", "Job"], shrinkage="relative"),
    "constant": meta.HierarchicalRegressor(
        Ridge(), ["Home"], shrinkage="constant", shrinkage_kwargs={"alpha": 0.3}
    ),
}


@pytest.mark.parametrize("name", GROUPED)
def test_parts_for_groups(name: str) -> None:
    columns = ["Age", "Income"] if name == "no groups" else list(FRAME)
    columns = columns if "Job" in str(GROUPED[name]) else [c for c in columns if c != "Job"]
    model = fit(GROUPED[name], FRAME[columns], LOANS.X["Price"].to_numpy(float))
    assert_exact(model, OTHERS[columns])


@pytest.mark.parametrize("shrinkage", ["equal", "relative"])
def test_shrunk_groups(shrinkage: str) -> None:
    rows = FRAME.drop(columns="Job")
    model = meta.GroupedRegressor(Ridge(), ["Home"], shrinkage=shrinkage)
    model = fit(model, rows, LOANS.X["Price"].to_numpy(float))
    known = OTHERS[OTHERS["Home"].isin(FRAME["Home"])].drop(columns="Job").reset_index(drop=True)
    assert_exact(model, known)


def test_classes_in_groups() -> None:
    common = FRAME["Home"].isin(["owner", "rent", "parents"]).to_numpy()
    rows, y = FRAME.drop(columns="Job")[common], GOOD[common]
    for model in (
        meta.GroupedClassifier(LogisticRegression(), ["Home"]),
        meta.HierarchicalClassifier(LogisticRegression(), ["Home"], shrinkage="relative"),
    ):
        assert_exact(
            fit(model, rows, y), OTHERS.drop(columns="Job"), methods=["predict", "predict_proba"]
        )


def test_groups_of_an_array_by_position() -> None:
    X = np.column_stack([np.sign(DIABETES.X[:, 0]), DIABETES.X[:, 1:]])
    others = np.column_stack([np.sign(DIABETES.others[:, 0]), DIABETES.others[:, 1:]])
    model = fit(meta.GroupedRegressor(Ridge(), 0), X, DIABETES.y)
    assert_exact(model, others)
    assert task_of(fit(meta.GroupedPredictor(Ridge(), 0), X, DIABETES.y)).name == "regression"


def test_what_is_refused_is_named() -> None:
    rare = FRAME.drop(columns="Job")
    numbers = rare.assign(Home=rare["Home"] == "rent")
    refusals = [
        (RandomRegressor(), DIABETES.X, DIABETES.y, "at random"),
        (BayesianKernelDensityClassifier(), TUMOURS.X, TUMOURS.y, "bounds over a tree"),
        (meta.GroupedClassifier(LogisticRegression(), "Home"), numbers, _skewed(numbers), "class"),
        (meta.GroupedPredictor(LogisticRegression(), "Home"), numbers, GOOD, "keep the classes"),
        (
            meta.EstimatorTransformer(LogisticRegression(), "predict_proba"),
            TUMOURS.X, TUMOURS.y, "below each other",
        ),
    ]  # fmt: skip
    for model, X, target, reason in refusals:
        assert_refused(fit(model, X, target), X[:5], reason)


def _skewed(rows: pd.DataFrame) -> Any:
    """Three classes, of which renters have two."""
    return np.where(rows["Home"], GOOD, GOOD * 2)


def test_rows_far_from_all_others_are_refused_by_lowess(tmp_path: Path) -> None:
    X = pd.DataFrame({"x": np.linspace(0, 1, 60)})
    model = linear_model.LowessRegression(span=0.5).fit(X, X["x"] ** 2)
    with pytest.raises(ValueError, match="all zero"):
        model.predict(pd.DataFrame({"x": [300.0]}))

    made = built(Source(model, X), tmp_path)

    assert made.manifest["parity"]["unrefused_rows"] == 0
