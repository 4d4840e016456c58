"""What a table is prepared to, and what is said of its parts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from onnxlet.convert.describe import Described, Descriptions
from onnxlet.convert.train import preparing
from onnxlet.convert.train.preparing import Options, inspect_table, prepare
from onnxlet.function.errors import WrongUse


def test_a_label_that_is_in_no_training_row_is_named(tmp_path: Path) -> None:
    rows = np.arange(100)
    frame = pd.DataFrame({"a": rows % 7, "day": rows, "y": np.where(rows % 3 == 0, "one", "two")})
    frame.loc[95:, "y"] = "new"
    frame.to_csv(tmp_path / "rows.csv", index=False)
    said: list[str] = []
    for options, expected in ((Options(time="day"), True), (Options(), False)):
        said.clear()
        table = inspect_table(str(tmp_path / "rows.csv"), "y", options, said.append)
        prepared = prepare(table, options, said.append)
        note = (
            "labels that no training row has, and no model can answer, in 5 test rows of "
            f"{len(prepared.splits.test)}: 'new'"
        )
        assert (note in said, note in table.notes) == (expected, expected)
        assert any("no training row" in line for line in said) is expected


def test_a_column_of_groups_says_that_it_is_one(tmp_path: Path) -> None:
    rows = np.arange(100)
    pd.DataFrame({"a": rows % 7, "who": rows % 20, "y": rows % 2}).to_csv(
        tmp_path / "rows.csv", index=False
    )
    for options, why in (
        (Options(group="who"), "left out: rows of one stay on one side, as --group says"),
        (Options(group="who", columns={"who": "number"}), "whole numbers, 20 different"),
    ):
        taken = inspect_table(str(tmp_path / "rows.csv"), "y", options, lambda line: None).columns
        assert next(one.why for one in taken if one.name == "who").startswith(why)


def test_all_wrong_options_are_named_at_once_before_columns_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: Any, **__: Any) -> Any:
        raise AssertionError("columns were looked at")

    monkeypatch.setattr(preparing, "recognise_columns", never)
    monkeypatch.setattr(preparing, "read_target", never)
    (tmp_path / "about.toml").write_text('[columns]\n"Aera" = { unit = "m2" }\n')
    rows = np.arange(100)
    frame = pd.DataFrame(
        {"Area": rows, "kind": rows % 5, "churn": np.where(rows % 3, "ja", "nein")}
    )
    options = Options(
        metric="rmse", positive="maybe", sensitive=("sex",), group="cutsomer", time="day",
        columns={"Kind": "category", "Area": "nubmer"}, describe=tmp_path / "about.toml",
        unit="a unit that is far too long for any column",
    )  # fmt: skip
    with pytest.raises(WrongUse) as caught:
        inspect_table(frame, "churn", options, lambda line: None)
    said = caught.value.message
    assert said.startswith("the options: 9 things are wrong:\n")
    for part in (
        "--metric: expected one for binary, got 'rmse', a metric of regression. Give one of",
        "--positive: 'churn' has no label 'maybe'. Its labels are 'ja', 'nein'.",
        "--sensitive: there is no column 'sex'",
        "--group: there is no column 'cutsomer'",
        "--time: there is no column 'day'",
        "--columns: there is no column 'Kind'. Is it 'kind'?",
        "--columns: 'Area': expected one of number",
        "--unit: expected as its unit a line of 1 to 20 characters",
    ):
        assert part in said
    with pytest.raises(WrongUse) as caught:
        inspect_table(frame, "churn", Options(describe=tmp_path / "about.toml"), lambda line: None)
    assert "line 2: there is no column 'Aera'" in caught.value.message
    assert "Is it 'Area'?" in caught.value.hint


def test_descriptions_and_places_come_with_the_rows(tmp_path: Path) -> None:
    (tmp_path / "about.toml").write_text('target.text = "Sold for"\n[columns]\na.unit = "m²"\n')
    rows = np.arange(100)
    frame = pd.DataFrame({"a": rows * 7 % 50, "y": rows**2 / 3})
    frame.loc[[3, 50], "y"] = None
    frame.to_csv(tmp_path / "rows.csv", index=False)
    options = Options(unit="EUR", describe=tmp_path / "about.toml")
    table = inspect_table(str(tmp_path / "rows.csv"), "y", options, lambda line: None)
    assert table.descriptions == Descriptions(
        Described("EUR", "Sold for"), {"a": Described(unit="m²")}
    )
    text = (tmp_path / "rows.csv").read_text().split("\n")
    for line, y in zip(table.places.numbers.tolist(), table.target.y, strict=True):
        assert float(text[line - 1].partition(",")[2]) == pytest.approx(y, rel=1e-15)


def test_a_unit_in_cells_is_that_of_its_column_where_the_user_says_none(tmp_path: Path) -> None:
    (tmp_path / "about.toml").write_text('[columns]\na.unit = "square metres"\n')
    rows = np.arange(100)
    frame = pd.DataFrame(
        {
            "a": [f"{n * 7 % 50} m²" for n in rows],
            "b": [f"{n * 3 % 40},5 %" for n in rows],
            "c": rows * 11 % 30,
            "y": [f"{n**2 / 3:.2f} EUR" for n in rows],
        }
    )
    options = Options(describe=tmp_path / "about.toml")
    table = inspect_table(frame, "y", options, lambda line: None)
    assert table.units == {"a": "m²", "b": "%", "y": "EUR"}
    assert table.descriptions == Descriptions(
        Described("EUR"), {"a": Described("square metres"), "b": Described("%")}
    )


def test_a_row_of_totals_of_a_frame_is_left_out() -> None:
    rows = np.arange(100)
    frame = pd.DataFrame({"a": pd.Categorical(["x", "y"] * 50), "n": rows * 7 % 50, "y": rows**2})
    total = pd.DataFrame({"a": ["Summe"], "n": [frame["n"].sum()], "y": [frame["y"].sum()]})
    lines = list[str]()
    whole = pd.concat([frame, total], ignore_index=True).astype({"a": "category"})
    table = inspect_table(whole, "y", Options(), lines.append)
    assert len(table.frame) == 100
    assert "note: row 101 is taken for a row of totals ('Summe'), and left out" in lines


def test_test_rows_stand_in_the_file_of_their_own(tmp_path: Path) -> None:
    rows = np.arange(80)
    frame = pd.DataFrame({"a": rows * 7 % 50, "y": rows % 2})
    frame.to_csv(tmp_path / "rows.csv", index=False)
    frame[:20].to_csv(tmp_path / "test.csv", index=False)
    options = Options(test=str(tmp_path / "test.csv"))
    table = inspect_table(str(tmp_path / "rows.csv"), "y", options, lambda line: None)
    places = table.places.at(prepare(table, options, lambda line: None).splits.test)
    assert (places.unit, places.file) == ("line", "test.csv")
    assert places.numbers.tolist() == [*range(2, 22)]
