"""The manifest's `unusual`: margins by SciPy's distribution, and how often new rows pass them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import genpareto
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from onnxlet.convert.directory.unusual import CHANCE, DRAWN, NEW, TAIL, _margins
from onnxlet.convert.sources.source import Source
from onnxlet.function.arrays import Array
from tests.function.monitoring.models import built

DRAWS: dict[str, Any] = {
    "normal": lambda r, n: r.normal(size=n),
    "exponential": lambda r, n: r.exponential(size=n),
    "uniform": lambda r, n: r.random(n),
    "prices": lambda r, n: r.lognormal(12, 0.5, n).round(-2),
}


def margin_of(values: Array, columns: int) -> float:
    """Where SciPy's generalised Pareto distribution of the excesses has that quantile."""
    ordered = np.sort(values)
    excess = ordered[-TAIL:] - ordered[-TAIL - 1]
    shape = 0.5 * (1 - excess.mean() ** 2 / excess.var()) * TAIL / (TAIL + DRAWN)
    wanted = CHANCE / (2 * columns)
    tail = TAIL / len(values)
    at = genpareto.ppf(1 - wanted / tail, shape, scale=excess.mean() * (1 - shape))
    return max(0.0, float(at - excess[-1]))


@pytest.mark.parametrize("kind", DRAWS)
@pytest.mark.parametrize("rows", [300, 3000])
def test_a_margin_is_a_quantile_of_the_tail(kind: str, rows: int) -> None:
    values = DRAWS[kind](np.random.default_rng(rows), rows)
    [(name, (below, above))] = _margins({"x": values.tolist()})
    assert name == "x"
    for got, expected in ((below, margin_of(-values, 1)), (above, margin_of(values, 1))):
        assert got == pytest.approx(expected, rel=0.051)  # of two digits


@pytest.mark.parametrize("kind", DRAWS)
def test_new_rows_pass_the_margins_about_as_seldom_as_they_should(kind: str) -> None:
    random = np.random.default_rng(3)
    passed = []
    for _ in range(60):
        columns = {f"x{n}": DRAWS[kind](random, 500) for n in range(6)}
        margins = dict(_margins({name: cells.tolist() for name, cells in columns.items()}))
        outside = np.zeros(2000, bool)
        for name, cells in columns.items():
            new = DRAWS[kind](random, 2000)
            below, above = margins[name]
            outside |= (new < cells.min() - below) | (new > cells.max() + above)
        passed.append(outside.mean())
    without = 6 * 2 / 501
    assert np.mean(passed) < min(3 * CHANCE, without / 1.5)


def test_numbers_that_are_at_their_bounds_have_no_margin() -> None:
    zeros = [0] * 300 + list(range(1, 300))
    [(_, (below, above))] = _margins({"area": zeros})
    assert below == 0
    assert above > 0
    assert list(_margins({"one": [7, 7, 7], "few": [1]})) == [("one", [0, 0]), ("few", [0, 0])]


def test_columns_in_which_new_categories_are_frequent_are_left_out(tmp_path: Any) -> None:
    rows = 2000
    once = {"seldom": int(0.4 * NEW * rows), "often": int(1.5 * NEW * rows)}
    X = pd.DataFrame(
        {
            name: [f"only {n}" if n < number else "ab"[n % 2] for n in range(rows)]
            for name, number in once.items()
        }
    )
    fitted = make_pipeline(OneHotEncoder(handle_unknown="ignore"), LinearRegression())
    model = built(Source(fitted.fit(X, np.arange(rows)), X[:100], X_train=X), tmp_path)
    assert list(model.manifest["unusual"]["categories"]) == ["seldom"]
