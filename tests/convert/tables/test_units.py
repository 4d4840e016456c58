"""Numbers with a unit in each cell: what is taken off, and where it is none."""

from __future__ import annotations

import io
import time

import pytest

from onnxlet.convert.tables.limits import LIMITS
from onnxlet.convert.tables.units import (
    bare,
    named,
    parted,
    several_units,
    unit_in,
    units_below,
    units_of,
    without_units,
)
from onnxlet.function.csv.form import CsvForm, form_of


@pytest.mark.parametrize(
    ("text", "number", "unit"),
    [
        ("76,2 m²", "76,2", "m²"),
        ("172,1m²", "172,1", "m²"),
        ("76 m2", "76", "m2"),
        ("12 Stk.", "12", "Stk"),
        ("3 Mg", "3", "Mg"),
        ("3 kWh", "3", "kWh"),
        ("3 M3", "3", "M3"),
        ("3 t", "3", "t"),
        ("3 m", "3", "m"),
        ("5 kWh/m²", "5", "kWh/m²"),
        ("20°C", "20", "°C"),
        ("1 234 567 km", "1 234 567", "km"),
        ("1.5e3 kg", "1.5e3", "kg"),
        ("163.697,36 EUR", "163.697,36", "€"),
        ("550,37 €", "550,37", "€"),
        ("US$ 1,200.50", "1,200.50", "$"),
        ("CHF 1'250.-", "1'250.00", "CHF"),
        ("100 kr.", "100", "kr"),
        ("2,38 %", "2,38", "%"),
        ("-$3", "-3", "$"),
        ("$-3", "-3", "$"),
        ("$5 USD", "5", "$"),
        ("(250) €", "(250)", "€"),
        ("5.008,04-", "-5.008,04", ""),
        ("5.008,04- EUR", "-5.008,04", "€"),
        ("7.859,-", "7.859,00", ""),
        ("7.859,-- €", "7.859,00", "€"),
        ("\u22123", "\u22123", ""),
    ],
)
def test_a_number_and_its_unit(text: str, number: str, unit: str) -> None:
    cell = parted(text)
    assert cell is not None
    assert (cell.number, cell.unit) == (number, unit)
    assert named(cell.written) == unit


@pytest.mark.parametrize(
    "text",
    ["", "-", "abc", "Q1", "Gate 12", "Zone 3", "2024-11-26", "10:30", "$5 €", "79-KX", "-5-",
     "3 -4", "12--", "2-", "45-", "12345-", "2- €", "1.5K", "300k", "3M", "3 Mio.", "3 Mio. €",
     "12 TEUR", "12 T€", "5 k€", "1.2 Bn", "5 bn.", "7 Tsd. EUR", "3 million", "1 € Mio", "9 T",
     "5 a long story of many words", "A 12 B"],
)  # fmt: skip
def test_what_is_no_number_with_one_unit(text: str) -> None:
    assert parted(text) is None
    assert bare(text, "m²") == text


def test_a_long_text_is_looked_at_in_time_that_grows_with_it() -> None:
    for text in ("1" * 200_000, "1 " * 100_000 + "x-", "$" + " " * 200_000, "1" + "a" * 200_000):
        started = time.process_time()
        parted(text)
        assert time.process_time() - started < 5  # the square of that would take hours


def cells(texts: list[str]) -> tuple[str, tuple[str, ...]]:
    found = units_of(map(parted, texts), [1] * len(texts))
    return found.unit, found.others


def test_the_unit_is_that_of_nearly_all_numbers() -> None:
    assert cells(["1 km"] * 19 + ["2"]) == ("km", ("",))
    assert cells(["1 km"] * 19 + ["2 kg"]) == ("km", ("kg",))
    assert cells(["1 km"] * 18 + ["2 kg"] * 2) == ("", ("km", "kg"))
    assert cells(["1 km", "2"]) == ("", ("km",))
    assert cells(["1 %", "2"]) == ("%", ())  # as people leave it out of zeros
    assert cells(["1 %", "2 €"]) == ("", ("%", "€"))
    assert cells(["1 EUR", "2 €", "3 EUR"]) == ("€", ())
    assert units_of(map(parted, ["1 EUR", "2 €"]), [5, 3]).written == "EUR"
    assert unit_in(["1 km", "?", "", "2 km"]) == "km"
    assert unit_in(["1 km", "x", "y"]) == ""


def test_several_units_are_said() -> None:
    assert several_units(["1 km", "2 kg", "3 km"]) == (
        "numbers with 'km' and 'kg', which are not joined: write all in one"
    )
    assert "'kg' and 'no unit'" in several_units(["1 kg", "2"])
    for texts in (["1 km", "2 km"], ["a", "b"], ["1", "2"], ["1A", "1B", "1C", "1D", "1E"]):
        assert several_units(texts) == ""


def form(text: str) -> CsvForm:
    return form_of(lambda: io.BytesIO(text.encode()), "it", LIMITS)


def test_decimals_are_found_beside_units() -> None:
    found = form("a;b;c;d\n" + "76,2 m²;5.008,04-;3 Zi;Ulm\n" * 3)
    assert units_below(found) == {"a": "m²", "b": "", "c": "Zi"}
    assert found.decimal == ""
    plain = without_units(found)
    assert plain.decimal == ","
    assert plain.layout.rows[0] == ("76,2", "-5.008,04", "3", "Ulm")
    assert without_units(form("a,b\n1,x\n")) == form("a,b\n1,x\n")
