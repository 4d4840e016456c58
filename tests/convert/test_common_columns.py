"""Columns and steps as people have them: codes as text, gaps of all kinds, functions, memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer, make_column_transformer
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    StandardScaler,
    TargetEncoder,
)

from onnxlet.convert.errors import Refusal
from onnxlet.convert.sources.source import Source
from tests.convert.helpers import built, objects, served

ROWS = 100
RANDOM = np.random.default_rng(0)
V = RANDOM.normal(size=ROWS)
LETTERS = objects(RANDOM.choice(["A", "B"], ROWS).tolist())
GAPS = RANDOM.random(ROWS) < 0.15
Step = Callable[[], Any]


def unknown() -> Any:
    return OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)


def ignoring() -> Any:
    return OneHotEncoder(handle_unknown="ignore")


def function(compute: Callable[[Any], Any]) -> Any:
    return FunctionTransformer(compute)


def frequent(**options: Any) -> Any:
    return SimpleImputer(strategy="most_frequent", **options)


def constant(value: Any, **options: Any) -> Any:
    return SimpleImputer(strategy="constant", fill_value=value, **options)


def with_gaps(gap: Any) -> Any:
    return objects([gap if gone else value for gone, value in zip(GAPS, LETTERS, strict=True)])


def fitted(steps: Any, column: Any) -> tuple[Any, pd.DataFrame]:
    """A model of the columns `a`, which the steps make numbers of, and `v`."""
    rows = pd.DataFrame({"a": column, "v": V})
    columns = make_column_transformer((make_pipeline(*steps), ["a"]), remainder="passthrough")
    return make_pipeline(columns, Ridge()).fit(rows, V + (LETTERS == "A")), rows


def is_answered_alike(model: Any, rows: pd.DataFrame, folder: Path) -> Any:
    """Build, and send each row as its user has it; the result of the build."""
    made = built(Source(model, rows), folder)
    cells = {name: column.tolist() for name, column in rows.items()}
    sent = [
        {name: None if pd.isna(values[at]) else values[at] for name, values in cells.items()}
        for at in range(len(rows))
    ]
    got = served(folder).post("/predict", json={"instances": sent}).json["prediction"]
    np.testing.assert_allclose(got, model.predict(rows), rtol=1e-5)
    assert made.manifest["parity"]["unrefused_rows"] == 0
    return made


def taken(folder: Path, a: Any) -> float | None:
    """What is answered to a row with this value; None where it is refused."""
    response = served(folder).post("/predict", json=[{"a": a, "v": 0.5}])
    assert response.status_code in (200, 422)
    return None if response.status_code == 422 else response.json["prediction"][0]


# Whole numbers, booleans and gaps as text

CODES = pd.Series(RANDOM.integers(-3, 3, ROWS))
IDS = pd.Series(2**53 + RANDOM.integers(0, 5, ROWS))
FLAGS = pd.Series(RANDOM.random(ROWS) < 0.5)
AS_TEXT: dict[str, tuple[Any, Any]] = {
    "codes": (lambda f: f.astype(str), CODES),
    "codes beyond what floats have": (lambda f: f.astype(str), IDS),
    "codes of an array": (lambda f: f.to_numpy().astype("U"), CODES),
    "each code": (lambda f: f["a"].map(str).to_frame(), CODES),
    "each cell": (lambda f: f.map(str), CODES),
    "flags": (lambda f: f.astype(str), FLAGS),
    "text": (lambda f: f.astype(str), LETTERS),
    "None in an array": (lambda f: f.values.astype(str), with_gaps(None)),
    "NaN in an array": (lambda f: f.values.astype(str), with_gaps(np.nan)),
    "each None": (lambda f: f.map(str), with_gaps(None)),
    "each NaN": (lambda f: f["a"].map(str).to_frame(), with_gaps(np.nan)),
}


@pytest.mark.parametrize("name", AS_TEXT)
def test_whole_numbers_flags_and_gaps_become_the_text_that_they_are(
    name: str, tmp_path: Path
) -> None:
    compute, column = AS_TEXT[name]
    is_answered_alike(*fitted([function(compute), unknown()], column), tmp_path)


def test_a_gap_among_codes_is_no_code(tmp_path: Path) -> None:
    model, rows = fitted([function(lambda f: f.astype(str)), ignoring()], CODES)
    built(Source(model, rows), tmp_path)

    alone = model.predict(pd.DataFrame({"a": [np.nan], "v": [0.5]}))[0]
    assert taken(tmp_path, None) == pytest.approx(alone)
    assert taken(tmp_path, 2) == pytest.approx(model.predict(pd.DataFrame({"a": [2], "v": [0.5]})))


def test_fractions_as_text_are_refused_with_a_way_out_that_is_one(tmp_path: Path) -> None:
    column = CODES.astype(float)
    with pytest.raises(Refusal, match="digits of fractions") as caught:
        built(Source(*fitted([function(lambda f: f.astype(str)), unknown()], column)), tmp_path)

    assert ".fillna(0).astype(int).astype(str)" in caught.value.hint
    whole = function(lambda f: f.fillna(0).astype(int).astype(str))
    is_answered_alike(*fitted([whole, unknown()], column), tmp_path)


def test_text_of_numpy_has_no_nul_at_its_end(tmp_path: Path) -> None:
    column = objects([None if gone else x for gone, x in zip(GAPS, "1x" * 50, strict=True)])
    steps = [constant("gone", missing_values=None), function(lambda f: f.astype(str)), unknown()]
    model, rows = fitted(steps, column)
    is_answered_alike(model, rows, tmp_path)

    assert taken(tmp_path, "1\x00") == taken(tmp_path, "1")


# Gaps

NONE: dict[str, tuple[list[Any], Any]] = {
    "an imputer leaves it": ([frequent(), ignoring()], with_gaps(None)),
    "and marks nothing": ([frequent(add_indicator=True), ignoring()], with_gaps(None)),
    "another fills it": ([frequent(), constant("m", missing_values=None), ignoring()],
                         with_gaps(None)),
    "pandas.NA is both": ([constant("m", missing_values=pd.NA), ignoring()], with_gaps(None)),
    "a strict encoder": ([frequent(), OrdinalEncoder(encoded_missing_value=-1)], with_gaps(None)),
    "means": ([frequent(), TargetEncoder()], with_gaps(None)),
    "NaN is filled": ([frequent(), ignoring()], with_gaps(np.nan)),
    "among numbers": ([ignoring()], objects([None if g else 1 for g in GAPS])),
}  # fmt: skip


@pytest.mark.parametrize("name", NONE)
def test_none_is_a_gap_only_where_scikit_learn_takes_it_for_one(name: str, tmp_path: Path) -> None:
    steps, column = NONE[name]
    made = is_answered_alike(*fitted(steps, column), tmp_path)
    assert made.manifest["signature"]["inputs"][0]["nullable"]


def test_flags_of_gaps_keep_none_and_nan_apart(tmp_path: Path) -> None:
    rows = pd.DataFrame({"a": with_gaps(None), "b": with_gaps(np.nan)})
    model = make_column_transformer((MissingIndicator(features="all"), ["a", "b"])).fit(rows)
    built(Source(model, rows), tmp_path)

    sent = {"instances": [{"a": None, "b": None}]}
    assert served(tmp_path).post("/predict", json=sent).json["prediction"] == [[0.0, 1.0]]


def test_a_column_with_two_kinds_of_gaps_is_named(tmp_path: Path) -> None:
    column = with_gaps(None)
    column[::10] = np.nan
    with pytest.raises(Refusal, match="'a' has both None and NaN"):
        built(Source(*fitted([frequent(), ignoring()], column)), tmp_path)


@pytest.mark.parametrize("options", [{"strategy": "constant", "fill_value": -1},
                                     {"strategy": "median"}])  # fmt: skip
def test_whole_numbers_of_pandas_beside_gaps(options: Any, tmp_path: Path) -> None:
    rows = pd.DataFrame({"a": CODES, "b": CODES.astype("Int64"), "u": CODES.add(3).astype("uint8")})
    rows.loc[GAPS, "b"] = pd.NA
    model = make_pipeline(SimpleImputer(**options), Ridge()).fit(rows, V)
    is_answered_alike(model, rows, tmp_path)


# Categories of what a function makes

YES = objects(RANDOM.choice(["Yes", "No", "yes", "no "], ROWS).tolist())
MADE: dict[str, tuple[Any, Any, list[str], list[str]]] = {
    "lower, strip": (lambda c: c.str.lower().str.strip(), YES, [" YES", "NO\n", "yEs"],
                     ["Y", "y e s", ""]),
    "a letter": (lambda c: c.str[0], YES, ["Yellow", "None"], ["x", "-"]),
    "as it comes": (lambda c: c, YES, [], ["YES", " Yes"]),
}  # fmt: skip


@pytest.mark.long
@pytest.mark.parametrize("name", MADE)
def test_a_strict_encoder_knows_what_the_function_makes(name: str, tmp_path: Path) -> None:
    compute, column, known, others = MADE[name]
    rows = pd.DataFrame({"a": column})
    encoder = OneHotEncoder(sparse_output=False) if len(name) % 2 else OrdinalEncoder()
    model = make_pipeline(function(lambda f: f.apply(compute)), encoder).fit(rows)
    made = built(Source(model, rows), tmp_path)
    assert made.manifest["parity"]["unrefused_rows"] == 0
    client = served(tmp_path)

    sent = pd.DataFrame({"a": [*known, *column[:9]]})
    got = client.post("/predict", json=sent.to_dict("records")).json["prediction"]
    np.testing.assert_array_equal(got, model.transform(sent))
    for text in others:
        with pytest.raises(ValueError, match="unknown categories"):
            model.transform(pd.DataFrame({"a": [text]}))
        assert client.post("/predict", json=[{"a": text}]).status_code == 422, text


# DataFrames as outputs, arrays in memory

NAMELESS: dict[str, Step] = {
    "NumPy's": lambda: make_pipeline(StandardScaler(), FunctionTransformer(np.cbrt)),
    "one's own": lambda: make_pipeline(
        SimpleImputer(), FunctionTransformer(lambda f: np.log1p(np.abs(f))), StandardScaler()
    ),
    "alone": lambda: FunctionTransformer(np.cbrt),
}


@pytest.mark.parametrize("name", NAMELESS)
def test_a_dataframe_beside_a_function_without_names(name: str, tmp_path: Path) -> None:
    rows = pd.DataFrame({"v": V, "a": LETTERS})
    parts = [("n", NAMELESS[name](), ["v"]), ("c", OneHotEncoder(sparse_output=False), ["a"])]
    columns = ColumnTransformer(parts, verbose_feature_names_out=name != "alone")
    columns.set_output(transform="pandas")
    last = make_pipeline(make_column_transformer((MinMaxScaler(), [0, 2])), Ridge())
    is_answered_alike(make_pipeline(columns, last).fit(rows, V), rows, tmp_path)


def test_how_an_array_lies_in_memory_is_no_matter(tmp_path: Path) -> None:
    random = np.random.default_rng(4)
    X = random.gamma(1, 10.0 ** (np.arange(31) % 6), (300, 31)).astype("float32")
    model = LinearRegression().fit(X[:120], X[:120, 0])
    built(Source(model, np.asfortranarray(X[120:])), tmp_path)
