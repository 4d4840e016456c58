"""Numbers that are written as people do."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from onnxlet.convert.train.kinds.written import numbers_in
from tests.convert.helpers import objects


@pytest.mark.parametrize(
    ("texts", "numbers", "said"),
    [
        (["1", "2.5", "-3e2"], [1, 2.5, -300], ""),
        (["$1,234.50", "$3"], [1234.5, 3], "with '$' and thousands commas"),
        (["-$3", "$-3", "($3)"], [-3, -3, -3], "with '$' and brackets for negative ones"),
        (["1.234,50 €", "7 €"], [1234.5, 7], "with '€' and decimal commas"),
        (["12 %", "7.5%"], [12, 7.5], "with '%'"),
        (["1,5", "2,25"], [1.5, 2.25], "with decimal commas"),
        (["1,234", "12"], [1234, 12], "with thousands commas"),
        (["1 234 567", "1'000"], [1234567, 1000], ""),
        (["\u22123", " 4 "], [-3, 4], ""),
        (["1,23,456", "1"], [np.nan, 1], ""),
        (["5 kg", "6"], [np.nan, 6], ""),
        (["76,2 m²", "1.172,1 m²"], [76.2, 1172.1], "with 'm²' and decimal commas"),
        (["5.008,04-", "7.859,-"], [-5008.04, 7859], "with decimal commas and minus signs behind"),
        (["CHF 1'250.-", "CHF 20"], [1250, 20], "with 'CHF'"),
        (["163.697,36 EUR", "7 €"], [163697.36, 7], "with 'EUR' and decimal commas"),
        (["1 km"] * 30 + ["2"], [1] * 30 + [np.nan], "with 'km'"),
        (["1 €"] * 30 + ["2"], [1] * 30 + [2], "with '€'"),
        (["1"] * 30 + ["1.5K", "2 Mio."], [1] * 30 + [np.nan] * 2, ""),
        (["1,50"] * 30 + ["2-"], [1.5] * 30 + [np.nan], "with decimal commas"),
        (["1 %"] + ["2 €"] * 30, [np.nan] + [2] * 30, "with '€'"),
    ],
)  # fmt: skip
def test_numbers_are_read_as_they_are_meant(
    texts: list[str], numbers: list[float], said: str
) -> None:
    read = numbers_in(objects(texts))
    assert read is not None
    np.testing.assert_array_equal(read.values, numbers)
    assert read.said == said


def test_gaps_and_what_is_no_number_are_counted() -> None:
    read = numbers_in(pd.Series(["1", "?", "?", "n.a.", "abc", "2", " "], index=range(5, 12)))
    assert read is not None
    assert (read.gaps, read.unread) == (4, 1)
    assert read.share == pytest.approx(2 / 3)
    assert list(read.values.index) == list(range(5, 12))


def test_what_1_234_means_is_uncertain_only_where_it_is() -> None:
    for texts, uncertain in ((["1,234"], True), (["1,234.5"], False), (["1,234,567"], False)):
        read = numbers_in(objects(texts))
        assert read is not None
        assert read.ambiguous is uncertain


def test_units_are_not_joined() -> None:
    read = numbers_in(objects(["1 km"] * 20 + ["2 kg"]))
    assert read is not None
    assert (read.units.written, read.numbers, read.unread) == ("km", 20, 1)
    assert read.units.others_said == "numbers with 'kg', and not 'km', are not joined"
    assert numbers_in(objects(["1 km", "2 kg"])) is None
    read = numbers_in(objects(["1 km"] * 40 + ["2"]))
    assert read is not None
    assert (read.numbers, read.unread) == (40, 1)
    assert read.units.others_said == "numbers without a unit, and not 'km', are not joined"
    for texts in (["1.5K", "2K"], ["1", "2-"] * 9, ["3 Mio. €", "4 Mio. €"]):
        read = numbers_in(objects(texts))
        assert read is None or not read.are_all


def test_codes_and_words_are_no_numbers() -> None:
    assert numbers_in(objects(["007", "12"])) is None
    assert numbers_in(objects(["007 kg", "12 kg"])) is None
    assert numbers_in(objects(["Gate 12", "Gate 13"])) is None
    assert numbers_in(objects(["a", "b"])) is None
