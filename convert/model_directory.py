"""Model directories on disk: `models/<name>/<version>/`, whole or not there."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from convert.errors import WrongUse
from function.repository import NAME, versions_in


def check_name(name: str) -> None:
    """Refuse what can't be a model's name.

    Raises:
        WrongUse: it is not letters, digits, dots, dashes and underscores.
    """
    if not NAME.fullmatch(name):
        raise WrongUse(
            f"--name: expected up to 100 letters, digits, '.', '-' or '_', got '{name}'",
            "The name is a folder's and stands in addresses.",
        )


def check_folder(folder: Path) -> None:
    """Refuse a folder that can't be written to, before any work is done for it.

    Raises:
        WrongUse: it is a file, or it or what it would be made in can't be written to.
    """
    there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        what = "can't be written to" if there.is_dir() else "is not a folder"
        raise WrongUse(f"--models: '{there}' {what}", "Choose another folder with --models.")


def sha256(content: bytes) -> str:
    """The digest in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def highest_manifest(folder: Path, name: str) -> dict[str, Any]:
    """The manifest of a model's highest version; empty where there is none that can be read."""
    home = folder / name
    for version in versions_in(home)[-1:]:
        with suppress(OSError, ValueError):
            found = json.loads((home / str(version) / "manifest.json").read_bytes())
            return found if isinstance(found, dict) else {}
    return {}


def write_version(folder: Path, name: str, files: Mapping[str, bytes]) -> tuple[int, bool]:
    """Write the next version, or find that the highest is these very bytes.

    The files are written beside the models and renamed into place when they are on disk, so
    that a killed build leaves no half-made version; the next build removes what it left.

    Returns:
        The version, and whether it is new.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _only_writer(folder):
        for left in folder.glob(".building-*"):
            shutil.rmtree(left)
        home = folder / name
        versions = versions_in(home)
        if versions and _holds(home / str(versions[-1]), files):
            return versions[-1], False
        building = folder / f".building-{name}"
        building.mkdir()
        for file, content in files.items():
            _write_durably(building / file, content)
        _sync(building)
        home.mkdir(exist_ok=True)
        version = versions[-1] + 1 if versions else 1
        building.rename(home / str(version))
        _sync(home)
        _sync(folder)
        return version, True


@contextmanager
def _only_writer(folder: Path) -> Iterator[None]:
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _holds(version: Path, files: Mapping[str, bytes]) -> bool:
    there = {entry.name for entry in version.iterdir()}
    return there == set(files) and all((version / f).read_bytes() == c for f, c in files.items())


def _write_durably(path: Path, content: bytes) -> None:
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
