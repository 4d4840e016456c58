"""Functions of arrays, as people write them, against scikit-learn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.preprocessing import FunctionTransformer

from onnxlet.convert.converters.registry import Unsupported
from tests.convert.converters.tracing.samples import ARRAY, NAN, assert_traced
from tests.convert.exactness import answers, assert_exact


def logarithms_and_no_negatives(X: Any) -> Any:
    X = X.copy()
    X[:, 0] = np.log1p(np.abs(X[:, 0]))
    X[:, [1, 2]] = X[:, [2, 1]] / 2
    X[X < 0] = 0
    X[X[:, 2] > 1, 3] = -1
    X[:, 1] += 1
    return X


def safe_ratio(X: Any) -> Any:
    a, b = X[:, 0], X[:, 1]
    return np.divide(a, b, out=np.zeros_like(a), where=b != 0).reshape(-1, 1)


def into_an_empty_array(X: Any) -> Any:
    out = np.empty((X.shape[0], 2))
    out[:, 0] = X[:, 0] ** 2
    out[:, 1] = np.where(np.isnan(X[:, 1]), -1, X[:, 1])
    return out


def statistics_of_rows(X: Any) -> Any:
    return np.column_stack(
        [
            X.sum(axis=1), X.mean(axis=1), X.std(axis=1), X.var(axis=1, ddof=1), X.max(axis=1),
            np.min(X, axis=1), X.prod(axis=1), np.median(X, axis=1), np.argmax(X, axis=1),
            X.argmin(axis=-1), np.nansum(X, axis=1), np.nanmean(X, axis=1), np.nanmax(X, axis=1),
            np.nanstd(X, axis=1), np.nanmedian(X, axis=1), np.linalg.norm(X, axis=1),
        ]
    )  # fmt: skip


def of_transposed(X: Any) -> Any:
    a, b, c, d = X.T
    return np.vstack((a * b, c - d, np.array([a, b]).T[:, 1])).T


def haversine(X: Any) -> Any:
    a, b, c, d = (np.radians(X[:, position] % 90) for position in range(4))
    h = np.sin((c - a) / 2) ** 2 + np.cos(a) * np.cos(c) * np.sin((d - b) / 2) ** 2
    return (2 * 6371 * np.arcsin(np.sqrt(h)))[:, np.newaxis]


def views(X: Any) -> Any:
    X = np.array(X)
    first = X[:, 0].copy()
    X[:, 0] = X[:, 1]
    X[:, 1] = first
    X += 1
    X[:, 2:] *= 2
    return X


FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "log1p": lambda X: np.log1p(np.abs(X)),
    "square": lambda x: x**2,
    "powers": lambda x: x**3 - 2 * x**1 + 2.0**x + np.abs(x) ** 0.5 + x**-1,
    "polynomial": lambda X: np.polyval([1, 2, 3], X),
    "a ratio more": lambda X: np.c_[X, X[:, 0] / X[:, 1]],
    "columns": lambda X: np.column_stack([X[:, 0] * X[:, 1], np.sqrt(X[:, 2])]),
    "hstack": lambda X: np.hstack([X, X[:, [0]] * X[:, 2:3]]),
    "concatenate": lambda X: np.concatenate([X, X**2], axis=1),
    "append": lambda X: np.append(X, X[:, :1], axis=1),
    "stack": lambda X: np.stack([X[:, 0], X[:, 1]], axis=-1),
    "chosen": lambda X: X[:, [0, 2]],
    "a slice": lambda X: X[:, 1:3],
    "the last": lambda X: X[:, -1:],
    "by a mask of columns": lambda X: X[:, np.array([True, False, True, False])],
    "reversed": lambda X: X[..., ::-1] - np.fliplr(X),
    "new axis": lambda X: X[:, 0, np.newaxis] * X[:, 1:] + np.expand_dims(X[:, 1], 1),
    "where": lambda X: np.where(X > 3, 1, 0),
    "where nan": lambda X: np.where(np.isnan(X), -1, X),
    "logarithm where": lambda X: np.where(X > 0, np.log(np.where(X > 0, X, 1)), 0),
    "select": lambda X: np.select([X < 0, X < 5], [X * 2, 1], default=NAN),
    "asarray": lambda X: np.asarray(X, dtype=float) + 1,
    "flags": lambda X: (X > 0).astype(int),
    "flags added": lambda X: (X > 0) + (X > 5).astype(int) - (X > 7) * 1,
    "flags summed": lambda X: (X > 0).sum(axis=1, keepdims=True),
    "truths": lambda X: (X[:, [0]] > 0) & ~(X[:, [2]] > 50) | (X[:, [3]] == 0) ^ (X[:, [1]] <= 0),
    "clip": lambda X: np.clip(X, -1, [1, 2, 3, 4]),
    "clip method": lambda X: X.clip(0, None) + X.clip(max=2),
    "nan_to_num": lambda X: np.nan_to_num(X, nan=-1.0),
    "maximum": lambda X: np.maximum(X, 0) + np.minimum(X, X[:, [0]]) + np.fmax(X, 1),
    "cycle": lambda X: np.column_stack(
        [np.sin(2 * np.pi * X[:, 3] / 24), np.cos(2 * np.pi * X[:, 3] / 24)]
    ),
    "digitize": lambda X: np.digitize(X, [-5, 0, 5]) + 10 * np.digitize(X, [0, 5], right=True),
    "searchsorted": lambda X: np.searchsorted([-5, 0, 0, 5], X),
    "interp": lambda X: np.interp(X, [-5, 0, 10], [1, 2, 0], left=-3),
    "round": lambda X: np.round(X, 2) + X.round() + np.around(X, -1),
    "remainders": lambda X: np.column_stack(
        [X[:, 0] % 3, X[:, 3] // -2, X[:, 0] // X[:, 1], X[:, 3] % X[:, 1], np.fmod(X[:, 0], 3)]
    ),
    "divided by 0": lambda X: np.c_[X[:, 2] // 0, X[:, 0] / 0, X[:, 0] % 0, 7 // X[:, 1]],
    "unit length": lambda X: X / np.linalg.norm(X, axis=1, keepdims=True),
    "shares": lambda X: X / X.sum(axis=1)[:, None],
    "projected": lambda X: X @ np.arange(8.0).reshape(4, 2),
    "projected on one": lambda X: (X @ [1.0, 2.0, 3.0, 4.0]).reshape(-1, 1),
    "ones": lambda X: np.c_[np.ones(X.shape[0]), X, np.full((X.shape[0], 2), 7)],
    "one hot": lambda X: (X[:, [3]] == np.arange(3)).astype(float),
    "differences": lambda X: np.hstack([np.diff(X, axis=1), np.cumsum(X, axis=1)]),
    "without one": lambda X: np.insert(np.delete(X, 1, axis=1), 0, 1, axis=1),
    "angles": lambda X: np.arctan2(X[:, [0]], X[:, [1]]) + np.hypot(X[:, [0]], X[:, [1]]),
    "signed logarithm": lambda X: np.sign(X) * np.log1p(np.abs(X)),
    "logistic": lambda X: 1 / (1 + np.exp(-X)),
    "isin": lambda X: np.isin(X, [1, 2, NAN]),
    "isclose": lambda X: np.isclose(X, 5.0, atol=0.5),
    "any": lambda X: np.isnan(X).any(axis=1)[:, None] | np.all(X > 0, axis=1)[:, None],
    "finite": lambda X: np.isfinite(X).astype(np.int8),
    "copysign": lambda X: np.copysign(X, X[:, [0]]) + np.heaviside(X, 0.5) + np.logaddexp(X, 0),
    "32 bits": lambda X: X.astype(np.float32).astype(float),
    "whole": lambda X: np.nan_to_num(X[:, 1:]).astype(int) // 2,
    "abs": abs,
    "in order": lambda X: np.sort(X, axis=1),
    "of lists": lambda X: np.column_stack(
        [
            np.max([X[:, 0], X[:, 1]], axis=0),
            np.mean([X[:, 0], X[:, 2]], axis=0),
            np.sum((X[:, 0], X[:, 1]), axis=0),
            np.median([X[:, 0], X[:, 1], X[:, 2]], axis=0),
        ]
    ),
    "vectorized": lambda X: np.vectorize(lambda v, high: high if v > 0 else -1.0)(X, 2.5),
    "reduce": lambda X: np.add.reduce(X, axis=1, keepdims=True),
    "divmod": lambda X: np.column_stack(divmod(X[:, 0], 60)),
    "a constant": lambda X: X * 0 + 1,
    "written to": logarithms_and_no_negatives,
    "safe ratio": safe_ratio,
    "filled": into_an_empty_array,
    "rows": statistics_of_rows,
    "transposed": of_transposed,
    "haversine": haversine,
    "views": views,
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
def test_a_function_of_an_array(function: Callable[[Any], Any]) -> None:
    assert_traced(function, ARRAY)


def scaled(X: Any, *, by: float, shift: Any = 0.0) -> Any:
    return X / by + shift


def test_a_function_with_arguments() -> None:
    assert_traced(scaled, ARRAY, by=3.0, shift=[1.0, 2.0, 3.0, 4.0])


def through_views(X: Any) -> Any:
    X = X.copy()
    before, after = X[:, 1].copy(), X[:, 1]
    X[:, 1] = 0
    X[:, 0][:] = 7
    part = X[:, 1:3]
    part += 3
    part[:, 0] -= 1
    np.nan_to_num(X[:, 3], copy=False)
    return np.c_[X, before, after]


def test_what_is_written_to_a_view_is_seen_in_its_array() -> None:
    assert_traced(through_views, ARRAY)


def test_a_validated_frame_is_an_array() -> None:
    from tests.convert.converters.tracing.samples import FRAME

    X = FRAME[["i", "j"]].assign(c=FRAME["c"].fillna(0))
    made = FunctionTransformer(lambda X: np.c_[X[:, 0] / (X[:, 1] + 1), X], validate=True)

    assert_exact(made.fit(X), X)


REFUSED: list[tuple[Callable[[Any], Any], str]] = [
    (lambda X: X - X.mean(axis=0), r"mean\(\) goes over the rows"),
    (lambda X: (X - X.min()) / X.max(), r"min\(\) goes over the rows"),
    (lambda X: X if X[0, 0] > 0 else -X, "takes some rows"),
    (lambda X: X if (X > 0).all(axis=1) else -X, "decides by a column's values"),
    (lambda X: X / len(X), "number of rows"),
    (lambda X: X * X.shape[0], "number of rows"),
    (lambda X: X[X[:, 0] > 0], "takes some rows"),
    (lambda X: X[1:], "takes some rows"),
    (lambda X: np.sort(X, axis=0), r"sort\(\) goes over the rows"),
    (lambda X: np.einsum("ij->i", X), "np.einsum has no conversion"),
    (lambda X: np.array([row * 2 for row in X]), "goes through the rows"),
    (lambda X: X + np.arange(60).reshape(-1, 1), "has an entry for each of some rows"),
    (lambda X: X + X[:, 0], "one column and several"),
    (lambda X: np.concatenate([X, X]), "below each other"),
    (lambda X: X.reshape(2, -1), "reshape"),
    (lambda X: X.argsort(axis=1), "an array's .argsort has no conversion"),
    (lambda X: X + np.random.default_rng(0).normal(), "random numbers"),
    (lambda X: np.array([[1.0, 2.0]]), "returns a ndarray, which none of its columns"),
    (lambda X: X.T, "returns a transposed array"),
    (lambda X: {"a": 1}["no such key"], "KeyError: 'no such key'"),
]


@pytest.mark.parametrize(("function", "reason"), REFUSED)
def test_a_function_that_cannot_be_traced(function: Callable[[Any], Any], reason: str) -> None:
    fitted = FunctionTransformer().fit(ARRAY).set_params(func=function)

    with pytest.raises(Unsupported, match=reason) as caught:
        answers(fitted, ARRAY)

    assert "<lambda>" in str(caught.value)
    assert caught.value.hint
