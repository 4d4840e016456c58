"""Steps for text as people type it: what skrub and pandas make of it, in a bounded time."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
import pandas as pd
import pytest

from onnxlet.function.arrays import MISSING_TEXT
from onnxlet.function.inputs.category_steps import hash_minima, murmur_minima, parse_number
from onnxlet.function.inputs.columns import LONGEST_TEXT
from onnxlet.function.inputs.dates import parse_date_or_missing
from onnxlet.function.inputs.front_end import composed
from onnxlet.function.inputs.murmur import murmurhash3

NUMBERS = (
    " 12 ", "1e5", "0x10", "1_000", "inf", "-Infinity", "nan", "True", "1,000", "１２", "\t5\n",
    "+3", "--3", "1e400", "1e", "5.", "  ", ".5", ".", "1 2", "12\x00", "+inf", "iNf", "1E+5",
    "1e+", "-0", "1e99999999999", "\u0661", "\u00bd", "1\u00a0", "\x0b1", "1e5.0", "-nan", "",
    MISSING_TEXT, "0.1e-10000", "-.5e-3", "e5", "infinit", "9" * 50,
)  # fmt: skip


@pytest.mark.parametrize("text", NUMBERS, ids=ascii)
def test_a_number_is_read_as_pandas_reads_it(text: str) -> None:
    expected = float(pd.to_numeric(pd.Series([text], dtype=object), errors="coerce").iloc[0])
    got = parse_number()(text)
    assert got == expected or (math.isnan(got) and math.isnan(expected)), (got, expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1.234,5", 1234.5), ("(1,25)", -1.25), ("(2)\n", -2.0), ("(1", math.nan),
     ("1,2,3", math.nan)],
)  # fmt: skip
def test_other_signs_are_read(text: str, expected: float) -> None:
    got = parse_number(",", ".", True)(text)
    assert got == expected or (math.isnan(got) and math.isnan(expected))


@pytest.mark.parametrize(
    ("text", "expected"),
    [("a", "a"), (" N/A", " N/A"), ("N/A", MISSING_TEXT), (" \t\u2003\n", MISSING_TEXT),
     ("", MISSING_TEXT), (MISSING_TEXT, MISSING_TEXT)],
)  # fmt: skip
def test_names_of_nothing_are_missing(text: str, expected: str) -> None:
    step = {"step": "without_null_texts", "nulls": ["", "N/A"]}
    assert composed([step])(text) == expected


ATOMS = [
    np.random.RandomState(size).randint(-(2**31) + 1, 2**31 - 1, (3, size), dtype=np.int32)
    for size in (2, 3, 4)
]
TEXTS = ("a", "ab", "abc", "é", "éa", "🦙", "🦙🦙b", "the whole text", "y" * 9001)


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: ascii(text[:20]))
def test_hashes_are_those_of_correlate(text: str) -> None:
    signs = np.frombuffer(text.encode(), dtype=np.int8, count=len(text))
    hashes = [[np.correlate(signs, atom) for atom in atoms] for atoms in ATOMS]
    least = [min(sizes[n].min() for sizes in hashes) for n in range(3)]
    most = [max(sizes[n].max() for sizes in hashes) for n in range(3)]
    atoms = [table.tolist() for table in ATOMS]
    assert hash_minima(atoms)(text).tolist() == least
    both = np.column_stack([least, most]).ravel()
    assert hash_minima(atoms, maxima=True)(text).tolist() == both.tolist()
    assert hash_minima(atoms, maxima=True)("").tolist() == [0] * 6


def test_the_first_seed_of_murmur_is_scikit_learns() -> None:
    utils = pytest.importorskip("sklearn.utils")
    text = "Hello  World"
    grams = {" hello world "[at : at + 3] for at in range(11)}
    expected = [
        min(utils.murmurhash3_32(gram, seed=seed, positive=True) for gram in grams)
        for seed in range(3)
    ]
    assert (murmur_minima([3, 3], 3)(text) * (2**32 - 1)).tolist() == pytest.approx(expected)
    tokens = [f"token {number}" for number in range(100)]
    assert murmurhash3(tokens) == [utils.murmurhash3_32(token) for token in tokens]


DATES: dict[str, tuple[str, ...]] = {
    "%Y-%m-%d": (
        "2026-3-5", " 2026-03-05", "20260305", "2026-03", "3000-01-01", "0001-01-01", "2026-02-30",
        "9999-12-31", "2026-03-05\n", "", "2026/03/05", MISSING_TEXT,
    ),
    "%d/%m/%Y %H:%M:%S": ("5/3/2026 1:2:3", "05/03/2026 24:00:00", "13/13/2026 01:01:01"),
    "%Y-%m-%dT%H:%M:%S.%f": (
        "2026-03-05T10:00:00.5", "2026-03-05T10:00:00.", "2026-03-05T10:00:00",
        "2026-03-05T10:00:00.123456", "2026-03-05T10:00:00.12.",
    ),
    "%Y-%m-%dT%H:%M:%S%z": (
        "2026-03-05T10:00:00Z", "2026-03-05T10:00:00+0130", "2026-03-05T10:00:00",
        "2026-03-05T10:00:00+01", "2026-03-05T10:00:00-11:30",
    ),
    "%d %B %Y": ("5 march 2026", "5 Mar 2026"),
}  # fmt: skip


@pytest.mark.parametrize(("form", "texts"), DATES.items())
def test_a_date_is_read_as_pandas_reads_it(form: str, texts: tuple[str, ...]) -> None:
    column = pd.Series(texts, dtype=object)
    made = pd.to_datetime(column, format=form, errors="coerce", utc="%z" in form)
    plain = made.dt.tz_localize(None) if "%z" in form else made
    in_nanoseconds = "ns" in str(made.dtype)  # of older pandas
    expected = [None if pd.isna(moment) else moment.to_pydatetime() for moment in plain]
    assert list(map(parse_date_or_missing(form, in_nanoseconds), texts)) == expected


@pytest.mark.parametrize(
    "step",
    [
        {"step": "parse_number", "decimal": ",", "thousand": ".", "parentheses": True},
        {"step": "without_null_texts", "nulls": ["a"]},
        {"step": "hash_minima", "atoms": [table.tolist() for table in ATOMS]},
        {"step": "parse_date_or_missing", "form": "%Y-%m-%dT%H:%M:%S.%f%z"},
    ],
    ids=lambda step: step["step"],
)
@pytest.mark.parametrize("piece", ["9", "(", " ", "ü", ".", "+"])
def test_a_long_text_takes_no_long_time(step: dict[str, Any], piece: str) -> None:
    change, text = composed([step]), piece * LONGEST_TEXT
    change("a")
    began = time.process_time()
    change(text)
    assert time.process_time() - began < 0.5
