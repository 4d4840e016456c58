"""Numbers and names as people read them."""

from __future__ import annotations

import unicodedata

import numpy as np
import pytest

from onnxlet.convert.report.form.figures import Estimate
from onnxlet.convert.report.form.wording import (
    END,
    ISOLATE,
    count,
    fitting,
    interval,
    listed,
    name,
    number,
    plural,
    seconds,
    share,
    size,
)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0, "0"), (-0.0, "0"), (3, "3"), (0.84631, "0.846"), (0.5, "0.500"),
        (-0.0551, "\u22120.0551"),
        (22_736.3, "22\u202f700"), (999.96, "1000"), (9_996, "10\u202f000"), (1234.5, "1230"),
        (1_234_567, "1\u202f230\u202f000"), (2.2e-7, "2.20e\u22127"), (-1e20, "\u22121.00e20"),
        (0.099_96, "0.100"), (float("inf"), "infinite"), (float("nan"), "undefined"),
        (None, "\u2013"),
    ],
)  # fmt: skip
def test_three_significant_digits(value: float | None, written: str) -> None:
    assert number(value) == written


def test_a_number_reads_back_within_half_a_digit() -> None:
    random = np.random.default_rng(0)
    for _ in range(2000):
        value = float(random.choice((-1, 1)) * 10 ** random.uniform(-9, 17))
        text = number(value).replace("\u202f", "").replace("\u2212", "-")

        assert float(text) == pytest.approx(value, rel=0.005_001)
        assert text == f"{float(f'{value:.2e}'):.2e}".replace("e+", "e").replace("e-0", "e-") or (
            float(text) == float(f"{value:.2e}")
        )


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0, "0\u202f%"), (1, "100\u202f%"), (0.812, "81.2\u202f%"), (0.5, "50.0\u202f%"),
        (0.99997, "99.997\u202f%"), (0.0001, "0.010\u202f%"), (-0.1, "\u221210.0\u202f%"),
        (None, "\u2013"),
    ],
)  # fmt: skip
def test_shares(value: float | None, written: str) -> None:
    assert share(value) == written


def test_units() -> None:
    assert [seconds(each) for each in (58.4, 1, 0.0412, 93e-6, 0, None)] == [
        "58.4\u00a0s", "1\u00a0s", "41.2\u00a0ms", "93\u00a0\u00b5s", "0\u00a0\u00b5s", "\u2013",
    ]  # fmt: skip
    assert [size(each) for each in (12, 812_345, 4_812_345, 2e9, None)] == [
        "12\u00a0bytes", "812\u00a0kB", "4.81\u00a0MB", "2\u00a0GB", "\u2013",
    ]  # fmt: skip
    assert [count(each) for each in (9999, 10_000, None)] == ["9999", "10\u202f000", "\u2013"]
    assert [plural(each, "row") for each in (1, 2)] == ["1\u00a0row", "2\u00a0rows"]


def test_an_interval_without_ends_or_width_is_not_written() -> None:
    assert interval(Estimate(value=0.84, low=0.827, high=0.865)) == "0.827 to 0.865"
    without = (
        Estimate(value=1, low=low, high=high) for low, high in ((None, None), (None, 1), (1, 1))
    )
    assert list(map(interval, without)) == [""] * 3


def test_lists() -> None:
    assert [listed(list("abcdefgh")[:n]) for n in (0, 1, 2, 3)] == [
        "",
        "a",
        "a and b",
        "a, b and c",
    ]
    assert listed(list("abcdefgh")) == "a, b, c, d, e and 3 more"


def test_names_show_nothing_that_hides_or_turns() -> None:
    hidden = "a\x00b\x1bc\u202ed\ud800e\u2066f"

    assert name(hidden) == "a\ufffdb\ufffdc\ufffdd\ufffde\ufffdf"
    assert name(" a \n\t b ") == "a b"
    assert (name(""), name(True), name(3)) == ("(empty)", "true", "3")
    for each in map(name, map(chr, range(0x3000))):
        each.encode()
        assert not [c for c in each.strip(ISOLATE + END) if unicodedata.category(c) in ("Cc", "Cs")]


def test_a_name_from_right_to_left_turns_nothing_behind_it() -> None:
    assert name("\u05d2\u05d9\u05dc") == f"{ISOLATE}\u05d2\u05d9\u05dc{END}"


def test_wide_letters_count_twice() -> None:
    assert fitting("abcdefgh", 8) == "abcdefgh"
    assert len(fitting("\u6708" * 50, 21)) == 11  # ten of them, and the dots


def test_a_long_name_keeps_its_ends() -> None:
    short = name("abc" * 100 + "xyz", 30)

    assert len(short) == 30
    assert (short[:3], short[-3:]) == ("abc", "xyz")
