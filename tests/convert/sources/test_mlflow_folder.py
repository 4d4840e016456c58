"""Model folders of MLflow's, and estimators that cloudpickle saved."""

from __future__ import annotations

import os
import pickle
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from skops import io

from onnxlet.convert.directory.golden import verify
from onnxlet.convert.errors import SourceFailed
from onnxlet.convert.sources import saved
from onnxlet.convert.sources.source import load_source
from onnxlet.function.errors import WrongUse
from tests.convert.helpers import built, invoked

cloudpickle = pytest.importorskip("cloudpickle")
yaml = pytest.importorskip("yaml")

FOLDERS = Path(__file__).parent / "mlflow"
RANDOM = np.random.default_rng(0)
X = pd.DataFrame(
    {
        "area": RANDOM.uniform(20, 200, 60).round(1),
        "rooms": RANDOM.integers(1, 7, 60),
        "town": RANDOM.choice(["Bonn", "Köln", "Aachen"], 60),
    }
)
Y = ((X["area"] > 100) | (X["town"] == "Bonn")).astype(int)


def of_frame() -> Any:
    encoded = make_column_transformer(
        (StandardScaler(), ["area", "rooms"]), (OneHotEncoder(handle_unknown="ignore"), ["town"])
    )
    return make_pipeline(encoded, LogisticRegression()).fit(X, Y)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as MLflow wrote it, with a model of this scikit-learn's.

    That a process of its own asks it first is tried in test_native_state.py.
    """
    monkeypatch.setattr(saved, "check_it_answers", lambda *given: None)
    target = tmp_path / "model"
    shutil.copytree(FOLDERS / "frame", target)
    io.dump(of_frame(), target / "model.skops")
    return target


def test_a_folder_brings_its_own_held_out_rows(folder: Path, tmp_path: Path) -> None:
    lines: list[str] = []
    source = load_source(str(folder), report=lines.append)

    assert source.X_test.dtypes.map(str).tolist()[:2] == ["float64", "int64"]
    assert source.X_test["town"].tolist() == ["Aachen"] * 5
    assert source.y_test is None
    assert any("the 5 of the folder's input example" in line for line in lines)
    assert any("no answers: the manifest has no scores" in line for line in lines)
    result = built(source, tmp_path / "models")
    assert [entry["name"] for entry in result.manifest["signature"]["inputs"]] == list(X)
    assert verify(result.directory)[1] == 5


@pytest.mark.parametrize("name", ["", "MLmodel"])
def test_the_command_takes_a_folder_with_data_and_answers(
    folder: Path, tmp_path: Path, name: str
) -> None:
    data = tmp_path / "held_out.csv"
    X.assign(big=Y).to_csv(data, index=False, sep=";", decimal=",")
    end = invoked(
        *("build", folder / name, "--name", "m", "--models", tmp_path / "m"),
        *("--data", data, "--target", "big"),
    )
    assert end.exit_code == 0, end.stderr
    assert "separated by ';', with decimal commas" in end.stderr
    assert "60 held-out" in end.stdout
    assert "no answers" not in end.stderr


def test_data_without_answers_is_reported(folder: Path, tmp_path: Path) -> None:
    data, lines = tmp_path / "held_out.csv", list[str]()
    X.to_csv(data, index=False)
    load_source(str(folder), data, report=lines.append)
    assert any("no answers" in line and "--target COL" in line for line in lines)


def test_an_array_is_an_array(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(FOLDERS / "array", folder)
    numbers = RANDOM.normal(size=(60, 3))
    model = LogisticRegression().fit(numbers, Y)
    (folder / "model.pkl").write_bytes(cloudpickle.dumps(model))

    source = load_source(str(folder))
    assert isinstance(source.X_test, np.ndarray)
    assert source.X_test.shape == (4, 3)
    assert source.X_test[0, 0] == 0.843732662303268
    assert built(source, tmp_path / "models").manifest["parity"]["differing_rows"] == 0


def test_requirements_are_compared_with_what_is_installed(folder: Path) -> None:
    (folder / "requirements.txt").write_text(
        f"mlflow==1.0\nscikit-learn==0.24.2\nnumpy=={np.__version__}\nno-such-package==3.1\n"
        "pandas[all]==1.0 ; python_version > '3'\n# skops==0\nscipy\n"
    )
    lines: list[str] = []
    load_source(str(folder), report=lines.append)

    warned = [line for line in lines if line.startswith("warning: the folder requires")]
    assert len(warned) == 2
    assert "no-such-package 3.1, which is not installed" in warned[0]
    assert f"pandas 1.0, and {pd.__version__} is installed" in warned[1]


def test_requirements_that_are_a_pipe_are_not_waited_for(folder: Path) -> None:
    (folder / "requirements.txt").unlink(missing_ok=True)
    os.mkfifo(folder / "requirements.txt")
    assert list(load_source(str(folder)).X_test)


def test_without_an_example_rows_are_asked_for(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(FOLDERS / "no_example", folder)
    (folder / "model.pkl").write_bytes(cloudpickle.dumps(of_frame()))
    with pytest.raises(WrongUse, match="has no input example") as refused:
        load_source(str(folder))
    assert "--data FILE" in refused.value.hint
    assert "It takes area, rooms, town." in refused.value.hint


WRONG = {
    "another flavour": (
        "flavors:\n  onnx:\n    data: net.onnx\n",
        r"has the flavours onnx: expected sklearn",
        r"import .*net\.onnx' takes it",
    ),
    "code of one's own": (
        "flavors:\n  python_function:\n    loader_module: mlflow.pyfunc.model\n",
        r"has the flavours python_function: expected sklearn",
        r"FILE.py:FUNCTION",
    ),
    "no YAML": ("flavors: [", r"can't be read: ", r"^$"),
    "nested too deeply": ("[" * 5000, r"MLmodel' can't be read: maximum recursion", r"^$"),
    "a mapping of mappings": ("a: {" * 5000, r"can't be read: maximum recursion", r"^$"),
    "flavours that are numbers": (
        "flavors:\n  1: 2\n",
        r"has the flavours 1: expected",
        r"FILE.py:FUNCTION",
    ),
    "a graph without a name": (
        "flavors:\n  onnx:\n    data: [1]\n",
        r"has the flavours onnx",
        r"import .*model\.onnx' takes it",
    ),
    "a list": ("- 1\n", r"is no MLmodel", r"^$"),
    "objects": ("!!python/object/apply:os.getcwd []\n", r"can't be read: ", r"^$"),
    "a name that no file has": (
        'flavors:\n  sklearn:\n    pickled_model: "a\\0b"\n',
        r"names what is no file: .*embedded null",
        r"^$",
    ),
    "a name that is too long": (
        f"flavors:\n  sklearn:\n    pickled_model: {'x' * 5_000}\n",
        r"names what is no file: .{100,1000}…$",
        r"^$",
    ),
    "a file outside": (
        "flavors:\n  sklearn:\n    pickled_model: ../model.pkl\n",
        r"names '\.\./model\.pkl', which is outside the folder",
        r"^$",
    ),
    "a file that is gone": (
        "flavors:\n  sklearn:\n    pickled_model: gone.pkl\n",
        r"names 'gone\.pkl', which is not there",
        r"^$",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_can_not_be_read_is_refused(folder: Path, tmp_path: Path, case: str) -> None:
    text, message, hint = WRONG[case]
    (folder / "MLmodel").write_text(text)
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(1))
    with pytest.raises(SourceFailed, match=message) as refused:
        load_source(str(folder))
    assert re.search(hint, refused.value.hint)


@pytest.mark.parametrize("text", ["[" * 100_000, '[{"name":' * 100_000])
def test_a_signature_that_is_nested_too_deeply_is_none(folder: Path, text: str) -> None:
    about = yaml.safe_load((folder / "MLmodel").read_text())
    about["signature"]["inputs"] = text
    (folder / "MLmodel").write_text(yaml.safe_dump(about))
    assert len(load_source(str(folder)).X_test) == 5


@pytest.mark.parametrize(
    "example",
    [
        "[" * 100_000,
        '{"columns":' * 100_000,
        '{"columns": ["area"], "data": [[1e999, 10]]}',
        '{"columns": ["area", "rooms", "town"], "data": [[1, 1000000000000000000000000, "a"]]}',
        *("7", "null", "{}", "[1, 2]", "[]", '{"a": {"b": 1}}', "nothing"),
    ],
)
def test_an_example_that_is_no_table_is_refused(folder: Path, example: str) -> None:
    (folder / "input_example.json").write_text(example)
    with pytest.raises(WrongUse, match="the input example") as refused:
        load_source(str(folder))
    assert "--data FILE" in refused.value.hint


def test_a_target_without_data_is_wrong_use(folder: Path) -> None:
    with pytest.raises(WrongUse, match="--target names a column of --data"):
        load_source(str(folder), target="big")


@pytest.mark.parametrize("suffix", ["pkl", "cloudpickle"])
def test_an_estimator_that_cloudpickle_saved(tmp_path: Path, suffix: str) -> None:
    """With a function that no module has."""
    numbers = X[["area", "rooms"]]
    model = make_pipeline(
        FunctionTransformer(lambda rows: rows / 10, feature_names_out="one-to-one"),
        LogisticRegression(),
    ).fit(numbers, Y)
    path, data = tmp_path / f"model.{suffix}", tmp_path / "rows.csv"
    path.write_bytes(cloudpickle.dumps(model))
    numbers.assign(big=Y).to_csv(data, index=False)

    result = built(load_source(str(path), data, "big"), tmp_path / "models")
    assert result.manifest["parity"]["differing_rows"] == 0
    assert set(result.manifest["metrics"]) == {"accuracy", "roc_auc"}
