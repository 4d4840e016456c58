"""Which of scikit-learn's answers are met, in float32 or in float64; what a certificate says."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.cluster import KMeans
from sklearn.experimental import enable_iterative_imputer  # noqa: F401 - which it has to be
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import PairwiseKernel
from sklearn.impute import IterativeImputer
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neighbors import LocalOutlierFactor
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from onnxlet.convert.build import Built
from onnxlet.convert.directory.golden import verify
from onnxlet.convert.evidence.evidence import Evidence
from onnxlet.convert.parity.attempts import SearchState, _within
from onnxlet.convert.parity.certificate import certificate_lines
from onnxlet.convert.parity.comparison import Comparison
from onnxlet.convert.parity.refusals import DependsOnRounding
from onnxlet.convert.parity.rounding import too_many_forgiven
from onnxlet.convert.reference.answers import task_of
from onnxlet.convert.reference.estimators import in_float64
from onnxlet.convert.reference.inputs import read_inputs
from onnxlet.convert.reference.reference import Reference
from onnxlet.convert.sources.source import Source
from onnxlet.function.inputs.columns import Column
from tests.convert.helpers import built, served

random = np.random.default_rng(0)
TRAIN = random.normal(size=(60, 2)).astype(np.float32)
X = random.normal(size=(120, 2)).astype(np.float32)
Y = np.sin(2 * TRAIN[:, 0]) + TRAIN[:, 1]
SCORED = np.sin(2 * X[:, 0]) + X[:, 1]


def reference_of(estimator: Any, X: Any) -> Reference:
    return Reference(estimator, task_of(estimator), read_inputs(X)[0])


def test_rows_of_gaps_only_are_asked_beside_others() -> None:
    """IterativeImputer leaves a batch that is all missing to its first guess."""
    frame = pd.DataFrame({"a": [1, 5, 2, 9], "b": [0.5, np.nan, 4.0, 2.5]})
    imputer = IterativeImputer(initial_strategy="median", random_state=0)
    model = make_pipeline(imputer, LinearRegression()).fit(frame, frame.a)
    rows: list[Any] = [[3, 2.0], [None, None], [None, None]]
    together = model.predict(pd.DataFrame(rows, columns=["a", "b"], dtype=float))
    assert together[1] != model.predict(pd.DataFrame(rows[1:], columns=["a", "b"], dtype=float))[0]
    np.testing.assert_allclose(reference_of(model, frame).answers(rows)["prediction"], together)


@pytest.fixture(scope="module")
def cosine() -> KernelRidge:
    """Sums of products that cancel, of which float32 has a few digits left."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its matrix is as ill-conditioned as its answers
        return KernelRidge(alpha=1e-4, kernel="cosine").fit(TRAIN, Y)


@pytest.fixture(scope="module")
def made(cosine: KernelRidge, tmp_path_factory: pytest.TempPathFactory) -> Built:
    return built(Source(cosine, X, SCORED), tmp_path_factory.mktemp("cosine"))


# What is met


def test_where_float32_would_be_forgiven_all_rows_are_compared_in_float64(made: Built) -> None:
    parity = made.manifest["parity"]

    assert parity["reference"] == "float64"
    assert (parity["differing_rows"], parity["undecided_rows"]) == (0, 0)
    assert parity["outputs"]["prediction"]["largest_relative"] < 1e-6


@pytest.mark.parametrize(
    ("scores", "said"),
    [
        ({"mean_absolute_error": (2, 1), "r2": (-0.1, 0)}, True),
        ({"mean_absolute_error": (1, 2), "r2": (-0.1, 0)}, False),
        ({"accuracy": (0.6, 0.6), "roc_auc": (0.5, 0.5)}, True),
        ({"accuracy": (0.6, 0.6), "roc_auc": (0.7, 0.5)}, False),
        ({"r2": (None, 0)}, False),
        ({}, False),
    ],
)
def test_the_certificate_says_where_no_score_beats_a_constant(
    scores: dict[str, Any], said: bool, made: Built
) -> None:
    metrics = {
        name: dict(zip(("model", "baseline"), pair, strict=True)) for name, pair in scores.items()
    }
    lines = certificate_lines("m", 1, {**made.manifest, "metrics": metrics})
    assert any("no better than always the same answer" in line for line in lines) == said


def test_the_certificate_says_how_far_off_float32_is(made: Built, cosine: KernelRidge) -> None:
    parity = made.manifest["parity"]
    off = parity["float32"]

    usual = off["differing_rows"] - off["differing_hard_rows"]
    assert 0.01 * (120 + 2000) < usual < off["differing_rows"]
    assert off["outputs"]["prediction"]["largest_relative"] > 0.01
    lines = list(certificate_lines("m", 1, made.manifest))
    assert "  reference   scikit-learn in float64" in lines
    assert any(
        f"in float32 differ from these on {usual} held-out and drawn rows" in line for line in lines
    )


def test_golden_rows_and_scores_are_those_of_the_reference_that_was_met(
    made: Built, cosine: KernelRidge
) -> None:
    golden = json.loads((made.directory / "golden.json").read_bytes())
    rows = golden["instances"]
    wide = in_float64(cosine).predict(np.array(rows))

    assert golden["answers"]["prediction"] == wide.tolist()
    assert golden["answers"]["prediction"] != cosine.predict(np.float32(rows)).tolist()
    assert verify(made.directory)[1] == len(rows) == 24
    residuals = in_float64(cosine).predict(np.float64(X)) - SCORED
    errors = {name: pair["model"] for name, pair in made.manifest["metrics"].items()}
    assert errors["mean_absolute_error"] == pytest.approx(np.abs(residuals).mean(), rel=1e-5)


def test_what_is_served_says_which_reference_was_met(made: Built) -> None:
    parity = served(made.directory.parent.parent).get("/models/m").json["parity"]
    assert parity == made.manifest["parity"]
    assert parity["reference"] == "float64"


@pytest.mark.parametrize(
    ("train", "reference"), [(TRAIN, "float32"), (TRAIN.astype(np.float64), "float64")]
)
def test_where_rounding_decides_little_there_is_one_reference(
    train: Any, reference: str, tmp_path: Path
) -> None:
    model = LogisticRegression().fit(train, Y > 0)
    parity = built(Source(model, X.astype(train.dtype)), tmp_path).manifest["parity"]

    assert parity["reference"] == reference
    assert "float32" not in parity


@pytest.mark.gate
@pytest.mark.parametrize(
    "estimator",
    [
        GaussianProcessRegressor(PairwiseKernel(metric="cosine"), optimizer=None, alpha=1.0),
        LocalOutlierFactor(novelty=True, metric="manhattan"),
    ],
    ids=["process", "outliers"],
)
def test_models_whose_float32_was_forgiven_are_held_to_float64(
    estimator: Any, tmp_path: Path
) -> None:
    random = np.random.default_rng(0)
    train, X = (random.normal(size=(rows, 4)).astype(np.float32) for rows in (300, 200))
    model = estimator.fit(train, np.sin(2 * train[:, 0]) + train[:, 1])
    made = built(Source(model, X), tmp_path)
    parity = made.manifest["parity"]

    assert (parity["reference"], parity["undecided_held_out_rows"]) == ("float64", 0)
    assert parity["undecided_rows"] < 0.01 * parity["hard_rows"]
    assert parity["float32"]["differing_hard_rows"] > 0.05 * parity["hard_rows"]
    assert verify(made.directory)[1] == 24


# What is refused


def restless(train: Any, X: Any) -> Source:
    """Its answers are the last digits of an exponential."""
    last = FunctionTransformer(lambda X: np.sin(np.exp(X) * 1e15))
    return Source(make_pipeline(last, LinearRegression()).fit(train, Y), X)


def test_where_neither_reference_is_stable_it_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DependsOnRounding) as caught:
        built(restless(TRAIN, X), tmp_path)

    assert caught.value.message.startswith("Pipeline: its answers depend on rounding: ")
    assert "in float64" in caught.value.message
    assert caught.value.hint == "Nothing was written. Scale the columns, or fit in float64."
    assert not list(tmp_path.iterdir())


def test_what_is_fitted_in_float64_already_gets_no_such_hint(tmp_path: Path) -> None:
    with pytest.raises(DependsOnRounding) as caught:
        built(restless(TRAIN.astype(np.float64), X.astype(np.float64)), tmp_path)
    assert caught.value.hint == "Nothing was written. Scale the columns."


@pytest.mark.parametrize(
    ("forgiven", "least", "said"),
    [
        (range(2), 0, ""),
        (range(3), 0, "3 of 200 held-out rows"),
        (range(200, 220), 0, ""),
        (range(200, 221), 0, "21 of 400 edge-case rows"),
        ([*range(3), *range(600, 604)], 0, "3 of 200 held-out rows and 4 of 300 drawn rows"),
        (range(3), 3, ""),
    ],
)
def test_so_many_rows_of_a_kind_may_be_forgiven(forgiven: Any, least: int, said: str) -> None:
    rows: list[Any] = [[0.0]] * 900
    comparison = Comparison({}, np.zeros(900, dtype=bool), forgiven=frozenset(forgiven))
    evidence = Evidence(rows, {}, held_out=200, drawn=300)
    assert too_many_forgiven(comparison, evidence, least) == said


# What the rows say that judge


def shaky_judges(monkeypatch: pytest.MonkeyPatch, precisions: set[str]) -> list[str]:
    """As if 11 of the 1,000 rows of each draw that judges, and none of the others, were forgiven.

    Returns:
        What each judging was made in.
    """
    judged_in: list[str] = []
    compared = SearchState.compared

    def judging(state: SearchState, model: Any, evidence: Evidence) -> tuple[Comparison, int]:
        comparison, unrefused = compared(state, model, evidence)
        if not evidence.held_out:
            judged_in.append(state.reference.precision)
            if state.reference.precision in precisions:
                comparison.forgiven = frozenset(range(11))
        return comparison, unrefused

    monkeypatch.setattr(SearchState, "compared", judging)
    return judged_in


def test_judging_rows_that_hang_on_rounding_lead_to_float64(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged_in = shaky_judges(monkeypatch, {"float32"})
    model = LinearRegression().fit(TRAIN, Y)

    parity = built(Source(model, X), tmp_path).manifest["parity"]

    assert judged_in == ["float32", "float64"]
    assert parity["reference"] == "float64"


def test_judging_rows_that_hang_on_rounding_in_both_are_why_it_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shaky_judges(monkeypatch, {"float32", "float64"})
    with pytest.raises(DependsOnRounding) as caught:
        built(Source(LinearRegression().fit(TRAIN, Y), X), tmp_path)

    assert caught.value.message.startswith(
        "LinearRegression: its answers depend on rounding: 11 of 1000 drawn rows"
    )
    assert "; and 11 of 1000 drawn rows do in float64" in caught.value.message
    assert not list(tmp_path.iterdir())


# The reference in float64


def test_it_is_the_fitted_state_itself_with_nothing_rounded_again(cosine: KernelRidge) -> None:
    wide = in_float64(cosine)

    assert wide.dual_coef_.dtype == wide.X_fit_.dtype == np.float64
    assert (wide.dual_coef_ == cosine.dual_coef_).all()
    assert cosine.dual_coef_.dtype == np.float32  # the user's own is as it was
    directions = [
        rows / np.linalg.norm(rows, axis=1)[:, None] for rows in (np.float64(X), wide.X_fit_)
    ]
    by_hand = directions[0] @ directions[1].T @ wide.dual_coef_
    assert wide.predict(np.float64(X)) == pytest.approx(by_hand, rel=1e-9)


def test_numbers_are_rounded_to_float32_once_and_never_again(cosine: KernelRidge) -> None:
    reference = reference_of(cosine, X)
    wide = reference.in_float64()

    assert (reference.precision, wide.precision) == ("float32", "float64")
    data = wide.inputs.data([[0.1, None]])
    assert data.dtype == np.float64
    assert data.tolist()[0][0] == float(np.float32(0.1))
    assert np.isnan(data[0, 1])


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
@pytest.mark.parametrize(
    "estimator",
    [
        KMeans(3, random_state=0, n_init=1),
        MLPRegressor(hidden_layer_sizes=(4,), max_iter=5, random_state=0),
    ],
    ids=["centres", "lists of arrays"],
)
def test_parts_of_every_kind_are_widened(estimator: Any) -> None:
    wide = reference_of(estimator.fit(TRAIN, Y), X).in_float64()
    answers = wide.answers(X.tolist())["prediction"]
    assert answers.dtype in (np.float64, np.int32)
    again = in_float64(estimator)
    kept = getattr(again, "cluster_centers_", None)
    arrays = again.coefs_ if kept is None else [kept]
    assert {array.dtype for array in arrays} == {np.dtype(np.float64)}


def test_what_holds_no_float32_is_left_alone() -> None:
    step = FunctionTransformer(
        np.add, kw_args={"where": True, "more": (np.float32(0.5), [np.ones(2, np.float16)])}
    ).fit(X)
    step.sparse_ = sparse.csr_array(np.eye(2, dtype=np.float32))
    step.counts_ = np.arange(3, dtype=np.int32)
    wide = in_float64(step)

    assert wide.counts_.dtype == np.int32
    assert wide.sparse_.dtype == np.float64
    scalar, (array,) = wide.kw_args["more"]
    assert (scalar.dtype, array.dtype) == (np.float64, np.float64)
    assert wide.kw_args["where"] is True


def test_a_bound_that_float32_has_no_number_for_leaves_its_rows_within() -> None:
    """1e16 becomes 10000000272564224 where rows are rounded once, which the bound would refuse."""
    columns = [
        Column("a", "float64", minimum=-1e16, maximum=1e16),
        Column("b", "string"),
        Column("c", "float64"),
    ]
    beyond = float(np.float32(1e16))
    assert beyond > 1e16

    [row, other] = _within([[beyond, "x", beyond], [-beyond, None, 1.0]], columns)

    assert row == [float(np.nextafter(np.float32(1e16), np.float32(0))), "x", beyond]
    assert -1e16 <= other[0] < -9e15
    assert _within([[1.5, "x", 2.0]], columns) == [[1.5, "x", 2.0]]
