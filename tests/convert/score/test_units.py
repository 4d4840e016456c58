"""A file is scored as the training read it: units in its cells, gaps as written."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder
from sklearn.tree import DecisionTreeRegressor

import onnxlet
from onnxlet.convert.progress import Report
from onnxlet.convert.score import running
from onnxlet.convert.score.errors import NoneAnswered
from onnxlet.convert.score.tasks import Options
from onnxlet.convert.sources.source import Source
from onnxlet.convert.tables.csv_parts import Written, with_plain_numbers
from onnxlet.function.errors import InvalidRows, WrongUse
from tests.kept_builds import kept_builds

ROWS = 30
random = np.random.default_rng(0)
X = pd.DataFrame({"area": random.uniform(30, 2000, ROWS), "fee": random.uniform(-3, 4, ROWS)})
X = X.round(2)
PRICES = 3000 * X["area"] + 1000 * X["fee"]
FITTED = LinearRegression().fit(X, PRICES.rename("price"))


@pytest.fixture(scope="module")
def flats(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose training had units in its cells, and one whose had none."""
    about = {"target": "price", "left_out": ("nr",)}
    source = Source(FITTED, X, PRICES, X, **about)  # type: ignore[arg-type] # of several types
    units = {"area": "m²", "fee": "%", "price": "EUR"}
    with_units = Source(FITTED, X, PRICES, X, units=units, **about)  # type: ignore[arg-type]
    return kept_builds({"flats": with_units, "bare": source}, tmp_path_factory.mktemp("flats"))


def german(number: float) -> str:
    return f"{number:,.2f}".translate(str.maketrans(",.", ".,"))


def lines(area: str = " m²", fee: str = " %", price: str = " EUR") -> list[str]:
    rows = zip(X["area"], X["fee"], PRICES, strict=True)
    return ["nr;area;fee;price"] + [
        f"{n:04};{german(a)}{area};{german(f)}{fee};{german(p)}{price}"
        for n, (a, f, p) in enumerate(rows)
    ]


def scored(
    models: Path,
    folder: Path,
    rows: list[str],
    name: str = "flats",
    report: Report = lambda line: None,
) -> running.Scored:
    source, out = str(folder / "in.csv"), str(folder / "out.csv")
    Path(source).write_text("\n".join(rows) + "\n", encoding="cp1252")
    return running.score(name, source, out, Options(), models=models, workers=1, report=report)


def answers(folder: Path) -> pd.Series[float]:
    return pd.read_csv(folder / "out.csv", sep=";", decimal=",", skip_blank_lines=False)[
        "prediction"
    ]


@pytest.mark.parametrize(("name", "fee"), [("flats", " %"), ("bare", "")])
def test_percent_and_money_are_read_as_training_reads_them(
    name: str, fee: str, flats: Path, tmp_path: Path
) -> None:
    found = scored(flats, tmp_path, lines(area="", fee=fee, price=" €"), name)
    assert (found.rows, found.bad, found.compared) == (ROWS, 0, ROWS)
    np.testing.assert_allclose(answers(tmp_path), FITTED.predict(X))


def test_a_minus_behind_a_gap_and_a_unit_are_read(flats: Path, tmp_path: Path) -> None:
    rows = lines()
    rows[1] = "0000;1.000,- m²;2,50- %;?"
    found = scored(flats, tmp_path, rows)
    assert (found.bad, found.compared) == (0, ROWS - 1)
    expected = X.copy()
    expected.loc[0] = [1000.0, -2.5]
    np.testing.assert_allclose(answers(tmp_path), FITTED.predict(expected))


@pytest.mark.parametrize(("separator", "decimal"), [(";", ","), (",", ".")])
def test_a_columns_own_numbers_say_what_stands_before_decimals(
    separator: str, decimal: str, flats: Path, tmp_path: Path
) -> None:
    areas = [f"{area:.2f}".replace(".", decimal) for area in X["area"]]
    rows = [["nr", "area", "fee"], *([f"{n}", f"{a} m²", "2 %"] for n, a in enumerate(areas))]
    scored(flats, tmp_path, [separator.join(row) for row in rows])
    found = pd.read_csv(tmp_path / "out.csv", sep=separator, decimal=decimal)["prediction"]
    np.testing.assert_allclose(found, FITTED.predict(X.assign(fee=2.0)))


def test_texts_as_plain_numbers() -> None:
    rows = pa.RecordBatch.from_pydict({"a": ["?", "5 km", None, "3,5", "", "x", "1.5 km", "2 kg"]})
    found, faults = with_plain_numbers(rows, [Written("a", ",", "km")])
    assert found.column("a").to_pylist() == [
        None, "5", None, "3.5", "", "x", "1.5 km", "2 kg"
    ]  # fmt: skip
    assert faults == {6: "column 'a': expected ',' before decimals, got '1.5 km'"}


def test_a_cell_of_another_unit_is_refused(flats: Path, tmp_path: Path) -> None:
    rows = lines()
    rows[5] = rows[5].replace("m²", "km")
    found = scored(flats, tmp_path, rows)
    assert found.bad == 1
    assert "line 6, column 'area': expected a number, got" in found.problems[0]


def test_a_column_of_another_unit_is_refused_and_nothing_left(flats: Path, tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match=r"'area': expected numbers in 'm²', .* got 'ft²'"):
        scored(flats, tmp_path, lines(area=" ft²"))
    assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]


def test_a_unit_that_the_training_had_not_is_not_guessed_and_nothing_left(
    flats: Path, tmp_path: Path
) -> None:
    with pytest.raises(NoneAnswered, match="column 'area': expected a number, got"):
        scored(flats, tmp_path, lines(fee=""), "bare")
    assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]


@pytest.mark.parametrize("as_frame", [False, True])
def test_percent_that_the_training_had_not_is_refused(
    as_frame: bool, flats: Path, tmp_path: Path
) -> None:
    rows = lines(area="", price="")
    names, *cells = [line.split(";") for line in rows]
    scoring = (
        partial(onnxlet.score, "bare", pd.DataFrame(cells, columns=names), models=flats)
        if as_frame
        else partial(scored, flats, tmp_path, rows, "bare")
    )
    with pytest.raises(WrongUse, match=r"'fee': numbers with '%', .* 12 % may be 12 or 0.12"):
        scoring()


def test_signs_of_money_in_a_frame_are_noted(flats: Path) -> None:
    frame = X.assign(fee=[f"{fee} €" for fee in X["fee"]])
    said = list[str]()
    found = onnxlet.score("bare", frame, models=flats, report=said.append)["prediction"]
    np.testing.assert_allclose(found, FITTED.predict(X))
    assert said == [
        "note: 'fee': numbers with '€', and those of the training had no unit: "
        "they are read as they stand"
    ]


def test_whole_numbers_in_a_frame_keep_all_digits(tmp_path: Path) -> None:
    numbers = np.array([2**53, 2**53 + 1, 2**53 + 2, 5])
    fit = pd.DataFrame({"n": numbers}), pd.Series([0, 1, 2, 3])
    column = ColumnTransformer([("n", OrdinalEncoder(), ["n"])])
    fitted = make_pipeline(column, DecisionTreeRegressor()).fit(*fit)
    source = Source(fitted, *fit, fit[0])
    models = kept_builds({"ids": source}, tmp_path)
    odd = ["5.5", str(2**63), f"{2**53 + 1}.0", ""]
    texts = pd.DataFrame({"n": [*map(str, numbers), "5.0", *odd]})
    said = onnxlet.score("ids", fit[0], models=models)["prediction"]
    found = onnxlet.score("ids", texts, models=models)["prediction"]
    assert said.tolist() == [0, 1, 2, 3]
    assert found.tolist()[:5] == [0, 1, 2, 3, 3]
    assert found[5:].isna().all()
    with pytest.raises(InvalidRows, match="'n': expected a whole number, got '5"):
        onnxlet.score("ids", texts, models=models, on_error="stop")


def test_a_row_of_totals_is_answered_as_any_other(flats: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    total = f"Summe;{german(X['area'].sum())} m²;0 %;{german(PRICES.sum())} EUR"
    said = list[str]()
    assert scored(flats, tmp_path, [*lines(), total], report=said.append).bad == 0
    assert not any("totals" in line for line in said)  # nothing is missing in it
    answered = FITTED.predict(pd.DataFrame({"area": [X["area"].sum()], "fee": [0.0]}))
    np.testing.assert_allclose(answers(tmp_path).iloc[-1], answered)
    said.clear()
    scored(
        flats, tmp_path / "other", [*lines(), total.replace("0 %", ""), ";;;"], report=said.append
    )
    assert any("its last row may be one of totals ('Summe')" in line for line in said)


def test_text_in_a_frame_is_read_likewise(flats: Path) -> None:
    cells = [line.split(";") for line in lines()]
    frame = pd.DataFrame(cells[1:], columns=cells[0])
    frame.loc[3, "area"] = "12 km"
    found = onnxlet.score("flats", frame, models=flats, batch_rows=2)["prediction"]
    expected = pd.Series(FITTED.predict(X)).where(frame.index != 3)
    np.testing.assert_allclose(found, expected)
    with pytest.raises(InvalidRows, match="column 'area': expected a number, got '12 km'"):
        onnxlet.score("flats", frame, models=flats, on_error="stop")
    with pytest.raises(WrongUse, match="expected numbers in 'm²'"):
        onnxlet.score("flats", frame.assign(area="5 ft"), models=flats)
