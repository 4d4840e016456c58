"""Where modules come from while a stranger's file is read: never from where it lies."""

from __future__ import annotations

import importlib.util
import json
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skops import io

from onnxlet.convert.converters.registry import brought_for
from onnxlet.convert.errors import SourceFailed
from onnxlet.convert.report.evaluation import serving
from onnxlet.convert.sources.source import load_source
from onnxlet.convert.text_limits.limits import pauses
from onnxlet.convert.text_limits.regex_safety import runaway
from onnxlet.convert.train.fits import BEGIN
from onnxlet.convert.workers.fork_server import ForkServer
from tests.conftest import ROOT
from tests.convert.helpers import invoked
from tests.convert.sources.hostile_skops import mapped, node, written
from tests.convert.text_limits.test_limits import COSTLY, SETTINGS

X = pd.DataFrame(np.random.default_rng(0).normal(size=(40, 2)), columns=["a", "b"])
Y = X["a"] + 2 * X["b"]
MLMODEL = "flavors:\n  sklearn:\n    pickled_model: {file}\n    code: code\n"
RAN = "import pathlib; pathlib.Path({ran!r}).touch()\n"
CALLED = "import sys; del sys.path[0]; from onnxlet.command_line import main; main()"
OWN = """
from sklearn.linear_model import LinearRegression
class Line(LinearRegression): pass
def __getattr__(name): raise AttributeError(name)
"""


class Place:
    """A folder as somebody downloads one, which the user stands in, and what was run there."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.ran = folder, folder.parent / "ran"
        self.data = folder / "rows.csv"
        X.to_csv(self.data, index=False)

    def module(self, name: str, then: str = "") -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(RAN.format(ran=str(self.ran)) + then)
        return path

    def mlflow(self, file: str) -> Path:
        (self.folder / "MLmodel").write_text(MLMODEL.format(file=file))
        (self.folder / "code").mkdir(exist_ok=True)
        return self.folder

    def save(self, model: Any, name: str = "model.skops") -> Path:
        io.dump(model, self.folder / name)
        return self.folder / name


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    (tmp_path / "downloaded").mkdir()
    monkeypatch.chdir(tmp_path / "downloaded")
    return Place(tmp_path / "downloaded")


def absent(*names: str) -> str:
    """A package that is not installed, or skip."""
    found = next((name for name in names if importlib.util.find_spec(name) is None), None)
    return found or pytest.skip(f"{' and '.join(names)} are installed")


PLUGGED_IN = {
    "catboost": "catboost.core.CatBoostClassifier",
    "imblearn": "imblearn.pipeline.Pipeline",
    "xgboost": "xgboost.sklearn.XGBRanker",
}


@pytest.mark.parametrize("entry", ["", ".", "{here}", "{link}", "..{sep}downloaded"])
def test_a_plug_in_beside_the_file_is_not_imported(
    place: Place, monkeypatch: pytest.MonkeyPatch, entry: str
) -> None:
    package = absent(*PLUGGED_IN)
    place.module(f"{package}.py")
    (place.folder.parent / "link").symlink_to(place.folder)
    here, link = str(place.folder), str(place.folder.parent / "link")
    monkeypatch.syspath_prepend(entry.format(here=here, link=link, sep=os.sep))
    path = written(place.folder / "model.skops", node("ObjectNode", PLUGGED_IN[package]))

    with pytest.raises(SourceFailed, match=rf"'model\.skops' needs {package}"):
        load_source(str(path), place.data)
    assert not place.ran.exists()


def test_a_plug_in_beside_the_file_that_a_link_leads_to_is_not_imported(
    place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    package = absent(*PLUGGED_IN)
    place.module(f"{package}.py")
    monkeypatch.syspath_prepend(str(place.folder))
    monkeypatch.chdir(tmp_path)
    path = written(place.folder / "model.skops", node("ObjectNode", PLUGGED_IN[package]))
    (tmp_path / "link.skops").symlink_to(path)

    with pytest.raises(SourceFailed, match=f"needs {package}"):
        load_source("link.skops", place.data)
    assert not place.ran.exists()


def test_code_in_a_folder_of_mlflow_s_is_not_imported(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = absent(*PLUGGED_IN)
    place.module(f"code/{package}.py")
    monkeypatch.syspath_prepend(str(place.folder / "code"))  # as a PYTHONPATH may have it
    schema = node("ObjectNode", PLUGGED_IN[package], content=mapped())
    written(place.folder / "model.skops", schema)

    with pytest.raises(SourceFailed, match=f"needs {package}"):
        load_source(str(place.mlflow("model.skops")), place.data)
    assert not place.ran.exists()


@pytest.mark.long
@pytest.mark.parametrize("where", ["", "code/"])
def test_what_a_library_imports_at_use_does_not_lie_beside_the_file(
    place: Place, where: str
) -> None:
    name = absent("polars")
    place.module(f"{where}{name}.py", "class DataFrame: pass\n")
    model = make_pipeline(StandardScaler(), LinearRegression()).fit(X, Y)
    model.named_steps["standardscaler"]._sklearn_output_config = {"transform": name}
    path = place.save(model)
    source = place.mlflow("model.skops") if where else path

    end = invoked("build", source, "--data", place.data, "--name", "m", "--models", "models")
    assert end.exit_code == 1, end.stderr
    assert name in end.stderr
    assert "Traceback" not in end.stderr
    assert not place.ran.exists()


@pytest.mark.long
def test_entry_points_of_a_folder_are_not_loaded(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(place.folder))
    place.module("evil.py", "CONVERTERS = {}\n")
    about = place.folder / "evil-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: evil\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[onnxlet.converters]\nsklearn = evil\n")

    load_source(str(place.save(LinearRegression().fit(X, Y))), place.data)
    assert [*brought_for("sklearn")] == []
    assert not place.ran.exists()


@pytest.fixture
def steps_of_code(place: Place) -> Any:
    """A model of a class that only the folder's code has."""
    place.module("code/steps_of_code.py", OWN)
    sys.path.insert(0, str(place.folder / "code"))
    import steps_of_code  # type: ignore[import-not-found] # only here

    model = steps_of_code.Line().fit(X, Y)
    place.save(model)
    (place.folder / "model.pkl").write_bytes(pickle.dumps(model))
    del sys.modules["steps_of_code"], sys.path[0]
    place.ran.unlink()
    yield
    sys.modules.pop("steps_of_code", None)


def runs(said: list[str]) -> list[str]:
    return [line for line in said if line.startswith("--trust")]


@pytest.mark.usefixtures("steps_of_code")
def test_code_runs_where_a_type_in_it_is_trusted_and_that_is_said(place: Place) -> None:
    said: list[str] = []
    source, code = str(place.mlflow("model.skops")), place.folder / "code"
    with pytest.raises(SourceFailed) as refused:
        load_source(source, place.data, report=said.append)
    assert f"--trust steps_of_code.Line if the file is yours (which runs code in '{code}')" in (
        refused.value.hint
    )
    assert not place.ran.exists()
    assert runs(said) == []

    load_source(source, place.data, trusted=["steps_of_code.Line"], report=said.append)
    assert runs(said) == [f"--trust steps_of_code.Line runs code in '{code}'"]
    assert place.ran.exists()


@pytest.mark.usefixtures("steps_of_code")
def test_trust_in_what_is_installed_opens_no_folder(place: Place) -> None:
    said: list[str] = []
    trusted = ["sklearn.base.BaseEstimator", "", ".x", "nowhere.Line"]
    with pytest.raises(SourceFailed, match=r"steps_of_code\.Line"):
        load_source(str(place.mlflow("model.skops")), place.data, None, trusted, said.append)
    assert str(place.folder / "code") not in sys.path
    assert runs(said) == []


@pytest.mark.usefixtures("steps_of_code")
def test_a_pickle_finds_the_code_of_its_folder(place: Place) -> None:
    said: list[str] = []
    load_source(str(place.mlflow("model.pkl")), place.data, report=said.append)
    assert place.ran.exists()
    assert any("is a pickle: reading it runs the code in it" in line for line in said)


def test_a_type_of_ones_own_is_found_where_one_stands(place: Place) -> None:
    place.module("own_place.py", OWN)
    sys.path.insert(0, str(place.folder))
    import own_place  # type: ignore[import-not-found] # only here

    path = place.save(own_place.Line().fit(X, Y))
    del sys.modules["own_place"]
    said: list[str] = []
    load_source(str(path), place.data, trusted=["own_place.Line"], report=said.append)
    del sys.modules["own_place"]
    assert runs(said) == [f"--trust own_place.Line runs code in '{place.folder}'"]


@pytest.mark.parametrize("front", ["", ".:", ":"])
@pytest.mark.parametrize("how", [["-m", "onnxlet"], ["-c", CALLED]])
def test_the_command_imports_nothing_from_where_it_is_called(
    place: Place, how: list[str], front: str
) -> None:
    place.module("click.py")
    shutil.copytree(ROOT / "onnxlet", place.folder.parent / "packages" / "onnxlet", symlinks=False)
    environ = {**os.environ, "PYTHONPATH": f"{front}{place.folder.parent / 'packages'}"}
    done = subprocess.run(
        [sys.executable, *how, "--version"],
        env=environ, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert not place.ran.exists()


@pytest.mark.long
def test_no_process_of_ones_own_imports_from_where_it_is_called(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("json", "pickle", "signal", "unicodedata"):
        place.module(f"{name}.py")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(["", *sys.path]))
    assert serving.start_unpickled(pickle.dumps((LinearRegression().fit(X, Y), X))) is not None
    assert runaway("[a-z]+") == ""
    assert pauses(json.dumps(SETTINGS | {"token_pattern": COSTLY}))  # which is soon too slow
    server = ForkServer(BEGIN, lambda: pickle.dumps(None), 1)
    with pytest.raises(subprocess.TimeoutExpired):  # it waits for what to fit
        server.process.wait(1)
    server.close()
    assert not place.ran.exists()
