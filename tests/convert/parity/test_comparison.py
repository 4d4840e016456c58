"""The comparison itself: odd answers, shapes, types, and what the function refuses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline

from onnxlet.convert.parity.comparison import Difference, answering, compare
from onnxlet.convert.sources.source import Source
from tests.convert.helpers import Proof, prove

NAN, INF = float("nan"), float("inf")
random = np.random.default_rng(5)
X = random.normal(size=(150, 3))
Y = X @ [2.0, -1.0, 0.5] + 3


@pytest.fixture(scope="module")
def linear() -> Proof:
    return prove(Source(LinearRegression().fit(X, Y), X))


@pytest.fixture(scope="module")
def logistic() -> Proof:
    return prove(Source(LogisticRegression().fit(X, Y > 3), X), "float32")


# Numbers


@pytest.mark.parametrize("value", [NAN, INF, -INF, 0.0])
def test_one_answer_that_scikit_learn_gives_and_the_graph_does_not(
    linear: Proof, value: float
) -> None:
    expected = linear.expected["prediction"].copy()
    expected[70] = value

    comparison = linear.compare({"prediction": expected})
    assert not comparison.passed
    assert comparison.outputs["prediction"].wrong == [70]
    assert comparison.outputs["prediction"].got[70] == pytest.approx(
        linear.expected["prediction"][70]
    )


@pytest.mark.parametrize("both", [NAN, INF, -INF])
def test_answers_that_json_has_no_form_for_are_equal(linear: Proof, both: float) -> None:
    rows = [[1e308, -1e308, 1e308], *linear.rows[:5]]
    expected = np.array([both, *linear.expected["prediction"][:5]])

    comparison = replace(linear, rows=rows, expected={"prediction": expected}).compare()
    assert comparison.passed
    assert comparison.outputs["prediction"].absolute < 1e-9


@pytest.mark.parametrize(("off", "passes"), [(0.9e-5, True), (1.1e-5, False), (-1.1e-5, False)])
def test_values_are_compared_by_their_own_size(linear: Proof, off: float, passes: bool) -> None:
    expected = linear.expected["prediction"] / (1 + off)

    comparison = linear.compare({"prediction": expected})
    assert comparison.passed is passes
    assert comparison.outputs["prediction"].relative == pytest.approx(abs(off), rel=1e-3)


@pytest.mark.parametrize(("off", "passes"), [(0.9e-5, True), (1.1e-5, False)])
def test_probabilities_are_compared_as_they_are(logistic: Proof, off: float, passes: bool) -> None:
    expected = {**logistic.expected, "probabilities": logistic.expected["probabilities"].copy()}
    expected["probabilities"][3, 0] += off

    comparison = logistic.compare(expected)
    assert comparison.passed is passes
    assert comparison.outputs["probabilities"].absolute == pytest.approx(off, rel=0.1)


def test_small_values_are_compared_by_their_own_size_too() -> None:
    small = prove(Source(LinearRegression().fit(X, Y * 1e-20), X))
    assert small.compare().passed
    off = small.expected["prediction"] * (1 + 3e-5)
    assert len(small.compare({"prediction": off}).outputs["prediction"].wrong) == len(X)


def test_each_row_has_its_own_differences(linear: Proof) -> None:
    expected = linear.expected["prediction"].copy()
    expected[[3, 8]] += [0.5, -0.25]

    found = linear.compare({"prediction": expected}).outputs["prediction"]
    assert found.absolutes[[3, 8]] == pytest.approx([0.5, 0.25])
    assert found.absolute == found.absolutes[3]
    assert found.relative == found.relatives.max()
    assert np.delete(found.absolutes, [3, 8]).max() < 1e-9


def test_forgiven_rows_leave_the_largest_differences() -> None:
    off = Difference(np.array([0.0, 2.0, 1.0]), np.array([0.0, 0.1, 0.7]), [1, 2])

    off.forgive([1])
    assert (off.wrong, off.absolute, off.relative) == ([2], 1.0, 0.7)
    off.forgive([2])
    assert (off.wrong, off.absolute, off.relative) == ([], 0.0, 0.0)


def test_a_wrong_row_behind_the_first_thousand_is_named_by_its_place() -> None:
    many = np.tile(X, (17, 1))
    proof = prove(Source(LinearRegression().fit(X, Y), many))
    expected = proof.expected["prediction"].copy()
    expected[[999, 1000, 2549]] += 1

    assert proof.compare({"prediction": expected}).outputs["prediction"].wrong == [999, 1000, 2549]


# Shapes and types


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


def test_labels_that_differ_only_in_type_fail(logistic: Proof) -> None:
    assert logistic.compare().passed
    expected = dict(logistic.expected)
    expected["prediction"] = np.where(expected["prediction"], "True", "False")
    assert not logistic.compare(expected).passed


# What the function refuses


def test_rows_that_the_function_refuses_though_scikit_learn_answers() -> None:
    frame = pd.DataFrame({"a": np.where(random.random(150) < 0.2, NAN, X[:, 0]), "b": X[:, 1]})
    model = make_pipeline(SimpleImputer(), LinearRegression()).fit(frame, Y)
    proof = prove(Source(model, frame), "float64", "columns")
    assert proof.compare().passed

    inputs = [{**entry, "nullable": False} for entry in proof.manifest["signature"]["inputs"]]
    signature = {**proof.manifest["signature"], "inputs": inputs}
    comparison = replace(proof, manifest={**proof.manifest, "signature": signature}).compare()
    assert not comparison.passed
    assert "missing value" in comparison.refused[0]
    assert "column 'a'" in comparison.refused[0]


# Stopping early


@pytest.mark.parametrize(
    ("wrong", "most_wrong", "compared", "left_out"),
    [
        ([3, 40, 41, 42], 3, 50, 100),
        ([3, 40, 41, 42], 4, 150, 0),
        ([*range(60, 90)], 3, 150, 0),  # of the last span, behind which nothing is left
    ],
)
def test_no_more_rows_are_compared_where_too_many_are_wrong(
    linear: Proof, wrong: list[int], most_wrong: float, compared: int, left_out: int
) -> None:
    expected = {"prediction": linear.expected["prediction"].copy()}
    expected["prediction"][wrong] += 1.0
    spans = [range(50), range(100, 150), range(50, 100)]
    comparison = compare(
        answering(linear.model),
        linear.task,
        linear.rows,
        expected,
        spans=spans,
        most_wrong=most_wrong,
    )
    assert (comparison.compared, comparison.left_out) == (compared, left_out)
    assert comparison.wrong == wrong
