"""Held-out rows have the types of the fit, whatever the file has made of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import Pipeline

from onnxlet.convert.autogluon.fitted_types import as_fitted
from onnxlet.convert.autogluon.predictor import predictor_of
from onnxlet.convert.tables.held_out import read_table_file
from onnxlet.convert.tables.rows_file import HowRead
from onnxlet.function.errors import WrongUse
from tests.convert.autogluon.test_features import FOLDER, KINDS, column
from tests.convert.helpers import objects, quiet

CATEGORY = {"is": "category", "instead": None, "filled": True}
ENTRIES: dict[str, tuple[str, dict[str, Any]]] = {
    "code": ("object", {**CATEGORY, "categories": ["", "010", "7"]}),
    "yes": ("object", {"is": "flag", "true": "True"}),
    "note": ("object", {"is": "measure", "measure": "char_count", "symbol": "", "bins": None}),
    "day": ("object", {"is": "date", "part": "year", "fill": 0}),
    "when": ("datetime", {"is": "date", "part": "year", "fill": 0}),
    "zone": ("category", {**CATEGORY, "filled": False, "categories": [3, 5]}),
    "maybe": ("object", {**CATEGORY, "categories": [False, True, ""]}),
    "flag": ("bool", {"is": "flag", "true": True}),
    "size": ("float", {"is": "number", "dtype": "float64"}),
    "count": ("int", {"is": "whole", "dtype": "int64"}),
}
FIT = pd.DataFrame({
    "code": objects(["010", "7", None]), "yes": objects(["True", "False", "True"]),
    "note": objects(["1.50", "22", "003"]), "day": objects(["20240103", None, "20240229"]),
    "when": objects(["2024-01-03", "2024-02-29", None]), "zone": [3, 5, 3],
    "maybe": objects([True, None, False]), "flag": [True, False, True], "size": [2.0, 3.0, 4.0],
    "count": [1, 2, 3], "label": objects(["0", "1", "1"]), "other": [1, 2, 3],
})  # fmt: skip


def predictor() -> Pipeline:
    features = [[name, {"column": name, **entry}] for name, (_, entry) in ENTRIES.items()]
    types = {name: raw for name, (raw, _) in ENTRIES.items()}
    about = {"features": features, "vectorizers": [], "types": types}
    return predictor_of({"features": about, "label": "label", "classes": np.array(["0", "1"])})


def cells(frame: pd.DataFrame) -> dict[str, list[Any]]:
    plain = frame.astype(object)
    return {str(k): v for k, v in plain.where(plain.notna(), None).to_dict("list").items()}


def read(path: Path, lines: list[str]) -> pd.DataFrame:
    def with_texts(names: tuple[str, ...]) -> pd.DataFrame:
        return read_table_file(path, how=HowRead(texts=names))  # type: ignore[no-any-return]

    return as_fitted(read_table_file(path), predictor(), with_texts, lines.append)


@pytest.mark.parametrize("separator", [",", ";"])
def test_a_csv_has_the_text_that_stands_there(separator: str, tmp_path: Path) -> None:
    path, lines = tmp_path / "rows.csv", list[str]()
    # Requests bring 0 and 1 for booleans, and whole numbers for decimals.
    FIT.astype({"flag": int, "size": int}).to_csv(path, sep=separator, index=False)
    rows = read(path, lines)

    assert cells(rows) == cells(FIT)
    for name in ("code", "yes", "note", "day", "when", "label"):
        assert {*map(type, rows[name].dropna())} == {str}, name
    assert [rows[name].dtype.kind for name in ("flag", "size", "zone")] == ["b", "f", "i"]
    assert lines == ["note: read as text, which the fit had: 'code', 'yes', 'note', 'day', 'label'"]


def test_what_has_the_types_of_the_fit_stays(tmp_path: Path) -> None:
    FIT.to_parquet(tmp_path / "rows.parquet")
    lines = list[str]()
    rows = read(tmp_path / "rows.parquet", lines)

    assert cells(rows) == cells(FIT)
    assert rows["code"].tolist()[:2] == ["010", "7"]
    assert lines == []


@pytest.mark.parametrize("kind", KINDS)
def test_rows_that_autogluon_has_answered_are_taken(kind: str) -> None:
    found = json.loads((FOLDER / f"{kind}.json").read_text())
    columns = found["rows"].items()
    rows = pd.DataFrame({name: column(cells, found["dtypes"][name]) for name, cells in columns})
    made = predictor_of({"features": found["description"], "label": "y"})
    got = as_fitted(rows, made, lambda names: rows, quiet)
    bits = {"flag": bool} if kind == "booleans" else {}
    wanted = predictor_of({"features": found["description"]})[0].with_dates(rows).astype(bits)

    pd.testing.assert_frame_equal(got, wanted)


def test_days_before_months_are_named_with_what_autogluon_reads() -> None:
    days = objects(["05/12/2023", "25/03/2023", None])
    lines = list[str]()
    rows = as_fitted(FIT.assign(day=days), predictor(), lambda names: FIT, lines.append)

    assert [str(day)[:10] for day in rows["day"]] == ["2023-05-12", "2023-03-25", "NaT"]
    read_as = "AutoGluon read '05/12/2023' as 2023-05-12T00:00:00"
    assert lines == [f"note: requests bring dates in ISO 8601 in 'day': {read_as}"]


REFUSED = {
    "code": ([10, 7, 7], "text", "numbers (int64)"),
    "yes": ([True, False, True], "text", "booleans (bool)"),
    "day": ([20240103, 20240104, 20240105], "text or dates", "numbers (int64)"),
    "zone": (["3", "5", "x"], "numbers", "text (str)"),
    "flag": ([0, 1, 2], "booleans", "numbers (int64)"),
    "size": ([True, False, True], "numbers", "booleans (bool)"),
    "count": (objects(["1", 2, True]), "numbers", "values of several types (object)"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_another_type_is_refused_with_both(name: str) -> None:
    cells, expected, got = REFUSED[name]
    rows = FIT.assign(**{name: pd.Series(cells)})
    with pytest.raises(WrongUse) as refused:
        as_fitted(rows, predictor(), lambda names: rows, quiet)

    got = got.replace("(str)", f"({rows[name].dtype})")
    assert refused.value.message == (
        f"--data: column '{name}': expected {expected}, as in the fit, got {got}"
    )
    assert "Parquet keeps types" in refused.value.hint


def test_all_that_is_refused_is_said_at_once() -> None:
    rows = FIT.assign(size=[True, False, True], code=[1, 2, 3])
    with pytest.raises(WrongUse, match=r"2 things are wrong:\n  column 'code'.*\n  column 'size'"):
        as_fitted(rows, predictor(), lambda names: rows, quiet)


def test_a_cast_that_would_change_a_number_is_none() -> None:
    rows = FIT.assign(size=[1, 2, 2**53 + 1])
    assert as_fitted(rows, predictor(), lambda names: rows, quiet)["size"].dtype == np.int64


def test_gaps_are_of_any_type() -> None:
    rows = FIT.assign(size=None, flag=np.nan, zone=None)
    assert as_fitted(rows, predictor(), lambda names: rows, quiet)["zone"].isna().all()
