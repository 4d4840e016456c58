"""The ways of typing inputs, and the tensors that they make of a signature's columns."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.tree import DecisionTreeClassifier

from onnxlet.convert.converters.registry import Graph, converters
from onnxlet.convert.graph.converter import DROPPED
from onnxlet.convert.reference.answers import task_of
from onnxlet.convert.sources.source import Source
from onnxlet.convert.to_onnx import Recipe, convert, float32_refusal, recipes, root_table
from onnxlet.function.arrays import LARGEST_FLOAT32
from onnxlet.function.inputs.columns import Column
from tests.convert.helpers import prove

FLOAT32, FLOAT64 = Recipe("float32", "matrix"), Recipe("float64", "matrix")


def number(name: str = "x", **bounds: Any) -> Column:
    return Column(name, "float64", **bounds)


# Which are tried


def test_numbers_are_tried_in_one_matrix_before_columns_and_float32_before_float64() -> None:
    columns = [number("a"), Column("n", "int64"), Column("b", "bool")]

    assert [str(recipe) for recipe in recipes(columns)] == [
        "float32 matrix",
        "float32 columns",
        "float64 matrix",
        "float64 columns",
        "float64 matrix, skl2onnx's steps in float32",
        "float64 columns, skl2onnx's steps in float32",
    ]


@pytest.mark.parametrize(
    ("columns", "layouts"),
    [
        ([number(), Column("t", "string")], {"columns"}),
        ([Column("t", "string")], {"columns"}),
        ([number(), Column("t", "string", required=False)], {"matrix", "columns"}),
        ([Column("n", "int64")], {"matrix", "columns"}),
    ],
    ids=["number and text", "text", "text that is dropped", "whole numbers"],
)
def test_text_that_is_needed_stands_in_no_matrix(columns: Any, layouts: set[str]) -> None:
    assert {recipe.layout for recipe in recipes(columns)} == layouts


LARGEST = float(np.nextafter(LARGEST_FLOAT32, np.inf))


@pytest.mark.parametrize(
    ("column", "narrow"),
    [
        (number(), True),
        (number(minimum=-LARGEST_FLOAT32), True),
        (number(minimum=-LARGEST_FLOAT32, maximum=LARGEST), True),
        (number(minimum=-1e300, maximum=1.0), True),
        (number(minimum=-LARGEST_FLOAT32, maximum=LARGEST_FLOAT32), False),
        (number(minimum=0.0, maximum=1e6), False),
        (number(categories=(0.1, 0.2)), False),
        (number(required=False), False),
        (Column("x", "float32"), False),
        (Column("x", "int64"), False),
        (Column("x", "bool"), False),
        (Column("x", "string"), False),
    ],
)
def test_float32_is_refused_where_scikit_learn_answers_more(column: Column, narrow: bool) -> None:
    assert (float32_refusal([column], FLOAT32) is not None) == narrow
    assert float32_refusal([column], FLOAT64) is None


def test_the_reason_names_some_of_the_columns() -> None:
    columns = [number(name) for name in "abcdef"]
    assert float32_refusal(columns, FLOAT32) == (
        "scikit-learn answers numbers beyond 3.4e+38, the largest of float32, in 'a', 'b', 'c', …"
    )


# What the inputs are


def inputs_of(columns: list[Column], layout: Any, precision: Any = "float64") -> Any:
    graph = Graph(precision, converters())
    table = root_table(graph, columns, layout)
    return table, [(entry["dtype"], entry["columns"]) for entry in graph.inputs]


def test_a_matrix_holds_every_number_in_the_graphs_precision() -> None:
    columns = [number("a"), Column("n", "int64"), Column("b", "bool"), Column("f", "float32")]
    table, inputs = inputs_of(columns, "matrix", "float32")
    assert inputs == [("float32", ["a", "n", "b", "f"])]
    assert table.labels == ("a", "n", "b", "f")
    table, inputs = inputs_of(columns, "matrix", "float64")  # what is float32 is rounded first
    assert inputs == [("float64", ["a", "n", "b"]), ("float32", ["f"])]
    assert table.labels == ("a", "n", "b", "f")


def test_columns_are_one_tensor_for_each_type() -> None:
    columns = [
        number("a"),
        Column("t", "string"),
        Column("n", "int64"),
        number("b"),
        Column("m", "int64", nullable=True),
        Column("u", "string"),
        Column("k", "int64"),
        Column("flag", "bool"),
    ]
    table, inputs = inputs_of(columns, "columns")

    assert inputs == [
        ("float64", ["a", "b", "m", "flag"]),
        ("string", ["t", "u"]),
        ("int64", ["n", "k"]),
    ]
    assert table.labels == ("a", "t", "n", "b", "m", "u", "k", "flag")
    assert [(tensor.dtype, tensor.labels) for tensor in table.tensors] == [
        ("float64", ("a",)),
        ("string", ("t",)),
        ("int64", ("n",)),
        ("float64", ("b", "m")),
        ("string", ("u",)),
        ("int64", ("k",)),
        ("float64", ("flag",)),
    ]
    assert [t.column for t in table.tensors if t.dtype == "string"] == ["t", "u"]


def test_columns_that_the_model_drops_are_no_inputs_and_keep_their_positions() -> None:
    columns = [Column("gone", "string", required=False), number("a"), number("b", required=False)]
    for layout in ("matrix", "columns"):
        table, inputs = inputs_of(columns, layout)
        assert inputs == [("float64", ["a"])]
        assert table.labels == ("gone", "a", "b")
        assert [tensor.dtype for tensor in table.tensors] == [DROPPED, "float64", DROPPED]


# What comes out

X = np.array([[0.5, 1.0], [2.0, -1.0], [4.0, 0.25], [1.0, 1.0]])


def test_outputs_stand_in_the_order_of_the_tasks_methods() -> None:
    model = DecisionTreeClassifier().fit(X, ["a", "b", "a", "b"])
    task = task_of(model)

    converted = convert(model, task, [number("x0"), number("x1")], FLOAT64)

    graph = onnx.load_from_string(converted.onnx).graph
    assert [output.name for output in graph.output] == converted.outputs
    assert converted.types == ["string", "float64"]
    assert list(task.methods) == ["prediction", "probabilities"]
    assert not converted.of_skl2onnx


def test_an_input_that_comes_out_as_it_is_gets_a_name_of_its_own() -> None:
    model = make_pipeline(FunctionTransformer()).fit(X)
    proof = prove(Source(model, X))

    graph = onnx.load_from_string(proof.onnx).graph
    assert graph.output[0].name != graph.input[0].name
    assert proof.compare().passed
