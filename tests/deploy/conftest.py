"""One emulator for all tests, and bundles of two versions of a model."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from onnxlet.convert.build import build
from onnxlet.convert.sources.source import Source
from tests.conftest import quiet, ran
from tests.deploy.emulator import EMULATOR, SET_UP, Emulator, started

ROW = [5.9, 3.0, 5.1, 1.8]


def iris(strength: float) -> Source:
    """Three classes; the weaker, the less sure."""
    X, y = load_iris(return_X_y=True)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=strength)).fit(X[::2], y[::2])
    return Source(model, X[1::2], y[1::2])


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """AWS on this machine."""
    if not SET_UP:
        pytest.fail("the environments are not there: make test-deploy sets them up")
    with started(tmp_path_factory.mktemp("home")) as emulator:
        yield emulator


@pytest.fixture(scope="session")
def iris_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one model, version 1."""
    folder = tmp_path_factory.mktemp("iris")
    build(iris(1.0), "iris", folder, quiet)
    return folder


@pytest.fixture(scope="session")
def first(iris_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of version 1."""
    return bundled(iris_models, tmp_path_factory.mktemp("first") / "first.zip")


@pytest.fixture(scope="session")
def second(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of version 2, which is less sure."""
    folder = tmp_path_factory.mktemp("iris")
    build(iris(1.0), "iris", folder, quiet)
    build(iris(0.01), "iris", folder, quiet)
    return bundled(folder, tmp_path_factory.mktemp("second") / "second.zip")


def bundle_of(manifest: Path, out: Path) -> Path:
    """What a bundle says of itself and of one model, iris/1, without what runs."""
    about = {"format": 1, "arch": "aarch64", "python": "3.13", "models": {"iris": 1}, "remote": []}
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("bundle.json", json.dumps(about))
        archive.write(manifest, "models/iris/1/manifest.json")
    return out


def bundled(models: Path, out: Path, *flags: str) -> Path:
    """Package for the emulator, which runs functions by its own Python."""
    ask = "import sys; print('%d.%d' % sys.version_info[:2])"
    python = subprocess.check_output([EMULATOR, "-c", ask], text=True).strip()
    arch = {"arm64": "aarch64"}.get(platform.machine(), platform.machine())
    command = [sys.executable, "-m", "convert", "package", "--models", str(models)]
    command += ["--python", python, "--arch", arch, "--out", str(out), *flags]
    done = ran(command)
    assert done.returncode == 0, done.stderr
    return out
