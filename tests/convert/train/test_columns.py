"""What columns are taken for, and what a pipeline then gets of them."""

from __future__ import annotations

import datetime
import decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.preprocessing import OneHotEncoder

from onnxlet.convert.estimators.date_parts import DateParts
from onnxlet.convert.reference.inputs import read_inputs
from onnxlet.convert.train.columns import (
    NAME_WIDTH,
    WHY_WIDTH,
    columns_lines,
    recognise_columns,
    typed_columns,
)
from onnxlet.convert.train.kinds.profile import TableColumn
from onnxlet.convert.train.kinds.registry import USED
from onnxlet.convert.train.table import read_table
from onnxlet.convert.train.target import read_target
from onnxlet.function.errors import WrongUse
from tests.convert.helpers import objects

ROWS = 300
EXAMPLES = Path(__file__).parents[3] / "convert" / "examples" / "data"
random = np.random.default_rng(0)
NUMBERS = random.normal(size=ROWS)
Y = random.integers(0, 2, ROWS)
DAYS = pd.date_range("2024-01-01", periods=ROWS, freq="37h")
REVIEW = "很好的酒店房间干净服务也不错下次还会再来住推荐给大家的"
EARLY_DAYS = [f"0{1 + i % 9}/0{1 + i // 9 % 9}/2024" for i in range(ROWS)]
MISSING = np.arange(ROWS) % 10 == 3


def take(wanted: dict[str, str] | None = None, **columns: Any) -> dict[str, TableColumn]:
    frame = pd.DataFrame({"other": NUMBERS[::-1], **columns})
    return {one.name: one for one in recognise_columns(frame, Y, "binary", wanted)}


def made(name: str, values: Any, wish: str = "") -> tuple[pd.Series[Any], list[str]]:
    taken = take({name: wish} if wish else {}, **{name: values})
    frame, notes = typed_columns(pd.DataFrame({name: values}), [taken[name]])
    return frame[name], notes


def texts(values: Any) -> Any:
    return objects([str(value) for value in values])


def with_gaps(values: Any) -> Any:
    return objects([np.nan if gap else v for v, gap in zip(values, MISSING, strict=True)])


@pytest.mark.parametrize(
    ("name", "values", "kind", "why"),
    [
        ("x", NUMBERS, "number", "numbers, 300 different"),
        ("x", np.where(MISSING, np.nan, NUMBERS), "number", "10% missing"),
        ("x", np.where(MISSING, np.inf, NUMBERS), "number", "30 infinite ones taken as missing"),
        ("x", np.arange(ROWS) % 2, "number", "two numbers (0 and 1)"),
        ("x", objects([decimal.Decimal(i % 9) for i in range(ROWS)]), "number", "9 different"),
        ("x", pd.array(np.arange(ROWS) % 7, dtype="Int64"), "number", "whole numbers, 7"),
        ("x", texts(f"${v:,.2f}" for v in NUMBERS * 1e5), "number", "'$' and thousands commas"),
        ("x", texts(f"{v} %" for v in np.arange(ROWS) % 60), "number", "with '%'"),
        ("x", texts([*range(ROWS - 3), "?", "-", "?"]), "number", "3 values such as '?'"),
        ("x", texts([*range(ROWS - 2), "abc", "d"]), "number", "2 values that are no number"),
        ("x", texts(i if i % 3 else "ab" for i in range(ROWS)), "category", "67% of"),
        ("x", objects(["ab" if i % 2 else i for i in range(ROWS)]), "category", "mixed in it"),
        ("x", texts(f"{i % 40:05d}" for i in range(ROWS)), "category", "40 different"),
        ("x", random.choice(list("abc"), ROWS), "category", "3 different values"),
        ("x", pd.Categorical(random.choice(list("abc"), ROWS)), "category", "3 different"),
        ("store_id", np.arange(ROWS) % 30, "category", "named like a code"),
        ("zip", 10000 + np.arange(ROWS) % 90, "category", "named like a code"),
        ("x", NUMBERS > 0, "boolean", "true or false"),
        ("x", with_gaps((NUMBERS > 0).tolist()), "boolean", "10% missing"),
        ("x", texts(f"some words about {i} here" for i in range(ROWS)), "text", "5 words"),
        ("x", texts(f"{REVIEW}{i}" for i in range(ROWS)), "text", "letters"),
        ("x", DAYS, "date", "dates"),
        ("x", objects([day.date() for day in DAYS]), "date", "dates"),
        ("x", DAYS.strftime("%d.%m.%Y"), "date", "%d.%m.%Y"),
        ("x", DAYS.strftime("%m/%d/%Y %H:%M"), "date", "%m/%d/%Y %H:%M"),
        ("x", texts(EARLY_DAYS), "date", "they may be %d/%m/%Y"),
        ("x", objects(["soon", *DAYS.strftime("%Y-%m-%d")[1:]]), "date", "1 value of another form"),
        ("x", DAYS.strftime("%Y-W%W"), "category", "their form is not known"),
        ("x", DAYS.strftime("%Y%m%d").astype(int), "number", "'date %Y%m%d' in --columns"),
        ("x", np.arange(7, ROWS + 7), "identifier", "counts the rows"),
        ("Unnamed: 0", np.arange(ROWS), "identifier", "an index that pandas wrote"),
        ("customerID", random.permutation(ROWS) * 3, "identifier", "named like an id"),
        ("user_id", np.arange(ROWS) % 150 * 7, "identifier", "--group"),
        ("x", texts(f"{i * 79:06d}-KX" for i in range(ROWS)), "identifier", "in each row"),
        ("x", texts(f"a{i}@example.org" for i in range(ROWS)), "identifier", "in each row"),
        ("x", np.zeros(ROWS), "constant", "the same value in all 300 rows"),
        ("x", np.full(ROWS, np.nan), "empty", "no row has a value"),
        ("x", objects([None] * ROWS), "empty", "no row has a value"),
        ("x", objects([[i] for i in range(ROWS)]), "text", "type list, which no request"),
        ("x", pd.to_timedelta(np.arange(ROWS) % 9, "D"), "text", "no request can carry"),
    ],
)  # fmt: skip
def test_what_a_column_is_taken_for(name: str, values: Any, kind: str, why: str) -> None:
    taken = take(**{name: values})[name]
    assert taken.kind == kind, taken
    assert why in taken.why
    assert taken.used == (kind in USED and "no request" not in why)
    column = pd.Series(values).map(repr, na_action="ignore")
    assert (taken.missing, taken.distinct) == (int(column.isna().sum()), column.nunique())


@pytest.mark.parametrize(
    ("copy", "of", "why"),
    [
        (NUMBERS, "x", "the same as 'x' in every row"),
        (NUMBERS * 0.17 + 4, "x", "0.17 times 'x' + 4"),
        ((NUMBERS * 1.7).round(4), "x", "1.7 times 'x'"),
        (np.where(NUMBERS > 0, "hi", "lo"), "sign", "each of its 2 values goes with one of 'sign'"),
    ],
)
def test_copies_are_named_with_what_they_repeat(copy: Any, of: str, why: str) -> None:
    taken = take(x=NUMBERS, sign=NUMBERS > 0, again=copy)
    assert taken["again"][1:4] == ("copy", why, False)
    assert taken[of].used


def test_numbers_with_a_unit_are_numbers_of_that_unit() -> None:
    areas = objects([f"{abs(x) * 100:.1f} m²".replace(".", ",") for x in NUMBERS])
    taken = take(area=areas, said=areas, plain=NUMBERS, wanted={"said": "number"})
    assert [taken[name].unit for name in ("area", "said", "plain")] == ["m²", "m²", ""]
    assert {taken[name].kind for name in ("area", "plain")} == {"number"}
    column, notes = made("area", areas)
    np.testing.assert_allclose(column, np.round(np.abs(NUMBERS) * 100, 1))
    assert notes == [
        "'area': numbers with 'm²' and decimal commas are read; clients send plain numbers"
    ]
    _, notes = made("area", objects([*areas[:-1], "3 km"]))
    assert "'area': numbers with 'km', and not 'm²', are not joined" in notes


def test_numbers_of_several_units_are_not_joined() -> None:
    mixed = objects([f"{n} {'km' if n % 2 else 'kg'}" for n in range(ROWS)])
    taken = take(x=mixed)["x"]
    assert taken.kind != "number"
    assert taken.why.endswith("numbers with 'kg' and 'km', which are not joined: write all in one")
    with pytest.raises(WrongUse, match="'x' can't be a number: numbers with 'kg' and 'km'") as no:
        take({"x": "number"}, x=mixed)
    assert no.value.hint == "Write all of them in one unit, or take it for a category."


def test_columns_that_are_nearly_alike_are_no_copies() -> None:
    noise = random.normal(0, 0.01, ROWS)
    once = np.where(np.arange(ROWS) == 5, "a", "b"), np.where(np.arange(ROWS) == 5, 1, 0)
    taken = take(x=NUMBERS, near=NUMBERS + noise, rare=once[0], rare_too=once[1])
    assert all(one.used for one in taken.values())


def test_a_copy_of_what_the_user_leaves_out_stays() -> None:
    taken = take({"x": "out"}, x=NUMBERS, again=NUMBERS)
    assert (taken["x"].used, taken["again"].used) == (False, True)


def test_what_is_wanted_goes_first() -> None:
    leak = np.where(Y == 1, "won", "lost")
    wanted = {"leak": "category", "x": "identifier", "n": "category", "other": "out"}
    taken = take(wanted, leak=leak, x=NUMBERS, n=np.arange(ROWS) % 5)
    assert [(one.kind, one.used) for one in taken.values()] == [
        ("number", False), ("category", True), ("identifier", False), ("category", True),
    ]  # fmt: skip
    assert "AUC 1.000" in taken["leak"].why
    assert taken["x"].why == taken["other"].why == "left out, as --columns says"


def test_all_wishes_that_are_not_to_be_had_are_named() -> None:
    wanted = {"x1": "number", "x": "nummer", "t": "number", "e": "date", "d": "category %d"}
    columns = {"t": texts(["ab", "cd"] * 150), "e": np.full(ROWS, np.nan), "d": DAYS}
    with pytest.raises(WrongUse) as caught:
        take(wanted, x=NUMBERS, **columns)
    lines = caught.value.message.split("\n")
    assert lines[0] == "--columns: 5 things are wrong:"
    assert "no column 'x1'. Is it 'x'" in lines[1]
    assert "expected one of number, category, text, date" in lines[2]
    assert "'t' can't be a number: 0 of its 2 different values" in lines[3]
    assert "'e' can't be a date: no row has a value" in lines[4]
    assert "got 'category %d'" in lines[5]


@pytest.mark.parametrize("value", [[1], {"a": 1}, {1}, b"z", object()])
def test_what_no_request_carries_is_nothing_that_can_be_wanted(value: object) -> None:
    for cells in (objects([value] * ROWS), objects([value, "text"] * (ROWS // 2))):
        assert not take(x=cells)["x"].used
        with pytest.raises(WrongUse, match=r"'x' can't be a text: .*which no request can carry"):
            take({"x": "text"}, x=cells)


def test_numbers_too_great_to_be_squared_are_numbers() -> None:
    taken = take(x=NUMBERS * 1e307, y=np.where(MISSING, 1e308, -1e308), z=NUMBERS * 1e-308)
    assert {one.kind for one in taken.values()} == {"number"}


def test_a_table_with_nothing_to_learn_from_is_refused() -> None:
    frame = pd.DataFrame({"id": np.arange(ROWS), "leak": Y * 3})
    with pytest.raises(WrongUse, match="no column is left") as caught:
        recognise_columns(frame, Y, "binary")
    assert "'id': identifier" in caught.value.message
    assert "'leak': leak" in caught.value.message


@pytest.mark.parametrize(
    ("values", "wish", "dtype", "expected"),
    [
        (np.arange(ROWS) % 9, "", np.int64, np.arange(ROWS) % 9),
        (np.where(MISSING, np.inf, NUMBERS), "", float, np.where(MISSING, np.nan, NUMBERS)),
        (pd.array(np.arange(ROWS) % 7, dtype="UInt8"), "", np.int64, np.arange(ROWS) % 7),
        (NUMBERS.astype(np.float32), "", float, NUMBERS.astype(np.float32).astype(float)),
        (NUMBERS > 0, "number", np.int64, (NUMBERS > 0).astype(int)),
        (texts(f"{v:,}" for v in range(0, ROWS * 50, 50)), "", float, np.arange(ROWS) * 50),
        (np.arange(ROWS) % 2, "boolean", bool, np.arange(ROWS) % 2 == 1),
        (texts(["yes", "No"] * 150), "boolean", bool, [True, False] * 150),
        (np.arange(ROWS) % 9, "text", object, [str(i % 9) for i in range(ROWS)]),
        (DAYS, "date %Y-%m-%d", object, list(DAYS.strftime("%Y-%m-%d"))),
        (DAYS.tz_localize("UTC"), "", object, list(DAYS.strftime("%Y-%m-%dT%H:%M:%S+0000"))),
        (DAYS.strftime("%Y%m%d").astype(int), "date %Y%m%d", object, list(DAYS.strftime("%Y%m%d"))),
    ],
)
def test_columns_in_the_types_that_are_fitted(
    values: Any, wish: str, dtype: Any, expected: Any
) -> None:
    column, _ = made("x", values, wish)
    assert column.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(column.to_numpy(), np.asarray(expected, dtype=dtype))


def test_gaps_in_text_dates_and_booleans_are_nan_among_objects() -> None:
    for values in (random.choice(["a", "b"], ROWS), DAYS.strftime("%Y-%m-%d"), NUMBERS > 0):
        column, notes = made("x", with_gaps(list(values)))
        assert column.dtype == object
        assert notes == []
        assert all(type(value) is float for value in column[MISSING])
        assert column[~MISSING].tolist() == list(np.asarray(values, dtype=object)[~MISSING])


def test_values_that_do_not_parse_are_counted_and_placed() -> None:
    numbers, notes = made("x", texts([*range(ROWS - 2), "abc", "?"]))
    assert numbers.isna().sum() == 2
    assert notes == [
        "'x': 1 value such as '?' and blanks taken as missing",
        "'x': 1 value is no numbers, and taken as missing; the first is in row 299 of those with a "
        "target",
    ]
    odd = ["1066-10-14", "2024-1-5", "2024-02-30"]  # the second is read, and no form of a request
    dates, notes = made("x", objects([*odd, *DAYS.strftime("%Y-%m-%d")[3:]]))
    assert dates.isna().tolist() == [True] * 3 + [False] * (ROWS - 3)
    assert "between 1700 and 2250" in notes[0]
    assert "row 1 of those" in notes[0]


def test_a_pipeline_takes_what_is_made_and_so_does_a_signature() -> None:
    columns: dict[str, Any] = {
        "number": np.where(MISSING, np.nan, NUMBERS),
        "category": with_gaps(random.choice(["a", "b"], ROWS)),
        "boolean": with_gaps((NUMBERS > 0).tolist()),
        "date": with_gaps(DAYS.strftime("%d.%m.%Y")),
        "text": texts(f"some words about {i} here" for i in range(ROWS)),
    }
    taken = take(**columns)
    frame, notes = typed_columns(pd.DataFrame({"other": NUMBERS, **columns}), list(taken.values()))
    assert notes == []
    inputs, _ = read_inputs(frame)
    assert {column.name: column.type for column in inputs.columns} == {
        "other": "float64", "number": "float64", "category": "string", "boolean": "bool",
        "date": "string", "text": "string",
    }  # fmt: skip
    encoded = OneHotEncoder(sparse_output=False).fit_transform(frame[["category", "boolean"]])
    assert encoded.sum() == 2 * ROWS
    years = DateParts(["year"], format=taken["date"].format).fit_transform(frame[["date"]])
    np.testing.assert_array_equal(years[~MISSING, 0], DAYS.year[~MISSING])


def test_dates_of_python_and_of_pandas_become_the_same_text() -> None:
    python, _ = made(
        "x", objects([datetime.datetime.combine(d.date(), datetime.time()) for d in DAYS])
    )
    pandas, _ = made("x", DAYS.normalize())
    assert python.tolist() == pandas.tolist() == list(DAYS.strftime("%Y-%m-%d"))


def test_the_examples_are_taken_as_an_expert_would() -> None:
    for file, target, numbers in (("ames", "Sale_Price", 33), ("credit_data", "Status", 9)):
        table = read_table(str(EXAMPLES / f"{file}.csv.gz"), 0)
        rows = read_target(table.frame, target)
        taken = recognise_columns(rows.frame, rows.y, rows.task)
        plain = pd.read_csv(EXAMPLES / f"{file}.csv.gz").drop(columns=target)
        of_numbers = {name for name in plain if plain[name].dtype.kind in "if"}
        assert {one.name for one in taken if one.kind == "number"} == of_numbers
        assert len(of_numbers) == numbers
        assert {one.kind for one in taken} == {"number", "category"}


def test_the_table_is_aligned_and_bounded() -> None:
    odd = {"n" * 90: NUMBERS, "c\n d": np.zeros(ROWS), "cat": random.choice(["a"], ROWS)}
    taken = take(None, **odd)
    lines = columns_lines([*taken.values(), TableColumn("é", "text", "w" * 200, False, 0, 1)])
    assert len(lines) == 5
    starts = {line.index("  ", NAME_WIDTH) for line in lines}
    assert starts == {NAME_WIDTH}
    assert max(map(len, lines)) <= NAME_WIDTH + 2 + len("identifier") + 2 + WHY_WIDTH
    assert lines[0].split()[1] == "number"
    assert lines[-1].split()[1] == "(text)"
    assert columns_lines([]) == []
