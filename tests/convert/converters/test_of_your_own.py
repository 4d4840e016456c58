"""Converters in the SOURCE file: columns by name, mixed columns, and mistakes in them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import onnxlet
from onnxlet.convert.converters.registry import Table, Unsupported, converters
from onnxlet.convert.errors import Refusal, SourceFailed
from onnxlet.convert.graph.converter import Graph
from onnxlet.convert.sources.source import Source, load_source
from onnxlet.convert.to_onnx import root_table
from onnxlet.function.inputs.columns import Column
from tests.convert.helpers import built, invoked

SOURCE = """
import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from onnxlet import converts

random = np.random.default_rng(0)
X = pd.DataFrame(
    {
        "income": random.uniform(1e3, 5e3, 60),
        "home": random.choice(["rent", "own", "else"], 60),
        "debts": random.integers(1, 900, 60),
    }
)
Y = X["income"] / X["debts"] + (X["home"] == "own")


class Mine(TransformerMixin, BaseEstimator):
    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return X[["income"]].to_numpy()


class Ratio(Mine):
    def transform(self, X):
        X = X.assign(home=np.where(X["home"] == "own", "yes", "no"))
        return X.assign(ratio=X["income"] / X["debts"], many=X["debts"] > 300).drop(columns="debts")


class Squared(Mine):
    def transform(self, X):
        return X.assign(squared=X["ratio"] ** 2)


class Lists(Mine):
    def transform(self, X):
        return np.column_stack([X["home"], X["income"] * 2]).astype(object)


class Misspelt(Mine): pass
class Buggy(Mine): pass
class Nothing(Mine): pass
class Array(Mine): pass
class Narrow(Mine): pass
class Other(Mine): pass
class Typed(Mine): pass


class Positions(Mine):
    def transform(self, X):
        return np.asarray(X)[:, :1]


class Raises(Mine):
    armed = False

    def transform(self, X):
        if Raises.armed:
            raise KeyError("gone")  # IN TRANSFORM
        return X[["income"]]


@converts(Ratio)
def ratio(graph, fitted, table):
    home = table["home"].equals("own").where(graph.constant([["yes"]]), graph.constant([["no"]]))
    ratio, many = table["income"] / table["debts"], table["debts"] > 300
    return {"transform": table.assign(home=home, ratio=ratio, many=many).drop("debts")}


@converts(Squared)
def squared(graph, fitted, table):
    return {"transform": table.assign(squared=table["ratio"] * table["ratio"])}


@converts(Lists)
def lists(graph, fitted, table):
    return {"transform": [table["home"], table["income"] * 2.0]}


@converts(Misspelt)
def misspelt(graph, fitted, table):
    return {"transform": table["Income"]}


@converts(Positions)
def positions(graph, fitted, table):
    return {"transform": table["income"]}


@converts(Buggy)
def buggy(graph, fitted, table):
    return {"transform": table["income"] * fitted.factor_}  # IN CONVERTER


@converts(Nothing)  # IT RETURNS NOTHING
def nothing(graph, fitted, table):
    table["income"]


@converts(Array)  # IT RETURNS NO TENSOR
def array(graph, fitted, table):
    return {"transform": np.ones(3)}


@converts(Narrow)  # TOO WIDE
def narrow(graph, fitted, table):
    return {"transform": graph.concat([table["income"], table["income"]])}


@converts(Other)  # ANOTHER METHOD
def other(graph, fitted, table):
    return {"predict": table["income"]}


@converts(Typed)
def typed(graph, fitted, table):
    return {"transform": table["income"] * graph.constant(2, "int64")}  # TWO TYPES


def named():
    columns = make_column_transformer(
        (OneHotEncoder(), ["home"]), (StandardScaler(), ["ratio", "income", "squared"]),
        remainder="passthrough",
    )
    return make_pipeline(Ratio(), Squared(), columns, LinearRegression()).fit(X, Y), X


def mixed():
    columns = make_column_transformer((OneHotEncoder(), [0]), remainder="passthrough")
    return make_pipeline(Lists(), columns, LinearRegression()).fit(X, Y), X


def made(*steps):
    return make_pipeline(*steps, LinearRegression()).fit(X, Y), X


def misspelt_(): return made(Misspelt())
def buggy_(): return made(Buggy())
def nothing_(): return made(Nothing())
def array_(): return made(Array())
def narrow_(): return made(Narrow())
def other_(): return made(Other())
def typed_(): return made(Typed())


def positions_():
    columns = make_column_transformer(("passthrough", ["income", "debts"]))
    return made(columns, Positions())


def raising():
    return X["gone"]  # IN BUILDER


def of_transform():
    model = made(Raises())
    Raises.armed = True
    return model
"""


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Source]:
    """Loads what a function of the file above returns."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "own_steps.py").write_text(SOURCE)
    return lambda function: load_source(f"{folder / 'own_steps.py'}:{function}")


def line_of(mark: str) -> int:
    return SOURCE[: SOURCE.index(f"# {mark}")].count("\n") + 1


# Columns by name, and mixed ones


@pytest.mark.parametrize("function", ["named", "mixed"])
def test_a_frame_goes_in_and_other_columns_come_out(
    function: str, source: Callable[[str], Source], tmp_path: Path
) -> None:
    result = built(source(function), tmp_path)

    assert result.manifest["parity"]["differing_rows"] == 0
    names = [column["name"] for column in result.manifest["signature"]["inputs"]]
    assert names == ["income", "home", "debts"]


def table() -> Table:
    columns = [
        Column("a", "float64", False),
        Column("n", "int64", False),
        Column("t", "string", False),
        Column("gone", "float64", True, required=False),
    ]
    return root_table(Graph("float64", converters()), columns, "columns")


def test_a_table_is_indexed_as_a_data_frame_is() -> None:
    given = table()

    assert given.labels == ("a", "n", "t", "gone")
    assert given[["t", "a"]].labels == ("t", "a")
    assert given.drop("n", "gone").labels == ("a", "t")
    made = given.assign(n=given["a"] + given["n"], more=given["a"] > 0.0)
    assert made.labels == ("a", "n", "t", "gone", "more")
    assert (given["n"].dtype, given["t"].dtype) == ("float64", "string")
    assert [tensor.dtype for tensor in given[["n"]].tensors] == ["int64"]
    assert made["more"].dtype == "float64"


def test_what_is_no_column_is_refused() -> None:
    given = table()
    both = given.tensors[0].graph.concat([given["a"], given["n"]])

    with pytest.raises(Unsupported, match=r"not given: \['b'\]") as refused:
        given["b"]
    assert refused.value.hint == "It is given a, n, t, gone."
    with pytest.raises(Unsupported, match="not given"):
        given.drop("b")
    with pytest.raises(TypeError, match="column 'a': expected a tensor, got ndarray"):
        given.assign(a=np.ones(2))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="column 'b': expected one column, got 2"):
        given.assign(b=both)
    with pytest.raises(Unsupported, match="they have none") as refused:
        Table((both,))["a"]
    assert "set_output(transform='pandas')" in refused.value.hint


# Mistakes


MISTAKES: dict[str, tuple[str, str]] = {  # what is said of each, and at which line
    "misspelt": ("asks for columns that it is not given: ['Income']", ""),
    "positions": ("asks for columns by name, and they have none", ""),
    "buggy": ("raised AttributeError: 'Buggy' object has no attribute 'factor_'", "IN CONVERTER"),
    "nothing": (
        "returns NoneType, expected a dictionary of outputs by method",
        "IT RETURNS NOTHING",
    ),
    "array": ("returns ndarray, expected a tensor as its transform", "IT RETURNS NO TENSOR"),
    "typed": ("raised TypeError: ", "TWO TYPES"),
    "other": ("returns predict and not transform ", "ANOTHER METHOD"),
    "narrow": ("makes 2 columns, and its transform 1 ", "TOO WIDE"),
}
ABOUT = {  # where it is not said of a step in the pipeline
    "other": "step Other: its converter",
    "narrow": "step Pipeline: the converter of Narrow",
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_a_converter_is_reported_with_its_line(
    mistake: str, source: Callable[[str], Source], tmp_path: Path
) -> None:
    with pytest.raises(Refusal) as refused:
        built(source(f"{mistake}_"), tmp_path)

    [reason] = refused.value.message.split("\n")[1:]
    reported, mark = MISTAKES[mistake]
    about = ABOUT.get(mistake, f"step Pipeline > {mistake.capitalize()}: its converter")
    assert reason.startswith(f"  {about} {reported}")
    if mark:
        assert re.search(rf"own_steps\.py, line {line_of(mark)}, (in )?{mistake}\)$", reason)
        assert "Fix the converter (docs/how-to/converters.md)" in refused.value.hint


def test_debug_shows_the_traceback_of_a_mistake(
    source: Callable[[str], Source], tmp_path: Path
) -> None:
    source("named")  # the file is imported
    (tmp_path / "own_steps.py").write_text(SOURCE)
    end = invoked(
        *("build", f"{tmp_path / 'own_steps.py'}:buggy_", "--name", "m", "--debug"),
        *("--models", tmp_path / "models"),
    )

    assert end.exit_code == 1
    assert "in buggy" in end.stderr
    assert end.stderr.count("error: ") == 1


def test_what_the_users_function_raises_is_reported_with_its_line(
    source: Callable[[str], Source],
) -> None:
    with pytest.raises(SourceFailed, match=r"raising raised KeyError: 'gone' \(") as failed:
        source("raising")

    line = line_of("IN BUILDER")
    assert re.search(rf"own_steps\.py, line {line}, in raising\)$", failed.value.message)


def test_what_a_step_of_the_users_raises_is_reported_with_its_line(
    source: Callable[[str], Source], tmp_path: Path
) -> None:
    with pytest.raises(Refusal, match="does not answer X_test: KeyError: 'gone'") as refused:
        built(source("of_transform"), tmp_path)

    line = line_of("IN TRANSFORM")
    assert re.search(rf"own_steps\.py, line {line}, in transform\)$", refused.value.message)


@pytest.mark.parametrize("kinds", [("Rounded",), (), (int, None)])
def test_a_converter_is_registered_of_classes_only(kinds: tuple[Any, ...]) -> None:
    with pytest.raises(onnxlet.WrongUse, match="@converts: expected classes, got "):
        onnxlet.converts(*kinds)
