"""Edge cases."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import KBinsDiscretizer, OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeRegressor

from onnxlet.convert.evidence.edge_cases import edge_cases
from onnxlet.convert.reference.inputs import Cells
from onnxlet.convert.sources.source import Source
from onnxlet.function.errors import InvalidRows
from onnxlet.function.inputs.signature import Signature
from onnxlet.function.inputs.validation import validate_rows
from tests.convert.helpers import probed, reference_of
from tests.convert.versions import LINEAR

random = np.random.default_rng(0)
SMOOTH = random.normal(size=(60, 2))
GAPS = np.where(random.random((60, 2)) < 0.3, np.nan, SMOOTH)


def made(source: Source) -> tuple[Signature, list[Cells]]:
    reference, held_out = reference_of(source)
    columns = list(probed(source).values())
    tensors = [
        {
            "name": c.name,
            "dtype": "string" if c.type == "string" else "float64",
            "columns": [c.name],
        }
        for c in columns
    ]
    return Signature(columns, [], tensors), edge_cases(columns, held_out, reference)


@pytest.fixture(scope="module")
def shop() -> tuple[Signature, list[Cells]]:
    X = pd.DataFrame(
        {
            "a": SMOOTH[:, 0],
            "closed": random.choice(["x", "y"], 60),
            "open": random.choice(["u", "v"], 60),
        }
    )
    columns = make_column_transformer(
        (OneHotEncoder(), ["closed"]),
        (OneHotEncoder(handle_unknown="ignore"), ["open"]),
        ("passthrough", ["a"]),
    )
    model = make_pipeline(columns, LinearRegression()).fit(X, SMOOTH[:, 1])
    return made(Source(model, X))


@pytest.mark.parametrize("train", [SMOOTH, GAPS], ids=["whole", "gaps"])
def test_the_signature_allows_every_one_for_a_tree(train: Any) -> None:
    model = DecisionTreeRegressor(random_state=0).fit(train, SMOOTH[:, 0])
    signature, rows = made(Source(model, train))

    refused = []
    for row in rows:
        try:
            validate_rows([row], signature)
        except InvalidRows as error:
            refused.append((row, str(error)))
    assert refused == []


def test_the_signature_allows_every_one_for_a_pipeline(shop: tuple[Signature, list[Cells]]) -> None:
    signature, rows = shop
    validate_rows(rows, signature)


def test_they_hold_gaps_unseen_text_and_extremes_where_those_are_allowed(
    shop: tuple[Signature, list[Cells]],
) -> None:
    _, rows = shop
    number, closed, opened = ({row[place] for row in rows} for place in range(3))

    assert {1e25, -1e25, -1e300, 0.0} <= number
    assert closed == {"x", "y"}
    assert {None, "", "nan", "None", "U", " u ", "u\x00"} <= opened


def test_they_lie_on_both_sides_of_every_threshold() -> None:
    model = DecisionTreeRegressor(max_depth=4, random_state=0).fit(SMOOTH, SMOOTH[:, 0])
    _, rows = made(Source(model, SMOOTH))

    inner = model.tree_.feature >= 0
    for feature, threshold in zip(
        model.tree_.feature[inner], model.tree_.threshold[inner], strict=True
    ):
        values = {row[feature] for row in rows}
        assert {threshold, np.nextafter(threshold, -9), np.nextafter(threshold, 9)} <= values


def test_they_find_discontinuities_behind_any_preprocessing() -> None:
    bins = KBinsDiscretizer(4, encode="ordinal", strategy="quantile", **LINEAR)
    model = make_pipeline(bins, LinearRegression()).fit(SMOOTH, SMOOTH[:, 0])
    _, rows = made(Source(model, SMOOTH))

    found = {
        (place, edge)
        for place, edges in enumerate(bins.bin_edges_)
        for edge in edges[1:-1].tolist()
        if {edge, float(np.nextafter(edge, -9))} <= {row[place] for row in rows}
    }
    assert {place for place, _ in found} == {0, 1}


def test_they_are_the_same_every_time() -> None:
    model = DecisionTreeRegressor(max_depth=4, random_state=0).fit(SMOOTH, SMOOTH[:, 0])
    first, second = (made(Source(model, SMOOTH))[1] for _ in range(2))
    assert first == second


def test_they_lie_beside_discontinuities_too_where_only_float32_is_on_the_other_side() -> None:
    X = SMOOTH + 3.0
    model = make_pipeline(StandardScaler(), DecisionTreeRegressor(max_depth=1, random_state=0))
    model.fit(X, X[:, 0] > 3)
    _, rows = made(Source(model, X))

    values = np.unique([row[0] for row in rows if row[0] is not None])
    answers = model.predict(np.column_stack([values, np.full(len(values), 3.0)]))
    (jump,) = np.flatnonzero(np.diff(answers)).tolist()
    below, above = values[jump] - values[:jump], values[jump + 2 :] - values[jump + 1]
    for distances in (below, above):
        assert ((distances > 1e-9) & (distances < 1e-7)).any()
