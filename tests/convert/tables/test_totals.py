"""Rows of totals: found where they are sure, and no other row is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from onnxlet.convert.tables.held_out import read_table_file
from onnxlet.convert.tables.places import LINE, Places
from onnxlet.convert.tables.rows_file import HowRead
from onnxlet.convert.tables.totals import is_word, totals_in, without_totals

ROWS = 40
random = np.random.default_rng(0)
AREAS, PRICES = random.uniform(30, 200, ROWS).round(1), random.integers(50, 900, ROWS) * 1000


def table(*last: dict[str, Any]) -> pd.DataFrame:
    rows = pd.DataFrame(
        {
            "nr": [f"{n:06}" for n in range(ROWS)],
            "city": [["Ulm", "Bonn", "Jena"][n % 3] for n in range(ROWS)],
            "area": [f"{area:.1f} m²".replace(".", ",") for area in AREAS],
            "price": PRICES,
        }
    )
    return pd.concat([rows, pd.DataFrame(last)], ignore_index=True)


SUM = {"area": f"{AREAS.sum():.1f} m²".replace(".", ","), "price": PRICES.sum()}


@pytest.mark.parametrize(
    "text",
    ["Summe", "Summe:", "SUMME 2025", "Gesamt", "Gesamtsumme:", "Zwischensumme", "Total", "Totals",
     "Grand Total", "Subtotal", "Total Nord", "Total général", "Insgesamt", "Σ", "Durchschnitt"],
)  # fmt: skip
def test_words_for_it(text: str) -> None:
    assert is_word(text)


@pytest.mark.parametrize(
    "text",
    ["Ulm", "Summer", "Totality", "Sumatra", "", None, 3.0, "x" * 999, "A total waste of money",
     "Average joe mug", "Total waste of money", "Phi Σ"],
)  # fmt: skip
def test_other_words(text: Any) -> None:
    assert not is_word(text)


@pytest.mark.parametrize(
    "last",
    [
        [{"nr": "Summe", **SUM}],
        [{"city": "Total", **SUM}],
        [{"nr": "Durchschnitt", "price": PRICES.mean()}],
        [SUM],  # without a word
        [{"nr": "Summe", **SUM}, {"nr": "Durchschnitt", "price": round(PRICES.mean(), 2)}],
        [{"nr": "Summe", "area": SUM["area"]}],
    ],
)
def test_a_row_of_totals_ends_a_table(last: list[dict[str, Any]]) -> None:
    found = totals_in(table(*last))
    assert found.last.tolist() == [ROWS + n for n in range(len(last))]
    assert not len(found.within)


@pytest.mark.parametrize(
    "last",
    [
        {},
        {"nr": "000040", "city": "Ulm", "area": "5,0 m²", "price": 5},
        {"nr": "Total", "city": "Ulm", "area": "5,0 m²", "price": 5},  # a name
        {"nr": "Total", "city": "Ulm", "price": 5},
        {"nr": "000040", "city": "Ulm"},  # without numbers
        {"nr": "000040", "city": "Ulm", "area": "5,0 m²", "price": PRICES.sum()},  # by chance
        {"nr": "000040", "city": "Ulm", "price": PRICES.sum()},
        {"area": "5,0 m²", "price": PRICES.sum()},
    ],
)
def test_a_row_that_may_be_one_like_the_others_stays(last: dict[str, Any]) -> None:
    found = totals_in(table(*([last] if last else [])))
    assert not len(found.last)
    assert not len(found.within)


@pytest.mark.parametrize(
    "last",
    [
        {"nr": "Total", "area": "5,0 m²", "price": 5},  # a brand, without a town
        {"nr": "Total Recall", "price": 5},
        {"nr": "Summe", "area": "5,0 m²", "price": PRICES.sum()},
        {"nr": "Summe", "price": PRICES.mean()},
        {"nr": "Durchschnitt", "price": PRICES.sum()},
        {"nr": "Summe"},
    ],
)
def test_a_row_that_only_a_word_marks_is_named_and_stays(last: dict[str, Any]) -> None:
    found = totals_in(table(last))
    assert found.last.tolist() == []
    assert found.within.tolist() == [ROWS]


def test_a_title_beside_a_number_that_happens_to_be_a_sum_is_a_row() -> None:
    mugs = pd.DataFrame({"name": [f"mug {n}x" for n in range(12)], "qty": 1, "price": PRICES[:12]})
    last = pd.DataFrame({"name": ["Total mug"], "qty": [12], "price": [50_000]})
    assert totals_in(pd.concat([mugs, last], ignore_index=True)).last.tolist() == []


def test_sums_beyond_every_number_are_none() -> None:
    huge = [1e308] * 20
    frame = pd.DataFrame({"name": ["x"] * 19 + [None], "a": huge, "b": huge})
    with np.errstate(over="ignore"):
        assert totals_in(frame).last.tolist() == []


def test_columns_of_zeros_and_few_ones_are_no_sums() -> None:
    zeros = {"a": [0] * 20, "b": [1] + [0] * 18 + [1], "c": [0.0] * 20}
    frame = pd.DataFrame({"name": ["x"] * 19 + [None], **zeros})
    assert totals_in(frame).last.tolist() == []


def test_blank_rows_may_be_below() -> None:
    frame = table({"nr": "Summe", **SUM}, {}, {}, {}, {}, {}, {})
    assert totals_in(frame).last.tolist() == [ROWS]
    left, _ = without_totals(frame, Places.of_rows(np.arange(len(frame))), True, lambda text: None)
    assert len(left) == ROWS + 6


def test_of_numbers_only_the_sums_decide() -> None:
    values = pd.DataFrame({"month": [f"m{n}" for n in range(20)], "a": np.arange(20) * 1.5})
    one = pd.DataFrame({"month": ["Total"], "a": [values["a"].sum()]})
    other = pd.DataFrame({"month": ["Total"], "a": [7.5]})
    assert totals_in(pd.concat([values, one], ignore_index=True)).last.tolist() == [20]
    assert totals_in(pd.concat([values, other], ignore_index=True)).last.tolist() == []
    assert totals_in(pd.concat([values, one], ignore_index=True), whole=False).last.tolist() == []


def test_sums_that_no_word_marks_are_two_in_a_row_that_lacks_texts() -> None:
    values = np.arange(20) * 1.5
    name = [f"x{n}" for n in range(20)]
    for columns, others, last in (
        (["a"], {"name": [*name, None]}, []),
        (["a", "b"], {"name": [*name, None]}, [20]),
        (["a", "b"], {"name": [*name, "x"]}, []),
        (["a", "b"], {}, []),
    ):
        frame = pd.DataFrame(dict.fromkeys(columns, np.append(values, values.sum())) | others)
        assert totals_in(frame).last.tolist() == last


def test_a_word_that_many_rows_have_is_a_value() -> None:
    stations = table().assign(nr=["Shell", "Total"] * (ROWS // 2)).astype({"city": object})
    stations.loc[ROWS - 1, "city"] = np.nan
    assert totals_in(stations).last.tolist() == []


def test_what_is_left_out_is_said_by_its_line() -> None:
    notes = list[str]()
    places = Places(np.arange(ROWS + 2) + 2, LINE, "a.csv")
    middle, rest = table().iloc[:20], table().iloc[20:]
    subtotal = pd.DataFrame([{"nr": "Zwischensumme", "price": PRICES[:20].sum()}])
    whole = pd.concat([middle, subtotal, rest, table({"nr": "Summe", **SUM}).tail(1)])
    frame, left = without_totals(whole.reset_index(drop=True), places, True, notes.append)
    assert notes == [
        "'a.csv', line 22 may be a row of totals ('Zwischensumme'): taken as rows. Leave them out "
        "of the file if they are none",
        "'a.csv', line 43 is taken for a row of totals ('Summe'), and left out",
    ]
    assert len(frame) == len(left.numbers) == ROWS + 1


def test_a_column_that_was_text_for_its_word_is_one_of_numbers_again() -> None:
    rows = table().assign(nr=np.arange(ROWS).astype(str).astype(object))
    whole = pd.concat([rows, pd.DataFrame([{"nr": "Summe", **SUM}])], ignore_index=True)
    places = Places.of_rows(np.arange(ROWS + 1))
    frame, _ = without_totals(whole, places, True, lambda text: None)
    assert frame["nr"].tolist() == list(range(ROWS))
    codes, _ = without_totals(table({"nr": "Summe", **SUM}), places, True, lambda text: None)
    assert codes["nr"].tolist()[:2] == ["000000", "000001"]


def test_columns_that_are_said_to_be_text_stay_text(tmp_path: Path) -> None:
    rows = table().assign(nr=np.arange(ROWS).astype(str).astype(object))
    whole = pd.concat([rows, pd.DataFrame([{"nr": "Summe", **SUM}])], ignore_index=True)
    whole.to_csv(tmp_path / "rows.csv", index=False)
    frame = read_table_file(tmp_path / "rows.csv", how=HowRead(texts=("nr",)))
    assert frame["nr"].tolist() == list(map(str, range(ROWS)))


def test_columns_that_the_word_does_not_stand_in_keep_their_type() -> None:
    rows = table({"nr": "Summe", **SUM})
    numbers = [str(89_000 + n) for n in range(ROWS)]
    rows["postcode"] = pd.Series([*numbers, None], dtype="str")
    rows["year"] = pd.Categorical([*["2024", "2025"] * (ROWS // 2), "Total"])
    frame, _ = without_totals(rows, Places.of_rows(np.arange(ROWS + 1)), True, lambda text: None)
    assert len(frame) == ROWS + 1  # with two texts it is a row
    rows["year"] = pd.Categorical([*["2024", "2025"] * (ROWS // 2), None])
    frame, _ = without_totals(rows, Places.of_rows(np.arange(ROWS + 1)), True, lambda text: None)
    assert frame["postcode"].tolist() == numbers
    assert isinstance(frame["year"].dtype, pd.CategoricalDtype)
    word = pd.Categorical([*["2024", "2025"] * (ROWS // 2), "Summe"])
    rows = rows.assign(nr=None, year=word)
    frame, _ = without_totals(rows, Places.of_rows(np.arange(ROWS + 1)), True, lambda text: None)
    assert len(frame) == ROWS
    assert isinstance(frame["year"].dtype, pd.CategoricalDtype)
