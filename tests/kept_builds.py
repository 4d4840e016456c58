"""Builds and bundles that set tests up: made once for all processes, and kept between runs.

One is looked up by all that it is made of: the bytes of the estimator and of its rows or of the
models, its name, every file of code, page and requirements below function/, edge/, convert/,
onnxlet/ and requirements/, every Python file of tests/, every package that is installed, Python and
the machine. Whatever changes makes another key, and what is under another key is never read:
nothing stale can hide a fault. A build that is itself tested is not looked up: that test calls
`build`.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from functools import cache
from importlib.metadata import distributions
from pathlib import Path

import joblib

from onnxlet.convert.build import build
from onnxlet.convert.sources.source import Source

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".pytest_cache" / "builds"  # a folder for each state of the code
CODE = ("function", "edge", "convert", "onnxlet", "requirements", "tests")
ENDINGS = (".py", ".html", ".css", ".js", ".mjs", ".png", ".svg", ".txt")
LICENCES = ("LICENSE", "NOTICE")
STATES = 4  # of the code whose builds are kept, such as those of several environments


def kept_builds(sources: Mapping[str, Source], folder: Path) -> Path:
    """A folder of model directories: version 1 of each source, by its name, or the next version."""
    for name, source in sources.items():
        _kept_build(source, name, folder)
    return folder


def _kept_build(source: Source, name: str, folder: Path) -> None:
    key = joblib.hash((name, source.estimator, source.X_test, source.y_test, source.X_train))
    made = kept(f"{name}-{key}", lambda into: build(source, name, into, lambda line: None))
    versions = folder / name
    versions.mkdir(parents=True, exist_ok=True)
    shutil.copytree(made / name / "1", versions / str(1 + len(list(versions.iterdir()))))


def kept(name: str, make: Callable[[Path], object]) -> Path:
    """The folder that `make` has filled, once under this name. Nobody writes there."""
    found = _state() / name
    with found.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another process that makes the same is waited for
        if not found.is_dir():
            with tempfile.TemporaryDirectory(dir=found.parent) as scratch:
                made = Path(scratch, name)
                made.mkdir()
                make(made)
                made.rename(found)
    return found


@cache
def _state() -> Path:
    """The folder of this state of the code; those of the oldest other ones are removed."""
    digest = hashlib.sha256()
    code = [path for top in CODE for path in (ROOT / top).rglob("*") if path.suffix in ENDINGS]
    for path in [*sorted(code), *(ROOT / name for name in LICENCES)]:
        digest.update(str(path).encode() + b"\0" + path.read_bytes())
    installed = sorted(f"{each.name} {each.version}" for each in distributions())
    digest.update(json.dumps([installed, sys.version, platform.machine()]).encode())
    found = FOLDER / digest.hexdigest()[:16]
    found.mkdir(parents=True, exist_ok=True)
    found.touch()
    for old in sorted(FOLDER.iterdir(), key=lambda path: -path.stat().st_mtime)[STATES:]:
        shutil.rmtree(old, ignore_errors=True)
    return found
