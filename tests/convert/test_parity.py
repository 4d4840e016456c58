"""The gate: what is not scikit-learn's answer does not pass."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
import pytest
from onnx import numpy_helper
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from convert.answers import Task, tied
from convert.build import Built
from convert.errors import Refusal
from convert.parity import TOLERANCE
from convert.source import Source
from function.model import load_model
from function.signature import Signature
from function.table import read_table
from tests.convert.helpers import Proof, built, prove

NAN, INF = float("nan"), float("inf")
random = np.random.default_rng(5)
X = random.normal(size=(150, 3))
Y = X @ [2.0, -1.0, 0.5] + 3
GAPS = np.where(random.random(X.shape) < 0.2, NAN, X)
GRID = random.integers(0, 6, (150, 3)).astype(float)


@pytest.fixture(scope="module")
def linear() -> Proof:
    return prove(Source(LinearRegression().fit(X, Y), X))


@pytest.fixture(scope="module")
def logistic() -> Proof:
    labels = np.array(["bad", "good"])[(Y > 3).astype(int)]
    return prove(Source(LogisticRegression().fit(X, labels), X), "float32")


@pytest.fixture(scope="module")
def tree() -> Proof:
    labels = np.array(["a", "b", "c"])[np.digitize(GRID[:, 0] - GRID[:, 1], [-1, 1])]
    model = DecisionTreeClassifier(random_state=0).fit(GRID, labels)
    return prove(Source(model, GRID), "float32", hard=True)


@pytest.fixture(scope="module")
def forest_with_gaps() -> Proof:
    y = np.nan_to_num(GAPS[:, 0], nan=-5.0)  # gaps go left, where zeros would not send them
    model = RandomForestRegressor(3, max_depth=4, random_state=0).fit(GAPS, y)
    return prove(Source(model, GAPS), "float32")


@pytest.fixture(scope="module")
def shop() -> Proof:
    frame = pd.DataFrame({"a": GAPS[:, 0], "c": random.choice(["red", "green", "blue"], 150)})
    columns = make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), ["a"]),
        (OneHotEncoder(handle_unknown="ignore"), ["c"]),
    )
    model = make_pipeline(columns, LinearRegression())
    return prove(Source(model.fit(frame, Y), frame), "float64", "columns", hard=True)


GOOD = ("linear", "logistic", "tree", "forest_with_gaps", "shop")


@pytest.mark.parametrize("name", GOOD)
def test_the_conversion_itself_passes(name: str, request: pytest.FixtureRequest) -> None:
    comparison = request.getfixturevalue(name).compare()

    assert comparison.passed
    assert comparison.refused == []
    for difference in comparison.outputs.values():
        assert difference.wrong == []


# Graphs that are wrong in one place


def node_of(proto: onnx.ModelProto, op: str) -> Any:
    return next(node for node in proto.graph.node if node.op_type == op)


def attribute(node: Any, name: str) -> Any:
    return next(entry for entry in node.attribute if entry.name == name)


def wrong(proof: Proof, change: Callable[[onnx.ModelProto], None]) -> Proof:
    proto = onnx.load_from_string(proof.onnx)
    before = proto.SerializeToString()
    change(proto)
    assert proto.SerializeToString() != before
    return proof.mutated(proto)


def negate_first_initializer(proto: onnx.ModelProto) -> None:
    tensor = max(proto.graph.initializer, key=lambda t: int(np.prod(t.dims)))
    values = numpy_helper.to_array(tensor).copy()
    values.flat[0] *= -1
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))


def test_a_flipped_sign_of_a_linear_coefficient(linear: Proof) -> None:
    comparison = wrong(linear, negate_first_initializer).compare()

    assert not comparison.passed
    assert len(comparison.outputs["prediction"].wrong) == len(X)


def test_a_flipped_sign_of_a_logistic_coefficient(logistic: Proof) -> None:
    def flip(proto: onnx.ModelProto) -> None:
        coefficients = attribute(node_of(proto, "LinearClassifier"), "coefficients").floats
        for place in (0, 3):  # of both classes
            coefficients[place] *= -1

    comparison = wrong(logistic, flip).compare()
    assert not comparison.passed
    assert comparison.outputs["probabilities"].wrong
    assert comparison.outputs["prediction"].wrong


@pytest.mark.parametrize(("off", "passes"), [(1e-6, True), (1e-4, False)])
def test_an_intercept_that_is_off_passes_only_within_the_tolerance(
    logistic: Proof, off: float, passes: bool
) -> None:
    def shift(proto: onnx.ModelProto) -> None:
        intercepts = attribute(node_of(proto, "LinearClassifier"), "intercepts").floats
        intercepts[0] -= off
        intercepts[1] += off

    assert wrong(logistic, shift).compare().passed is passes


def test_swapped_class_labels(logistic: Proof) -> None:
    def swap(proto: onnx.ModelProto) -> None:
        labels = attribute(node_of(proto, "LinearClassifier"), "classlabels_strings").strings
        labels[0], labels[1] = labels[1], labels[0]

    comparison = wrong(logistic, swap).compare()
    assert not comparison.passed
    assert comparison.outputs["probabilities"].wrong == []
    assert len(comparison.outputs["prediction"].wrong) == len(X)


def test_swapped_columns_of_probabilities(logistic: Proof) -> None:
    expected = dict(logistic.expected)
    expected["probabilities"] = expected["probabilities"][:, ::-1]

    comparison = logistic.compare(expected)
    assert not comparison.passed
    assert comparison.outputs["prediction"].wrong == []
    assert len(comparison.outputs["probabilities"].wrong) > 140


def test_a_class_order_that_is_wrong_in_the_graph_of_a_tree(tree: Proof) -> None:
    def swap(proto: onnx.ModelProto) -> None:
        for tensor in proto.graph.initializer:
            if tensor.data_type == onnx.TensorProto.STRING:
                tensor.string_data[0], tensor.string_data[1] = (
                    tensor.string_data[1],
                    tensor.string_data[0],
                )

    assert wrong(tree, swap).compare().outputs["prediction"].wrong


@pytest.mark.parametrize("direction", [-INF, INF])
def test_every_threshold_of_a_tree_that_is_one_step_off(tree: Proof, direction: float) -> None:
    """Values on the grid's halves are in float32: one step of float64 down moves those."""
    ensemble = node_of(onnx.load_from_string(tree.onnx), "TreeEnsembleRegressor")
    values = numpy_helper.to_array(attribute(ensemble, "nodes_values_as_tensor").t)
    missed = []
    for place in np.flatnonzero(values):
        moved = values.copy()
        if direction < 0:
            moved[place] = np.nextafter(moved[place], direction)
        else:
            moved[place] = np.nextafter(np.float32(moved[place]), np.float32(direction))

        def move(proto: onnx.ModelProto, moved: Any = moved) -> None:
            tensor = attribute(node_of(proto, "TreeEnsembleRegressor"), "nodes_values_as_tensor").t
            tensor.CopyFrom(numpy_helper.from_array(moved, tensor.name))

        if wrong(tree, move).compare().passed:
            missed.append(int(place))
    # A base row only reaches some nodes: what is asked is that the root and most are covered.
    assert 0 not in missed
    assert len(missed) <= 0.75 * np.count_nonzero(values)


def test_a_threshold_that_is_one_step_off_behind_a_scaler() -> None:
    model = make_pipeline(StandardScaler(), DecisionTreeRegressor(max_depth=1, random_state=0))
    proof = prove(Source(model.fit(X, X[:, 0] > 0.3), X), "float64", hard=True)
    assert proof.compare().passed

    def move(proto: onnx.ModelProto) -> None:
        tensor = attribute(node_of(proto, "TreeEnsembleRegressor"), "nodes_values_as_tensor").t
        values = numpy_helper.to_array(tensor).copy()
        values[0] = np.nextafter(np.float32(values[0]), np.float32(9))
        tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))

    assert not wrong(proof, move).compare().passed


def test_a_lost_branch_of_missing_values(forest_with_gaps: Proof) -> None:
    def lose(proto: onnx.ModelProto) -> None:
        ensemble = node_of(proto, "TreeEnsembleRegressor")
        tracks = attribute(ensemble, "nodes_missing_value_tracks_true").ints
        assert any(tracks)
        tracks[:] = [0] * len(tracks)

    assert not wrong(forest_with_gaps, lose).compare().passed


def test_a_leaf_that_is_off_by_a_thousandth(forest_with_gaps: Proof) -> None:
    def shift(proto: onnx.ModelProto) -> None:
        weights = attribute(node_of(proto, "TreeEnsembleRegressor"), "target_weights_as_tensor").t
        values = numpy_helper.to_array(weights).copy()
        values[-3:] *= 1.001
        weights.CopyFrom(numpy_helper.from_array(values, weights.name))

    assert not wrong(forest_with_gaps, shift).compare().passed


def test_a_dropped_category(shop: Proof) -> None:
    def drop(proto: onnx.ModelProto) -> None:
        attribute(node_of(proto, "LabelEncoder"), "keys_strings").strings[0] = b"gone"

    comparison = wrong(shop, drop).compare()
    assert not comparison.passed
    held_out = range(len(X))
    blue = {place for place in held_out if shop.rows[place][1] == "blue"}
    assert blue == set(comparison.outputs["prediction"].wrong) & set(held_out)


def test_an_unseen_category_that_is_taken_for_a_known_one(shop: Proof) -> None:
    def confuse(proto: onnx.ModelProto) -> None:
        attribute(node_of(proto, "LabelEncoder"), "default_int64").i = 0

    found = wrong(shop, confuse).compare().outputs["prediction"].wrong
    assert found
    assert all(shop.rows[place][1] not in ("red", "green", "blue") for place in found)


def test_a_wrong_filling_of_missing_values(shop: Proof) -> None:
    def refill(proto: onnx.ModelProto) -> None:
        filling = node_of(proto, "Where").input[1]
        tensor = next(t for t in proto.graph.initializer if t.name == filling)
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) + 0.01, filling))

    found = wrong(shop, refill).compare().outputs["prediction"].wrong
    assert found == [place for place, row in enumerate(shop.rows) if row[0] is None]


# Answers that are odd


@pytest.mark.parametrize("value", [NAN, INF, -INF, 0.0])
def test_one_answer_that_scikit_learn_gives_and_the_graph_does_not(
    linear: Proof, value: float
) -> None:
    expected = linear.expected["prediction"].copy()
    expected[70] = value

    comparison = linear.compare({"prediction": expected})
    assert not comparison.passed
    assert comparison.outputs["prediction"].wrong == [70]


@pytest.mark.parametrize("value", [NAN, INF])
def test_a_graph_that_answers_nan_or_infinity_where_scikit_learn_has_a_number(
    linear: Proof, value: float
) -> None:
    def spoil(proto: onnx.ModelProto) -> None:
        tensor = max(proto.graph.initializer, key=lambda t: int(np.prod(t.dims)))
        values = numpy_helper.to_array(tensor).copy()
        values.flat[0] = value
        tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))

    comparison = wrong(linear, spoil).compare()
    assert len(comparison.outputs["prediction"].wrong) == len(X)
    assert comparison.outputs["prediction"].absolute == INF


@pytest.mark.parametrize("both", [NAN, INF, -INF])
def test_answers_that_json_has_no_form_for_are_equal(linear: Proof, both: float) -> None:
    rows = [[1e308, -1e308, 1e308], *linear.rows[:5]]
    expected = np.array([both, *linear.expected["prediction"][:5]])
    proof = Proof(
        linear.manifest, linear.onnx, linear.task, linear.columns, rows, {"prediction": expected}
    )

    comparison = proof.compare()
    assert comparison.passed
    assert comparison.outputs["prediction"].absolute < 1e-9


@pytest.mark.parametrize(
    "reshape",
    [
        lambda a: a[:, None],
        lambda a: np.column_stack([a, a]),
        lambda a: np.broadcast_to(a[:, None], (150, 150)),
    ],
)
def test_other_shapes_fail(linear: Proof, reshape: Callable[[Any], Any]) -> None:
    comparison = linear.compare({"prediction": reshape(linear.expected["prediction"])})

    assert not comparison.passed
    assert comparison.outputs["prediction"].wrong == list(range(150))
    assert comparison.outputs["prediction"].absolute == INF


def test_a_class_too_few_fails(logistic: Proof) -> None:
    expected = dict(logistic.expected)
    expected["probabilities"] = expected["probabilities"][:, :1]
    assert not logistic.compare(expected).passed


def test_a_wrong_row_behind_the_first_thousand_is_named_by_its_place() -> None:
    many = np.tile(X, (17, 1))
    proof = prove(Source(LinearRegression().fit(X, Y), many))
    expected = proof.expected["prediction"].copy()
    expected[[999, 1000, 2549]] += 1

    assert proof.compare({"prediction": expected}).outputs["prediction"].wrong == [999, 1000, 2549]


def test_rows_that_the_function_refuses_though_scikit_learn_answers(shop: Proof) -> None:
    strict = {**shop.manifest, "signature": {**shop.manifest["signature"]}}
    strict["signature"]["inputs"] = [
        {**entry, "nullable": False} for entry in shop.manifest["signature"]["inputs"]
    ]
    proof = Proof(strict, shop.onnx, shop.task, shop.columns, shop.rows, shop.expected)

    comparison = proof.compare()
    assert not comparison.passed
    assert "missing value" in comparison.refused[0]
    assert "column 'a'" in comparison.refused[0]


def test_small_values_are_compared_by_their_own_size() -> None:
    small = prove(Source(LinearRegression().fit(X, Y * 1e-20), X))
    assert small.compare().passed
    off = small.expected["prediction"] * (1 + 3e-5)
    assert len(small.compare({"prediction": off}).outputs["prediction"].wrong) == len(X)


def test_labels_that_differ_in_type_alone_fail() -> None:
    proof = prove(Source(LogisticRegression().fit(X, Y > 3), X), "float32")
    assert proof.compare().passed
    expected = dict(proof.expected)
    expected["prediction"] = np.where(expected["prediction"], "True", "False")
    assert not proof.compare(expected).passed


# Ties


def test_a_tie_is_forgiven_and_counted_and_nothing_else_is() -> None:
    flags = np.array([[0.0], [1.0]] * 30)
    labels = np.where(flags[:, 0] == 1, "yes", np.where(np.arange(60) % 4 == 0, "no", "yes"))
    model = DecisionTreeClassifier().fit(flags, labels)  # 0: half and half, 1: yes
    proof = prove(Source(model, flags), "float32")
    assert proof.compare().passed

    def take_the_last(proto: onnx.ModelProto) -> None:
        node = node_of(proto, "ArgMax")
        node.attribute.append(onnx.helper.make_attribute("select_last_index", 1))

    other = wrong(proof, take_the_last)
    comparison = other.compare()
    assert comparison.passed
    assert comparison.ties == 30
    assert comparison.tied.tolist() == [True, False] * 30

    expected = {**proof.expected, "prediction": np.array(["no"] * 60)}
    assert other.compare(expected).outputs["prediction"].wrong == list(range(1, 60, 2))


CLASSIFICATION = Task("classification", {}, ["a", "b", "c"])


@pytest.mark.parametrize(
    ("probabilities", "expected"),
    [
        ([0.5, 0.5], True),
        ([0.5 + 0.9e-5 / 2, 0.5 - 0.9e-5 / 2], True),
        ([0.5 + 1.1e-5 / 2, 0.5 - 1.1e-5 / 2], False),
        ([0.2, 0.4, 0.4], True),
        ([0.25, 0.25, 0.5], False),
        ([1.0], False),
    ],
)
def test_a_tie_is_two_highest_probabilities_within_the_tolerance(
    probabilities: list[float], expected: bool
) -> None:
    count = len(probabilities)
    answers = {
        "prediction": np.array(["a"]),
        "probabilities": np.array(probabilities).reshape(1, count),
    }
    assert tied(CLASSIFICATION, answers, TOLERANCE).tolist() == [expected]


@pytest.mark.parametrize(("score", "expected"), [(0.9e-5, True), (-0.9e-5, True), (1e-4, False)])
def test_a_binary_decision_is_tied_about_zero(score: float, expected: bool) -> None:
    answers = {"prediction": np.array(["a"]), "score": np.array([score])}
    for name in ("classification", "outlier"):
        assert tied(Task(name, {}), answers, TOLERANCE).tolist() == [expected]


def test_numbers_and_labels_without_scores_are_never_tied() -> None:
    answers = {"prediction": np.zeros(3)}
    for name in ("regression", "clustering", "transformation", "classification"):
        assert not tied(Task(name, {}), answers, TOLERANCE).any()


def test_several_labels_at_once_are_tied_about_one_half_not_among_each_other() -> None:
    answers = {
        "prediction": np.array([[1, 1], [0, 0], [1, 0]]),
        "probabilities": np.array([[0.999, 0.999], [0.5, 0.1], [0.9, 0.2]]),
    }
    task = Task("classification", {}, [0, 1])
    assert tied(task, answers, TOLERANCE).tolist() == [False, True, False]


# What a build does with it


def test_offsets_that_float32_loses_lead_to_float64_and_the_reason_is_recorded(
    tmp_path: Path,
) -> None:
    years = X + np.array([1e7, 0, 0])
    model = make_pipeline(StandardScaler(), LinearRegression()).fit(years, Y)

    parity = built(Source(model, years, Y), tmp_path).manifest["parity"]

    assert parity["recipe"] == "float64 matrix"
    assert parity["differing_rows"] == 0
    assert parity["outputs"]["prediction"]["largest_relative"] <= TOLERANCE
    (failed,) = parity["recipes_that_failed"]
    assert failed["recipe"] == "float32 matrix"
    assert failed["reason"].startswith("prediction differs on ")
    assert "first on held-out row 0: expected " in failed["reason"]


@pytest.mark.parametrize("seed", [0, 1])
def test_histogram_boosting_passes_only_if_it_is_right_on_its_own_thresholds(
    seed: int, tmp_path: Path
) -> None:
    normal = np.random.default_rng(seed).normal(size=(120, 3))
    model = HistGradientBoostingClassifier(max_iter=5, max_leaf_nodes=3, random_state=0)
    model.fit(normal, normal @ [1, 2, -1] > 0)
    try:
        result = built(Source(model, normal), tmp_path)
    except Refusal:
        return
    rows = []
    for trees in model._predictors:
        for node in trees[0].nodes[trees[0].nodes["is_leaf"] == 0]:
            for row in normal[::6].tolist():
                row[node["feature_idx"]] = float(np.nextafter(node["num_threshold"], INF))
                rows.append(row)
    got = load_model(result.directory).run(read_table(rows, result_signature(result)))
    assert np.abs(got["probabilities"] - model.predict_proba(np.array(rows))).max() <= TOLERANCE


def result_signature(result: Built) -> Signature:
    return Signature.from_manifest(result.manifest)


def test_every_held_out_row_counts_even_where_float32_cannot_hold_it(tmp_path: Path) -> None:
    far = X.copy()
    far[7, 0] = 1e50
    model = LogisticRegression().fit(X, Y > 3)

    parity = built(Source(model, far), tmp_path).manifest["parity"]
    assert parity["held_out_rows"] == len(far)


def test_a_decision_function_of_two_classes_is_one_number_a_row(tmp_path: Path) -> None:
    manifest = built(Source(RidgeClassifier().fit(X, Y > 3), X), tmp_path).manifest
    score = manifest["signature"]["outputs"][1]
    assert (score["name"], score["shape"]) == ("score", [-1])


def test_a_refusal_names_rows_columns_how_far_and_versions(tmp_path: Path) -> None:
    from sklearn.neighbors import KNeighborsClassifier

    model = KNeighborsClassifier(weights="distance").fit(X, Y > 3)
    held_out = X + 0.01

    with pytest.raises(Refusal) as refused:
        built(Source(model, held_out), tmp_path)

    first, *reasons, tools = refused.value.message.split("\n")
    assert first == "KNeighborsClassifier: no conversion answers as scikit-learn does"
    assert [line.split(":")[0] for line in reasons] == ["  float32 matrix", "  float64 matrix"]
    assert " differs on " in reasons[0]
    assert " by up to 0." in reasons[0]
    assert "first on held-out row " in reasons[0]
    assert " at x0=" in reasons[0]
    for tool in ("scikit-learn 1.", "skl2onnx 1.", "onnx 1.", "onnxruntime 1."):
        assert tool in tools
    assert refused.value.hint.startswith("Nothing was written.")
    assert list(tmp_path.iterdir()) == []
