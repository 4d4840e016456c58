"""Products of columns and splines against scikit-learn, on the knots and beyond them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, SplineTransformer

from onnxlet.convert.converters.preprocessing.polynomials import UNBOUNDED
from onnxlet.convert.graph.responses import RELEASE
from tests.convert.exactness import assert_exact, assert_refused

NAN = np.nan
RANDOM = np.random.default_rng(6)
X = RANDOM.normal(size=(80, 4)) * [1.0, 1e3, 1e-3, 1.0] + [0.0, 5e3, 0.0, 1.0]
GRID = RANDOM.integers(0, 4, (80, 4)).astype(float)
CONSTANT = np.column_stack([X[:, 0], np.full(80, 2.5), np.zeros(80), GRID[:, 0]])
ODD = np.array([[0.0, -0.0, 1e6, 1.0], [1e12, -1e25, 1e-9, -1.0]])


@pytest.mark.parametrize("degree", [0, 1, 2, 3, 4, (0, 2), (2, 2), (2, 3), (3, 4)])
@pytest.mark.parametrize("interaction_only", [False, True])
@pytest.mark.parametrize("include_bias", [False, True])
def test_products_to_the_last_digit(
    degree: Any, interaction_only: bool, include_bias: bool
) -> None:
    if degree == 0 and not include_bias:
        return
    made = PolynomialFeatures(degree, interaction_only=interaction_only, include_bias=include_bias)

    assert_exact(made.fit(X), np.vstack([X, ODD]), tolerance=0.0)


def test_products_of_one_column_of_many_and_of_fewer_than_the_degree() -> None:
    assert_exact(PolynomialFeatures(5).fit(X[:, :1]), X[:, :1], tolerance=0.0)
    wide = RANDOM.normal(size=(20, 12))
    assert_exact(PolynomialFeatures(2).fit(wide), wide, tolerance=0.0)
    made = PolynomialFeatures(6, interaction_only=True).fit(X[:, :3])
    assert_exact(made, X[:, :3], tolerance=0.0)


def test_products_of_whole_numbers_and_booleans() -> None:
    frame = pd.DataFrame({"i": RANDOM.integers(-5, 2**20, 30), "b": RANDOM.random(30) < 0.5})

    assert_exact(PolynomialFeatures(3).fit(frame), frame)


def knots(made: Any, X: Any) -> Any:
    """Rows inside and far outside, on every knot and on both sides of it."""
    at = np.concatenate([spline.t for spline in made.bsplines_])
    near = np.concatenate([at, np.nextafter(at, np.inf), np.nextafter(at, -np.inf)])
    spread = np.repeat(near.reshape(-1, 1), X.shape[1], axis=1)
    reach = np.abs(X).max(axis=0)
    return np.vstack([X, X + reach, X - reach, spread, X * 10])


@pytest.mark.parametrize("extrapolation", ["constant", "linear", "continue", "periodic"])
@pytest.mark.parametrize("degree", [0, 1, 2, 3, 5])
@pytest.mark.parametrize("where", ["uniform", "quantile"])
def test_splines(where: Any, degree: int, extrapolation: Any) -> None:
    for bias in (True, False):
        made = SplineTransformer(
            7, degree, knots=where, extrapolation=extrapolation, include_bias=bias
        ).fit(X)
        rows = knots(made, X)
        if degree == 0 and extrapolation == "constant":  # scikit-learn fails above the last knot
            last = [spline.t[-1] for spline in made.bsplines_]
            rows = rows[(rows <= last).all(axis=1)]
        assert_exact(made, rows, tolerance=1e-9)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("extrapolation", ["constant", "linear", "continue", "periodic"])
@pytest.mark.parametrize("data", [GRID, CONSTANT], ids=["grid", "constant"])
def test_splines_with_equal_knots(data: Any, extrapolation: Any) -> None:
    if data is CONSTANT and extrapolation == "periodic" and RELEASE < (1, 8):
        pytest.skip("scikit-learn answers NaN")
    if extrapolation == "linear" and RELEASE < (1, 8):
        pytest.skip("the SciPy beside it takes slopes at equal knots from any memory")
    for where in ("quantile", "uniform"):
        for degree in (1, 3):
            made = SplineTransformer(6, degree, knots=where, extrapolation=extrapolation)
            made.fit(data)
            with np.errstate(all="ignore"):
                assert_exact(made, knots(made, data), tolerance=1e-9)


def test_splines_only_inside_their_range() -> None:
    for sparse in (False, True):
        made = SplineTransformer(extrapolation="error", sparse_output=sparse).fit(X)
        assert_exact(made, X)


@pytest.mark.skipif(RELEASE < (1, 8), reason="scikit-learn takes none")
@pytest.mark.parametrize("extrapolation", ["constant", "linear", "continue", "periodic", "error"])
def test_splines_of_missing_values(extrapolation: Any) -> None:
    holes = np.where(RANDOM.random(X.shape) < 0.2, NAN, X)
    for sparse in (False, True):
        made = SplineTransformer(
            extrapolation=extrapolation, handle_missing="zeros", sparse_output=sparse
        ).fit(holes)
        rows = np.vstack([holes, np.full((1, 4), NAN)])
        if sparse and extrapolation in UNBOUNDED:
            assert_refused(made, rows, "smallest")
            assert_exact(made.fit(holes[:, :1]), rows[:, :1])
        else:
            assert_exact(made, rows)


def test_splines_with_knots_of_ones_own() -> None:
    own = np.array([[-1.0, 3e3, -2e-3, 0.0], [0.0, 4e3, 0.0, 1.0], [3.0, 9e3, 1e-3, 2.5]])
    for extrapolation in ("constant", "linear", "continue"):
        made = SplineTransformer(knots=own, degree=2, extrapolation=extrapolation).fit(X)
        assert_exact(made, knots(made, X))


def test_before_a_model_and_of_whole_numbers() -> None:
    frame = pd.DataFrame({"hour": np.arange(48) % 24, "price": RANDOM.random(48)})
    cyclic = SplineTransformer(knots=np.array([[0.0, 0.0], [12.0, 0.5], [20.0, 0.75], [24.0, 1.0]]),
                               extrapolation="periodic")  # fmt: skip
    model = make_pipeline(cyclic, PolynomialFeatures(2, include_bias=False), Ridge())

    assert_exact(model.fit(frame, RANDOM.random(48)), frame)
    assert_exact(model, pd.DataFrame({"hour": [-3, 24, 25, 10**6], "price": [0.0, 1, -1, 0.5]}))


def test_what_is_refused() -> None:
    made = PolynomialFeatures((4, 5), interaction_only=True, include_bias=False).fit(X[:, :3])
    assert_refused(made, X[:, :3], "no column")
