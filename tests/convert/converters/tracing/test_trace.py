"""How often a function is called, element by element too, and what it may notice of it."""

from __future__ import annotations

import math
from itertools import count
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import TransformedTargetRegressor
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from tests.conftest import ROOT
from tests.convert.converters.tracing.samples import ARRAY, FRAME, TEXTS, assert_traced
from tests.convert.exactness import answers, assert_exact, assert_refused
from tests.project.module_graph import between_files

PACKAGE = "onnxlet.convert.converters.tracing"


def group(age: Any) -> str:
    if pd.isna(age):
        return "none"
    if age < 0:
        return "below"
    return "small" if age < 3 else "large"


def row(x: Any) -> Any:
    if x["i"] > 0 and (x["j"] == 1 or x["flag"]):
        return x["a"] + x.c
    return max(x["c"], 3) if x["i"] in (-1, -2) else x["d"] * 2


ELEMENTS: dict[str, Any] = {
    "computed": lambda X: X["c"].apply(lambda v: v * 2 + 1).to_frame(),
    "decided": lambda X: (
        X["i"].apply(lambda v: v * 2 if v > 3 else (0 if v < 0 else -v)).to_frame()
    ),
    "flagged": lambda X: X["i"].map(lambda v: int(v > 3)).to_frame(),
    "math": lambda X: X["c"].fillna(0).apply(lambda v: math.log1p(v) + math.floor(v)).to_frame(),
    "numpy": lambda X: X["c"].apply(lambda v: np.sqrt(v) if v > 1 else np.nan).to_frame(),
    "no number": lambda X: X["b"].apply(lambda v: -1 if np.isnan(v) or v == 0 else v).to_frame(),
    "rows": lambda X: X.apply(row, axis=1).to_frame(),
    "rows unpacked": lambda X: X[["a", "c"]].apply(lambda r: r.a - r["c"], axis=1).to_frame(),
    "arguments": lambda X: X["i"].apply(lambda v, by: v / by, by=3).to_frame(),
    "every element": lambda X: X[["i", "j"]].map(lambda v: abs(v) if v < 1 else 7),
}


@pytest.mark.parametrize("function", ELEMENTS.values(), ids=ELEMENTS)
def test_a_function_of_one_element(function: Any) -> None:
    assert_traced(function, FRAME)


def test_a_function_of_one_text() -> None:
    assert_traced(
        lambda X: X.apply(
            lambda r: 1 if r["u"] == "x" and r["t"] in ("yes", "no") else r["i"], axis=1
        ).to_frame(),
        TEXTS,
    )
    assert_traced(
        lambda X: X["t"].apply(lambda v: 2 if isinstance(v, str) and v else 0).to_frame(), TEXTS
    )
    model = make_pipeline(
        FunctionTransformer(lambda X: X["b"].apply(group).to_frame()), OneHotEncoder()
    )
    assert_exact(model.fit(FRAME), FRAME)


def test_a_function_with_too_many_paths_is_refused() -> None:
    def many(value: Any) -> Any:
        return sum(1 if value > bound else 0 for bound in range(20))

    fitted = FunctionTransformer(lambda X: X["a"].apply(many).to_frame()).fit(FRAME)
    assert_refused(fitted, FRAME, "more than 128 paths")


def test_a_function_is_called_once() -> None:
    calls = count()

    def counted(X: Any) -> Any:
        next(calls)
        return X * 2

    fitted = FunctionTransformer(counted).fit(ARRAY)
    answers(fitted, ARRAY)

    assert next(calls) == 1


def test_a_function_that_keeps_something_for_its_next_call_is_refused() -> None:
    calls = []

    def counted(X: Any) -> Any:
        calls.append(1)
        return X * len(calls)

    fitted = FunctionTransformer(counted).fit(ARRAY)
    assert_refused(fitted, ARRAY, r"changes calls, .*test_trace.py, line \d+, in counted", "in fit")


def test_an_except_of_its_own_hides_nothing() -> None:
    def careless(X: Any) -> Any:
        try:
            return X / X.max()
        except:  # noqa: E722  as people write it
            return X

    assert_refused(FunctionTransformer(careless).fit(ARRAY), ARRAY, "goes over the rows")


def year() -> int:
    return pd.Timestamp.now().year


def test_a_function_of_the_time_is_not_called() -> None:
    class Ages:
        def __call__(self, X: Any) -> Any:
            return year() - X

    for function in (Ages(), lambda X: X * year(), lambda X: X + np.random.rand()):
        fitted = FunctionTransformer().fit(ARRAY).set_params(func=function)
        assert_refused(fitted, ARRAY, r"asks for (the time|random numbers)")


def test_the_modules_are_as_before() -> None:
    before = np.asarray, np.c_, pd.DataFrame, pd.isna, math.log

    def failing(X: Any) -> Any:
        assert np.asarray is not before[0]
        assert np.asarray([1, 2]).tolist() == [1, 2]
        assert np.c_[[1], [2]].tolist() == [[1, 2]]
        assert math.log(1.0) == 0.0
        assert isinstance(pd.DataFrame({"a": [1]}), pd.DataFrame)
        assert issubclass(pd.DataFrame, pd.DataFrame)
        assert pd.DataFrame.from_dict({"a": [1]}).shape == (1, 1)
        raise ValueError("nothing\nmore")

    fitted = FunctionTransformer().fit(FRAME).set_params(func=failing)
    assert_refused(fitted, FRAME, "ValueError: nothing more")

    assert (np.asarray, np.c_, pd.DataFrame, pd.isna, math.log) == before


@pytest.mark.parametrize(
    ("func", "inverse_func"),
    [
        (lambda y: np.log(y + 1), lambda z: np.exp(z) - 1),
        (lambda y: y**0.5, lambda z: np.where(z > 0, z, 0) ** 2),
        (np.log1p, lambda z: np.clip(np.expm1(z), 0, None)),
    ],
)
def test_targets_transformed_by_ones_own_functions(func: Any, inverse_func: Any) -> None:
    X = np.random.default_rng(3).normal(size=(80, 3))
    y = np.exp(X @ [0.5, -0.3, 0.2])
    for target in (y, np.column_stack([y, y * 2])):
        model = TransformedTargetRegressor(
            Ridge(), func=func, inverse_func=inverse_func, check_inverse=False
        )
        assert_exact(make_pipeline(StandardScaler(), model).fit(X, target), X * 3)


def test_one_module_is_all_that_the_rest_imports() -> None:
    imports = between_files(ROOT)
    inside = {name for name in imports if name.startswith(PACKAGE)}
    outside = [names for name, names in imports.items() if name not in inside]

    assert inside & set().union(*outside) == {f"{PACKAGE}.trace"}
