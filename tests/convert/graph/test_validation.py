"""What scikit-learn raises for inside a model is refused by the function, and nothing else is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.decomposition import NMF
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestClassifier
from sklearn.experimental import enable_iterative_imputer  # noqa: F401 - it has to be first
from sklearn.impute import IterativeImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, PowerTransformer, StandardScaler
from sklearn.tree import DecisionTreeRegressor

from onnxlet.convert.build import build
from onnxlet.convert.graph.validation import refused_by
from onnxlet.convert.sources.source import Source
from onnxlet.function.app import create_app
from onnxlet.function.errors import InvalidRows
from onnxlet.function.inputs.validation import validate_rows
from onnxlet.function.models.model import load_model
from tests.conftest import quiet

random = np.random.default_rng(0)
X = pd.DataFrame({"a": random.normal(size=200).round(2), "b": random.integers(1, 9, 200) / 2})
y = X["a"] > X["b"] - 2


@pytest.mark.parametrize(
    ("estimator", "kinds"),
    [
        (Ridge(), ["missing", "infinite"]),
        (StandardScaler(), ["infinite"]),
        (RandomForestClassifier(2), ["infinite", "large"]),
        (HistGradientBoostingRegressor(max_iter=2), []),
        (PowerTransformer("box-cox"), ["infinite", "zero", "negative"]),
        (NMF(1, tol=0), ["missing", "infinite", "negative"]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_an_estimator_refuses_is_found_by_trying(estimator: Any, kinds: list[str]) -> None:
    numbers = X.to_numpy()
    estimator.fit(numbers - numbers.min() + 0.5, y)
    assert refused_by(estimator, 2) == kinds


def of_the_ratio(model: Any) -> Any:
    """Zero divided by zero is missing, anything else divided by zero is infinite."""
    ratio = FunctionTransformer(lambda frame: frame[["a"]] / frame[["b"]].to_numpy())
    columns = make_column_transformer((ratio, ["a", "b"]), ("passthrough", ["a"]))
    return make_pipeline(columns, model).fit(X, y)


@pytest.mark.long
@pytest.mark.parametrize("model", [LogisticRegression(), RandomForestClassifier(5, random_state=0)])
def test_rows_that_divide_by_zero_are_refused(model: Any, tmp_path: Path) -> None:
    estimator = of_the_ratio(model)
    with pytest.raises(ValueError, match="infinity"):
        estimator.predict(pd.DataFrame({"a": [1.0], "b": [0.0]}))

    made = build(Source(estimator, X), "m", tmp_path, quiet)

    parity = made.manifest["parity"]
    assert parity["unanswered_rows"] > 0
    assert parity["unrefused_rows"] == 0
    client = create_app(tmp_path).test_client()
    assert client.post("/predict", json=[[1.0, 0.5], [1.0, -0.5]]).status_code == 200
    answer = client.post("/predict", json=[[1.0, 0.5], [1.0, 0.0], [2.0, 1.5]])
    assert answer.status_code == 422
    body: Any = answer.json
    assert [problem["row"] for problem in body["errors"]] == [1]


def test_what_the_last_step_takes_is_answered(tmp_path: Path) -> None:
    model = HistGradientBoostingRegressor(max_iter=5)
    made = build(Source(of_the_ratio(model), X), "m", tmp_path, quiet)
    loaded = load_model(made.directory)
    rows = [[1.0, 0.0], [0.0, 0.0], [-1.0, 0.0]]
    frame = pd.DataFrame(rows, columns=["a", "b"])

    got = loaded.run(validate_rows(rows, loaded.signature))["prediction"]

    assert "raising" not in made.manifest["graph"]
    assert got == pytest.approx(of_the_ratio(model).predict(frame), rel=1e-5)


def numbers_in_text(frame: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({"number": frame["text"].str.extract(r"(\d+)")[0].astype(float)})


def test_numbers_read_out_of_text_that_are_infinite_are_refused(tmp_path: Path) -> None:
    texts = pd.DataFrame({"text": [f"{number} kg" for number in range(60)]})
    forest = RandomForestClassifier(5, random_state=0)
    estimator = make_pipeline(FunctionTransformer(numbers_in_text), forest)
    estimator.fit(texts, np.arange(60) > 30)
    endless = "9" * 400 + " kg"
    with pytest.raises(ValueError, match="infinity"):
        estimator.predict(pd.DataFrame({"text": [endless]}))

    made = build(Source(estimator, texts), "m", tmp_path, quiet)

    assert made.manifest["parity"]["unrefused_rows"] == 0
    client = create_app(tmp_path).test_client()
    assert client.post("/predict", json=[["45 kg"], [None]]).status_code == 200
    assert client.post("/predict", json=[["45 kg"], [endless]]).status_code == 422


def test_numbers_that_a_step_makes_too_large_for_trees_are_refused(tmp_path: Path) -> None:
    """One column by itself stays below the largest float32, and their product does not."""
    product = FunctionTransformer(lambda frame: frame[["a"]] * frame[["b"]].to_numpy())
    forest = RandomForestClassifier(5, random_state=0)
    estimator = make_pipeline(product, forest).fit(X, y)
    made = build(Source(estimator, X), "m", tmp_path, quiet)
    loaded = load_model(made.directory)

    assert made.manifest["parity"]["unrefused_rows"] == 0
    assert len(loaded.run(validate_rows([[1e30, 1e-3]], loaded.signature))["prediction"]) == 1
    with pytest.raises(InvalidRows) as refused:
        loaded.run(validate_rows([[1.0, 2.0], [1e30, 1e30]], loaded.signature))
    assert [problem.row for problem in refused.value.problems] == [1]


def test_an_imputers_estimator_refuses_only_rows_with_a_gap(tmp_path: Path) -> None:
    """A tree takes no 1e200, and is not tried where nothing is missing."""
    gaps = X.assign(c=X["a"] * X["b"]).mask(random.random((200, 3)) < 0.1)
    imputer = IterativeImputer(DecisionTreeRegressor(max_depth=3), tol=1e3, random_state=0)
    estimator = make_pipeline(imputer, Ridge()).fit(gaps, y)
    made = build(Source(estimator, gaps), "m", tmp_path, quiet)
    loaded = load_model(made.directory)

    whole = pd.DataFrame([[1e200, 2.0, 1.0]], columns=["a", "b", "c"])
    got = loaded.run(validate_rows(whole.to_numpy().tolist(), loaded.signature))["prediction"]
    assert got == pytest.approx(estimator.predict(whole), rel=1e-5)
    with pytest.raises(InvalidRows):
        loaded.run(validate_rows([[1e200, None, 1.0]], loaded.signature))
