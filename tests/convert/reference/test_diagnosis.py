"""Held-out rows that don't fit the estimator: which column, which row, and what to do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from onnxlet.convert.build import build
from onnxlet.convert.errors import Refusal
from onnxlet.convert.reference.diagnosis import notes, unanswered
from onnxlet.convert.sources.source import Source, load_source
from onnxlet.convert.tables.held_out import read_table_file
from onnxlet.function.errors import WrongUse
from onnxlet.function.inputs.columns import Column
from tests.convert.helpers import built, reference_of

random = np.random.default_rng(0)
ROWS = pd.DataFrame(
    {
        "age": random.integers(18, 80, 60),
        "income": random.normal(3000, 800, 60).round(2),
        "home": random.choice(["rent", "own", "Köln"], 60),
    }
)
Y = ROWS["age"] + random.normal(size=60)
NUMBERS = LinearRegression().fit(ROWS[["age", "income"]], Y)
PIPELINE = make_pipeline(
    make_column_transformer((OneHotEncoder(), ["home"]), ("passthrough", ["age", "income"])),
    LinearRegression(),
).fit(ROWS, Y)
FILE = Path("held_out.csv")


def refused(source: Source) -> Refusal:
    try:
        source.estimator.predict(source.X_test)
    except Exception as error:
        return unanswered(source, reference_of(source)[0], error)
    raise AssertionError("it answers")


def test_a_column_of_the_fit_as_the_target() -> None:
    found = refused(Source(PIPELINE, ROWS.drop(columns="income"), data=FILE, target="income"))

    assert found.message.startswith(
        "--data 'held_out.csv': expected the columns that the estimator was fitted on, "
        "'income' is missing; the estimator does not answer X_test: ValueError: "
    )
    assert found.hint == "--target names the answer, and 'income' is one that it is given."


def test_a_target_among_the_columns() -> None:
    found = refused(Source(NUMBERS, ROWS[["age", "income"]].assign(price=Y), data=FILE))
    assert "'price' is too many" in found.message
    assert found.hint == "Was --target forgotten? --target price, if it is the answer."

    found = refused(Source(NUMBERS, ROWS[["age", "income"]].assign(price=Y)))
    assert "--target" not in found.hint


def test_another_spelling_of_a_column() -> None:
    found = refused(Source(PIPELINE, ROWS.rename(columns={"income": "Income"}), data=FILE))
    assert "'income' is missing and 'Income' is too many" in found.message
    assert found.hint == "Is 'Income' the column 'income'? Give it the name of the fit."


def test_columns_without_names_are_counted() -> None:
    model = LinearRegression().fit(ROWS[["age", "income"]].to_numpy(), Y)
    found = refused(Source(model, ROWS[["age", "income"]].assign(price=Y), data=FILE))
    assert "expected 2 columns, as the estimator was fitted on, got 3: 'age', 'income', " in (
        found.message
    )
    assert "Was --target forgotten?" in found.hint


@pytest.mark.parametrize(
    ("column", "hint"),
    [("income", "Write numbers with a dot"), ("home", "Was the estimator fitted on it?")],
)
def test_a_text_where_a_number_is_expected(column: str, hint: str) -> None:
    rows = ROWS.astype({"income": object}).rename(columns={"home": "was"})
    rows.loc[7, "income"] = "unknown"
    rows["home"] = "unknown" if column == "income" else rows["was"]
    model = LinearRegression().fit(ROWS.assign(home=0.0)[["age", column]], Y)

    found = refused(Source(model, rows[["age", column]], data=FILE))

    row, text = (7, "unknown") if column == "income" else (0, rows["home"][0])
    assert found.message.startswith(
        f"--data 'held_out.csv', row {row} (counted from 0), column '{column}': expected a number, "
        f"got '{text}'"
    )
    assert ("59 of its 60 cells are numbers" in found.message) == (column == "income")
    assert found.hint.startswith(hint)


def test_another_order_of_the_columns() -> None:
    found = refused(Source(NUMBERS, ROWS[["income", "age"]]))
    assert "in another order: expected 'age', 'income'; the estimator does not" in found.message
    assert found.hint == "X_test[list(estimator.feature_names_in_)] puts them in order."


@pytest.mark.parametrize(
    ("places", "column", "value", "message", "hint"),
    [
        ([4, 9], "income", np.nan, ", where 'income' is missing, is not answered, as 1 more of 60: "
         "Val", "SimpleImputer"),
        ([4], "income", np.inf, ", is not answered: ValueError: Input X contains infinity",
         "np.clip"),
        ([4], "home", "castle", ", is not answered: ValueError: Found unknown categories",
         "handle_unknown"),
    ],
)  # fmt: skip
def test_rows_that_are_not_answered_among_others(
    places: list[int], column: str, value: Any, message: str, hint: str
) -> None:
    rows = ROWS.copy()
    rows.loc[places, column] = value
    found = refused(Source(PIPELINE, rows))
    assert found.message.startswith(f"X_test, row 4 (counted from 0){message}")
    assert hint in found.hint
    assert found.hint.endswith(", or leave such rows out of X_test.")


def test_rows_of_an_array_that_are_not_answered() -> None:
    rows = ROWS[["age", "income"]].to_numpy()
    rows[7, 1] = np.nan
    model = LinearRegression().fit(np.nan_to_num(rows), Y)
    assert refused(Source(model, rows)).message.startswith("X_test, row 7 (counted from 0), is not")


class Raises(TransformerMixin, BaseEstimator):  # type: ignore[misc] # scikit-learn ships no types
    """Of the user's: it raises for its own reason, whatever columns there are."""

    def fit(self, X: Any, y: Any = None) -> Raises:
        self.feature_names_in_ = np.array(["age", "income"], dtype=object)
        return self

    def predict(self, X: Any) -> Any:
        raise RuntimeError("the licence has expired")


def test_columns_are_not_blamed_for_another_fault() -> None:
    model = Raises().fit(ROWS)
    source = Source(model, ROWS)
    found = unanswered(source, reference_of(source)[0], RuntimeError("the licence has expired"))
    assert found.message == (
        "the estimator does not answer X_test: RuntimeError: the licence has expired"
    )


def test_an_estimator_that_is_not_fitted(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="is not fitted") as found:
        built(Source(LinearRegression(), ROWS[["age"]]), tmp_path)
    assert found.value.hint == "Fit it on training rows first."


# Notes on what is answered


def noted(rows: pd.DataFrame, required: bool = True, **options: Any) -> list[str]:
    types = {"i": "int64", "f": "float64"}
    columns = [
        Column(str(name), types.get(rows[name].dtype.kind, "string"), False, required=required)  # type: ignore[arg-type]
        for name in rows
    ]
    source = Source(options.pop("estimator", LinearRegression()), rows, **options)
    return list(notes(source, columns, rows.to_numpy(dtype=object).tolist()))


UUIDS = [f"{n:08x}-0000-4000-8000-{n:012x}" for n in range(60)]


@pytest.mark.parametrize(
    ("name", "cells", "why"),
    [
        ("Unnamed: 0", random.permutation(60), "is an index that pandas wrote"),
        ("number", np.arange(100, 160), "counts the rows"),
        ("customer_id", random.permutation(60), "looks like an id"),
        ("orderId", [f"A{n}" for n in random.permutation(60)], "looks like an id"),
        ("session", UUIDS, "looks like an id: another UUID"),
    ],
)
def test_what_looks_like_an_id_is_noted(name: str, cells: Any, why: str) -> None:
    [note] = noted(ROWS[["age"]].assign(**{name: cells}))
    assert note.startswith(f"note: column '{name}' {why}")
    assert note.endswith("it joins the signature, and the model uses it")


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("humidity", random.permutation(60)),
        ("covid", random.permutation(60)),
        ("paid", random.permutation(60)),
        ("area_id", random.integers(0, 9, 60)),
        ("number", random.permutation(60)),
        ("income", np.arange(60.0)),
        ("text", [f"text number {n}" for n in range(60)]),
    ],
)
def test_what_does_not_look_like_an_id_is_not(name: str, cells: Any) -> None:
    assert noted(ROWS[["age"]].assign(**{name: cells})) == []


def test_a_target_that_was_forgotten_is_noted_where_it_is_answered(tmp_path: Path) -> None:
    told: list[str] = []
    build(Source(PIPELINE, ROWS.assign(price=Y), data=FILE), "m", tmp_path, told.append)

    assert [line for line in told if line.startswith("note: ")] == [
        "note: the estimator was not fitted on 'price', which the signature has as optional. "
        "Was --target forgotten? --target price, if it is the answer."
    ]


def test_names_that_clients_would_not_have_are_noted() -> None:
    rows = ROWS[["age", "income"]].to_numpy()
    columns = [Column(name, "float64", False) for name in ("x0", "x1")]

    [note] = notes(Source(NUMBERS, rows), columns, rows.tolist())

    assert note.startswith("note: the estimator was fitted on columns with names ('age', 'income')")
    assert "unless X_test is a DataFrame" in note


@pytest.mark.parametrize(
    ("X", "got", "hint"),
    [
        (ROWS[["age"]].to_dict("records"), "a list of 60 dictionaries", "pandas.DataFrame(X_test)"),
        (ROWS["age"], "a Series of shape (60,)", "X[['NAME']]"),
        (ROWS[["age", "income"]].iloc[0], "a Series of shape (2,)", "X.iloc[[0]]"),
    ],
)
def test_a_test_set_that_is_no_table(X: Any, got: str, hint: str, tmp_path: Path) -> None:
    with pytest.raises(Refusal) as refused:
        built(Source(NUMBERS, X), tmp_path)
    assert refused.value.message.endswith(f"got {got}")
    assert hint in refused.value.hint


@pytest.mark.long
def test_numbers_that_are_text_are_named(tmp_path: Path) -> None:
    model = make_pipeline(StandardScaler(), LinearRegression()).fit(ROWS[["age", "income"]], Y)
    with pytest.raises(Refusal, match="text where it computes with numbers: 'income'") as refused:
        built(Source(model, ROWS[["age"]].assign(income=ROWS["income"].map(str))), tmp_path)
    assert "astype(float)" in refused.value.hint


# Files


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Path]:
    """Writes the rows as CSV, otherwise than it is read."""

    def write(name: str = "rows.csv", **options: Any) -> Path:
        ROWS.to_csv(tmp_path / name, index=False, **options)
        return tmp_path / name

    return write


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, ""),
        ({"sep": ";"}, "separated by ';'"),
        ({"sep": ";", "decimal": ","}, "separated by ';', with decimal commas"),
        ({"sep": "\t"}, "separated by tabs"),
        (
            {"sep": "\t", "decimal": ",", "name": "rows.tsv"},
            "separated by tabs, with decimal commas",
        ),
        ({"sep": "|"}, "separated by '|'"),
        ({"encoding": "utf-8-sig"}, ""),
        ({"encoding": "latin-1"}, "in cp1252 (Windows' Western letters"),
        ({"encoding": "utf-16"}, "in utf-16"),
        ({"encoding": "utf-16", "sep": ";"}, "in utf-16, separated by ';'"),
        ({"name": "rows.csv.gz", "encoding": "latin-1"}, "in cp1252"),
    ],
)
def test_other_csv_is_read_as_it_is_and_reported(
    options: dict[str, Any], said: str, written: Callable[..., Path]
) -> None:
    path, lines = written(**options), list[str]()
    frame = read_table_file(path, lines.append)

    pd.testing.assert_frame_equal(frame, ROWS)
    assert len(lines) == bool(said)
    assert all(f"note: '{path.name}' is read as it is {said}" in line for line in lines)


def test_csv_of_no_known_encoding_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(b"name,age\n\x81\x8d,3\n")
    with pytest.raises(WrongUse, match="neither UTF-8 nor UTF-16 nor cp1252") as refused:
        read_table_file(path)
    assert "encoding=" in refused.value.hint


def test_an_unpaired_comma_in_the_header_leaves_the_separator(tmp_path: Path) -> None:
    path, lines = tmp_path / "rows.csv", list[str]()
    path.write_text('"a;b",c\n"1;2",3\n')
    assert list(read_table_file(path, lines.append)) == ["a;b", "c"]
    assert lines == []


def test_files_that_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty.csv").touch()
    (tmp_path / "ragged.csv").write_text("a,b\n1,2\n1,2,3,4\n")
    (tmp_path / "rows.json").write_text("{}")
    found = {}
    for name in (".", "gone.csv", "empty.csv", "ragged.csv", "rows.json"):
        with pytest.raises(WrongUse) as refused:
            read_table_file(Path(name))
        found[name] = refused.value

    assert found["."].message.endswith("is a folder")
    assert "There are empty.csv, ragged.csv in it." in found["."].hint
    assert f"Looked for in {tmp_path}" in found["gone.csv"].hint
    assert found["empty.csv"].message.endswith("is empty")
    assert "Expected 2 fields in line 3, saw 4" in found["ragged.csv"].message
    assert "in quotes" in found["ragged.csv"].hint
    assert "to_csv" in found["rows.json"].hint
    with pytest.raises(WrongUse) as refused:
        read_table_file(tmp_path / "gone.csv")
    assert refused.value.hint == ""


@pytest.mark.parametrize("source", ["gone.py:build", "gone.skops"])
def test_a_source_that_is_not_there_says_where_it_was_looked_for(source: str) -> None:
    for text, hint in ((source, f"Looked for in {Path.cwd()}."), (f"/nowhere/{source}", "")):
        with pytest.raises(WrongUse, match="SOURCE: there is no file") as refused:
            load_source(text)
        assert refused.value.hint == hint


def test_a_header_without_rows_is_reported_with_its_file(tmp_path: Path) -> None:
    (tmp_path / "model.skops").touch()
    (tmp_path / "header.csv").write_text("a,b\n")
    with pytest.raises(WrongUse, match=r"--data: '.*header.csv' has no rows"):
        load_source(str(tmp_path / "model.skops"), tmp_path / "header.csv")


def test_a_column_without_a_name_is_not_left_out_in_silence(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text("a,b\n1,2,3\n4,5,6\n")
    told: list[str] = []

    frame = read_table_file(tmp_path / "r.csv", told.append)

    assert frame.to_numpy().tolist() == [[2, 3], [5, 6]]
    assert told == [
        "note: 'r.csv' has a field more in its rows than in its header: the first of each row is "
        "left out"
    ]


def test_held_out_rows_keep_units_that_may_be_text_and_lose_totals(tmp_path: Path) -> None:
    rows = "".join(f"{n};{n * 3} months;{n},5 %\n" for n in range(20))
    (tmp_path / "rows.csv").write_text(f"name;term;rate\n{rows}Summe;;200,0 %\n")
    told = list[str]()
    frame = read_table_file(tmp_path / "rows.csv", told.append)
    assert frame["rate"].tolist() == [n + 0.5 for n in range(20)]
    assert frame["term"].tolist()[:2] == ["0 months", "3 months"]
    assert told[-1] == (
        "note: 'rows.csv', row 21 is taken for a row of totals ('Summe'), and left out"
    )
