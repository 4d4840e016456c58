"""The manifest's `reference`: bins of five rows at least, nothing else of anybody's data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from onnxlet.convert.directory.reference_statistics import BIN_ROWS, between, edges_of
from onnxlet.convert.sources.source import Source
from tests.function.monitoring.models import built, customers


def _features(manifest: Any) -> dict[str, Any]:
    return {e["column"]: e for e in manifest["reference"]["features"] if "column" in e}


@pytest.mark.parametrize("seed", range(20))
def test_a_bin_holds_at_least_five_rows(seed: int) -> None:
    random = np.random.default_rng(seed)
    rows = int(random.integers(0, 900))
    values = [random.normal(size=rows), random.integers(0, 6, rows), random.pareto(0.5, rows)]
    ordered = np.sort(values[seed % 3].astype(float))

    edges = edges_of(ordered)

    counts = np.bincount(np.searchsorted(edges, ordered, side="left"), minlength=len(edges) + 1)
    assert edges == sorted(set(edges))
    assert len(edges) == 0 or np.min(counts) >= BIN_ROWS
    assert len(edges) <= 11
    if rows > 200:
        assert len(edges) >= 2


@pytest.mark.parametrize(
    ("low", "high"),
    [(0.0, 1.0), (-1.5, -1.4999999), (1e308, 1.7e308), (-np.inf, 3.0), (3.0, np.inf), (7.0, 8.0)],
)
def test_an_edge_lies_between_its_neighbours(low: float, high: float) -> None:
    edge = between(low, high)

    assert low <= edge < high
    assert json.loads(json.dumps(edge)) == edge


def test_of_a_table(tmp_path: Path) -> None:
    X, y = customers()
    model = make_pipeline(
        make_column_transformer(
            ("passthrough", ["age", "visits", "member"]),
            (OneHotEncoder(handle_unknown="ignore"), ["plan", "region"]),
        ),
        LogisticRegression(),
    ).fit(X[:3000], y[:3000])

    manifest = built(Source(model, X[3000:], y[3000:], X[:3000]), tmp_path).manifest

    reference = manifest["reference"]
    about = {key: reference[key] for key in ("source", "rows", "held_out", "left_out")}
    assert about == {"source": "X_train", "rows": 3000, "held_out": 1000, "left_out": []}
    features = _features(manifest)
    assert set(features) == {"age", "visits", "member", "plan", "region"}
    assert features["plan"]["categories"] == ["basic", "plus", "pro"]
    assert features["plan"]["counts"] == [
        *(int((X["plan"][:3000] == plan).sum()) for plan in ("basic", "plus", "pro")),
        0,
    ]
    assert features["member"]["edges"] == [0.5]
    edges, counts = features["age"]["edges"], features["age"]["counts"]
    again = [int((np.digitize(X["age"][:3000], edges, right=True) == n).sum()) for n in range(12)]
    assert counts == again[: len(counts)]
    outputs = {(e["output"], e["measure"]) for e in reference["features"] if "output" in e}
    assert outputs == {("prediction", "label"), ("probabilities", "confidence")}
    assert len(json.dumps(reference)) < 4_000


def test_rare_categories_are_not_repeated(tmp_path: Path) -> None:
    """They are somebody's; and those that are kept are counted in other rows than chosen by."""
    rows = 400
    names = np.array([f"person {n}" for n in range(rows)], dtype=object)
    names[::2] = "nobody"
    X = pd.DataFrame({"name": names, "x": np.arange(rows, dtype=float)})
    model = make_pipeline(
        make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["name"])),
        LogisticRegression(),
    ).fit(X, X["x"] > 200)

    manifest = built(Source(model, X), tmp_path).manifest

    assert "person" not in json.dumps(manifest["reference"])
    entry = _features(manifest)["name"]  # of the rows that count, a few more have other names
    assert entry.get("categories", ["nobody"]) == ["nobody"]


@pytest.mark.long
@pytest.mark.parametrize(("width", "fit"), [(200, True), (700, False)])
def test_columns_beyond_the_limit_are_listed(width: int, fit: bool, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    names = [f"column {n}" for n in range(width)]
    X = pd.DataFrame(random.normal(size=(600, width)), columns=names)
    model = HistGradientBoostingRegressor(max_iter=2).fit(X, X["column 0"])

    reference = built(Source(model, X[:200], X["column 0"][:200], X), tmp_path).manifest[
        "reference"
    ]

    counted = [e["column"] for e in reference["features"] if "column" in e]
    assert sorted(counted + reference["left_out"]) == sorted(names)
    assert (reference["left_out"] == []) is fit
    assert len(json.dumps(reference)) <= 64_000


def test_few_rows_have_none(tmp_path: Path) -> None:
    X = pd.DataFrame({"x": np.arange(15.0)})
    model = LogisticRegression().fit(X, X["x"] > 7)

    assert "reference" not in built(Source(model, X), tmp_path).manifest
