"""`make harvest`, as far as a minute shows: what it catches, and the rows that it makes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

from onnxlet.convert.build import build
from onnxlet.convert.sources.source import Source
from tools.evaluation.harvest.catching import Caught
from tools.evaluation.harvest.document import document, summary
from tools.evaluation.harvest.judging import Judged, _differing
from tools.evaluation.harvest.made_rows import BEYOND, ROWS, made_rows

EXAMPLE = """
import numpy as np
from sklearn.base import BaseEstimator
from sklearn.cluster import DBSCAN
from sklearn.datasets import fetch_california_housing
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

X, y = fetch_california_housing(return_X_y=True)
X, y = X[:80], y[:80]

class Own(BaseEstimator):
    def fit(self, X, y):
        self.n_features_in_ = X.shape[1]
        return self
    def predict(self, X):
        return X[:, 0] - X.mean()

make_pipeline(StandardScaler(), LinearRegression()).fit(X, y)
GridSearchCV(Ridge(), {"alpha": [1.0, 2.0]}, cv=2).fit(X, y)
for alpha in range(1, 6):
    Ridge(alpha=alpha).fit(X=X, y=y)
    Ridge(alpha=alpha).fit(X, y)
DBSCAN().fit(X)
Own().fit(X, y)
raise SystemExit("never mind the figures")
"""


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("section")
    (folder / "plot_example.py").write_text(EXAMPLE)
    command = [sys.executable, "-m", "tools.evaluation.harvest.one_example"]
    command += [str(folder / "plot_example.py"), str(folder / "results"), "60"]
    subprocess.run(command, check=True, cwd=Path(__file__).parents[2])
    return [json.loads(line) for line in (folder / "results").read_text().splitlines()]


def test_what_the_example_fits_itself_is_caught(judged: list[dict[str, Any]]) -> None:
    assert judged[0]["result"] == "example", "that it ended early"
    assert "never mind" in judged[0]["detail"]
    shown = [one["shown"] for one in judged[1:]]
    assert shown == [
        "Pipeline > StandardScaler > LinearRegression",
        "GridSearchCV > Ridge",
        *["Ridge"] * 3,  # of a curve, three
        "DBSCAN",
        "Own",
    ]


def test_each_is_built_and_compared(judged: list[dict[str, Any]]) -> None:
    results = [one["result"] for one in judged[1:]]
    assert results == [*["served"] * 5, "transductive", "refused"]
    assert judged[0]["example"].endswith("/example")
    assert "Own has no converter" in judged[-1]["detail"]


def test_own_rows_are_asked_in_their_own_frame(tmp_path: Path) -> None:
    ids = pd.DataFrame({"id": 1_700_000_000_000_000_000 + np.arange(40) % 5})
    steps = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), Ridge()
    estimator = make_pipeline(*steps).fit(ids, ids["id"] % 5)
    found = build(Source(estimator, ids), "m", tmp_path, lambda line: None)
    caught = Caught(estimator, ids, "")
    assert _differing(caught, ids, found, own=True) == ""
    rounded = ids.assign(id=ids["id"] // 256 * 256)  # as if these had been served
    odd = estimator.set_params(ordinalencoder=estimator[0].fit(rounded))
    assert "of 40 rows" in _differing(Caught(odd, ids, ""), ids, found, own=True)
    assert made_rows(ids)["id"].isin(ids["id"]).all()


def test_rows_are_made_in_and_around_the_range() -> None:
    X = np.random.default_rng(1).normal(size=(50, 2)) * [1.0, 100.0]
    made = made_rows(X.astype(np.float32))
    assert made.shape == (ROWS, 2)
    assert made.dtype == np.float32
    reach = np.ptp(X, axis=0) * BEYOND
    assert (made >= X.min(axis=0) - reach - 1).all()
    assert (made <= X.max(axis=0) + reach + 1).all()
    assert (made > X.max(axis=0)).any(axis=0).all()


def test_frames_texts_and_whole_numbers_keep_their_form() -> None:
    frame = pd.DataFrame(
        {
            "size": [1.5, 2.5, np.nan],
            "count": [1, 2, 7],
            "kind": pd.Categorical(["a", "b", "a"]),
            "name": ["x", None, "z"],
        }
    )
    made = made_rows(frame)
    assert made.dtypes.equals(frame.dtypes)
    assert len(made) == ROWS
    assert made["size"].isna().any()
    assert set(made["kind"]) == {"a", "b"}
    assert made["count"].between(1, 7).all()
    texts = made_rows(["one two", "three four"])
    assert len(texts) == ROWS
    assert any(text not in ("one two", "three four") for text in texts)


def test_the_page_lists_what_is_not_served() -> None:
    found = [
        Judged("a/one", "Ridge", "served", "", 1.0),
        Judged(
            "a/two",
            "Own",
            "refused",
            "Own: no conversion answers\n  Own has no converter | Write one",
            1.0,
        ),
        Judged("a/two", "DBSCAN", "transductive", "", 0.0),
        Judged("a/three", "", "example", "no data", 0.0),
    ]
    assert summary(found).startswith("3 models: 1 served, 1 refused, 1 transductive")
    assert "50.0% of those that answer row by row are served" in summary(found)
    page = document(found, 279)
    assert "| a/two | Own | refused | Own has no converter |" in page
    assert "| a/one" not in page
    assert "3 of the gallery's 279 examples" in page
