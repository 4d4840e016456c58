"""Locked wheels of another machine, installed into a folder by uv, hashes checked."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from onnxlet.convert.bundle.target import Target
from onnxlet.convert.errors import PackagingFailed
from onnxlet.folders import PACKAGE, documented

REQUIREMENTS = PACKAGE / "requirements"
SHOWN_LINES = 12


def install(target: Target, folder: Path, more: Sequence[str] = ()) -> None:
    """Install what lock files name, as it would be on the target.

    Nothing is built and nothing is run: a wheel that does not exist for the target, or that has
    another hash than the lock, stops it. PackagingFailed is raised with uv's own words.
    """
    command = [sys.executable, "-P", "-m", "uv", "pip", "install", "--quiet", "--no-progress"]
    command += ["--python", sys.executable, "--target", str(folder), "--no-deps"]
    command += ["--python-version", target.python, "--python-platform", target.platform]
    command += ["--only-binary", ":all:", "--require-hashes", "--link-mode", "copy"]
    locks = [target.lock, *more]
    for lock in locks:
        command += ["-r", str(REQUIREMENTS / lock)]
    done = _run(command)
    if "UnknownIssuer" in done.stderr:  # a certificate that the system knows, and uv does not
        done = _run([*command, "--system-certs"])
    if done.returncode:
        said = "\n".join(done.stderr.strip().splitlines()[:SHOWN_LINES])
        raise PackagingFailed(
            f"requirements/{', '.join(locks)}: the wheels for Python {target.python} on "
            f"{target.arch} can't be installed:\n{said}",
            "Every locked package needs a wheel there; is the package index reachable?"
            + documented(" docs/how-to/packaging.md lists the Pythons that work."),
        )


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own arguments
