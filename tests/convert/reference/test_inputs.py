"""Reading the columns of a test set, and its rows as clients would send them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression

from onnxlet.convert.errors import Refusal
from onnxlet.convert.reference.inputs import Cells, InputColumn, Inputs, read_inputs
from onnxlet.convert.sources.source import Source
from tests.convert.helpers import built, objects

NAN = float("nan")


COLUMNS: dict[str, tuple[pd.Series[Any], str, list[Any]]] = {
    "float64": (pd.Series([1.5, NAN]), "float64", [1.5, None]),
    "float32": (pd.Series([1.5, NAN], dtype="float32"), "float32", [1.5, None]),
    "float16": (pd.Series([1.5, 2.0], dtype="float16"), "float32", [1.5, 2.0]),
    "int64": (pd.Series([1, -(2**63)]), "int64", [1, -(2**63)]),
    "int8": (pd.Series([1, 2], dtype="int8"), "int64", [1, 2]),
    "uint8": (pd.Series([1, 255], dtype="uint8"), "int64", [1, 255]),
    "bool": (pd.Series([True, False]), "bool", [True, False]),
    "str": (pd.Series(["a", NAN], dtype="str"), "string", ["a", None]),
    "string": (pd.Series(["a", pd.NA], dtype="string"), "string", ["a", None]),
    "object of text": (objects(["a", "b"]), "string", ["a", "b"]),
    "object of text and None": (objects(["a", None]), "string", ["a", None]),
    "object of text and NaN": (objects(["a", NAN]), "string", ["a", None]),
    "object of bools": (objects([True, False]), "bool", [True, False]),
    "object of bools and None": (objects([True, None]), "bool", [True, None]),
    "object of ints": (objects([1, 2]), "int64", [1, 2]),
    "object of ints and None": (objects([1, None]), "float64", [1.0, None]),
    "object of ints and floats": (objects([1, 2.5]), "float64", [1.0, 2.5]),
    "NumPy's own numbers": (objects([np.int32(1), np.int64(2)]), "int64", [1, 2]),
    "category of text": (pd.Series(["a", "b"], dtype="category"), "string", ["a", "b"]),
    "category of text, gaps": (pd.Series(["a", None], dtype="category"), "string", ["a", None]),
    "category of ints": (pd.Series([3, 4]).astype("category"), "int64", [3, 4]),
    "category of ints, gaps": (pd.Series([3, NAN]).astype("category"), "float64", [3.0, None]),
    "category of bools": (pd.Series([True, False]).astype("category"), "bool", [True, False]),
    "Int64": (pd.Series([1, pd.NA], dtype="Int64"), "int64", [1, None]),
    "Float32": (pd.Series([1.5, pd.NA], dtype="Float32"), "float64", [1.5, None]),
    "Float64": (pd.Series([1.5, pd.NA], dtype="Float64"), "float64", [1.5, None]),
    "boolean": (pd.Series([True, pd.NA], dtype="boolean"), "bool", [True, None]),
}


@pytest.mark.parametrize(("series", "kind", "cells"), COLUMNS.values(), ids=COLUMNS)
def test_type_and_cells_of_a_column(series: pd.Series[Any], kind: str, cells: list[Any]) -> None:
    inputs, X = read_inputs(pd.DataFrame({"c": series}))

    rows = inputs.rows(X)
    assert [(column.name, column.type) for column in inputs.columns] == [("c", kind)]
    assert [row[0] for row in rows] == cells
    assert [type(row[0]) for row in rows] == [type(cell) for cell in cells]
    again = inputs.data(rows)
    assert list(again.columns) == ["c"]
    assert inputs.rows(again) == rows


@pytest.mark.parametrize(
    ("cells", "kind"), [(["a", None], type(None)), (["a", NAN], float), ([True, None], type(None))]
)
def test_a_missing_value_stays_what_it_is_in_the_test_set(cells: list[Any], kind: type) -> None:
    inputs, X = read_inputs(pd.DataFrame({"c": objects(cells)}))

    for column in (X["c"], inputs.data([[cells[0]], [None]])["c"]):
        assert [type(cell) for cell in column.tolist()] == [type(cells[0]), kind]


def test_whole_numbers_with_gaps_become_floats_for_scikit_learn() -> None:
    inputs, _ = read_inputs(pd.DataFrame({"c": [1, 2]}))

    assert inputs.data([[1], [2]])["c"].dtype == np.int64
    gaps = inputs.data([[1], [None]])["c"]
    assert gaps.dtype == np.float64
    assert gaps.isna().tolist() == [False, True]


def test_float32_stays_float32_for_scikit_learn() -> None:
    inputs, X = read_inputs(pd.DataFrame({"c": np.array([0.1], dtype=np.float32)}))

    assert X["c"].dtype == np.float32
    assert inputs.data([[0.1]])["c"].tolist() == [np.float32(0.1)]


def test_names_in_any_script_and_order_are_kept() -> None:
    names = ["Preis (€)", "色", "", " ", "дом", "x'\"", "a\nb", "🦙"]
    inputs, X = read_inputs(pd.DataFrame([range(len(names))], columns=names))

    assert [column.name for column in inputs.columns] == names
    assert list(inputs.data(inputs.rows(X)).columns) == names


def test_labels_that_are_numbers_are_said_as_text_and_kept_for_scikit_learn() -> None:
    inputs, X = read_inputs(pd.DataFrame([[1.0, 2.0]], columns=[7, 3]))

    assert [column.name for column in inputs.columns] == ["7", "3"]
    assert list(inputs.data(inputs.rows(X)).columns) == [7, 3]


@pytest.mark.parametrize("labels", [["a", "b", "a"], [1, "b", "1"]])
def test_duplicated_names_are_refused(labels: list[Any]) -> None:
    with pytest.raises(Refusal) as refused:
        read_inputs(pd.DataFrame([[1, 2, 3]], columns=labels))

    assert refused.value.message == f"X_test: columns ['{labels[2]}'] are there more than once"
    assert refused.value.hint


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        (["a", 1], "'a' and 1"),
        (["a", True], "'a' and True"),
        ([1, True], "1 and True"),
        ([1.5, "b", None], "1.5 and 'b'"),
    ],
)
def test_a_column_of_mixed_values_is_unserved_and_says_why(values: list[Any], shown: str) -> None:
    X = pd.DataFrame({"good": [1] * len(values), "bad": objects(values)})

    inputs, _ = read_inputs(X)

    good, bad = inputs.columns
    assert good.unserved == ""
    assert bad.unserved == f"X_test, column 'bad': expected values of one type, got {shown}"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (Decimal("1.5"), "Decimal have no form in a request, such as Decimal('1.5'): make floats"),
        (date(2024, 1, 2), "date have no form in a request, such as datetime.date(2024, 1, 2): m"),
        (b"x", "bytes have no form in a request, such as b'x': make text of them, by .str.decode("),
        ({"a": 1}, "dict have no form in a request, such as {'a': 1}: make a column of each part"),
        ([1], "list have no form in a request, such as [1]: make a column of each part"),
        (time(1, 2), "time have no form in a request, such as datetime.time(1, 2): make text of t"),
    ],
    ids=["decimal", "date", "bytes", "dict", "list", "time"],
)
def test_a_column_of_another_type_is_named_with_what_to_do(value: Any, said: str) -> None:
    inputs, _ = read_inputs(pd.DataFrame({"good": [1, 2], "bad": objects([value, None])}))

    assert inputs.columns[1].unserved.startswith(f"X_test, column 'bad': values of type {said}")


@pytest.mark.parametrize(
    ("made", "instead"),
    [
        (Decimal("1.5"), lambda column: column.astype(float)),
        (date(2024, 1, 2), pd.to_datetime),
        (timedelta(1), lambda column: pd.to_timedelta(pd.Series(column)).dt.total_seconds()),
        (b"x", lambda column: column.str.decode("utf-8")),
    ],
    ids=["decimal", "date", "duration", "bytes"],
)
def test_what_is_advised_is_served(made: Any, instead: Callable[[Any], Any]) -> None:
    column = objects([made] * 3)
    unserved, _ = read_inputs(pd.DataFrame({"a": column}))
    assert unserved.columns[0].unserved
    inputs, _ = read_inputs(pd.DataFrame({"a": instead(column)}))
    assert not inputs.columns[0].unserved


DATES = pd.Series(pd.to_datetime(["2024-01-01", "2024-01-02"]))


@pytest.mark.parametrize(
    "series",
    [
        DATES + pd.Timedelta("1ns"),
        pd.Series(np.array(["1066-10-14", "2024-01-02"], dtype="datetime64[s]")),
        DATES - DATES[0],
        DATES.dt.to_period("D"),
        DATES.astype(object),
        DATES.astype("category"),
        pd.Series([1j, 2j]),
    ],
    ids=["nanoseconds", "long ago", "timedelta", "period", "objects", "category", "complex"],
)
def test_a_column_that_has_no_form_in_a_request_is_unserved(series: pd.Series[Any]) -> None:
    inputs, _ = read_inputs(pd.DataFrame({"a": [1.0, 2.0], "when": series}))

    assert [bool(column.unserved) for column in inputs.columns] == [False, True]
    assert inputs.columns[1].unserved.startswith("X_test, column 'when': ")


@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Berlin", "UTC+02:00"])
def test_dates_are_sent_as_text_and_given_as_dates(zone: str | None) -> None:
    given = pd.DataFrame({"when": DATES.dt.tz_localize(zone)})
    given.loc[1, "when"] = pd.NaT
    inputs, X = read_inputs(given)

    [[sent], [missing]] = inputs.rows(given)

    assert (inputs.columns[0].unserved, inputs.columns[0].zone, missing) == ("", zone, None)
    assert sent.startswith("2024-01-01T00:00:00")
    assert (len(sent) > 19) == (zone is not None)
    pd.testing.assert_frame_equal(inputs.data([[sent], [None]]), X)
    assert X["when"].tolist() == given["when"].tolist()


@pytest.mark.parametrize(
    ("array", "kind"),
    [
        (np.zeros((2, 3)), "float64"),
        (np.zeros((2, 3), dtype=np.float32), "float32"),
        (np.zeros((2, 3), dtype=np.uint16), "int64"),
        (np.zeros((2, 3), dtype=bool), "bool"),
        (np.full((2, 3), "a"), "string"),
        (np.full((2, 3), "a", dtype=object), "string"),
    ],
    ids=["float64", "float32", "uint16", "bool", "text", "object"],
)
def test_bare_arrays_have_columns_x0_x1_of_one_type(array: Any, kind: str) -> None:
    inputs, X = read_inputs(array)

    assert not inputs.frame
    assert [column.name for column in inputs.columns] == ["x0", "x1", "x2"]
    assert {column.type for column in inputs.columns} == {kind}
    again = inputs.data(inputs.rows(X))
    assert again.shape == (2, 3)
    assert (again == array).all()
    if kind != "string":
        assert again.dtype == array.dtype


def test_lists_and_sparse_matrices_are_bare_arrays() -> None:
    from sklearn.preprocessing import OneHotEncoder

    sparse = OneHotEncoder().fit_transform([[1.0], [2.0]])[:1]
    assert not isinstance(sparse, np.ndarray)
    for X in ([[1.0, 0.0]], sparse):
        inputs, array = read_inputs(X)
        assert inputs.rows(array) == [[1.0, 0.0]]


@pytest.mark.parametrize("X", [np.zeros((2, 2, 2)), np.zeros(0), [], None])
def test_other_than_two_dimensions_are_refused(X: Any) -> None:
    with pytest.raises(Refusal, match="of shape"):
        read_inputs(X)


@pytest.mark.parametrize(
    ("X", "name"),
    [
        (np.array([1.5, 2.5]), "x0"),
        ([1.5, 2.5], "x0"),
        (pd.Series([1.5, 2.5]), "x0"),
        (pd.Series([1.5, 2.5], name="dose"), "dose"),
    ],
)
def test_numbers_in_one_dimension_are_one_column(X: Any, name: str) -> None:
    inputs, data = read_inputs(X)
    assert [column.name for column in inputs.columns] == [name]
    assert inputs.rows(data) == [[1.5], [2.5]]


def test_a_list_of_rows_keeps_texts_and_numbers_apart() -> None:
    inputs, data = read_inputs([[1.5, "a", 3], [2.5, "b", 4]])
    assert [column.type for column in inputs.columns] == ["float64", "string", "int64"]
    assert inputs.rows(data) == [[1.5, "a", 3], [2.5, "b", 4]]
    texts, data = read_inputs([["a", "b"], ["c", "d"]])
    assert [column.type for column in texts.columns] == ["string", "string"]


@pytest.mark.parametrize(("X", "got"), [(None, "None"), (5, "5"), (object(), "object")])
def test_what_has_no_shape_is_named(X: Any, got: str) -> None:
    with pytest.raises(Refusal, match=rf", got {got}\n"):
        read_inputs(X)


def test_a_ragged_list_is_refused() -> None:
    with pytest.raises(Refusal):
        read_inputs([[1.0, 2.0], [3.0]])


def test_an_array_of_objects_has_a_type_for_each_position() -> None:
    X = np.array([[1, "a", 2.5, True], [2, None, np.nan, False]], dtype=object)

    inputs, array = read_inputs(X)

    assert [column.type for column in inputs.columns] == ["int64", "string", "float64", "bool"]
    assert inputs.rows(array) == [[1, "a", 2.5, True], [2, None, None, False]]
    again = inputs.data(inputs.rows(array))
    assert again.dtype == object
    assert again[0].tolist() == [1, "a", 2.5, True]
    assert again[1, 1] is None
    assert np.isnan(again[1, 2])


@pytest.mark.parametrize("values", [["a", 1], ["a", True]])
def test_a_position_of_mixed_objects_is_refused_with_its_place(values: list[Any]) -> None:
    X = np.empty((2, 2), dtype=object)
    X[:, 0], X[:, 1] = [1, 2], values
    with pytest.raises(Refusal, match=r"X_test, column 1: expected values of one type, got ") as no:
        read_inputs(X)
    assert no.value.hint


@pytest.mark.parametrize("missing", [None, NAN])
@pytest.mark.parametrize(
    "make", [list, tuple, np.array, pd.Series, objects], ids=lambda m: m.__name__
)
def test_texts_are_one_column(make: Any, missing: Any) -> None:
    values = ["good film", missing, "bad"]
    if make is np.array:
        array = np.empty(3, dtype=object)
        array[:] = values
        X: Any = array
    else:
        X = make(values)

    inputs, data = read_inputs(X)

    assert inputs.form == ("series" if isinstance(X, pd.Series) else "texts")
    assert not inputs.frame
    assert [(column.name, column.type) for column in inputs.columns] == [("x0", "string")]
    assert inputs.rows(data) == [["good film"], [None], ["bad"]]
    again = inputs.data([["new"], [None]])
    assert again.shape == (2,)
    assert again[0] == "new"
    assert again[1] is inputs.columns[0].missing


def test_a_series_of_texts_keeps_its_name() -> None:
    inputs, _ = read_inputs(pd.Series(["a", "b"], name="Überschrift"))
    assert [column.name for column in inputs.columns] == ["Überschrift"]
    assert inputs.data([["c"]]).name == "Überschrift"


def test_an_array_of_dates_is_refused() -> None:
    with pytest.raises(Refusal, match="X_test: values of type datetime64"):
        read_inputs(np.array([["2024-01-01"]], dtype="datetime64[s]"))


def test_a_frame_without_columns_is_refused() -> None:
    with pytest.raises(Refusal):
        read_inputs(pd.DataFrame(index=[0, 1]))


def test_a_bare_array_is_one_tensor_named_input_in_the_signature(tmp_path: Path) -> None:
    X = np.arange(30.0).reshape(10, 3) ** 1.5
    manifest = built(Source(LinearRegression().fit(X, X[:, 0]), X), tmp_path).manifest

    tensor, *others = manifest["signature"]["inputs"]
    assert others == []
    assert (tensor["name"], tensor["type"], tensor["shape"]) == ("input", "float64", [-1, 3])
    assert [member["name"] for member in tensor["columns"]] == ["x0", "x1", "x2"]


def test_every_column_of_a_frame_is_a_tensor_of_its_own_in_the_signature(tmp_path: Path) -> None:
    X = pd.DataFrame({"b": [1.5, 2, 4, 8], "a": [3, 1, 4, 1]}, index=[9, 9, 2, 1])
    manifest = built(Source(LinearRegression().fit(X, X["b"]), X), tmp_path).manifest

    found = [(t["name"], t["type"], t["shape"]) for t in manifest["signature"]["inputs"]]
    assert found == [("b", "float64", [-1, 1]), ("a", "int64", [-1, 1])]


@pytest.mark.parametrize("form", ["array", "frame"])
@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("kind", ["float64", "float32", "int64"])
def test_all_columns_at_once_are_what_they_are_one_by_one(form: Any, wide: bool, kind: Any) -> None:
    columns = tuple(InputColumn(f"x{n}", f"x{n}", kind, wide=wide) for n in range(3))
    rows: list[list[Any]] = [[1, 2, 3], [4, 5, 2**24 + 1]]
    if kind != "int64":
        rows = [[0.1, None, 1e-40], [float("inf"), -0.0, 3e38]]
    inputs = Inputs(columns, form)
    fast = inputs.data(rows)

    # Beside a column of text, columns are given one by one.
    text = InputColumn("text", "text", "string")
    beside = Inputs((*columns, text), "frame").data([[*row, "t"] for row in rows])
    slow = beside.drop(columns="text").to_numpy()
    assert np.array_equal(np.asarray(fast), slow, equal_nan=True)
    assert np.asarray(fast).dtype == slow.dtype
    if form == "array":
        assert fast.flags.c_contiguous
        assert inputs.rows(fast) == rows or kind == "float32"
    elif kind == "float32":  # BLAS sums in the order of the memory
        assert fast.to_numpy().flags.f_contiguous == slow.flags.f_contiguous


@pytest.mark.parametrize(
    ("values", "dtype", "kind"),
    [
        ([2**60 + 1, 2**60 + 3], "int64", "int64"),
        ([2**60 + 1, None], "Int64", "float64"),
        ([7, None], "Int64", "int64"),
        ([2**60 + 1, 0.5], object, "float64"),
        ([0, 0.5], object, "float64"),
        ([2**60 + 1, 2**60 + 3], object, "int64"),
        ([2**60 + 1, None], "category", "int64"),
    ],
)
def test_whole_numbers_beyond_floats(values: list[Any], dtype: Any, kind: str) -> None:
    frame = pd.DataFrame({"a": pd.Series(values, dtype=object).astype(dtype)})
    inputs, X = read_inputs(frame)
    assert inputs.columns[0].type == kind
    made = float if kind == "float64" else int
    assert inputs.rows(X) == [[None if v is None else made(v)] for v in values]


@pytest.mark.parametrize("dtype", ["uint64", "UInt64", object])
def test_whole_numbers_that_no_request_carries_are_named(dtype: Any) -> None:
    frame = pd.DataFrame({"a": pd.Series([1, 2**63], dtype=object).astype(dtype)})
    assert "9223372036854775808 does not fit a 64-bit" in read_inputs(frame)[0].columns[0].unserved
    array = np.array([[1, 2], [3, 2**63]], dtype=dtype if dtype is object else "uint64")
    with pytest.raises(Refusal, match="does not fit a 64-bit integer"):
        read_inputs(array)


def test_rows_are_apart_where_a_test_set_would_have_other_dtypes() -> None:
    frame = pd.DataFrame({"id": [2**60 + 1, 7], "few": pd.Series([1, 2], dtype="int8"), "b": True})
    inputs, _ = read_inputs(frame)
    rows: list[Cells] = [
        [7, 1, True],
        [None, 1, True],
        [8, 200, True],
        [9, 3, None],
        [2**60 + 1, 2, False],
    ]
    assert inputs.by_dtypes(rows) == [[0, 4], [1], [2], [3]]
    dtypes = [list(map(str, inputs.data([rows[n] for n in part]).dtypes)) for part in [[0, 4], [2]]]
    assert dtypes == [["int64", "int8", "bool"], ["int64", "int64", "bool"]]

    gaps, _ = read_inputs(frame.assign(id=pd.Series([1, None], dtype="Int64")))
    assert gaps.by_dtypes([[None, 1, True], [1, 1, True]]) == [[0, 1]]
    array, _ = read_inputs(np.array([[2**60 + 1, 1]]))
    assert array.by_dtypes([[1, 2], [None, 1], [2, None]]) == [[0], [1, 2]]
