"""What equal means near zero: the scale of the column decides, and what scikit-learn itself moves.

The same floors serve the gate, the golden rows and `verify`; the certificate has them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.datasets import load_diabetes, load_iris, make_circles
from sklearn.decomposition import PCA, KernelPCA
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.tree import DecisionTreeRegressor

from onnxlet.convert.build import Built
from onnxlet.convert.directory.golden import verify
from onnxlet.convert.evidence.evidence import Evidence
from onnxlet.convert.parity.certificate import certificate_lines
from onnxlet.convert.parity.rounding import floors_of, looser
from onnxlet.convert.sources.source import Source
from onnxlet.function.arrays import Array
from onnxlet.function.errors import ModelError
from onnxlet.function.serving.golden import differences, replay
from tests.convert.helpers import built, reference_of

X, _ = load_iris(return_X_y=True)
CIRCLES, _ = make_circles(400, factor=0.3, noise=0.05, random_state=0)
COMPONENTS = KernelPCA(gamma=10, n_components=300).fit(CIRCLES)
LINE = np.linspace(0.0, 10.0, 40).reshape(-1, 1)


def evidence_of(expected: Array, edge_cases: int = 0) -> Evidence:
    rows: list[Any] = [[0.0]] * len(expected)
    return Evidence(rows, {"prediction": expected}, len(rows) - edge_cases)


def is_equal(got: float, expected: float, column: Array, precision: str) -> bool:
    """Whether two answers are equal in a column that has these others."""
    floors = floors_of(evidence_of(column), precision)
    _, relative = differences(np.array([got]), np.array([expected]), floors["prediction"])
    return bool(relative[0] <= 1e-5)


USUAL = np.linspace(-1.0, 1.0, 41)  # half of them are larger than a half


@pytest.mark.parametrize(
    ("size", "precision", "equal"),
    [
        (1.0, "float32", True),  # a unit in the last place of what it is a sum of
        (1e-3, "float32", False),
        (1.0, "float64", False),
    ],
)
def test_the_columns_own_scale_decides(size: float, precision: str, equal: bool) -> None:
    assert is_equal(7.16e-7, 8.34e-7, USUAL * size, precision) is equal


def test_a_column_far_below_the_others_is_held_to_its_own_scale() -> None:
    column = np.column_stack([USUAL, USUAL * 1e-7])
    floors = floors_of(evidence_of(column), "float32")["prediction"]
    _, relative = differences(np.add(column, [0.0, 1e-8]), column, floors)
    assert (relative[:, 1] > 1e-5).all()
    _, relative = differences(np.add(column, [1e-7, 0.0]), column, floors)
    assert (relative <= 1e-5).all()


def test_edge_cases_have_no_say_in_the_scale_of_float32() -> None:
    huge = np.concatenate([USUAL, np.full(100, 1e30)])
    evidence = evidence_of(huge, edge_cases=100)
    evidence = Evidence(evidence.rows, evidence.expected, 41)
    floor = float(floors_of(evidence, "float32")["prediction"])
    alone = float(floors_of(evidence_of(USUAL), "float32")["prediction"])
    assert floor >= alone
    assert alone == pytest.approx(0.5 * 4 * 2.0**-23 / 1e-5, rel=0.1)


@pytest.mark.parametrize(
    "estimator", [Ridge(), make_pipeline(StandardScaler(), DecisionTreeRegressor(random_state=0))]
)
def test_what_has_its_digits_is_not_loosened(estimator: BaseEstimator) -> None:
    data, target = load_diabetes(return_X_y=True)
    reference, rows = reference_of(Source(estimator.fit(data, target), data[:60]))
    evidence = Evidence(rows, reference.answers(rows), len(rows))
    floors = floors_of(evidence, "float64")
    assert looser(floors, evidence, reference) == floors


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Components of nothing but rounding. Tests don't change what is there."""
    return built(Source(COMPONENTS, CIRCLES[:50]), tmp_path_factory.mktemp("components"))


def test_components_of_nothing_but_rounding_are_served_and_certified(made: Built) -> None:
    near = made.manifest["parity"]["near_zero"]["prediction"]
    usual = float(np.median(np.abs(COMPONENTS.transform(CIRCLES[:50]))))
    assert 1e-11 * usual < near < 1e-5
    assert any(
        "near zero   prediction" in line for line in certificate_lines("m", 1, made.manifest)
    )
    verify(made.directory)


def test_a_deviation_of_a_cancelled_variance_is_served(tmp_path: Path) -> None:
    process = GaussianProcessRegressor(RBF(10.0), optimizer=None, normalize_y=True)
    process.fit(LINE[::2], (LINE * np.sin(LINE)).ravel()[::2])
    made = built(Source(process, LINE), tmp_path)
    assert np.median(process.predict(LINE, return_std=True)[1]) < 1e-4
    assert made.manifest["parity"]["outputs"]["std"]["largest_relative"] < 1e-5


def test_float32_is_met_in_float64_where_its_sums_have_few_digits(tmp_path: Path) -> None:
    narrow = X.astype(np.float32)
    made = built(Source(KernelPCA(kernel="rbf").fit(narrow), narrow), tmp_path)
    assert made.manifest["parity"]["reference"] == "float64"
    assert made.manifest["parity"]["float32"]["differing_rows"] > 0


def test_a_component_near_zero_of_four_rows_in_float32(tmp_path: Path) -> None:
    narrow = X.astype(np.float32)
    steps = make_pipeline(PCA(), MinMaxScaler()).fit(narrow[[0, 60, 110, 140]])
    verify(built(Source(steps, narrow), tmp_path).directory)


def test_golden_rows_are_as_loose_as_the_gate_and_no_looser(made: Built) -> None:
    golden = json.loads((made.directory / "golden.json").read_text())
    floors = np.array(golden["floors"]["prediction"])
    largest = made.manifest["parity"]["near_zero"]["prediction"]
    assert floors.max() * golden["tolerance"] == pytest.approx(largest)
    model, _ = verify(made.directory)
    answer = np.array(golden["answers"]["prediction"])
    column = int(np.argmax(floors))
    for share, equal in ((0.3, True), (3.0, False)):
        off = answer.copy()
        size = np.maximum(np.abs(off[:, column]), floors[column])
        off[:, column] += share * size * golden["tolerance"]
        moved = {**golden, "answers": {"prediction": off.tolist()}}
        assert bool(replay(model, moved)) is not equal


def test_golden_rows_of_older_builds_are_judged_as_before(tmp_path: Path) -> None:
    made = built(Source(Ridge().fit(X, X[:, 0]), X), tmp_path)
    model, _ = verify(made.directory)
    golden = json.loads((made.directory / "golden.json").read_text())
    golden.pop("floors")
    assert replay(model, golden) == []
    golden["answers"]["prediction"][0] += 1e-3
    assert replay(model, golden)
    (made.directory / "golden.json").write_text(json.dumps(golden))
    with pytest.raises(ModelError):
        verify(made.directory)
