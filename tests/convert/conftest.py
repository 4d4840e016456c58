"""A user's project, and a model of it, that the tests of `convert` build from."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Iterator
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from tests import estimators
from tests.convert.helpers import built

SOURCE = """
import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from onnxlet import converts

random = np.random.default_rng(0)
NUMBERS = random.normal(size=(120, 3))
Y = NUMBERS @ [1.0, 2.0, -1.0]
FRAME = pd.DataFrame(NUMBERS, columns=["a", "b", "c"]).assign(
    t=random.choice(["u", "v", "w"], 120), s=random.choice(["x", "y"], 120)
)


def linear(factor=1.0):
    return LinearRegression().fit(NUMBERS, factor * Y), NUMBERS, factor * Y


def other():
    return linear(2.0)


def mixed():
    columns = make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), ["a", "b", "c"]),
        (OneHotEncoder(min_frequency=3, handle_unknown="ignore"), ["t", "s"]),
    )
    model = make_pipeline(columns, RandomForestClassifier(5, random_state=0))
    return model.fit(FRAME, np.where(Y > 0, "yes", "no")), FRAME


class Doubled(TransformerMixin, BaseEstimator):
    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return 2.0 * np.asarray(X)


class Tripled(Doubled):
    def transform(self, X):
        return 3.0 * np.asarray(X)


class Forgotten(Doubled):
    def transform(self, X):
        return np.asarray(X) / len(X)


@converts(Doubled)
def wrong(graph, fitted, table):
    return {"transform": graph.matrix(table) * 2.001}


@converts(Tripled)
def right(graph, fitted, table):
    return {"transform": graph.matrix(table) * 3.0}


def doubled():
    return make_pipeline(Doubled(), LinearRegression()).fit(NUMBERS, Y), NUMBERS


def tripled():
    return make_pipeline(Tripled(), LinearRegression()).fit(NUMBERS, Y), NUMBERS


def forgotten():
    return make_pipeline(Forgotten(), LinearRegression()).fit(NUMBERS, Y), NUMBERS


def raising():
    raise RuntimeError("the database is away")


def leaving():
    raise SystemExit(0)


def nothing():
    return None


def alone():
    return linear()[0]


def five():
    return 1, 2, 3, 4, 5


NUMBER = 7
"""


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's folder with source files and saved models. Tests don't change what is there."""
    home = tmp_path_factory.mktemp("a project")
    (home / "source.py").write_text(SOURCE)
    (home / "broken.py").write_text("def build(:\n")
    (home / "needs.py").write_text("import a_module_that_is_nowhere\n")
    (home / "notes.txt").write_text("nothing\n")
    _save_a_model(home)
    return home


def _save_a_model(home: Path) -> None:
    from skops import io

    random = np.random.default_rng(1)
    data = pd.DataFrame(
        {
            "age": random.integers(18, 80, 150),
            "income": random.normal(3000, 800, 150).round(2),
            "home": random.choice(["rent", "own"], 150),
        }
    )
    data["Status"] = np.where(data["age"] + random.normal(0, 9, 150) > 45, "good", "bad")
    columns = make_column_transformer(
        (StandardScaler(), ["age", "income"]), (OneHotEncoder(), ["home"])
    )
    model = make_pipeline(columns, LogisticRegression())
    model.fit(data[:100].drop(columns="Status"), data["Status"][:100])
    data[100:].to_csv(home / "held_out.csv", index=False)
    joblib.dump(model, home / "model.joblib")
    (home / "model.pkl").write_bytes(pickle.dumps(model))
    io.dump(model, home / "model.skops")


@pytest.fixture
def at_home(project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """This process stands in the project; what its source files import is forgotten after."""
    paths, modules = list(sys.path), set(sys.modules)
    monkeypatch.chdir(project)
    yield project
    sys.path[:] = paths
    for name in set(sys.modules) - modules:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(project)):
            del sys.modules[name]


@pytest.fixture(scope="session")
def shop_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A built version. Tests alter copies."""
    return built(estimators.shop(), tmp_path_factory.mktemp("shop")).directory
