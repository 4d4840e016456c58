"""Models that real older scikit-learns fit: what changed since is served as they answer it.

Environments are made by uv, in the user's cache, from the package index.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import joblib
import pytest

from onnxlet.convert.older.environment import interpreter_of
from tests.convert.helpers import invoked, quiet
from tools.evaluation.old_models.__main__ import FITTING
from tools.evaluation.old_models.judging import judged

pytestmark = [pytest.mark.old, pytest.mark.timeout(600)]
# What changed, by the version that fits: the models that show it.
CHANGED = {
    "1.1.3": (
        "adaboost-samme-r",  # its algorithm is gone
        "bagging",  # base_estimator is estimator
        "calibrated",  # likewise, inside
        "dense-one-hot",  # sparse is sparse_output
        "forest",  # trees without a side for missing values, whose values count rows
        "gbm",  # losses of a module that is gone
        "hist-categories",  # categories without an encoder
        "imputed-iterative",  # keep_empty_features
        "isolation-forest",  # lengths of paths are kept by fit
        "neighbours",  # names of distances
        "ordinal",  # no infrequent categories
        "ridge-classifier",  # classes_ was a property
        "tf-idf",  # idf_ was a property, of a diagonal matrix
    ),
    "1.2.2": ("adaboost", "gbm-exponential", "infrequent", "splines"),
    "1.3.2": ("tree-gaps", "gbm-huber", "sgd-log"),  # missing values in trees
    "1.4.2": ("forest-gaps", "hist-monotonic"),  # ... in forests; monotonic_cst
    "1.5.2": ("nearest-centroid", "logistic-one-vs-rest"),  # no priors; multi_class
    "1.6.1": ("one-vs-rest", "bayesian-ridge"),
    "1.7.2": ("forest-table", "bins"),
}
Fitted = Callable[[str], Path]


@pytest.fixture(scope="session")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Fitted:
    """A folder with a version's models."""
    folders: dict[str, Path] = {}

    def folder_of(version: str) -> Path:
        if version not in folders:
            folders[version] = tmp_path_factory.mktemp("fitted")
            python = interpreter_of(version, quiet)
            command = map(str, (python, "-I", FITTING, folders[version], *CHANGED[version]))
            subprocess.run(list(command), check=True)
        return folders[version]

    return folder_of


@pytest.mark.parametrize(("version", "model"), [(v, m) for v in CHANGED for m in CHANGED[v]])
def test_it_is_served_as_it_answered_where_it_was_fitted(
    version: str, model: str, fitted: Fitted
) -> None:
    found = judged(fitted(version) / f"{model}.joblib")

    assert (found["result"], found["why"]) == ("served", "")


def test_a_user_builds_a_file_of_1_2(fitted: Fitted, tmp_path: Path) -> None:
    path = fitted("1.2.2") / "gbm-exponential.joblib"
    with pytest.raises(Exception, match="_gb_losses"):
        joblib.load(path)
    models = tmp_path / "models"
    end = invoked(
        "build", path, "--data", path.with_suffix(".csv"), "--name", "m", "--models", models
    )

    assert end.exit_code == 0, end.stderr
    assert "reference   scikit-learn 1.2.2, which fitted it, in " in end.stdout


def test_a_skops_file_of_1_2_is_judged_here_and_made_there(tmp_path: Path) -> None:
    program = (
        "import sys, numpy as np, skops.io\n"
        "from sklearn.ensemble import GradientBoostingClassifier as Model\n"
        "X = np.arange(60.0).reshape(20, 3) % 7\n"
        "np.savetxt('rows.csv', X, delimiter=',', header='a,b,c', comments='')\n"
        "skops.io.dump(Model(n_estimators=3).fit(X, X[:, 0] > 3), 'model.skops')\n"
    )
    python = interpreter_of("1.2.2", quiet)
    subprocess.run([python, "-I", "-c", program], check=True, cwd=tmp_path)
    gone = "sklearn.ensemble._gb_losses.BinomialDeviance"
    command: list[str | Path] = ["build", tmp_path / "model.skops", "--name", "m"]
    command += ["--data", tmp_path / "rows.csv", "--models", tmp_path / "models"]
    refused = invoked(*command)
    end = invoked(*command, "--trust", gone)

    assert refused.exit_code == 1
    assert f"--trust {gone} if the file is yours" in " ".join(refused.stderr.split())
    assert end.exit_code == 0, end.stderr
    assert "reference   scikit-learn 1.2.2, which fitted it, in " in end.stdout


def test_two_at_once_make_one_environment(tmp_path: Path) -> None:
    program = (
        "from onnxlet.convert.older.environment import interpreter_of\n"
        "print(interpreter_of('1.7.2', lambda line: print('made')))\n"
    )
    environ = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    started = [
        subprocess.Popen([sys.executable, "-c", program], env=environ, stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    said = [process.communicate()[0].decode().split() for process in started]

    assert sorted(len(lines) for lines in said) == [1, 2]
    assert said[0][-1] == said[1][-1]
    version = [said[0][-1], "-I", "-c", "import sklearn; print(sklearn.__version__)"]
    assert subprocess.check_output(version, text=True).strip() == "1.7.2"
