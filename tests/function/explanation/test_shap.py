"""Explanations against the `shap` package, with the same background: `make test-shap`."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import GradientBoostingRegressor, RandomForestRegressor
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from onnxlet.convert.build import build
from onnxlet.convert.sources.source import Source
from tests.conftest import app_of, quiet

shap: Any = pytest.importorskip("shap")
pytestmark = [pytest.mark.shap, pytest.mark.filterwarnings("ignore")]  # shap's own are many

Explain = Callable[..., dict[str, Any]]


def explainer(folder: Path, estimator: Any, X: Any, keep: int | None = None) -> tuple[Explain, Any]:
    """Asks for explanations of a model, and its background rows."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        directory = build(Source(estimator, X), "m", folder, quiet, keep).directory
    client = app_of(folder).test_client()

    def explain(rows: Any, **more: Any) -> dict[str, Any]:
        answer = client.post("/models/m/explain", json={"instances": rows, **more})
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.get_json()
        return told

    rows = json.loads((directory / "background.json").read_bytes())["instances"]
    return explain, np.array(rows)


def numbers(answer: dict[str, Any], member: str = "contributions") -> Any:
    """Of shape (rows, columns) or (rows, columns, classes)."""
    return np.array([list(each[member].values()) for each in answer["explanations"]])


# No two cells alike: where a cell is on a threshold, shap rounds differently from scikit-learn.
NORMAL = np.random.default_rng(0).normal(size=(400, 10))
SUMS = 40 * NORMAL[:, 0] * NORMAL[:, 1] + 50 * np.tanh(NORMAL[:, 2:]).sum(axis=1)
CANCER, BENIGN = load_breast_cancer(return_X_y=True)


@pytest.mark.parametrize("keep", [None, 30], ids=["made-up rows", "kept rows"])
def test_the_exact_explainer_on_eight_columns(keep: int | None, tmp_path: Path) -> None:
    X = CANCER[:, :8]
    model = make_pipeline(StandardScaler(), MLPClassifier((6,), max_iter=500, random_state=0))
    explain, background = explainer(tmp_path, model.fit(X, BENIGN), X[::5], keep)
    rows = X[:5].tolist()

    answer = explain(rows)
    assert answer["method"] == "exact"
    masker = shap.maskers.Independent(background, max_samples=1000)
    expected = shap.explainers.Exact(model.predict_proba, masker)(X[:5])
    np.testing.assert_allclose(numbers(answer), expected.values, atol=1e-6)
    np.testing.assert_allclose(answer["base_value"], expected.base_values[0], atol=1e-6)
    sampled = explain(rows, permutations=2000)
    off = np.abs(numbers(sampled) - expected.values)
    assert (off <= 5 * numbers(sampled, "errors") + 1e-6).all()


@pytest.mark.parametrize(
    "model",
    [
        RandomForestRegressor(20, min_samples_leaf=5, random_state=0),
        GradientBoostingRegressor(n_estimators=40, random_state=0),
    ],
    ids=["forest", "boosting"],
)
def test_the_interventional_tree_explainer(model: Any, tmp_path: Path) -> None:
    """It is exact for trees, on ten columns too, where the function samples."""
    X = NORMAL[:, :7].copy()
    explain, background = explainer(tmp_path / "seven", model.fit(X, SUMS), X[::4])
    trees = shap.TreeExplainer(model, background, feature_perturbation="interventional")
    answer = explain(X[:6].tolist())
    assert answer["method"] == "exact"
    expected = trees.shap_values(X[:6], check_additivity=False)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(numbers(answer), expected, atol=1e-6 * scale)

    explain, background = explainer(tmp_path / "ten", model.fit(NORMAL, SUMS), NORMAL[::4])
    trees = shap.TreeExplainer(model, background, feature_perturbation="interventional")
    answer = explain(NORMAL[:6].tolist(), permutations=3000, seconds=20)
    expected = trees.shap_values(NORMAL[:6], check_additivity=False)
    off, errors = np.abs(numbers(answer) - expected), numbers(answer, "errors")
    assert answer["method"] == "permutation"
    assert (off <= 5 * errors + 1e-6 * scale).all()
    assert 0.3 < np.sqrt(np.mean((off / (errors + 1e-6 * scale)) ** 2)) < 1.5


def test_the_permutation_explainer_on_thirty_columns(tmp_path: Path) -> None:
    """Both sample; where the model is a line, both are exact."""
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(CANCER, BENIGN)
    explain, background = explainer(tmp_path / "curve", model, CANCER[::5])
    masker = shap.maskers.Independent(background, max_samples=1000)

    permuted = shap.explainers.Permutation(model.predict_proba, masker, seed=0)
    expected = permuted(CANCER[:4], max_evals=61 * 60)
    answer = explain(CANCER[:4].tolist(), permutations=2000, seconds=20)
    off, errors = np.abs(numbers(answer) - expected.values), numbers(answer, "errors")
    assert answer["method"] == "permutation"
    # shap walks 60 orders, each on all background rows: its own error is the larger one.
    assert off.max() < 0.02
    assert np.median(off) < 0.002
    assert errors.max() < 0.01

    line = LinearRegression().fit(CANCER, CANCER[:, 0] * 2 - CANCER[:, 3] / 7 + BENIGN)
    explain, background = explainer(tmp_path / "line", line, CANCER[::5])
    masker = shap.maskers.Independent(background, max_samples=1000)
    expected = shap.explainers.Permutation(line.predict, masker, seed=0)(CANCER[:4])
    answer = explain(CANCER[:4].tolist())
    np.testing.assert_allclose(numbers(answer), expected.values, atol=1e-6)
    assert np.abs(numbers(answer, "errors")).max() < 1e-6


def test_the_linear_explainer_on_counts_of_words(tmp_path: Path) -> None:
    """A line in the counts: a word's contribution is its coefficient."""
    texts = ["good film", "bad film", "a good story", "a bad one", "good good", "not so bad"] * 4
    model = make_pipeline(CountVectorizer(), LinearRegression()).fit(
        texts, ["good" in text for text in texts]
    )
    explain, _ = explainer(tmp_path, model, pd.Series(texts))
    counts = model[0].transform(texts[:3]).toarray()
    linear = shap.LinearExplainer(model[1], np.zeros((1, counts.shape[1])))
    expected = linear.shap_values(counts)
    answer = explain([[text] for text in texts[:3]])

    names = list(model[0].get_feature_names_out())
    for row, explanation in enumerate(answer["explanations"]):
        [told] = explanation["tokens"].values()
        got = dict.fromkeys(names, 0.0)
        for token in told:
            got[token["token"]] += token["contribution"]
        np.testing.assert_allclose(list(got.values()), expected[row], atol=1e-6)
