"""Saved estimators: .skops by trusted types, pickles on trust, files of another scikit-learn."""

from __future__ import annotations

import bz2
import gzip
import importlib.util
import pickle
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from skops import io

from onnxlet.convert.command_line import main
from onnxlet.convert.errors import SourceFailed
from onnxlet.convert.sources.saved import load_saved, version_that_wrote
from onnxlet.convert.sources.skops_allowlist import is_gone
from onnxlet.convert.sources.source import load_source
from onnxlet.function.errors import WrongUse
from tests.convert.helpers import invoked
from tests.convert.sources.hostile_skops import mapped, node, written

X = np.random.default_rng(0).normal(size=(40, 2))
Y = X @ [1.0, 2.0]
MODEL = make_pipeline(StandardScaler(), LinearRegression()).fit(X, Y)


class Own(FunctionTransformer):  # type: ignore[misc] # scikit-learn ships no types
    """A class that no known package has."""


OWN = f"{Own.__module__}.Own"


@pytest.fixture
def told() -> list[str]:
    """What was reported."""
    return []


def save(estimator: Any, path: Path, **options: Any) -> Path:
    if path.suffix == ".skops":
        io.dump(estimator, path)
    elif path.suffix == ".joblib":
        joblib.dump(estimator, path, **options)
    else:
        path.write_bytes(pickle.dumps(estimator, **options))
    return path


@pytest.mark.parametrize("kind", ["skops", "joblib", "pkl"])
def test_a_pickle_is_said_to_run_code_and_skops_is_recommended(
    tmp_path: Path, told: list[str], kind: str
) -> None:
    estimator = load_saved(save(MODEL, tmp_path / f"model.{kind}"), (), told.append)

    assert np.array_equal(estimator.predict(X), MODEL.predict(X))
    if kind == "skops":
        assert told == []
    else:
        assert told == [
            f"'model.{kind}' is a pickle: reading it runs the code in it. "
            "skops.io.dump(estimator, 'FILE.skops') saves it so that reading it runs nothing."
        ]


@pytest.mark.parametrize("model", [RandomForestRegressor(3), HistGradientBoostingRegressor()])
def test_internal_classes_of_known_packages_are_trusted(tmp_path: Path, model: Any) -> None:
    path = save(model.fit(X, Y), tmp_path / "model.skops")
    assert io.get_untrusted_types(file=path)

    estimator = load_saved(path, (), print)
    assert np.array_equal(estimator.predict(X), model.predict(X))


def test_other_types_are_refused_by_name_until_they_are_trusted(tmp_path: Path) -> None:
    path = save(make_pipeline(Own(), FunctionTransformer(sorted)), tmp_path / "model.skops")
    with pytest.raises(SourceFailed) as refused:
        load_saved(path, [], print)

    assert refused.value.message == (
        f"'model.skops' has types that are not known to be harmless: builtins.sorted, {OWN}"
    )
    assert f"--trust builtins.sorted --trust {OWN}" in refused.value.hint
    assert "FILE.py:FUNCTION" in refused.value.hint

    estimator = load_saved(path, ["builtins.sorted", OWN], print)
    assert type(estimator.steps[0][1]) is Own


@pytest.mark.parametrize("function", [eval, exec, np.save, np.load, joblib.load, breakpoint])
def test_functions_are_not_trusted_whatever_package_has_them(tmp_path: Path, function: Any) -> None:
    path = save(FunctionTransformer(function), tmp_path / "model.skops")
    with pytest.raises(SourceFailed, match="not known to be harmless"):
        load_saved(path, (), print)


def test_a_class_that_another_version_had_is_reported_as_such(
    tmp_path: Path, older: pytest.MonkeyPatch
) -> None:
    from sklearn.preprocessing import _function_transformer as private

    gone = type("Gone", (FunctionTransformer,), {"__module__": private.__name__})
    older.setattr(private, "Gone", gone, raising=False)
    path = save(make_pipeline(gone(), LinearRegression()).fit(X, Y), tmp_path / "model.skops")
    older.undo()
    with pytest.raises(SourceFailed) as refused:
        load_saved(path, (), print)

    assert refused.value.message == (
        f"'model.skops' has types that are not there: {private.__name__}.Gone; it was written by "
        f"scikit-learn 1.2.2, and {sklearn.__version__} is installed"
    )
    assert refused.value.hint == (
        f"Add --trust {private.__name__}.Gone if the file is yours: they are made by scikit-learn "
        "1.2.2 only, in its own environment."
    )


def test_a_package_that_is_not_installed_is_reported_as_such(tmp_path: Path) -> None:
    types = {"catboost": "catboost.core.CatBoostClassifier", "xgboost": "xgboost.sklearn.XGBRanker"}
    package = next((name for name in types if not importlib.util.find_spec(name)), None)
    if package is None:
        pytest.skip("both are installed")
    model = node("ObjectNode", types[package], content=mapped())
    with pytest.raises(SourceFailed) as refused:
        load_saved(written(tmp_path / "model.skops", model), (), print)

    assert (refused.value.message, refused.value.hint) == (
        f"'model.skops' needs {package}",
        f"pip install {package}",
    )


def test_what_is_there_and_not_imported_is_not_reported_as_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(sys.modules, "numpy.f2py.rules", raising=False)

    assert not is_gone("numpy.f2py.rules", "Anything")
    assert is_gone("numpy.f2py.were_there", "Anything")
    assert is_gone("sklearn.base", "WasThere")
    assert not is_gone("sklearn.base", "BaseEstimator")
    assert not is_gone("somebodys.own", "Class")
    assert "numpy.f2py.rules" not in sys.modules


def test_trust_is_only_for_skops(tmp_path: Path) -> None:
    path = save(MODEL, tmp_path / "model.pkl")
    with pytest.raises(WrongUse, match=r"--trust goes with a \.skops file"):
        load_saved(path, [OWN], print)
    with pytest.raises(WrongUse, match=r"--trust goes with a \.skops file"):
        load_source("file.py:function", trusted=[OWN])


@pytest.fixture
def older(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Estimators are saved by an older scikit-learn; undo it to read them."""
    monkeypatch.setattr(sklearn.base, "__version__", "1.2.2")
    yield monkeypatch
    monkeypatch.undo()


KINDS = ["model.skops", "model.joblib", "model.pkl"]


@pytest.mark.parametrize("name", KINDS)
def test_another_version_is_reported_with_the_way_out(
    tmp_path: Path, told: list[str], older: pytest.MonkeyPatch, name: str
) -> None:
    path = save(MODEL, tmp_path / name)
    older.undo()

    estimator = load_saved(path, (), told.append)
    assert np.array_equal(estimator.predict(X), MODEL.predict(X))
    assert told[-1] == (
        f"warning: '{name}' was written by scikit-learn 1.2.2, and {sklearn.__version__} is "
        "installed. Build where it was trained: another version may answer differently, or not "
        "read it."
    )


@pytest.mark.parametrize("protocol", range(2, 6))
@pytest.mark.parametrize("compress", [0, "zlib", "gzip", "bz2", "lzma", "xz"])
def test_the_version_is_found_without_unpickling(
    tmp_path: Path, older: pytest.MonkeyPatch, protocol: int, compress: Any
) -> None:
    path = save(MODEL, tmp_path / "model.joblib", protocol=protocol, compress=compress)

    assert version_that_wrote(path) == "1.2.2"


@pytest.mark.parametrize("version", ["1.10.0", "1.9.dev0", "1.8rc1", "2.0.1.post1", "1.9"])
def test_versions_of_every_form(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    monkeypatch.setattr(sklearn.base, "__version__", version)

    for name in KINDS:
        assert version_that_wrote(save(MODEL, tmp_path / name)) == version


def test_no_version_where_there_is_none(tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    for content in (
        b"",
        b"PK",
        pickle.dumps([1.5, "1.2.3"]),
        gzip.compress(b"x", mtime=0),
        bz2.compress(b""),
    ):
        path.write_bytes(content)
        assert version_that_wrote(path) is None


def test_what_another_version_can_not_read_says_which_wrote_it(
    tmp_path: Path, older: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(
        pickle.dumps(MODEL).replace(b"sklearn.linear_model._base", b"sklearn.linear_model._gone")
    )
    older.undo()
    with pytest.raises(SourceFailed) as failed:
        load_saved(path, (), print)

    assert failed.value.message == (
        "'model.pkl' can't be read: ModuleNotFoundError: No module named "
        "'sklearn.linear_model._gone'; it was written by scikit-learn 1.2.2, and "
        f"{sklearn.__version__} is installed"
    )
    assert failed.value.hint.startswith("Build where it was trained: another version may")


def test_a_class_of_ones_own_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(make_pipeline(Own())).replace(b"Own", b"Nwo"))
    with pytest.raises(SourceFailed, match="can't be read: AttributeError") as failed:
        load_saved(path, (), print)
    assert "FILE.py:FUNCTION" in failed.value.hint


@pytest.mark.parametrize(
    ("module", "hint"),
    [
        ("my_steps", "If 'my_steps' is your own, put its folder into PYTHONPATH"),
        ("my_steps.inner", "If 'my_steps' is your own, put its folder into PYTHONPATH"),
        pytest.param(
            "catboost",
            "pip install catboost",
            marks=pytest.mark.skipif(find_spec("catboost") is not None, reason="it is here"),
        ),
    ],
)
def test_an_absent_module_is_no_matter_of_scikit_learns_version(
    tmp_path: Path, older: pytest.MonkeyPatch, module: str, hint: str
) -> None:
    path = tmp_path / "model.pkl"
    content = pickle.dumps(make_pipeline(Own(), StandardScaler()), protocol=2)
    path.write_bytes(content.replace(Own.__module__.encode(), module.encode()))
    older.undo()
    assert version_that_wrote(path) == "1.2.2"

    with pytest.raises(SourceFailed, match="can't be read: ModuleNotFoundError") as failed:
        load_saved(path, (), print)
    assert failed.value.hint.startswith(hint)
    assert "scikit-learn" not in f"{failed.value.message} {failed.value.hint}"


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize(
    ("content", "why"),
    [(b"", "it is empty\n"), (b"not a model", ""), (b"PK\x05\x06" + bytes(18), "")],
)
def test_what_is_no_estimator_is_reported(
    tmp_path: Path, name: str, content: bytes, why: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceFailed, match=f"^'{name}' can't be read: {why}"):
        load_saved(tmp_path / name, (), print)


def test_the_command_says_it_on_stderr_and_builds(tmp_path: Path) -> None:
    pd.DataFrame(X, columns=["a", "b"]).to_csv(tmp_path / "rows.csv", index=False)
    frame = pd.DataFrame(X, columns=["a", "b"])
    path = save(make_pipeline(LinearRegression()).fit(frame, Y), tmp_path / "model.pkl")
    end = invoked(
        *("build", path, "--name", "m", "--models", tmp_path / "models"),
        *("--data", tmp_path / "rows.csv"),
    )

    assert end.exit_code == 0, end.stderr
    assert "  'model.pkl' is a pickle: reading it runs the code in it." in end.stderr
    assert "Prefer .skops" in " ".join(str(main.commands["build"].help).split())
