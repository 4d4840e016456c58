"""FunctionTransformer and transformed targets against scikit-learn."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import special
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    RobustScaler,
    StandardScaler,
)
from sklearn.tree import DecisionTreeRegressor

from onnxlet.convert.converters.registry import Unsupported
from onnxlet.convert.converters.tracing.ufuncs import UFUNCS
from tests.convert.exactness import answers, assert_exact, expected
from tests.convert.versions import OLD_NUMPY, SHAPE

NAN = np.nan
RANDOM = np.random.default_rng(5)
SIZES = np.logspace(-15, 15, 400) * RANDOM.choice([-1.0, 1.0], 400)
ODD = np.array(
    [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 1.5, -1.5, 2.5, 8.0, 10.0, 27.0, -27.0, 64.0, 100.0, 1000.0,
     1e-5, 1e-310, 5e-324, 1e16, 1e17, -1e25, 1e300, -1e300, np.pi, np.pi / 2, 20.0, -20.0, 700.0,
     -700.0, 709.9, -745.5, 1e22, 0.1, 0.3, 0.7, 1 - 1e-16, -1 + 1e-16, 1 + 1e-15, NAN, np.inf,
     -np.inf, 2.0**-1074, 2.0**1023, 1e8, -1e9]
)  # fmt: skip
VALUES = np.concatenate([ODD, SIZES, RANDOM.uniform(-1, 1, 300), np.arange(-40, 40) / 4])
VALUES = np.resize(VALUES, (len(VALUES) // 2 + 1, 2))
ELEMENTARY = [f for f in UFUNCS if f.nin == 1 and f is not np.invert]
ELEMENTARY += [np.nan_to_num, np.round, np.fix, np.clip] if not OLD_NUMPY else [np.nan_to_num]


def relative(got: Any, wanted: Any) -> float:
    """The largest relative difference of numbers, where NaN and infinities are the same."""
    same = (got == wanted) | (np.isnan(got) & np.isnan(wanted))
    assert (np.isnan(got) == np.isnan(wanted)).all()
    with np.errstate(all="ignore"):
        difference = np.abs(got - wanted) / np.maximum(np.abs(wanted), 1e-290)
    return float(np.where(same, 0.0, difference).max())


@pytest.mark.parametrize("function", ELEMENTARY, ids=lambda f: f.__name__)
def test_a_function_to_nine_digits(function: Any) -> None:
    rows = VALUES[(np.abs(VALUES) < 709) | ~np.isfinite(VALUES)].reshape(-1, 1)
    if function is special.ndtr:
        rows = rows[~(rows < -11)].reshape(-1, 1)
    made = FunctionTransformer(function).fit(rows)
    with np.errstate(all="ignore"):
        if function in (np.sin, np.cos, np.tan):  # where they are 0 it is by their absolute error
            rows = rows[~(np.abs(np.sin(2 * rows)) < 1e-6)].reshape(-1, 1)
        got = answers(made, rows)["transform"].astype(float)
        assert relative(got, expected(made, rows, "transform").astype(float)) < 1e-9


@pytest.mark.parametrize("function", ELEMENTARY, ids=lambda f: f.__name__)
def test_a_function_of_large_numbers(function: Any) -> None:
    made = FunctionTransformer(function).fit(VALUES)
    rows = VALUES
    if function is np.tan:
        rows = np.where(np.abs(np.abs(VALUES) - np.pi / 2) < 1e-6, 0.0, VALUES)
    if function in (np.sinh, np.cosh):
        rows = np.where(np.abs(np.abs(VALUES) - 710) < 1, 0.0, VALUES)
    with np.errstate(all="ignore"):
        assert_exact(made, rows)


def test_powers_and_cubes_to_the_last_digit() -> None:
    for function, values in (
        (np.log2, 2.0 ** np.arange(-1000, 1000)),
        (np.log10, 10.0 ** np.arange(0, 23)),
        (np.cbrt, np.arange(-200.0, 200.0) ** 3),
    ):
        rows = values.reshape(-1, 1)
        off = 1e-15 if function is np.cbrt and OLD_NUMPY else 0.0
        assert_exact(FunctionTransformer(function).fit(rows), rows, tolerance=off)


CLIPPED = {"a_min": None, "a_max": 2.0} if OLD_NUMPY else {"min": None, "max": 2.0}
OPTIONS: dict[str, Any] = {
    "nothing": FunctionTransformer(),
    "copy": FunctionTransformer(np.copy),
    "asarray": FunctionTransformer(np.asarray),
    "clip": FunctionTransformer(np.clip, kw_args={"a_min": -1, "a_max": 0.5}),
    "clip from": FunctionTransformer(np.clip, kw_args={"a_min": 0, "a_max": None}),
    "clip to": FunctionTransformer(np.clip, kw_args=CLIPPED),
    "clip each": FunctionTransformer(np.clip, kw_args={"a_min": [0, -1], "a_max": [1, 1e9]}),
    "partial clip": FunctionTransformer(partial(np.clip, a_min=0, a_max=3)),
    "nan": FunctionTransformer(np.nan_to_num),
    "nan, infinities": FunctionTransformer(
        np.nan_to_num, kw_args={"nan": -1.0, "posinf": 7.0, "neginf": -7.0}
    ),
    "round": FunctionTransformer(np.round, kw_args={"decimals": 2}),
    "round to hundreds": FunctionTransformer(np.around, kw_args={"decimals": -2}),
}


@pytest.mark.parametrize("made", OPTIONS.values(), ids=OPTIONS)
def test_options_of_functions(made: Any) -> None:
    with np.errstate(all="ignore"):
        assert_exact(made.fit(VALUES), VALUES, tolerance=0.0)


def test_pythons_own_round_of_a_frame() -> None:
    X = pd.DataFrame({"a": [0.25, 1.5, 2.5, NAN, -1e12], "b": [1.05, 0.35, 1e25, -0.5, 0.0]})
    for options in ({}, {"ndigits": 1}):
        assert_exact(FunctionTransformer(round, kw_args=options).fit(X), X, tolerance=0.0)


WHOLE = pd.DataFrame({"i": [0, 1, 2, -3, 10**6], "b": [True, False, True, True, False]})


@pytest.mark.parametrize("validate", [False, True])
@pytest.mark.parametrize(
    "function", [np.log1p, np.square, np.abs, np.sign, np.floor, np.isnan, np.cbrt, np.exp2]
)
def test_whole_numbers_and_fractions(function: Any, validate: bool) -> None:
    X = WHOLE[["i"]].assign(f=[0.5, -0.5, 1e6, 3.0, 0.0])

    with np.errstate(all="ignore"):
        assert_exact(FunctionTransformer(function, validate=validate).fit(X), X)
        assert_exact(FunctionTransformer(function, validate=validate).fit(X[["i"]]), X[["i"]])


def test_whole_numbers_among_fractions_are_fractions() -> None:
    columns = make_column_transformer(("passthrough", ["i", "f"]))
    X = WHOLE[["i"]].assign(f=[0.5, -0.5, 1e6, 3.0, 0.25])
    model = make_pipeline(columns, FunctionTransformer(np.reciprocal))

    with np.errstate(all="ignore"):
        assert_exact(model.fit(X), X)


def test_booleans_of_a_function_that_counts() -> None:
    X = pd.DataFrame({"a": [0.5, NAN, 1.0], "b": [NAN, NAN, np.inf]})
    for function in (np.isnan, np.isinf, np.isfinite, np.logical_not):
        model = make_pipeline(FunctionTransformer(function), LinearRegression())
        assert_exact(model.fit(X, [1.0, 2.0, 4.0]), X)


def test_text_passes_through_what_changes_nothing() -> None:
    X = pd.DataFrame({"t": ["x", "y", "x"]})
    for function, options in ((None, {}), (np.ravel, {}), (np.reshape, {SHAPE: (-1, 1)})):
        columns = make_column_transformer((FunctionTransformer(function, kw_args=options), ["t"]))
        if function is not np.ravel:
            assert_exact(make_pipeline(columns, OneHotEncoder()).fit(X), X)
        else:
            table_of = answers(FunctionTransformer(function).fit(X), X)["transform"]
            assert table_of.ravel().tolist() == ["x", "y", "x"]


def test_output_as_a_frame_without_names() -> None:
    X = pd.DataFrame({"a": [1.0, 2.0, 3.0], "b": [4.0, 5.0, 6.0]})
    for names in (None, "one-to-one"):
        made = FunctionTransformer(np.log, feature_names_out=names).set_output(transform="pandas")
        model = make_pipeline(made, make_column_transformer((StandardScaler(), ["b"])))
        assert_exact(model.fit(X), X)


def mine(X: Any) -> Any:
    """Somebody's own function."""
    return X - X.mean(axis=0)


@pytest.mark.parametrize(
    ("made", "X", "reason"),
    [
        (FunctionTransformer(lambda X: X - X.max()), VALUES, "lambda.* goes over the rows"),
        (FunctionTransformer(mine), VALUES, "mine .* goes over the rows"),
        (FunctionTransformer(partial(mine)), VALUES, "mine .* goes over the rows"),
        (FunctionTransformer(np.log, kw_args={"casting": "no"}), VALUES, "log with casting='no'"),
        (FunctionTransformer(np.reshape, kw_args={SHAPE: (-1, 1)}), VALUES, "reshapes"),
        (FunctionTransformer(np.reciprocal), WHOLE[["i"]], "whole numbers"),
        (FunctionTransformer(np.reciprocal, validate=True), WHOLE[["i"]], "whole numbers"),
        (FunctionTransformer(np.cumsum), VALUES, "cumsum"),
        (FunctionTransformer(np.spacing), VALUES, "spacing has no conversion"),
    ],
)
def test_what_is_refused(made: Any, X: Any, reason: str) -> None:
    with pytest.raises(Unsupported, match=reason) as refused:
        answers(made.fit(X), X)
    assert refused.value.hint


# Targets

X = RANDOM.normal(size=(90, 3))
Y = np.exp(X @ [0.5, -1.0, 0.2] + RANDOM.normal(size=90) / 10)
YS = np.column_stack([Y, Y**2 + 1, 3 * Y + 0.5])
PAIRS: dict[str, Any] = {
    "log1p": {"func": np.log1p, "inverse_func": np.expm1},
    "log": {"func": np.log, "inverse_func": np.exp},
    "log10": {"func": np.log10, "inverse_func": special.exp10},
    "sqrt": {"func": np.sqrt, "inverse_func": np.square},
    "arcsinh": {"func": np.arcsinh, "inverse_func": np.sinh},
    "none": {},
    "StandardScaler": {"transformer": StandardScaler()},
    "no mean": {"transformer": StandardScaler(with_mean=False)},
    "no deviation": {"transformer": StandardScaler(with_std=False)},
    "MinMaxScaler": {"transformer": MinMaxScaler((-1, 3), clip=True)},
    "MaxAbsScaler": {"transformer": MaxAbsScaler()},
    "RobustScaler": {"transformer": RobustScaler()},
    "no centre": {"transformer": RobustScaler(with_centering=False)},
    "no range": {"transformer": RobustScaler(with_scaling=False)},
    "function": {"transformer": FunctionTransformer(np.log1p, inverse_func=np.expm1)},
    "with options": {
        "transformer": FunctionTransformer(
            np.clip, inverse_func=np.clip, kw_args={"a_min": 0.5, "a_max": 3},
            inv_kw_args={"a_min": 0.7, "a_max": 2}, check_inverse=False,
        ),
        "check_inverse": False,
    },
    "one after another": {
        "transformer": make_pipeline(
            FunctionTransformer(np.log1p, inverse_func=np.expm1), None, StandardScaler()
        )
    },
}  # fmt: skip


@pytest.mark.parametrize("target", ["one", "one column", "several"])
@pytest.mark.parametrize("pair", PAIRS)
def test_transformed_targets(pair: str, target: str) -> None:
    y = {"one": Y, "one column": Y.reshape(-1, 1), "several": YS}[target]
    for regressor in (Ridge(), DecisionTreeRegressor(max_depth=4, random_state=0)):
        model = TransformedTargetRegressor(regressor, **PAIRS[pair]).fit(X, y)
        assert_exact(model, np.vstack([X, X * 1e3, np.zeros((1, 3))]))


def test_a_transformed_target_of_the_default_regressor() -> None:
    model = TransformedTargetRegressor(func=np.log, inverse_func=np.exp).fit(X, Y)

    assert_exact(make_pipeline(StandardScaler(), model).fit(X, Y), X)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"func": np.log, "inverse_func": lambda y: y / y.max()}, "lambda"),
        ({"transformer": PCA(2)}, "inverse of PCA"),
    ],
)
def test_targets_that_are_refused(options: Any, reason: str) -> None:
    model = TransformedTargetRegressor(LinearRegression(), **options).fit(X, YS)
    with pytest.raises(Unsupported, match=reason) as refused:
        answers(model, X)
    assert refused.value.hint
