"""Files of another scikit-learn, built as a user does; this Python stands for the older one's."""

from __future__ import annotations

import json
import os
import pickle
import shlex
import sys
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.ensemble import IsolationForest, RandomForestClassifier
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.tree import DecisionTreeRegressor
from skops import io

from onnxlet.convert.errors import SourceFailed
from onnxlet.convert.older import environment
from onnxlet.convert.older.elsewhere import Link, RaisedThere
from onnxlet.convert.older.old_model import HowHere, read_elsewhere
from onnxlet.convert.sources import saved as saved_files
from onnxlet.convert.sources.skops_sandbox import settle
from onnxlet.convert.sources.source import load_source
from tests.convert.helpers import invoked
from tests.convert.older.kept import VERSION, keep_environment
from tests.convert.older.steps import Own, lead_astray

X = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 2)), columns=["a", "b"])
Y = X["a"] - 2 * X["b"]


@pytest.fixture
def python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The Python of an environment that is kept for the older scikit-learn."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    # It is this Python, also where that is newer than any that the scikit-learn has wheels for.
    monkeypatch.setattr(environment, "_python", lambda needed: environment.RUNNING)
    return keep_environment(tmp_path / "cache")


def saved(
    estimator: Any, path: Path, monkeypatch: pytest.MonkeyPatch, version: str = VERSION
) -> Path:
    """A file of an estimator that says that another scikit-learn wrote it."""
    with monkeypatch.context() as older:
        older.setattr(sklearn.base, "__version__", version)
        dump = {".skops": io.dump, ".joblib": joblib.dump, ".pkl": _pickled}[path.suffix]
        dump(estimator, path)
    return path


def _pickled(estimator: Any, path: Path) -> None:
    path.write_bytes(pickle.dumps(estimator))


def build(path: Path, folder: Path, *more: str) -> Any:
    X.to_csv(folder / "rows.csv", index=False)
    models = folder / "models"
    return invoked(
        "build", path, "--data", folder / "rows.csv", "--name", "m", "--models", models, *more
    )


@pytest.mark.long
@pytest.mark.parametrize("kind", ["joblib", "pkl", "skops"])
def test_the_version_that_fitted_it_answers_and_is_named(
    tmp_path: Path, python: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    model = make_pipeline(StandardScaler(), RandomForestClassifier(4)).fit(X, Y > 0)
    end = build(saved(model, tmp_path / f"model.{kind}", monkeypatch), tmp_path)

    assert end.exit_code == 0, end.stderr
    assert f"reference   scikit-learn {VERSION}, which fitted it, in float64" in end.stdout
    assert f"'model.{kind}' was fitted by scikit-learn {VERSION}, which answers" in end.stderr
    runs = "reading it runs the code in it there and what it names here"
    assert (runs in end.stderr) == (kind != "skops")
    manifest = json.loads((tmp_path / "models/m/1/manifest.json").read_text())
    assert manifest["parity"]["scikit_learn"] == VERSION
    path, rows = tmp_path / f"model.{kind}", tmp_path / "rows.csv"
    proof = invoked("prove", tmp_path / "models/m/1", path, "--data", rows)
    assert f"reference   scikit-learn {VERSION}, which fitted it, in float64" in proof.stdout


@pytest.mark.long
@pytest.mark.parametrize("kind", ["joblib", "skops"])
def test_of_another_patch_release_it_is_read_where_there_is_no_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    for name in ("XDG_CACHE_HOME", "UV_CACHE_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("UV_OFFLINE", "1")
    major, minor = sklearn.__version__.split(".")[:2]
    model = LinearRegression().fit(X, Y)
    version = f"{major}.{minor}.99"
    end = build(
        saved(model, tmp_path / f"m.{kind}", monkeypatch, version), tmp_path, *allow(kind, version)
    )

    assert end.exit_code == 0, end.stderr
    assert f"scikit-learn {version} can't be made: the installed one reads" in end.stderr
    path = saved(model, tmp_path / f"m.{kind}", monkeypatch, "1.2.99")
    end = build(path, tmp_path, *allow(kind, "1.2.99"))
    assert end.exit_code == 1
    assert "scikit-learn 1.2.99 can't be made" in end.stderr


def allow(kind: str, version: str) -> list[str]:
    return ["--trust", f"scikit-learn=={version}"] if kind == "skops" else []


def test_a_skops_file_has_nothing_installed_unasked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("XDG_CACHE_HOME", "UV_CACHE_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("UV_OFFLINE", "1")
    path = saved(LinearRegression().fit(X, Y), tmp_path / "m.skops", monkeypatch, "1.7.1")
    end, other = build(path, tmp_path), build(path, tmp_path, *allow("skops", "1.7.2"))
    allowed = build(path, tmp_path, *allow("skops", "1.7.1"))

    assert (end.exit_code, other.exit_code, allowed.exit_code) == (1, 1, 1)
    said = " ".join(end.stderr.split())
    assert "scikit-learn==1.7.1, numpy<2.4, scipy<1.17" in said
    assert "Add --trust scikit-learn==1.7.1" in said
    assert "making an environment" not in end.stderr + other.stderr
    assert "making an environment with scikit-learn 1.7.1" in allowed.stderr
    assert not (tmp_path / "models").exists()


NEAR = ".".join([*sklearn.__version__.split(".")[:2], "99"])


@pytest.mark.long
@pytest.mark.parametrize("kind", ["joblib", "skops"])
def test_of_another_patch_release_it_is_read_where_that_one_can_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    model = LinearRegression().fit(X, Y)
    for version in (NEAR, VERSION):
        keep_environment(tmp_path, version).write_text("#!/bin/sh\nexit 3\n")
    near = build(saved(model, tmp_path / f"m.{kind}", monkeypatch, NEAR), tmp_path)
    far = build(saved(model, tmp_path / f"m.{kind}", monkeypatch), tmp_path, "--breaking")

    assert (near.exit_code, far.exit_code) == (0, 1), near.stderr
    said = " ".join(near.stderr.split())
    assert f"warning: 'm.{kind}' can't be read by scikit-learn {NEAR}: the installed one" in said


def test_of_a_release_candidate_and_unasked_the_installed_one_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    model, said = LinearRegression().fit(X, Y), list[str]()
    for version, kind in ((NEAR.replace(".99", "rc1"), "pkl"), (NEAR, "skops")):
        path = saved(model, tmp_path / f"m.{kind}", monkeypatch, version)
        read, there = saved_files.load_any(path, (), said.append, None, ())
        assert there is None
        assert np.array_equal(read.coef_, model.coef_)

    warnings = [line for line in said if "the installed one reads the file" in line]
    assert len(warnings) == 2
    assert warnings[1].endswith(f"Add --trust scikit-learn=={NEAR} if they may be.")


@pytest.mark.long
def test_a_skops_file_of_a_near_version_is_refused_as_any_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    keep_environment(tmp_path, NEAR)
    tree, said = DecisionTreeRegressor().fit(X, Y), list[str]()
    lead_astray(tree.tree_)
    path = saved(tree, tmp_path / "m.skops", monkeypatch, NEAR)
    with pytest.raises(SourceFailed, match="the numbers in a Tree lead outside its arrays"):
        saved_files.load_any(path, (), said.append, None, ())
    path = saved(make_pipeline(Own()).fit(X), path, monkeypatch, NEAR)
    with pytest.raises(SourceFailed, match="not known to be harmless"):
        saved_files.load_any(path, [f"scikit-learn=={NEAR}"], said.append, None, ())

    assert len([line for line in said if "the installed one reads" in line]) == 1


def test_what_answers_otherwise_there_is_what_is_proven(
    tmp_path: Path, python: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = LinearRegression().fit(X, Y)
    path = saved(model, tmp_path / "model.joblib", monkeypatch)
    # An older scikit-learn that answers by one more, which no attribute says.
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "otherwise.py").write_text(
        "from sklearn.linear_model import LinearRegression as L\n"
        "plain = L.predict\n"
        "L.predict = lambda self, X: plain(self, X) + 1\n"
    )
    started = f"import sys; sys.path.append({str(folder)!r}); import otherwise, runpy; "
    started += "sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
    python.write_text(
        f'#!/bin/sh\nshift\nexec {shlex.quote(sys.executable)} -I -c "{started}" "$@"\n'
    )
    end = build(path, tmp_path)

    assert end.exit_code == 1
    assert "prediction differs on " in end.stderr
    assert not (tmp_path / "models" / "m").exists()


def test_a_module_that_is_not_there(
    tmp_path: Path, python: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved(make_pipeline(Own()).fit(X), tmp_path / "model.joblib", monkeypatch)
    path.write_bytes(path.read_bytes().replace(Own.__module__.encode(), b"m" * len(Own.__module__)))
    end = build(path, tmp_path)

    assert end.exit_code == 1
    assert "can't be read by scikit-learn 1.2.2: ModuleNotFoundError: No module named 'mmm" in (
        end.stderr
    )
    assert f"uv pip install --python {python} mmm" in " ".join(end.stderr.split())
    assert "Traceback" not in end.stderr
    assert not (tmp_path / "models").exists()


@pytest.mark.long
def test_ones_own_steps_are_found_where_pythonpath_says(
    tmp_path: Path, python: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = Path(__file__).resolve().parents[3]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(root), ""]))
    path = saved(make_pipeline(Own(3.0)).fit(X), tmp_path / "model.joblib", monkeypatch)
    X.to_csv(tmp_path / "rows.csv", index=False)
    source = load_source(str(path), tmp_path / "rows.csv")

    assert source.answered_by is not None
    assert source.estimator.steps[0][1].factor == 3.0
    assert np.array_equal(source.answered_by.transform(X), X.to_numpy() * 3)


def test_skops_files_are_judged_before_anything_reads_them(
    tmp_path: Path, python: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python.write_text(f"#!/bin/sh\ntouch {tmp_path}/asked\n")
    path = saved(make_pipeline(Own()).fit(X), tmp_path / "model.skops", monkeypatch)
    end = build(path, tmp_path)

    assert end.exit_code == 1
    assert f"--trust {Own.__module__}.Own" in " ".join(end.stderr.split())
    assert not (tmp_path / "asked").exists()


def test_a_broken_environment_is_reported(
    tmp_path: Path, python: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python.write_text("#!/bin/sh\nexit 3\n")
    end = build(saved(LinearRegression().fit(X, Y), tmp_path / "m.joblib", monkeypatch), tmp_path)

    assert end.exit_code == 1
    assert "its process ended by exit code 3" in end.stderr
    assert str(python.parent.parent) in " ".join(end.stderr.split())


@pytest.mark.long
def test_what_has_no_plain_values_is_loaded_here(
    tmp_path: Path, python: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloudpickle = pytest.importorskip("cloudpickle")
    model = make_pipeline(FunctionTransformer(lambda X: X * 2), LinearRegression()).fit(X, Y)
    path = tmp_path / "model.pkl"
    with monkeypatch.context() as older:
        older.setattr(sklearn.base, "__version__", VERSION)
        path.write_bytes(cloudpickle.dumps(model))
    end = build(path, tmp_path)

    assert end.exit_code == 0, end.stderr
    assert f"reference   scikit-learn {VERSION}, which fitted it, in float64" in end.stdout


@pytest.mark.long
def test_a_skops_file_whose_numbers_lead_elsewhere(
    tmp_path: Path, python: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = IsolationForest(n_estimators=3).fit(X)
    lead_astray(model.estimators_[1].tree_)
    end = build(saved(model, tmp_path / "m.skops", monkeypatch), tmp_path)

    assert end.exit_code == 1
    assert "the numbers in a Tree lead outside its arrays" in " ".join(end.stderr.split())
    assert not (tmp_path / "models").exists()


@pytest.mark.long
def test_a_skops_file_is_asked_apart_and_settled_first(
    tmp_path: Path, python: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Path] = []
    monkeypatch.setattr(saved_files, "check_it_answers", lambda path, *_: asked.append(path))
    model = make_pipeline(StandardScaler(), RandomForestClassifier(4, n_jobs=2))
    model.fit(X, Y > 0).memory = "here"  # once it is fitted: a fit would make the folder
    path = saved(model, tmp_path / "m.skops", monkeypatch)
    read, there = saved_files.load_any(path, (), print, X, ())

    assert asked == [path]
    assert (read.memory, read.steps[1][1].n_jobs) == (None, None)
    assert there is not None
    assert np.array_equal(there.predict(X), model.predict(X))


def test_what_has_no_plain_values_is_settled_too(tmp_path: Path, python: Path) -> None:
    class NoPlainValues(Link):
        def asked(self, does: str, *_: Any, **given: Any) -> Any:
            raise RaisedThere("NotPlain", "it has none")

    tree = DecisionTreeRegressor().fit(X, Y)
    lead_astray(tree.tree_)
    link, how = NoPlainValues(python, tmp_path / "m.skops", ()), HowHere(lambda: tree, None, settle)
    with pytest.raises(SourceFailed, match="the numbers in a Tree lead outside its arrays"):
        read_elsewhere(tmp_path / "m.skops", VERSION, python, link, how, print)


@pytest.mark.long
def test_a_folder_of_mlflows(tmp_path: Path, python: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    saved(LinearRegression().fit(X, Y), folder / "model.pkl", monkeypatch)
    (folder / "MLmodel").write_text("flavors:\n  sklearn:\n    pickled_model: model.pkl\n")
    (folder / "requirements.txt").write_text(f"scikit-learn=={VERSION}\n")
    end = build(folder, tmp_path)

    assert end.exit_code == 0, end.stderr
    assert f"reference   scikit-learn {VERSION}, which fitted it, in float64" in end.stdout
    assert "the folder requires" not in end.stderr
