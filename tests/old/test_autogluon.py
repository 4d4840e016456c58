"""Predictors that AutoGluon itself fits: served as it answers them, or refused with the way out.

Environments are made by uv, in the user's cache, from the package index.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from onnxlet.convert.older.environment import python_of
from tests.convert.helpers import invoked, quiet
from tools.evaluation.autogluon.__main__ import FITTING, ROOT, TO_FIT, VERSION
from tools.evaluation.old_models.judging import judged

pytestmark = [pytest.mark.old, pytest.mark.timeout(600)]
# A sample of `make autogluon`'s: every library's models; dates; bags and stacks; quantiles.
SOME = ("orders", "wine-stacked", "diabetes-quantiles")
Fitted = Callable[[str], Path]
OWN = """
import sys
sys.path.insert(0, sys.argv[1])
import pandas as pd
from autogluon.tabular import TabularPredictor
from own_model import Own
X = pd.DataFrame({"a": range(80), "b": [1.5, 2.5] * 40, "target": ["x", "y", "y", "y"] * 20})
X.to_csv(sys.argv[1] + "/rows.csv", index=False)
TabularPredictor("target", path=sys.argv[1] + "/ag", verbosity=0).fit(
    X, hyperparameters={"GBM": {"num_boost_round": 5}, Own: {}}, fit_weighted_ensemble=False
)
"""
CODES = """
import sys
import numpy as np
import pandas as pd
from autogluon.tabular import TabularPredictor
draw = np.random.default_rng(0)
code, yes = draw.integers(1, 6, 600), draw.random(600) < 0.5
X = pd.DataFrame({"code": [f"0{each}" for each in code], "yes": np.where(yes, "True", "False")})
X["target"] = 2.0 * code + 3 * yes + draw.normal(0, 0.1, 600)
X[400:].to_csv(sys.argv[1] + "/rows.csv", index=False)
X[400:].to_parquet(sys.argv[1] + "/rows.parquet")
TabularPredictor("target", path=sys.argv[1] + "/ag", verbosity=0).fit(
    X[:400], hyperparameters={"GBM": {"num_boost_round": 30}}, fit_weighted_ensemble=False
)
"""
OWN_MODEL = """
from autogluon.core.models.dummy.dummy_model import DummyModel

class Own(DummyModel):
    pass
"""


@pytest.fixture(scope="session")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Fitted:
    """The folder of a predictor, with what it answers beside it."""
    folder = tmp_path_factory.mktemp("predictors")

    def folder_of(name: str) -> Path:
        if not (folder / name).exists():
            data = ROOT / "convert" / "examples" / "data"
            given = map(str, (python_of(TO_FIT, quiet), "-I", FITTING, data, folder, name))
            subprocess.run(list(given), check=True, capture_output=True)
        return folder / name

    return folder_of


@pytest.mark.parametrize("name", SOME)
def test_it_is_served_as_autogluon_answers(name: str, fitted: Fitted) -> None:
    found = judged(fitted(name))

    assert (found["result"], found["why"]) == ("served", "")


def test_a_user_builds_a_folder(fitted: Fitted, tmp_path: Path) -> None:
    path = fitted("diabetes-quantiles")
    end = _built(path, path.with_suffix(".csv"), tmp_path, "--model", "LightGBM")

    assert end.exit_code == 0, end.stderr
    assert f"reference   AutoGluon {VERSION}, which fitted it, in float" in end.stdout
    assert "reading them runs the code in them" in end.stderr

    subject, rows = tmp_path / "models" / "m" / "1", path.with_suffix(".csv")
    for model, code in (("LightGBM", 0), ("CatBoost", 1)):
        proof = invoked("prove", subject, path, "--data", rows, "--model", model)
        assert proof.exit_code == code, proof.stderr
        assert f"reference   AutoGluon {VERSION}, which fitted it, in float" in proof.stdout


def test_what_has_been_deleted_is_named_with_the_best_that_does_without(
    fitted: Fitted, tmp_path: Path
) -> None:
    path = tmp_path / "ag"
    shutil.copytree(fitted("diabetes-quantiles"), path)
    shutil.rmtree(path / "models" / "CatBoost")
    end = _built(path, fitted("diabetes-quantiles").with_suffix(".csv"), tmp_path)

    assert end.exit_code == 1
    assert "CatBoost is not in the folder" in end.stderr
    assert "--model LightGBM does without" in end.stderr
    assert not (tmp_path / "models").exists()


def test_a_version_that_the_index_has_not(fitted: Fitted, tmp_path: Path) -> None:
    path = tmp_path / "ag"
    shutil.copytree(fitted("wine-stacked"), path)
    (path / "version.txt").write_text("1.6.99")
    end = _built(path, fitted("wine-stacked").with_suffix(".csv"), tmp_path)

    assert end.exit_code == 1
    assert "an environment with AutoGluon 1.6.99 can't be made:" in end.stderr
    assert "does it have these versions?" in end.stderr
    assert not (tmp_path / "models").exists()


def test_a_fold_that_has_been_deleted_is_named(fitted: Fitted, tmp_path: Path) -> None:
    path = tmp_path / "ag"
    shutil.copytree(fitted("wine-stacked"), path)
    [fold, *_] = sorted((path / "models").glob("*_BAG_L1/S1F2"))
    shutil.rmtree(fold)
    end = _built(path, fitted("wine-stacked").with_suffix(".csv"), tmp_path)

    assert end.exit_code == 1
    assert f"'ag' lacks a file: [Errno 2] No such file or directory: '{fold}" in end.stderr
    assert "--model NAME" in end.stderr
    assert not (tmp_path / "models").exists()


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a predictor, one of whose models is of a module in the folder."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "own_model.py").write_text(OWN_MODEL)
    given = map(str, (python_of(TO_FIT, quiet), "-I", "-c", OWN, folder))
    subprocess.run(list(given), check=True, capture_output=True)
    return folder


def test_a_model_without_a_conversion_is_named(
    own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(own))
    end = _built(own / "ag", own / "rows.csv", tmp_path, "--model", "Dummy")

    assert end.exit_code == 1
    assert "Dummy is of Own, which has no conversion" in end.stderr
    assert "--model LightGBM does without: its validation score (accuracy) is" in end.stderr


def test_a_pickle_that_imports_what_is_not_there_says_where_to_put_it(
    own: Path, tmp_path: Path
) -> None:
    end = _built(own / "ag", own / "rows.csv", tmp_path)

    assert end.exit_code == 1
    assert f"'ag' can't be read by AutoGluon {VERSION}: ModuleNotFoundError" in end.stderr
    assert "If 'own_model' is your own, put its folder into PYTHONPATH" in end.stderr
    assert not (tmp_path / "models").exists()


def test_a_csv_has_the_text_of_the_fit(tmp_path: Path) -> None:
    given = map(str, (python_of(TO_FIT, quiet), "-I", "-c", CODES, tmp_path))
    subprocess.run(list(given), check=True, capture_output=True)
    by_file = [_built(tmp_path / "ag", tmp_path / f"rows.{kind}", tmp_path, "--breaking")
               for kind in ("csv", "parquet")]  # fmt: skip

    assert "note: read as text, which the fit had: 'code', 'yes'" in by_file[0].stderr
    scores = [[line for line in end.stdout.splitlines() if "r2" in line] for end in by_file]
    assert scores[0] == scores[1] != []


def _built(path: Path, rows: Path, folder: Path, *others: str) -> Result:
    models = folder / "models"
    return invoked("build", path, "--data", rows, "--name", "m", "--models", models, *others)
