"""Rows on which rounding decides: what is forgiven, and what is held to the last bit."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from sklearn.base import BaseEstimator, RegressorMixin, TransformerMixin
from sklearn.cluster import KMeans
from sklearn.datasets import load_breast_cancer
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    GradientBoostingRegressor,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
)
from sklearn.feature_selection import SelectKBest, f_regression
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsRegressor, LocalOutlierFactor
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from onnxlet.convert.directory.golden import choose_golden
from onnxlet.convert.evidence.evidence import Evidence
from onnxlet.convert.graph.responses import RELEASE
from onnxlet.convert.parity.comparison import answering
from onnxlet.convert.parity.moved_rows import UNIT_IN_FLOAT32
from onnxlet.convert.parity.rounding import (
    MOST_FORGIVEN,
    explained_by_rounding,
    forgive_rounding,
    rounds_before_a_step,
)
from onnxlet.convert.reference.estimators import begins_in_float32
from onnxlet.convert.sources.source import Source
from tests.convert.helpers import Proof, built, prove, reference_of

random = np.random.default_rng(5)
X = random.normal(size=(150, 4))
Y = X @ [2.0, -1.0, 0.5, 0.0]
LABELS = np.array(["a", "b", "c"])[np.digitize(Y, [-1, 1])]


def tree() -> DecisionTreeClassifier:
    return DecisionTreeClassifier(max_depth=4, random_state=0)


@pytest.fixture(scope="module")
def projected() -> Proof:
    """A tree on projections, which are sums."""
    return prove(Source(make_pipeline(PCA(3), tree()).fit(X, LABELS), X), edges=True)


@pytest.fixture(scope="module")
def scaled() -> Proof:
    """A tree on scaled columns, which are no sums."""
    return prove(Source(make_pipeline(StandardScaler(), tree()).fit(X, LABELS), X), edges=True)


def stepped(proof: Proof, operator: str, step: Callable[[Any], Any]) -> Proof:
    """With the constant of a node that comes before the tree moved."""
    proto = onnx.load_from_string(proof.onnx)
    node = next(node for node in proto.graph.node if node.op_type in operator.split(" or "))
    tensor = next(t for t in proto.graph.initializer if t.name == node.input[1])
    values = step(numpy_helper.to_array(tensor))
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    return proof.mutated(proto)


def thresholds_up(proof: Proof) -> Proof:
    """With every threshold one float32 further up."""
    proto = onnx.load_from_string(proof.onnx)
    node = next(node for node in proto.graph.node if node.op_type == "TreeEnsemble")
    splits = next(entry for entry in node.attribute if entry.name == "nodes_splits").t
    moved = np.nextafter(numpy_helper.to_array(splits).astype(np.float32), np.float32(np.inf))
    kind = numpy_helper.to_array(splits).dtype
    splits.CopyFrom(numpy_helper.from_array(moved.astype(kind), splits.name))
    return proof.mutated(proto)


def one_ulp_up(values: Any) -> Any:
    return np.nextafter(values, np.inf)


# What is forgiven


def test_last_digits_of_sums_before_a_tree_are_forgiven_and_counted(projected: Proof) -> None:
    other = stepped(projected, "Gemm", one_ulp_up)
    wrong = set(other.compare().outputs["prediction"].wrong)
    assert wrong  # found by the edge cases

    comparison = other.forgiven()
    assert comparison.passed
    assert len(comparison.forgiven) >= len(wrong)
    assert wrong <= comparison.forgiven
    assert comparison.ties == other.compare().ties  # those are another matter
    for difference in comparison.outputs.values():
        assert difference.absolute < 1e-9


def test_where_cosines_leave_few_digits_neighbours_change_places(tmp_path: Path) -> None:
    """One edge case lies where two points are as near: moved by 256 units it stays on its side."""
    X = load_breast_cancer().data[:160]
    model = LocalOutlierFactor(novelty=True, metric="cosine").fit(X[::2])
    parity = built(Source(model, X[1::2]), tmp_path).manifest["parity"]
    assert 1 <= parity["undecided_rows"] <= 50
    assert parity["undecided_held_out_rows"] == 0
    if RELEASE >= (1, 9):
        assert parity["limited_columns"] == {}
    else:  # which lose their digits where squares come near to overflowing
        assert all(high >= 1e150 for _, high in parity["limited_columns"].values())


def test_sums_in_float32_are_not_forgiven(projected: Proof) -> None:
    other = stepped(projected, "Gemm", lambda values: values.astype(np.float32).astype(float))
    wrong = other.compare().outputs["prediction"].wrong
    assert wrong

    comparison = other.forgiven()
    assert not comparison.passed
    assert len(comparison.forgiven) < len(wrong)


def test_a_build_of_projections_and_a_tree_passes(tmp_path: Path) -> None:
    result = built(Source(make_pipeline(PCA(3), tree()).fit(X, LABELS), X), tmp_path)
    parity = result.manifest["parity"]

    assert parity["differing_rows"] == 0
    assert parity["undecided_rows"] <= MOST_FORGIVEN
    assert len(json.loads((result.directory / "golden.json").read_bytes())["instances"]) == 24


def test_undecided_rows_are_never_golden(projected: Proof) -> None:
    comparison = stepped(projected, "Gemm", one_ulp_up).forgiven()
    golden = choose_golden(projected.rows, projected.expected, comparison.doubtful)
    forgiven = [projected.rows[place] for place in comparison.forgiven]

    assert len(golden["instances"]) == 24
    assert not any(row in forgiven for row in golden["instances"])


# What is not


def assert_not_forgiven(off: Proof) -> None:
    wrong = off.compare().outputs["prediction"].wrong
    assert wrong

    comparison = off.forgiven()
    assert not comparison.passed
    assert len(comparison.forgiven) == 0
    assert comparison.outputs["prediction"].wrong == wrong


def test_a_threshold_one_step_off_on_raw_columns_is_not_forgiven() -> None:
    proof = prove(Source(tree().fit(X, LABELS), X), "float32", edges=True)
    assert_not_forgiven(thresholds_up(proof))


def test_a_scale_one_step_off_before_a_tree_is_not_forgiven(scaled: Proof) -> None:
    assert_not_forgiven(stepped(scaled, "Div", one_ulp_up))


def test_more_rows_than_rounding_explains_are_not_looked_at(projected: Proof) -> None:
    many = prove(Source(projected.estimator, np.tile(X, (4, 1))))
    off = stepped(many, "Gemm", np.negative)
    assert len(off.compare().outputs["prediction"].wrong) > MOST_FORGIVEN

    comparison = off.forgiven()
    assert len(comparison.forgiven) == 0
    assert not comparison.passed


def test_an_answer_between_those_of_both_sides_is_no_answer_of_a_tree() -> None:
    """Labels are one of those that scikit-learn gives to the moved row, or wrong."""
    proof = prove(Source(make_pipeline(PCA(3), tree()).fit(X, LABELS), X))
    rows, expected = proof.rows[:3], {k: v[:3] for k, v in proof.expected.items()}
    for label in ("a", "b", "c", "d"):
        got = {**expected, "prediction": np.array([label] * 3, dtype=object)}
        found = explained_by_rounding(got, expected, rows, proof.reference)
        assert found.tolist() == (expected["prediction"] == label).tolist()


class OnPoints(RegressorMixin, BaseEstimator):  # type: ignore[misc] # scikit-learn has no types
    """It answers otherwise as soon as the first number is another one, or the second is larger."""

    def fit(self, X: Any, y: Any) -> OnPoints:
        self.n_features_in_ = 2
        return self

    def predict(self, X: Any) -> Any:
        return 10.0 * (X[:, 0] != 19.05) + (X[:, 1] > 4632.125)


def test_one_number_may_be_moved_while_another_stays_where_it_is() -> None:
    rows = [[19.05, 4632.125], [19.05, 4630.0]]
    reference, _ = reference_of(Source(OnPoints().fit(rows, [0, 0]), np.array(rows)))
    expected = reference.answers(rows)
    assert expected["prediction"].tolist() == [0, 0]
    got = {"prediction": np.array([1.0, 1.0])}
    explained = explained_by_rounding(got, expected, rows, reference, UNIT_IN_FLOAT32)
    assert explained.tolist() == [True, False]


def test_nothing_is_forgiven_where_rows_are_refused(projected: Proof) -> None:
    comparison = projected.compare()
    comparison.outputs["prediction"].wrong = [0]
    comparison.refused = ["row 1, column 'x0': missing value"]
    evidence = Evidence(projected.rows, projected.expected, len(projected.rows))
    forgive_rounding(comparison, answering(projected.model), evidence, projected.reference)
    assert (len(comparison.forgiven), comparison.outputs["prediction"].wrong) == (0, [0])


# Which estimators round before a step

SUMS = [
    make_pipeline(PCA(2), DecisionTreeRegressor()),
    make_pipeline(StandardScaler(), PCA(2), RandomForestClassifier(2)),
    make_pipeline(FunctionTransformer(np.exp), DecisionTreeRegressor()),
    make_pipeline(make_union(StandardScaler(), PCA(2)), DecisionTreeRegressor()),
    KMeans(2, n_init=1),
    KNeighborsRegressor(3),
]
NO_SUMS = [
    DecisionTreeRegressor(),
    RandomForestClassifier(2),
    HistGradientBoostingRegressor(max_iter=2),
    make_pipeline(SimpleImputer(), StandardScaler(), DecisionTreeClassifier()),
    make_pipeline(SelectKBest(f_regression, k=2), DecisionTreeRegressor()),
    LinearRegression(),
    make_pipeline(StandardScaler(), Ridge()),
    make_pipeline(StandardScaler(), LogisticRegression()),
]


@pytest.mark.parametrize("estimator", [*SUMS, *NO_SUMS], ids=lambda e: repr(e)[:60])
def test_which_round_before_a_step(estimator: Any) -> None:
    y = LABELS if "Classifier" in repr(estimator) or "Logistic" in repr(estimator) else Y
    assert rounds_before_a_step(estimator.fit(X, y)) == any(estimator is one for one in SUMS)


def halved(columns: Any) -> Any:
    return np.where(columns > 0.25, columns / 2, np.abs(columns - 1.0))


def logged(columns: Any) -> Any:
    return np.log1p(np.abs(columns))


class Halved(BaseEstimator, TransformerMixin):  # type: ignore[misc]  # scikit-learn has no types
    def fit(self, X: Any, y: Any = None) -> Halved:
        return self

    def transform(self, X: Any) -> Any:
        return halved(X)


class Logged(Halved):
    def transform(self, X: Any) -> Any:
        return logged(X)


@pytest.mark.parametrize(
    ("step", "sums"),
    [
        (FunctionTransformer(halved), False),
        (FunctionTransformer(logged), True),
        (Halved(), False),
        (Logged(), True),
    ],
)
def test_what_is_followed_rounds_where_its_operations_do(step: Any, sums: bool) -> None:
    made = prove(Source(make_pipeline(step, tree()).fit(X, LABELS), X), edges=True)
    assert rounds_before_a_step(made.estimator) == sums
    assert made.forgiven().passed


def test_boosting_that_begins_with_a_model_of_its_rows_computes_in_float32() -> None:
    X = np.random.default_rng(0).normal(size=(60, 2))
    y = X @ [1.0, 2.0]

    def begun(init: Any) -> Any:
        boosting = GradientBoostingRegressor(init=init, n_estimators=2)
        return make_pipeline(StandardScaler(), boosting).fit(X, y)

    assert begins_in_float32(begun(Ridge()))
    assert not begins_in_float32(begun(None))
    assert not begins_in_float32(begun("zero"))
    assert not begins_in_float32(Ridge())
