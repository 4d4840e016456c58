"""Packages that bring their converters along: installed ones, each in a folder on sys.path."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.compose import TransformedTargetRegressor
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from onnxlet.convert.converters.registry import converters
from onnxlet.convert.errors import Refusal
from onnxlet.convert.evidence.fitted_values import at_borders, in_bins
from onnxlet.convert.evidence.thresholds import at_tree_thresholds
from onnxlet.convert.parity.rounding import rounds
from onnxlet.convert.sources.source import Source
from onnxlet.function.inputs.columns import Column
from tests.convert.exactness import assert_exact
from tests.convert.helpers import built

ESTIMATOR = """
import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin

class Halving(RegressorMixin, BaseEstimator):
    def fit(self, X, y=None):
        self.half_, self.n_features_in_ = 0.5, np.shape(X)[1]
        return self

    def predict(self, X):
        return np.asarray(X)[:, 0] * self.half_
"""
CONVERTERS = """
from NAME import Halving

def halving(graph, fitted, table):
    return {"predict": graph.matrix(table).take([0]) * fitted.half_}

CONVERTERS = {Halving: halving}
"""
KNOWN = """
import numpy as np
from NAME import Halving
from onnxlet.convert.converters.registration import Registration, Splits

def halving(graph, fitted, table):
    return {"predict": graph.matrix(table).take([0]) * fitted.half_}

def splits(fitted):
    node, leaf = np.array([1, 0, 0]), np.array([True, False, False])
    yield Splits(node * 0, node * 0.25, node, node * 2, leaf, np.float64)

CONVERTERS = {
    Halving: Registration(
        halving,
        exact=lambda fitted: fitted.half_ == 0.5,
        splits=splits,
        only_splits=True,
        borders=lambda fitted: (["x0", "x1"], [(1, 0.75)]),
        terms=lambda fitted: (["x0", "x1"], [((0,), (np.array([0.125]),))]),
        inverse=lambda graph, fitted, x: x / fitted.half_,
    )
}
"""
X = np.random.default_rng(0).normal(size=(50, 2))
Install = Callable[..., Any]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Installs a package with an estimator and an entry point; the estimator's class."""
    made = []

    def installed(name: str, content: str = CONVERTERS, value: str = "NAME.onnx") -> Any:
        package = tmp_path / name
        package.mkdir()
        (package / "__init__.py").write_text(ESTIMATOR)
        (package / "onnx.py").write_text(content.replace("NAME", name))
        about = tmp_path / f"{name}-2.1.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 2.1\n")
        line = f"{name} = {value.replace('NAME', name)}"
        (about / "entry_points.txt").write_text(f"[onnxlet.converters]\n{line}\n")
        monkeypatch.syspath_prepend(str(tmp_path))
        importlib.invalidate_caches()
        made.append(name)
        return importlib.import_module(name).Halving

    yield installed
    for name in made:
        for module in [each for each in sys.modules if each.partition(".")[0] == name]:
            del sys.modules[module]


def test_an_installed_package_brings_its_converters(install: Install, tmp_path: Path) -> None:
    kind = install("halves")
    assert "halves.onnx" not in sys.modules
    assert_exact(kind().fit(X), X)
    model = make_pipeline(StandardScaler(), kind()).fit(X, X[:, 0])
    assert built(Source(model, X), tmp_path).manifest["task"] == "regression"


def test_an_entry_point_may_be_the_mapping_itself(install: Install) -> None:
    assert_exact(install("quarters", value="NAME.onnx:CONVERTERS")().fit(X), X)


def test_a_subclass_in_another_package_is_converted_too(install: Install) -> None:
    parent = install("parents")
    child = type("Child", (parent,), {"__module__": "tests"})
    assert_exact(child().fit(X), X)


def test_what_a_package_knows_of_its_estimators_is_asked_as_ours(
    install: Install, tmp_path: Path
) -> None:
    kind = install("known", KNOWN)
    model = kind().fit(X)
    columns, rows = [Column("x0", "float64"), Column("x1", "float64")], X.tolist()
    assert not rounds(model)
    model.half_ = 0.25
    assert rounds(model)
    assert 0.25 in {row[0] for row in at_tree_thresholds(columns, rows, model)}
    assert 0.75 in {row[1] for row in at_borders(columns, rows, model)}
    assert 0.125 in {row[0] for row in in_bins(columns, rows, model)}
    assert converters().known(kind).only_splits
    assert converters().known(type("Child", (kind,), {})).splits is None
    assert converters().inherited(type("Child", (kind,), {}), "splits") is not None


def test_an_inverse_that_a_package_brings_transforms_targets_back(install: Install) -> None:
    kind = install("inverted", KNOWN)
    fitted = TransformedTargetRegressor(Ridge(), transformer=StandardScaler()).fit(X, X[:, 0])
    fitted.transformer_ = kind().fit(X)
    fitted.transformer_.inverse_transform = lambda y: np.asarray(y) / 0.5
    assert_exact(fitted, X)


BROKEN = {
    "it fails": ("import nothing_that_is_there", "NAME.onnx", "ModuleNotFoundError"),
    "it raises": ("raise SystemError('no licence')", "NAME.onnx", "SystemError: no licence"),
    "nothing there": ("", "NAME.onnx", "got module"),
    "no such name": ("", "NAME.onnx:nothing", "AttributeError"),
    "no module": ("", "NAME.nothing", "ModuleNotFoundError"),
    "other keys": ("CONVERTERS = {'Halving': len}", "NAME.onnx", "got 'Halving'"),
    "no functions": (CONVERTERS + "\nCONVERTERS = {Halving: 1}", "NAME.onnx", "Halving'>: 1"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_entry_point_is_named(case: str, install: Install, tmp_path: Path) -> None:
    content, value, reason = BROKEN[case]
    name = f"broken_{case.replace(' ', '_')}"
    model = install(name, content, value)().fit(X)
    with pytest.raises(Refusal, match="is broken") as refused:
        built(Source(model, X), tmp_path)
    message = str(refused.value)
    assert f"'{name} = {value.replace('NAME', name)}' (onnxlet.converters) of {name} 2.1" in message
    assert reason in message
    assert f"Mend {name} 2.1, or uninstall it." in refused.value.hint
