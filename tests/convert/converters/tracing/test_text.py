"""`.str` of columns that come in, as people write it, against pandas."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder

from onnxlet.convert.sources.source import Source
from onnxlet.function.inputs.text_steps import METHODS, PREDICATES
from tests.convert.converters.tracing.samples import assert_traced
from tests.convert.exactness import assert_exact
from tests.convert.helpers import built, served

CABINS = [
    "C85", " c123 ", "E46", "", "B57 B59", "g6", "Straße 7", "İI", "10", "x-1.5e3", np.nan, "D",
    "ß", "a,b,c", "the end", "2021-03-05", "\ufb01ne", "12kg", "A/5 21171",
]  # fmt: skip
X = pd.DataFrame({"t": pd.Series(CABINS, dtype=object), "n": np.arange(len(CABINS)) * 1.0})

CHANGES: dict[str, Callable[[Any], Any]] = {
    "slice": lambda s: s.str[1:3],
    "slice by name": lambda s: s.str.slice(-2),
    "every other": lambda s: s.str.slice(None, None, 2),
    "backwards": lambda s: s.str[::-1],
    "character": lambda s: s.str[0],
    "last character": lambda s: s.str.get(-1),
    "split": lambda s: s.str.split().str[0],
    "split once": lambda s: s.str.split(" ", n=1).str[1],
    "split by a pattern": lambda s: s.str.split(r"[ ,]", regex=True).str[1],
    "split by two characters": lambda s: s.str.split(", ").str[0],
    "split from the right": lambda s: s.str.rsplit(" ", n=1).str.get(-1),
    "literal": lambda s: s.str.replace("5", "five"),
    "once": lambda s: s.str.replace("5", "five", n=1),
    "pattern": lambda s: s.str.replace(r"(\d)(\d)", r"\2\1", regex=True),
    "ignoring case": lambda s: s.str.replace("C", "-", case=False),
    "extract": lambda s: s.str.extract(r"([A-Za-z])", expand=False),
    "extract a group by name": lambda s: s.str.extract(r"(?P<digits>\d+)", expand=False),
    "chained": lambda s: s.str.strip().str.lower().str[:2],
    "filled first": lambda s: s.fillna("none").str.upper(),
    "filled after": lambda s: s.str.split(" ").str[1].fillna("none"),
    "padded": lambda s: s.str.zfill(5),
    "centred": lambda s: s.str.center(6, "*"),
    "prefix": lambda s: s.str.removeprefix("C"),
    "stripped of": lambda s: s.str.strip(" 5"),
    "applied": lambda s: s.fillna("").apply(str.upper),
    "by a function of one text": lambda s: s.fillna("").map(lambda v: v.strip().title()),
}
NUMBERS: dict[str, Callable[[Any], Any]] = {
    "length": lambda s: s.str.len(),
    "length after strip": lambda s: s.str.strip().str.len().fillna(-1),
    "occurrences": lambda s: s.str.count(r"[0-9]"),
    "position": lambda s: s.str.find("5"),
    "last position": lambda s: s.str.rfind("5", 1),
    "contains a pattern": lambda s: s.str.contains(r"\d{2}", na=False) * 1.0,
    "contains in any case": lambda s: s.str.contains("c8", case=False, na=True) * 1.0,
    "contains as it is in any case": lambda s: (
        s.str.contains("SS", case=False, regex=False, na=False) * 1.0
    ),
    "match": lambda s: s.str.match(r"[A-Z]\d", na=False) * 1.0,
    "fullmatch": lambda s: s.str.fullmatch(r"[A-Z]\d+", na=False) * 1.0,
    "digits": lambda s: s.fillna("").str.isdigit() * 1.0,
    "number in a text": lambda s: s.str.extract(r"(\d+)", expand=False).astype(float),
    "number or missing": lambda s: pd.to_numeric(s, errors="coerce"),
    "whole number": lambda s: s.str.extract(r"(\d+)", expand=False).fillna("0").astype(int),
    "mean of lengths": lambda s: s.fillna("").apply(len) / 2,
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_of_text(change: Callable[[Any], Any]) -> None:
    """OneHotEncoder shows which text it is."""
    fitted = make_pipeline(
        FunctionTransformer(lambda X: change(X["t"]).to_frame("t")),
        OneHotEncoder(sparse_output=False, handle_unknown="ignore"),
    ).fit(X)
    assert_exact(fitted, X)


@pytest.mark.parametrize("change", NUMBERS.values(), ids=NUMBERS)
def test_a_number_made_of_text(change: Callable[[Any], Any]) -> None:
    assert_traced(lambda X: change(X["t"]).to_frame("n"), X)


@pytest.mark.parametrize("name", sorted(METHODS | PREDICATES))
def test_every_method_of_str_does_what_pandas_does(name: str) -> None:
    if not hasattr(X["t"].str, name):
        pytest.skip("this pandas has no such method")
    given = {"center": (4,), "ljust": (4,), "rjust": (4,), "zfill": (3,),
             "removeprefix": ("C",), "removesuffix": ("5",)}.get(name, ())  # fmt: skip
    fitted = make_pipeline(
        FunctionTransformer(
            lambda X: getattr(X["t"].fillna("").str, name)(*given).astype(object).to_frame("t")
        ),
        OneHotEncoder(sparse_output=False),
    ).fit(X)
    assert_exact(fitted, X)


FLAGS: dict[str, Callable[[Any], Any]] = {
    "as numbers": lambda s: s.str.contains("1").astype(float),
    "by a pattern": lambda s: s.str.contains(r"\d{2}").astype(float),
    "after a change": lambda s: s.str.lower().str.startswith(("c", "b")).astype(float),
    "a kind of characters": lambda s: s.str.isdigit().astype(float),
    "as they are": lambda s: s.str.endswith("7"),
    "filled": lambda s: s.str.contains("1").fillna(True).astype(int),
    "that are missing": lambda s: s.str.contains("1").isna() * 1,
}


@pytest.mark.filterwarnings("ignore:Downcasting object dtype:FutureWarning")  # pandas 2, of fillna
@pytest.mark.parametrize("gap", [None, np.nan])
def test_the_flags_of_texts_that_are_missing_are_missing(gap: Any, tmp_path: Path) -> None:
    def flags(X: Any) -> Any:
        return pd.DataFrame({name: flag(X["t"]) for name, flag in FLAGS.items()})

    cabins = X.assign(t=X["t"].where(X["t"].notna(), gap).astype(object))
    cabins = pd.concat([cabins] * 4, ignore_index=True)
    model = make_pipeline(
        FunctionTransformer(flags), HistGradientBoostingClassifier(min_samples_leaf=1)
    ).fit(cabins, cabins["t"].isna())  # so that what is missing counts
    built(Source(model, cabins), tmp_path)
    answer = served(tmp_path).post("/predict", json=[["D17", 0.0], [None, 0.0], ["c", 1.0]])
    assert answer.get_json()["prediction"] == [False, True, False]


def test_a_frame_of_one_group() -> None:
    def cabin(X: Any) -> Any:
        parts = X["t"].str.extract(r"(?P<deck>[A-Z])")
        return parts.assign(known=parts["deck"].notna() * 1.0)[["known"]]

    assert_traced(cabin, X)


def cleaned(X: Any) -> Any:
    return X["t"].fillna("").str.replace(r"\d+", " number ", regex=True).str.lower()


def test_tokens_are_counted_after_the_steps() -> None:
    vectoriser = TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 3), sublinear_tf=True)
    assert_exact(make_pipeline(FunctionTransformer(cleaned), vectoriser).fit(X), X)


@pytest.mark.long
def test_a_build_refuses_texts_that_are_no_number(tmp_path: Path) -> None:
    weights = pd.DataFrame({"kg": [f"{n}.5 kg" for n in range(60)]})
    model = make_pipeline(
        FunctionTransformer(lambda X: X["kg"].str.split(" ").str[0].astype(float).to_frame()),
        HistGradientBoostingClassifier(max_iter=2, min_samples_leaf=1),  # takes gaps
    ).fit(weights, np.arange(60) > 30)
    built(Source(model, weights), tmp_path)
    client = served(tmp_path)

    answer = client.post("/predict", json=[["7.25 kg"], ["1e3"], ["31.9 stone"]])
    refused = client.post("/predict", json=[["7.5 kg"], ["heavy"], [""], ["31 kg"]])

    assert answer.get_json()["prediction"] == [False, True, True]
    assert (refused.status_code, [p["row"] for p in refused.get_json()["errors"]]) == (422, [1, 2])
