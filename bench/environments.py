"""Environments of other programs, `build/bench/NAME`, made of `requirements/bench/NAME.txt`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENTS = ROOT / "build" / "bench"
QUIET = {"BENTOML_DO_NOT_TRACK": "True", "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "1"}


def install(name: str) -> Path:
    """The environment, made where it is missing or its lock is newer.

    Raises:
        subprocess.CalledProcessError: it can't be made.
    """
    lock = ROOT / "requirements" / "bench" / f"{name}.txt"
    folder = ENVIRONMENTS / name
    ready = folder / "ready"
    if not ready.is_file() or ready.stat().st_mtime < lock.stat().st_mtime:
        uv = [sys.executable, "-m", "uv"]
        make = [*uv, "venv", "--quiet", "--clear", "--python", sys.executable, os.fspath(folder)]
        subprocess.run(make, check=True)
        subprocess.run(
            [*uv, "pip", "install", "--quiet", "--python", os.fspath(folder), "--require-hashes",
             "--only-binary", ":all:", "-r", os.fspath(lock)],
            check=True,
        )  # fmt: skip
        ready.touch()
    return folder


def convert(*arguments: object) -> None:
    """A command of `convert` that users have, without what it says."""
    command = [sys.executable, "-m", "convert", *map(str, arguments)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run(command, cwd=ROOT, check=True, **quiet)  # type: ignore[call-overload] # both ints
