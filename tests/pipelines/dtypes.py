"""Columns of every dtype that frames have, and made pipelines over them, drawn by a seed."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    Binarizer,
    FunctionTransformer,
    KBinsDiscretizer,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    PowerTransformer,
    QuantileTransformer,
    SplineTransformer,
    StandardScaler,
    TargetEncoder,
)
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from onnxlet import DateParts

ROWS, TRAINED = 80, 48
TRIES = 8  # of which scikit-learn has to fit and answer one
IDS = 1_700_000_000_000_000_000
Random = np.random.Generator
Made = Callable[[Random], Any]  # a Series of ROWS values


def _gaps(make: Made, share: float = 0.15) -> Made:
    def made(random: Random) -> Any:
        series = make(random)
        return series.mask(pd.Series(random.random(ROWS) < share))

    return made


def _ids(dtype: Any, start: int = IDS, step: int = 1, many: int = 12) -> Made:
    def made(random: Random) -> Any:
        known = [start + step * int(n) for n in random.integers(0, many, ROWS)]
        return pd.Series(known, dtype=object).astype(dtype)

    return made


def _numbers(dtype: Any, scale: float = 1.0) -> Made:
    return lambda random: pd.Series(random.normal(size=ROWS) * scale).astype(dtype)


def _whole(dtype: Any, low: int = 0, high: int = 100) -> Made:
    return lambda random: pd.Series(random.integers(low, high, ROWS)).astype(dtype)


def _of(values: list[Any], dtype: Any) -> Made:
    def made(random: Random) -> Any:
        picks = random.integers(0, len(values), ROWS).tolist()
        return pd.Series([values[n] for n in picks], dtype=object).astype(dtype)

    return made


def _moments(dtype: Any) -> Made:
    start = pd.Timestamp("2023-01-01").value // 10**9
    return lambda random: pd.Series(
        pd.to_datetime(start + random.integers(0, 10**8, ROWS), unit="s")
    ).astype(dtype)


def _spans(unit: str) -> Made:
    return lambda random: pd.Series(
        random.integers(0, 10**6, ROWS).astype("timedelta64[s]").astype(f"timedelta64[{unit}]")
    )


WORDS = ["red", "green", "blue", "Blue", " blue", "1", "01"]
DAYS = [date(2024, 1, 1) + timedelta(days=n) for n in range(40)]
LARGE: dict[str, Made] = {
    "ids": _ids("int64"),
    "ids far apart": _ids("int64", step=37, many=9),
    "ids about 2**53": _ids("int64", 2**53 - 6),
    "negative ids": _ids("int64", -(2**63)),
    "unsigned ids": _ids("uint64", 2**62),
    "ids beyond 2**63": _ids("uint64", 2**64 - 12),
    "Int64 ids": _ids("Int64"),
    "Int64 ids and gaps": _gaps(_ids("Int64")),
    "UInt64 ids": _ids("UInt64", 2**63 - 6),
    "ids as objects": _ids(object),
    "ids as objects and gaps": _gaps(_ids(object)),
    "whole numbers of 70 bits": _ids(object, 2**70),
    "categories of ids": _ids(pd.CategoricalDtype([IDS + n for n in range(12)])),
    "categories of ids and gaps": _gaps(_ids(pd.CategoricalDtype([IDS + n for n in range(12)]))),
    "Arrow's ids": _ids("int64[pyarrow]"),
    "sparse ids": _ids("Sparse[int64]"),
}
NUMBERS: dict[str, Made] = {
    **{d: _whole(d, -100, 100) for d in ("int8", "int16", "int32", "int64")},
    **{d: _whole(d, 0, 250) for d in ("uint8", "uint16", "uint32", "uint64")},
    **{f"{d} and gaps": _gaps(_whole(d)) for d in ("Int8", "Int16", "Int32", "Int64", "UInt8")},
    "Int64": _whole("Int64"),
    **{d: _numbers(d) for d in ("float16", "float32", "float64", "longdouble", "Float32")},
    **{f"{d} and gaps": _gaps(_numbers(d)) for d in ("float32", "float64", "Float32", "Float64")},
    "tiny float32": _numbers("float32", 1e-42),
    "large float64": _numbers("float64", 1e300),
    "objects of whole numbers": _whole(object),
    "objects of two kinds": _of([1, 2, 0.5, 3.25], object),
    "objects of numbers and None": _of([1, 2, 0.5, None], object),
    "bool": _whole(bool, 0, 2),
    "boolean and gaps": _gaps(_of([True, False], "boolean")),
    "objects of bool and None": _of([True, False, None], object),
    "Arrow's floats and gaps": _gaps(_numbers("double[pyarrow]")),
    "sparse floats": lambda random: pd.Series(
        np.where(random.random(ROWS) < 0.5, 0, random.normal(size=ROWS))
    ).astype(pd.SparseDtype("float64", 0)),
    "complex": _numbers("complex128"),
}
OTHERS: dict[str, Made] = {
    "Decimal": _of([Decimal("1.10"), Decimal("2.25"), Decimal(10**20 + 1)], object),
    "dates as objects": _of(DAYS, object),
    "bytes": _of([b"a", b"b"], object),
    "periods": _of(list(pd.period_range("2024-01", periods=9, freq="M")), "period[M]"),
    "intervals": lambda random: pd.Series(pd.cut(random.normal(size=ROWS), 4)),
    **{f"spans in {unit}": _spans(unit) for unit in ("s", "ms", "us", "ns")},
    **{f"moments in {u}": _moments(f"datetime64[{u}]") for u in ("s", "ms", "us", "ns")},
    "moments and gaps": _gaps(_moments("datetime64[us]")),
    "moments in a zone": lambda random: _moments("datetime64[us]")(random).dt.tz_localize("UTC"),
    "Arrow's moments": _moments("timestamp[us][pyarrow]"),
    **{d: _of(WORDS, d) for d in ("object", "str", "string[python]", "string[pyarrow]")},
    "objects of text and None": _of([*WORDS, None], object),
    "objects of text and NaN": _of([*WORDS, np.nan], object),
    "string and gaps": _gaps(_of(WORDS, "string")),
    "str and gaps": _gaps(_of(WORDS, "str")),
    "text and numbers": _of(["a", 1, 2.5], object),
    "categories of text and gaps": _gaps(_of(WORDS, "category")),
    "categories of whole numbers": _whole("category", 0, 7),
    "categories of whole numbers and gaps": _gaps(_whole("category", 0, 7)),
    "categories of bool": _of([True, False], "category"),
    "categories of floats": _of([0.5, 1.25, 3.0], "category"),
    "ordered categories": _of(["s", "m", "l"], pd.CategoricalDtype(["s", "m", "l"], ordered=True)),
}
KINDS = LARGE | NUMBERS | OTHERS
AS_TEXT = FunctionTransformer(lambda f: f.astype(str))
UNKNOWN = {"handle_unknown": "use_encoded_value", "unknown_value": -1}
FUNCTIONS = [
    FunctionTransformer(lambda f: f == IDS + 3),
    FunctionTransformer(lambda f: f // 1 % 7),
    FunctionTransformer(lambda f: f * 3),
    FunctionTransformer(lambda f: f + f),
    FunctionTransformer(lambda f: f - IDS),
    FunctionTransformer(lambda f: f.astype("float64")),
    FunctionTransformer(np.abs),
    FunctionTransformer(lambda f: np.sqrt(np.abs(f))),
    FunctionTransformer(lambda f: f.fillna(0) if hasattr(f, "fillna") else np.nan_to_num(f)),
]
ENCODERS = [
    OrdinalEncoder(**UNKNOWN),
    OrdinalEncoder(**UNKNOWN, encoded_missing_value=-2),
    OneHotEncoder(handle_unknown="ignore"),
    TargetEncoder(random_state=0),
    make_pipeline(SimpleImputer(strategy="most_frequent"), OrdinalEncoder(**UNKNOWN)),
    make_pipeline(AS_TEXT, OrdinalEncoder(**UNKNOWN)),
    make_pipeline(AS_TEXT, OneHotEncoder(handle_unknown="ignore")),
]
SCALERS = [
    "passthrough",
    StandardScaler(),
    MinMaxScaler(),
    SimpleImputer(strategy="median"),
    SimpleImputer(strategy="constant", fill_value=-1),
    KBinsDiscretizer(3, encode="ordinal", strategy="uniform"),
    QuantileTransformer(n_quantiles=5),
    PowerTransformer(),
    PowerTransformer("box-cox"),
    Binarizer(),
    PolynomialFeatures(2),
    SplineTransformer(n_knots=3),
]
LAST = [
    Ridge(),
    LogisticRegression(),
    DecisionTreeRegressor(max_depth=3, random_state=0),
    DecisionTreeClassifier(max_depth=3, random_state=0),
    HistGradientBoostingRegressor(max_iter=3, min_samples_leaf=4),
    None,
]


def made_pipeline(kind: str, seed: int) -> tuple[Any, Any] | None:
    """A fitted pipeline and its X_test; None where scikit-learn fits or answers none of several.

    Args:
        kind: of KINDS, that one of its columns is of.
        seed: draws all else.
    """
    tries = (_made(kind, [seed, list(KINDS).index(kind), again]) for again in range(TRIES))
    return next((made for made in tries if made is not None), None)


def _made(kind: str, seed: list[int]) -> tuple[Any, Any] | None:
    random = np.random.default_rng(seed)
    X = pd.DataFrame({"special": KINDS[kind](random), "v": random.normal(size=ROWS)})
    if random.random() < 0.3:
        X["v"] = X["v"].mask(pd.Series(random.random(ROWS) < 0.1))
    if random.random() < 0.3:
        X["more"] = KINDS[str(random.choice(list(KINDS)))](random)
    pool = [*FUNCTIONS, *ENCODERS, *(SCALERS if kind in {**LARGE, **NUMBERS} else ["passthrough"])]
    if "moments" in kind:
        pool = [DateParts(), *FUNCTIONS[:2], *ENCODERS[:2]]
    step = pool[random.integers(len(pool))]
    if kind in LARGE and isinstance(step, PowerTransformer):
        return None  # powers of ids less their mean are rounding, another in each SciPy
    rest = ["special"] if random.random() < 0.7 or "more" not in X else ["special", "more"]
    left = make_pipeline(SimpleImputer(), StandardScaler())
    model: Any = make_column_transformer((step, rest), (left, ["v"]), sparse_threshold=0)
    last = LAST[random.integers(len(LAST))]
    if random.random() < 0.1:  # categoricals come to it as they are
        model, last = None, HistGradientBoostingRegressor(max_iter=3, min_samples_leaf=4)
    data: Any = X
    if kind in NUMBERS | LARGE and random.random() < 0.25:
        held = X["special"].to_numpy()
        data = np.column_stack([held, held[::-1], held[random.permutation(ROWS)]])
        data = np.asfortranarray(data) if random.random() < 0.5 else data
        data = data[:, 1:] if random.random() < 0.5 else data
        model = None if step == "passthrough" else clone(step)
    y = np.nan_to_num(X["v"].to_numpy()) + (pd.factorize(X["special"])[0] % 3)
    y = y > 1 if hasattr(last, "predict_proba") else y
    steps = [clone(part) for part in (model, last) if part is not None]
    made = make_pipeline(*(steps or [StandardScaler()]))
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            made.fit(data[:TRAINED], y[:TRAINED])
            answers(made, data[TRAINED:])
        except Exception:
            return None
    return made, data[TRAINED:]


def answers(made: Any, X: Any) -> np.ndarray[Any, Any]:
    """What scikit-learn answers to the rows as they are."""
    answer = made.predict(X) if hasattr(made, "predict") else made.transform(X)
    return np.asarray(answer.toarray() if hasattr(answer, "toarray") else answer)


def cells(value: Any) -> Any:
    """A value of a frame as a client without pandas would write it."""
    if value is None or value is pd.NaT or value is pd.NA or value != value:
        return None
    if isinstance(value, pd.Timestamp):
        return value.isoformat()
    if isinstance(value, np.longdouble):
        return float(value)
    return value.item() if isinstance(value, np.generic) else value
