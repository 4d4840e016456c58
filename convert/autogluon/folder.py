"""A folder as AutoGluon's TabularPredictor writes it: what wrote it, found without running it."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from onnxlet.convert.errors import SourceFailed, shortened
from onnxlet.convert.older.environment import RELEASE, Needed

FILES = ("predictor.pkl", "learner.pkl")
VERSION, METADATA = "version.txt", "metadata.json"
# What answers depend on, in the versions that wrote the folder; the last ones where its models name
# them.
PACKAGES = ("networkx", "numpy", "pandas", "scikit-learn", "scipy")
LIBRARIES = ("catboost", "lightgbm", "xgboost")
CPU = "xgboost-cpu"  # a tenth of XGBoost's size: answers need no more
CPU_SINCE = (2, 1, 1)
LACKING = ("typing-extensions",)  # imported by AutoGluon 1.4, which does not ask for it
PYTHON = re.compile(r"3\.\d{1,2}")


def is_predictor(path: Path) -> bool:
    """Whether a path is the folder of a TabularPredictor."""
    return all((path / name).is_file() for name in FILES)


def version_of(folder: Path) -> str:
    """The AutoGluon that wrote a folder. Raises SourceFailed where that is no release."""
    version = _read(folder / VERSION).strip()
    if not RELEASE.fullmatch(version):
        raise SourceFailed(
            f"'{folder / VERSION}': expected a release of AutoGluon, got '{version[:40]}'",
            "Fit it with a release, or give SOURCE as FILE.py:FUNCTION.",
        )
    return version


def needed_by(folder: Path) -> Needed:
    """The environment that a folder was written in, as far as answers depend on it.

    Raises SourceFailed where the folder does not say.
    """
    version = version_of(folder)
    about: Any = None
    try:
        about = json.loads(_read(folder / METADATA))
        python, installed = about["py_version"], dict(about["packages"])
    except (KeyError, TypeError, ValueError) as error:
        raise SourceFailed(f"'{folder / METADATA}' can't be read: {shortened(error)}") from error
    if not (isinstance(python, str) and PYTHON.fullmatch(python)):
        raise SourceFailed(f"'{folder / METADATA}': expected a version of Python, got '{python}'")
    wanted = {name: str(installed.get(name, "")) for name in (*PACKAGES, *_libraries(folder))}
    if "xgboost" in wanted:
        found = wanted.pop("xgboost") or str(installed.get(CPU, ""))
        numbers = tuple(map(int, found.split("."))) if RELEASE.fullmatch(found) else ()
        wanted[CPU if numbers >= CPU_SINCE else "xgboost"] = found
    pinned = [f"{name}=={of}" if RELEASE.fullmatch(of) else name for name, of in wanted.items()]
    packages = (f"autogluon.tabular=={version}", *pinned, *LACKING)
    major, minor = map(int, python.split("."))
    tag = hashlib.sha256(" ".join(packages).encode()).hexdigest()[:8]
    return Needed(f"AutoGluon {version}", packages, (major, minor), (major, minor), f"-{tag}")


def _libraries(folder: Path) -> list[str]:
    """The libraries whose modules a pickle of the folder names."""
    pickles = [path.read_bytes() for path in sorted((folder / "models").rglob("model.pkl"))]
    return [name for name in LIBRARIES if any(name.encode() in each for each in pickles)]


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, ValueError) as error:
        raise SourceFailed(
            f"'{path}' can't be read: {shortened(error)}",
            "Is the folder whole, and written by AutoGluon 1.4 or newer?",
        ) from error
