"""Products of columns, and B-splines.

Source: `sklearn/preprocessing/_polynomial.py`. Upstream: skl2onnx multiplies in another order than
scikit-learn, and whole numbers in float32; it has no SplineTransformer (sklearn-onnx #1152).
"""

from __future__ import annotations

from itertools import combinations, combinations_with_replacement
from math import factorial
from typing import Any

import numpy as np
from sklearn.preprocessing import PolynomialFeatures, SplineTransformer

from onnxlet.convert.converters.registration import Converters
from onnxlet.convert.graph.converter import Graph, Outputs, Table, Tensor, Unsupported
from onnxlet.convert.graph.tree_ensemble import Pieces, evaluated
from onnxlet.function.arrays import Array

UNBOUNDED = ("continue", "periodic", "error")  # extrapolations by the outermost pieces themselves


def products(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """Degree after degree: products of the degree before, times one more column."""
    x = graph.matrix(table)
    least, most = fitted._min_degree, fitted._max_degree
    choose = combinations if fitted.interaction_only else combinations_with_replacement
    parts = [x.take([0]) * 0.0 + 1.0] if fitted.include_bias else []
    product = x
    before: dict[tuple[int, ...], int] = {(index,): index for index in range(x.width)}
    for degree in range(1, most + 1):
        chosen: list[tuple[int, ...]] = list(choose(range(x.width), degree))
        if not chosen:
            break
        if degree > 1:
            rest = product.take([before[columns[1:]] for columns in chosen])
            product = rest * x.take([columns[0] for columns in chosen])
            before = {columns: index for index, columns in enumerate(chosen)}
        if degree >= least:
            parts.append(product)
    if not parts:
        raise Unsupported("it makes no column", "Leave the PolynomialFeatures out.")
    return {"transform": graph.concat(parts)}


def splines(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """Each column's basis functions, polynomials between the knots."""
    x = graph.matrix(table)
    missing = getattr(fitted, "handle_missing", "error") == "zeros"
    if missing and x.width > 1 and fitted.sparse_output and fitted.extrapolation in UNBOUNDED:
        raise Unsupported(
            "scikit-learn encodes missing values of a sparse SplineTransformer by the smallest of "
            "those that are sent with them",
            "Set sparse_output=False.",
        )
    given = x
    if fitted.extrapolation == "periodic":
        x = _within_a_period(x, fitted.bsplines_)
    # The degree by which each column is extrapolated: scikit-learn's linear extrapolation adds 1 to
    # a degree below 2 in its loop over the columns, so that later columns get a higher one.
    grows = fitted.extrapolation == "linear" and fitted.degree < 2
    pieces = [
        _pieces(fitted, spline, min(fitted.degree + index, 2) if grows else fitted.degree)
        for index, spline in enumerate(fitted.bsplines_)
    ]
    made = evaluated(graph, x, pieces)
    if missing:
        functions = made.width // x.width
        absent = given.isnan().take(np.repeat(range(x.width), functions).tolist())
        made = absent.where(0.0, made)
    return {"transform": made}


def _within_a_period(x: Tensor, bsplines: Any) -> Tensor:
    """Move x into the first period, by Python's remainder, which has the divisor's sign."""
    start = np.array([spline.t[spline.k] for spline in bsplines])
    end = np.array([spline.t[spline.t.size - spline.k - 1] for spline in bsplines])
    period = np.where(end > start, end - start, 1.0)
    divisor = x.graph.constant(period.reshape(1, -1), x.dtype)
    rest = x.graph.op("Mod", x - start, divisor, fmod=1)
    inside = (rest < 0.0).where(rest + divisor, rest) + start
    if (end > start).all():
        return inside
    constant = x.graph.constant((end <= start).reshape(1, -1), "bool")
    return constant.where(0.0, inside)


def _pieces(fitted: Any, spline: Any, degree: int) -> Pieces:
    """A piece for each interval between base knots, and one beyond either end.

    Of equal knots SciPy takes the last that is not above x, but the first if x is below all.
    """
    knots = spline.t[spline.k : len(spline.t) - spline.k]
    inner = np.unique(knots[1:-1])
    if fitted.extrapolation in ("constant", "linear"):
        first, last = spline.t[degree], spline.t[-degree - 1]
        below, above = _beyond(fitted, spline, degree, (first, last))
        origins = np.array([first, *inner[(inner > first) & (inner <= last)]])
        between = _coefficients(spline, origins)
        if first == last:  # an empty interval, where SciPy's slopes are uninitialised memory
            between[1:] = 0.0
        coefficients = np.concatenate([below, between, above], axis=1)
        edges = np.array([first, *origins[1:], np.nextafter(last, np.inf)])
        origins = np.array([first, *origins, last])
    else:
        origins = np.array([knots[0], *inner[inner > knots[0]]])
        edges = origins[1:]
        if len(inner) and inner[0] == knots[0]:
            edges = origins
            origins = np.array([knots[0] - max(knots[-1] - knots[0], 1.0), *origins])
        coefficients = _coefficients(spline, origins)
    functions = coefficients.shape[2] - (not fitted.include_bias)
    return Pieces(edges, origins, coefficients[:, :, :functions])


def _coefficients(spline: Any, origins: Array) -> Array:
    """Taylor coefficients at these origins, of shape (degree + 1, pieces, functions)."""
    powers = range(spline.k + 1)
    return np.stack([spline(origins, nu=power) / factorial(power) for power in powers])


def _beyond(
    fitted: Any, spline: Any, degree: int, ends: tuple[float, float]
) -> tuple[Array, Array]:
    """The coefficients below and above the ends, each of shape (powers, 1, functions).

    At either end, `degree` functions continue; all others are 0 there.
    """
    linear = fitted.extrapolation == "linear"
    count = spline.c.shape[1]
    carried = degree + 1 if linear and degree <= 1 else degree
    sides = np.zeros((2, spline.k + 1, 1, count))
    for side, end in zip(sides, ends, strict=True):
        side[0, 0] = spline(end)
        if linear and spline.k:
            side[1, 0] = spline(end, nu=1)
    sides[0][:, :, carried:] = 0.0
    sides[1][:, :, : count - carried] = 0.0
    return sides[0], sides[1]


CONVERTERS: Converters = {PolynomialFeatures: products, SplineTransformer: splines}
