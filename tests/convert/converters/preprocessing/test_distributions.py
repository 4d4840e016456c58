"""Transformers to another distribution against scikit-learn, with gaps, ends and large values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.compose import TransformedTargetRegressor
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer, PowerTransformer, QuantileTransformer

from tests.convert.exactness import answers, assert_exact, expected

NAN = np.nan
RANDOM = np.random.default_rng(11)
SMOOTH = RANDOM.normal(size=(150, 4)) * [1.0, 30.0, 1e-3, 1e5] + [0.0, 20.0, 0.0, -3e5]
GAPS = np.where(RANDOM.random(SMOOTH.shape) < 0.15, NAN, SMOOTH)
GRID = RANDOM.integers(0, 6, (150, 4)).astype(float)
CONSTANT = np.column_stack([SMOOTH[:, 0], np.full(150, 2.5), GRID[:, 0], np.zeros(150)])
POSITIVE = np.exp(RANDOM.normal(size=(150, 4)) * [0.1, 1.0, 3.0, 0.5] + [0, 2, 0, 9])
DATA = {"smooth": SMOOTH, "gaps": GAPS, "grid": GRID, "constant": CONSTANT, "positive": POSITIVE}
ODD = np.array([0.0, -0.0, 1e-12, -1e-9, 1.0, -1.0, 1e6, -1e6, 1e12, -1e25, NAN, 5e-324])


def hard(X: Any) -> Any:
    """The rows, others beyond their range, and odd values in every column."""
    odd = np.column_stack([np.roll(ODD, shift) for shift in range(X.shape[1])])
    return np.vstack([X, X * 1.5 - 0.25 * np.nanmax(np.abs(X), axis=0), odd])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize("data", DATA)
def test_yeo_johnson(data: str, standardize: bool) -> None:
    made = PowerTransformer(standardize=standardize).fit(DATA[data])

    finite = PowerTransformer(standardize=False).fit(DATA[data]).transform(hard(DATA[data]))
    rows = hard(DATA[data])[~np.isinf(finite).any(axis=1)]  # the scaler takes no infinity
    assert len(rows) > 200
    assert_exact(made, rows)


@pytest.mark.parametrize("lambdas", [[0.0, 2.0, 1.0, 0.5], [1e-17, 2 + 1e-16, -3.0, 7.0]])
def test_yeo_johnson_with_powers_of_nothing(lambdas: Any) -> None:
    made = PowerTransformer(standardize=False).fit(SMOOTH)
    made.lambdas_ = np.array(lambdas)

    with np.errstate(all="ignore"):
        assert_exact(made, hard(SMOOTH / 10))


@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize("gaps", [True, False])
def test_box_cox(gaps: bool, standardize: bool) -> None:
    X = np.where(RANDOM.random(POSITIVE.shape) < 0.2, NAN, POSITIVE) if gaps else POSITIVE
    made = PowerTransformer(method="box-cox", standardize=standardize).fit(X)
    large = np.vstack([X, X * 1e6, X * 1e-6, np.full((1, 4), 1e25), np.full((1, 4), 5e-324)])

    with np.errstate(all="ignore"):
        assert_exact(made, large, tolerance=1e-9)


@pytest.mark.parametrize("lambdas", [[0.0, 1e-20, 1.0, -2.0], [30.0, -30.0, 0.5, 2.0]])
def test_box_cox_with_powers_of_nothing_and_huge_ones(lambdas: Any) -> None:
    made = PowerTransformer(method="box-cox", standardize=False).fit(POSITIVE)
    made.lambdas_ = np.array(lambdas)

    with np.errstate(all="ignore"):
        assert_exact(made, np.vstack([POSITIVE, [[2e10] * 4, [1e-9] * 4, [2e23] * 4]]))


def around(quantiles: Any) -> Any:
    """On every quantile, on both sides of it, and on the bounds of the normal distribution."""
    rows = [quantiles, np.nextafter(quantiles, np.inf), np.nextafter(quantiles, -np.inf)]
    rows += [quantiles + 1e-7, quantiles - 1e-7, quantiles + 9e-8, quantiles - 9e-8]
    rows += [(quantiles[1:] + quantiles[:-1]) / 2, -quantiles]
    return np.vstack(rows)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("count", [1, 2, 10, 1000])
@pytest.mark.parametrize("distribution", ["uniform", "normal"])
@pytest.mark.parametrize("data", DATA)
def test_quantiles(data: str, distribution: Any, count: int) -> None:
    X = DATA[data]
    made = QuantileTransformer(n_quantiles=count, output_distribution=distribution).fit(X)

    assert_exact(made, np.vstack([hard(X), around(made.quantiles_)]))


def test_shares_are_the_same_to_the_last_digit() -> None:
    made = QuantileTransformer(n_quantiles=20).fit(SMOOTH)
    rows = np.vstack([hard(SMOOTH), around(made.quantiles_)])

    assert_exact(made, rows, tolerance=0.0)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("norm", ["l1", "l2", "max"])
def test_normalizer(norm: Any) -> None:
    rows = np.vstack([SMOOTH, np.zeros((1, 4)), SMOOTH * 1e-25, SMOOTH * 1e12, GRID - 3])

    assert_exact(Normalizer(norm=norm).fit(SMOOTH), rows)


TARGETS = {
    "yeo-johnson": (PowerTransformer(), SMOOTH),
    "yeo-johnson, plain": (PowerTransformer(standardize=False), SMOOTH / 100),
    "box-cox": (PowerTransformer(method="box-cox"), POSITIVE),
    "quantiles": (QuantileTransformer(n_quantiles=30), SMOOTH),
    "quantiles of a grid": (QuantileTransformer(n_quantiles=30), GRID),
    "normal": (QuantileTransformer(n_quantiles=30, output_distribution="normal"), SMOOTH),
    "normal of a grid": (QuantileTransformer(n_quantiles=9, output_distribution="normal"), GRID),
    "one after another": (
        make_pipeline(PowerTransformer(), QuantileTransformer(n_quantiles=9)),
        SMOOTH,
    ),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("target", TARGETS)
def test_back_from_a_transformed_target(target: str, outputs: int) -> None:
    transformer, y = TARGETS[target]
    model = TransformedTargetRegressor(LinearRegression(), transformer=transformer)
    model.fit(SMOOTH, y[:, 0] if outputs == 1 else y[:, :outputs])
    rows = np.vstack([SMOOTH, SMOOTH * 3, SMOOTH * 1e3, -SMOOTH])

    assert_exact(model, rows, tolerance=1e-7)


def test_back_with_powers_of_nothing() -> None:
    for method, lambdas in (("yeo-johnson", [0.0, 2.0]), ("box-cox", [0.0, 0.5])):
        made = PowerTransformer(method=method, standardize=False)
        model = TransformedTargetRegressor(LinearRegression(), transformer=made)
        model.fit(SMOOTH, POSITIVE[:, :2])
        model.transformer_.lambdas_ = np.array(lambdas)
        assert_exact(model, SMOOTH)


def test_in_float32() -> None:
    made = QuantileTransformer(n_quantiles=10).fit(GRID)
    got = answers(made, GRID, precision="float32")["transform"]

    assert np.abs(got - expected(made, GRID, "transform")).max() < 1e-6
