"""Tables of columns, by position and by name, and the estimators that take them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer, make_column_transformer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, StandardScaler

from onnxlet.convert.converters.registry import Graph, Table, Unsupported, converters
from onnxlet.convert.graph.converter import DROPPED
from onnxlet.convert.to_onnx import root_table
from onnxlet.function.inputs.columns import Column
from tests.convert.converters.graphs import X, given, graph_of, run
from tests.convert.exactness import assert_exact

# By position


def test_taking_from_what_was_taken_is_one_node() -> None:
    graph = graph_of()
    x = given(graph)
    made = x.take([2, 1, 0]).take([2, 0])

    assert x.take([0, 1, 2]) is x
    assert x.take([2, 1, 0]).take([2, 1, 0]).name == x.name
    assert len(graph.finished([made]).graph.node) == 1
    (got,) = run(graph, made)
    np.testing.assert_array_equal(got, X[:, [0, 2]])


@pytest.mark.parametrize("positions", [[0, 1, 2, 3], [3, 2, 1, 0], [1, 2], [0, 3, 0], [2]])
def test_selected_columns_are_those_at_the_positions(positions: list[int]) -> None:
    graph = graph_of()
    x = given(graph)
    table = Table((x.take([0]), x.take([1]), x.take([2]), x * 10.0, x))
    chosen = [table.width - 1 - position for position in positions]

    (got,) = run(graph, graph.matrix(graph.select(table, chosen)))
    np.testing.assert_array_equal(got, np.hstack([X, X * 10.0, X])[:, chosen])


def test_neighbours_in_one_tensor_stay_together() -> None:
    graph = graph_of()
    x = given(graph)
    one_by_one = Table(tuple(x.take([position]) for position in range(3)))

    assert graph.matrix(one_by_one).name == x.name


def test_text_is_no_number() -> None:
    graph = graph_of()
    table = Table((given(graph), graph.input(["t"], "string")))

    with pytest.raises(Unsupported, match="given text where it computes with numbers"):
        graph.matrix(table)
    with pytest.raises(Unsupported, match="text and numbers side by side"):
        graph.matrix(table, "string")


# Columns that scikit-learn answers without

COLUMNS = [
    Column("a", "float64", False),
    Column("gone", "string", True, required=False),
    Column("b", "float64", False),
]
FRAME = pd.DataFrame({"a": [1.0, 2.0, 4.0], "gone": ["x", "y", "z"], "b": [3.0, 1.0, 2.0]})


def test_a_dropped_column_is_no_input_and_its_position_is_kept() -> None:
    graph = graph_of()
    table = root_table(graph, COLUMNS, "columns")
    model = make_column_transformer(("passthrough", ["b"]), (StandardScaler(), ["a"])).fit(FRAME)

    (got,) = run(graph, graph.call(model, table, "transform"), feed=FRAME[["a", "b"]])

    assert table.labels == ("a", "gone", "b")
    assert [entry["columns"] for entry in graph.inputs] == [["a", "b"]]
    np.testing.assert_array_equal(got, model.transform(FRAME))


def test_a_dropped_column_that_is_used_is_unsupported() -> None:
    graph = graph_of()
    table = root_table(graph, COLUMNS, "columns")
    model = make_column_transformer((OneHotEncoder(), ["gone"])).fit(FRAME)

    assert table.tensors[1].dtype == DROPPED
    with pytest.raises(Unsupported, match="given a column that scikit-learn answers without"):
        graph.call(model, table, "transform")


# Names of columns, for steps that select by name


class Renamed(TransformerMixin, BaseEstimator):  # type: ignore[misc] # untyped there
    """Columns in another order, under other names."""

    def fit(self, X: Any, y: Any = None) -> Renamed:
        self.names_ = [f"new {name}" for name in reversed(list(X.columns))]
        return self

    def transform(self, X: Any) -> Any:
        return pd.DataFrame(X.to_numpy()[:, ::-1], columns=self.names_, index=X.index)

    def get_feature_names_out(self, names: Any = None) -> Any:
        return np.array(self.names_, dtype=object)


NUMBERS = pd.DataFrame({"a": [1.0, 2.0, 4.0], "b": [3.0, 1.0, 2.0], "c": [0.5, 7.0, -1.0]})


def by_name(*names: str) -> ColumnTransformer:
    return make_column_transformer((MinMaxScaler(), list(names)), remainder="drop")


def test_names_of_pandas_outputs_are_what_later_steps_select_by() -> None:
    scaled = make_column_transformer(
        (StandardScaler(), ["c", "a"]), ("passthrough", ["b"]), verbose_feature_names_out=False
    ).set_output(transform="pandas")
    for names in (["a"], ["b", "c"], ["c", "b", "a"]):
        assert_exact(make_pipeline(scaled, by_name(*names)).fit(NUMBERS), NUMBERS)


def test_names_with_the_steps_in_front() -> None:
    scaled = make_column_transformer((StandardScaler(), ["c", "a"])).set_output(transform="pandas")
    model = make_pipeline(scaled, by_name("standardscaler__a")).fit(NUMBERS)

    assert_exact(model, NUMBERS)


def test_positions_are_what_steps_select_by_where_no_names_come() -> None:
    scaled = make_column_transformer((StandardScaler(), ["c", "a"]))
    model = make_pipeline(scaled, make_column_transformer((MinMaxScaler(), [1]))).fit(NUMBERS)

    assert_exact(model, NUMBERS)


def test_an_estimator_that_names_its_columns_itself() -> None:
    def convert(graph: Graph, fitted: Any, table: Table) -> Any:
        x = graph.matrix(table)
        return {"transform": x.take(range(x.width)[::-1])}

    model = make_pipeline(Renamed().set_output(transform="pandas"), by_name("new a", "new c"))
    model.fit(NUMBERS)
    graph = graph_of({**dict(converters()), Renamed: convert})
    table = root_table(graph, [Column(name, "float64") for name in "abc"], "columns")

    (got,) = run(graph, graph.call(model, table, "transform"), feed=NUMBERS)
    np.testing.assert_array_equal(got, model.transform(NUMBERS))


def test_columns_that_do_not_come_are_named() -> None:
    model = by_name("a", "c").fit(NUMBERS)
    graph = graph_of()
    table = root_table(graph, [Column("a", "float64"), Column("b", "float64")], "columns")

    with pytest.raises(Unsupported, match=r"not given its columns \['c'\]"):
        graph.call(model, table, "transform")


@pytest.mark.parametrize(
    "of_scaler", [["c", "a"], [2, 0], slice(0, 3, 2), [True, False, True, False]]
)
@pytest.mark.parametrize("dropped", [[], [("none", "drop", ["target"])]], ids=["left", "said"])
def test_columns_that_are_dropped_need_not_come(of_scaler: Any, dropped: list[Any]) -> None:
    frame = NUMBERS.assign(target=1.0)  # fitted on the whole of it
    parts = [("scaled", StandardScaler(), of_scaler), *dropped]
    model = ColumnTransformer(parts).fit(frame)

    assert_exact(model, NUMBERS)


# Asking estimators


def test_an_estimator_is_converted_once() -> None:
    converted: list[Any] = []

    def convert(graph: Graph, fitted: Any, table: Table) -> Any:
        converted.append(fitted)
        return {"predict": graph.matrix(table).sum()}

    graph = graph_of({LinearRegression: convert})
    x = given(graph)
    model, other = LinearRegression(), LinearRegression()

    first = graph.call(model, Table((x,)), "predict")
    assert graph.call(model, Table((x,)), "predict") is first
    assert graph.call(other, Table((x,)), "predict") is not first
    assert graph.call(model, Table((x.take([0]),)), "predict") is not first
    assert converted == [model, other, model]


def test_unsupported_names_the_steps_down_to_the_one() -> None:
    def convert(graph: Graph, fitted: Any, table: Table) -> Any:
        raise Unsupported("its frills have no conversion", "Leave the frills out.")

    model = make_pipeline(make_column_transformer((StandardScaler(), [0])), LinearRegression())
    model.fit(np.eye(3), [1.0, 2.0, 3.0])
    graph = graph_of({**dict(converters()), StandardScaler: convert})

    with pytest.raises(Unsupported) as raised:
        graph.call(model, Table((given(graph),)), "predict")
    assert str(raised.value) == (
        "step Pipeline > ColumnTransformer > StandardScaler: its frills have no conversion"
    )
    assert raised.value.hint == "Leave the frills out."


def test_what_no_converter_knows_is_unsupported_without_a_fallback() -> None:
    graph = graph_of({})
    with pytest.raises(Unsupported, match="step StandardScaler: it has no converter"):
        graph.call(StandardScaler().fit(np.eye(3)), Table((given(graph),)), "transform")


def test_a_method_that_is_not_written_is_unsupported() -> None:
    graph = graph_of()
    model = LogisticRegression().fit(np.eye(3), [0, 1, 1])
    with pytest.raises(Unsupported, match="step LogisticRegression: its predict_log_proba has no"):
        graph.call(model, Table((given(graph),)), "predict_log_proba")
    with pytest.raises(Unsupported, match="step LogisticRegression: its transform has no"):
        graph.transform(model, Table((given(graph),)))
