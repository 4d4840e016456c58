"""A version that clients of the served one could not go on with is refused, unless it is meant."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression

from onnxlet.convert.build import Built, build
from onnxlet.convert.errors import Refusal
from onnxlet.convert.sources.source import Source
from tests.convert.helpers import contents, invoked, quiet
from tests.convert.imported import onnx_files

FRAME = pd.DataFrame(np.random.default_rng(4).normal(size=(40, 3)), columns=["a", "b", "c"])
Y = FRAME.to_numpy() @ [1.0, 2.0, 3.0]
SOURCE = """
import numpy as np
import pandas as pd
from sklearn.linear_model import LinearRegression, LogisticRegression

X = pd.DataFrame(np.random.default_rng(4).normal(size=(40, 2)), columns=["a", "income"])


def churn():
    y = np.where(X["a"] > 0, "stays", "goes")
    return LogisticRegression().fit(X, y), X


def prices():
    Z = X.rename(columns={"a": "area"})
    return LinearRegression().fit(Z, Z["area"]), Z
"""


def of(columns: list[str], folder: Path, breaking: bool = False, factor: float = 1.0) -> Built:
    X = FRAME[columns]
    source = Source(LinearRegression().fit(X, factor * Y), X)
    return build(source, "m", folder, quiet, breaking=breaking)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with version 1, of columns a and b. Tests copy it."""
    folder = tmp_path_factory.mktemp("first")
    of(["a", "b"], folder)
    return folder


@pytest.fixture
def folder(first: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(first, tmp_path / "models"))


def test_another_signature_is_refused_with_every_difference(folder: Path) -> None:
    before = contents(folder)
    with pytest.raises(Refusal) as refused:
        of(["b", "c"], folder)

    assert refused.value.message.splitlines()[1:] == [
        "  column 'a' is removed",
        "  column 'c' is new and required (float64)",
    ]
    assert "m version 1, which is served" in refused.value.message
    assert "--breaking" in refused.value.hint
    assert contents(folder) == before


def test_it_is_written_where_that_is_meant(folder: Path) -> None:
    assert of(["b", "c"], folder, breaking=True).version == 2
    # The highest is served, and is what the next one is held against.
    assert of(["b", "c"], folder, factor=2.0).version == 3


def test_a_retrained_model_passes_in_silence(folder: Path) -> None:
    told: list[str] = []
    X = FRAME[["a", "b"]]
    built = build(Source(LinearRegression().fit(X, 3 * Y), X), "m", folder, told.append)

    assert built.version == 2
    assert not [line for line in told if "breaking" in line or "compared" in line]


def test_what_is_served_is_what_stable_names(folder: Path) -> None:
    of(["b", "c"], folder, breaking=True)
    (folder / "m" / "aliases.json").write_text('{"stable": 1}')

    assert of(["a", "b"], folder, factor=2.0).version == 3
    with pytest.raises(Refusal, match="m version 1, which is served"):
        of(["b", "c"], folder, factor=2.0)


def test_what_can_t_be_read_is_not_compared_with_and_that_is_said(folder: Path) -> None:
    (folder / "m" / "1" / "manifest.json").write_text("[]")
    told: list[str] = []
    X = FRAME[["b", "c"]]
    build(Source(LinearRegression().fit(X, Y), X), "m", folder, told.append)

    assert [line for line in told if line.startswith("warning: not compared")]


def test_the_command_refuses_a_model_under_another_s_name(tmp_path: Path) -> None:
    (tmp_path / "source.py").write_text(SOURCE)
    models = ["--name", "churn", "--models", str(tmp_path / "models")]
    assert invoked("build", f"{tmp_path}/source.py:churn", *models).exit_code == 0
    before = contents(tmp_path / "models", "churn")

    refused = invoked("build", f"{tmp_path}/source.py:prices", *models)
    assert refused.exit_code == 1
    for difference in (
        "column 'a' is removed",
        "column 'area' is new and required (float64)",
        "output 'probabilities' is removed",
        "output 'prediction': string becomes float64",
        "task: classification becomes regression",
        "classes: ['goes', 'stays'] becomes none",
        "--breaking",
    ):
        assert difference in refused.stderr
    assert contents(tmp_path / "models", "churn") == before

    meant = invoked("build", f"{tmp_path}/source.py:prices", *models, "--breaking")
    assert meant.exit_code == 0
    assert "breaking, against version 1: column 'a' is removed" in meant.stderr
    manifest = json.loads(contents(tmp_path / "models", "churn")["2/manifest.json"])
    assert manifest["task"] == "regression"


def test_an_import_is_held_against_what_is_served(tmp_path: Path) -> None:
    models = ["--name", "net", "--models", str(tmp_path / "models")]
    file = onnx_files.save(tmp_path, onnx_files.linear())
    assert invoked("import", file, *models).exit_code == 0

    onnx_files.save(tmp_path, onnx_files.one("Relu", ("batch", 4)))
    refused = invoked("import", file, *models)
    assert refused.exit_code == 1
    assert "v2 tensor 'features' is removed" in refused.stderr
    assert list((tmp_path / "models" / "net").iterdir()) == [tmp_path / "models" / "net" / "1"]
    assert invoked("import", file, *models, "--breaking").exit_code == 0
