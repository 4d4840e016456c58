"""The folders that AWS's runtime is given: ours, unpacked, and the textbook's with its pickle."""

from __future__ import annotations

import os
import pickle
import shutil
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

from bench.environments import convert
from bench.models import without_names
from tests.lambda_runtime import machines
from tests.lambda_runtime.harness import unpack
from tests.lambda_runtime.machines import Machine

FUNCTIONS = Path(__file__).with_name("functions")
MODEL = "logistic"


class Size(NamedTuple):
    """A bundle's size in bytes, zipped and unpacked."""

    zipped: int
    unpacked: int


def package(models: Path, machine: Machine, archive: Path, *more: object) -> Path:
    """The zip of the small model for a machine, by the command that users have."""
    target = ("--python", machine.python, "--arch", machine.arch, "--require-pyc", *more)
    convert("package", "--models", models, "--model", MODEL, *target, "--out", archive)
    return archive


def size(archive: Path, folder: Path) -> Size:
    """What a zip takes, and what its files do."""
    files = [path for path in unpack(archive, folder).rglob("*") if path.is_file()]
    return Size(archive.stat().st_size, sum(path.stat().st_size for path in files))


def ours(archive: Path, machine: Machine, folder: Path) -> Path:
    """A bundle, unpacked, with the functions beside it that need no more than it has."""
    unpack(archive, folder)
    _add(folder, machine, "noop")
    return folder


def bare(ours: Path, machine: Machine, folder: Path) -> Path:
    """The same model, with NumPy and ONNX Runtime's Python package as they are installed."""
    machines.install("../function", machine, folder)
    _compile(folder, machine)
    shutil.copytree(ours / "models", folder / "models")
    _add(folder, machine, "bare")
    return folder


def textbook(estimator: Any, machine: Machine, folder: Path) -> Path:
    """Everything that scikit-learn needs, as it is installed, and the pickle.

    Without `__pycache__`, which packagers usually leave out: it is made by another Python.
    """
    machines.install("textbook", machine, folder)
    (folder / "model.pkl").write_bytes(pickle.dumps(without_names(estimator)))
    shutil.copy(FUNCTIONS / "textbook.py", folder)
    return folder


def compiled(bundle: Path, machine: Machine, folder: Path) -> Path:
    """The same with every file compiled, as ours is."""
    shutil.copytree(bundle, folder)
    _compile(folder, machine)
    return folder


def _add(folder: Path, machine: Machine, *functions: str) -> None:
    for name in functions:
        shutil.copy(FUNCTIONS / f"{name}.py", folder)
        _compile(folder / f"{name}.py", machine)


def _compile(path: Path, machine: Machine) -> None:
    """As the bundle's own code is; samples in packages' tests that are broken don't matter."""
    command = [*machine.command, "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash"]
    subprocess.run([*command, os.fspath(path)], stdout=subprocess.DEVNULL, check=False)
