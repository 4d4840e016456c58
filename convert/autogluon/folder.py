"""A folder as AutoGluon's TabularPredictor writes it: what wrote it, found without running it."""

from __future__ import annotations

import hashlib
import json
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from onnxlet.convert.errors import SourceFailed, printable, shortened
from onnxlet.convert.older.environment import RELEASE, Needed
from onnxlet.convert.progress import Report

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
OLDEST, OLDEST_PYTHON = (1, 4), (3, 10)  # that `predictor_there.py` and `features_there.py` run by
PINNED = re.compile(rf"({RELEASE.pattern})(?:(?:a|b|rc)\d{{1,3}})?(?:\.post\d{{1,3}})?")
MOST_TEXT = 2**18  # bytes of a text; AutoGluon 1.4 names every package that is installed
WHOLE = "Is the folder whole, and written by AutoGluon 1.4 or newer?"
SHOWN = 40  # characters of what is no version
BLOCK = 2**20  # bytes of a pickle that are searched at once


def is_predictor(path: Path) -> bool:
    """Whether a path is the folder of a TabularPredictor."""
    return all((path / name).is_file() for name in FILES)


def version_of(folder: Path) -> str:
    """The AutoGluon that wrote a folder.

    Raises SourceFailed where that is no release, or older than 1.4.
    """
    version = _read(folder, VERSION).strip()
    if not RELEASE.fullmatch(version):
        raise SourceFailed(
            f"'{folder / VERSION}': expected a release of AutoGluon, got "
            f"'{printable(version[:SHOWN])}'",
            "Fit it with a release, or give SOURCE as FILE.py:FUNCTION.",
        )
    if tuple(map(int, version.split("."))) < OLDEST:
        raise SourceFailed(
            f"'{folder / VERSION}': expected AutoGluon 1.4 or newer, got {version}",
            "Fit it again with AutoGluon 1.4 or newer.",
        )
    return version


def needed_by(folder: Path, report: Report) -> Needed:
    """The environment that a folder was written in, as far as answers depend on it.

    Args:
        folder: of a TabularPredictor; nothing in it is run.
        report: called with each package whose version the folder does not say.

    Raises:
        SourceFailed: it does not say more, or a file in it is no regular one of its own.
    """
    version = version_of(folder)
    about: Any = None
    try:
        about = json.loads(_read(folder, METADATA))
        python, installed = PYTHON.fullmatch(about["py_version"]), dict(about["packages"])
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise SourceFailed(
            f"'{folder / METADATA}' can't be read: {shortened(error)}", WHOLE
        ) from error
    if python is None:
        got = printable(about["py_version"][:SHOWN])
        raise SourceFailed(f"'{folder / METADATA}': expected a version of Python, got '{got}'")
    known = {name: of for name, of in installed.items() if isinstance(of, str)}
    wanted = {name: known.get(name, "") for name in (*PACKAGES, *_libraries(folder))}
    if "xgboost" in wanted:
        found = wanted.pop("xgboost") or known.get(CPU, "")
        said = PINNED.fullmatch(found)
        numbers = tuple(map(int, said[1].split("."))) if said else ()
        wanted[CPU if numbers >= CPU_SINCE else "xgboost"] = found
    unknown = [name for name, of in wanted.items() if not PINNED.fullmatch(of)]
    for name in unknown:
        report(
            f"note: {METADATA} has '{printable(wanted[name][:SHOWN])}' as the version of {name}: "
            "the newest that fits is taken"
        )
    pinned = [name if name in unknown else f"{name}=={of}" for name, of in wanted.items()]
    packages = (f"autogluon.tabular=={version}", *pinned, *LACKING)
    major, minor = max(OLDEST_PYTHON, tuple(map(int, python[0].split("."))))
    tag = hashlib.sha256(" ".join(packages).encode()).hexdigest()[:8]
    return Needed(f"AutoGluon {version}", packages, (major, minor), (major, minor), f"-{tag}")


def _libraries(folder: Path) -> list[str]:
    """The libraries whose modules a pickle of the folder names."""
    found, longest = set[str](), max(map(len, LIBRARIES))
    _check_own(folder / "models", folder)
    for path in (folder / "models").rglob("model.pkl"):
        with _opened(path, folder) as file:
            part = b""
            while block := file.read(BLOCK):
                part = part[-longest:] + block  # a name may begin in the block before
                found |= {name for name in LIBRARIES if name.encode() in part}
    return [name for name in LIBRARIES if name in found]


def _read(folder: Path, name: str) -> str:
    with _opened(folder / name, folder) as file:
        content = file.read(MOST_TEXT + 1)
        if len(content) > MOST_TEXT:
            raise ValueError(f"it has more than {MOST_TEXT >> 10} KiB")
        return content.decode()


@contextmanager
def _opened(path: Path, folder: Path) -> Iterator[BinaryIO]:
    """A file of the folder, refused where it is none: a pipe is waited for, a device has no end."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise ValueError("it is no regular file")
        _check_own(path, folder)
        with path.open("rb") as file:
            yield file
    except (OSError, ValueError) as error:
        raise SourceFailed(f"'{path}' can't be read: {shortened(error)}", WHOLE) from error


def _check_own(path: Path, folder: Path) -> None:
    if not path.resolve().is_relative_to(folder.resolve()):
        raise SourceFailed(
            f"'{path}' can't be read: it leads out of the folder",
            f"'cp -rL {folder} COPY' copies the folder with what its links lead to.",
        )
