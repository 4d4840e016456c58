"""Model directories on disk: `models/<name>/<version>/`, whole or not there."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from onnxlet.convert.errors import Refusal
from onnxlet.function import json_text
from onnxlet.function.errors import OnnxletError, WrongUse
from onnxlet.function.models.aliases import file_of, read, serves, serves_in
from onnxlet.function.models.compatible import differences
from onnxlet.function.models.repository import NAME, versions_in
from onnxlet.function.settings import pins_of

MANIFEST = "manifest.json"


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
    there = next(each for each in (folder, *folder.absolute().parents) if each.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        what = "can't be written to" if there.is_dir() else "is not a folder"
        raise WrongUse(f"--models: '{there}' {what}", "Choose another folder with --models.")


def check_version(directory: Path) -> None:
    """Refuse the folder of a model, or of several, where one version is asked for.

    Raises:
        WrongUse: it is one.
    """
    below = sorted([*directory.glob("*/manifest.json"), *directory.glob("*/*/manifest.json")])
    if below and not (directory / "manifest.json").exists():
        raise WrongUse(
            f"DIR/N/V: expected one version of a model, got '{directory}'",
            f"For example {below[0].resolve().parent}",
        )


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


def still_served(directory: Path, environ: Mapping[str, str]) -> str:
    """Why a version that was written is not the one that is served; '' where it is.

    Args:
        directory: of the version.
        environ: whose ONNXLET_SERVE may pin the model.
    """
    name, version = directory.parent.name, int(directory.name)
    versions = versions_in(directory.parent)
    file = file_of([directory.parents[1]], name)
    pin = pins_of(environ.get("ONNXLET_SERVE", ""), []).get(name)
    try:
        served = serves(name, versions, read(file, versions), pin)
    except OnnxletError as error:
        return f"version {version} is not served: {error.message}"
    if served == version:
        return ""
    why = f"it is 'stable' in {file}" if pin is None else f"ONNXLET_SERVE={name}={pin} is set"
    return f"version {served} stays served: {why}"


def write_version(
    folder: Path,
    name: str,
    files: Mapping[str, bytes],
    breaking: bool = False,
    report: Callable[[str], object] = lambda line: None,
) -> tuple[int, bool]:
    """Write the next version, or find that the highest is these very bytes.

    The files are written beside the models and renamed into place when they are on disk, so
    that a killed build leaves no half-made version; the next build removes what it left.

    Returns:
        The version, and whether it is new.

    Raises:
        Refusal: clients of the version that is served could not go on with this one, and it is
            not `breaking`.
        OnnxletError: it can't be written; nothing of it is left.
    """
    try:
        return _written(folder, name, files, breaking, report)
    except OSError as error:
        no_space = error.errno in (errno.ENOSPC, errno.EDQUOT)
        hint = "Free some of its disk, or choose" if no_space else "Choose"
        raise OnnxletError(
            f"can't write below '{folder}': {error}", f"{hint} another folder with --models."
        ) from error


def _written(
    folder: Path,
    name: str,
    files: Mapping[str, bytes],
    breaking: bool,
    report: Callable[[str], object],
) -> tuple[int, bool]:
    folder.mkdir(parents=True, exist_ok=True)
    with _only_writer(folder):
        for left in folder.glob(".building-*"):
            shutil.rmtree(left)
        home = folder / name
        versions = versions_in(home)
        if versions and _holds(home / str(versions[-1]), files):
            return versions[-1], False
        if versions:
            _compare(home, versions, files, breaking, report)
        version = versions[-1] + 1 if versions else 1
        building = folder / f".building-{name}"
        try:
            building.mkdir()
            for file, content in files.items():
                _write_durably(building / file, content)
            _sync(building)
            home.mkdir(exist_ok=True)
            building.rename(home / str(version))
        except BaseException:
            shutil.rmtree(building, ignore_errors=True)
            raise
        _sync(home)
        _sync(folder)
        return version, True


def _compare(
    home: Path,
    versions: Sequence[int],
    files: Mapping[str, bytes],
    breaking: bool,
    report: Callable[[str], object],
) -> None:
    """Compare a manifest with that of the version that is served from this folder."""
    try:
        number = serves_in(home, versions)
        served = json_text.loads((home / str(number) / MANIFEST).read_bytes())
        found = differences(served, json_text.loads(files[MANIFEST]))
    except (OnnxletError, OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        why = getattr(error, "message", f"{type(error).__name__} {error}")
        report(f"warning: not compared with the version of {home.name} that is served: {why}")
        return
    if found and not breaking:
        listed = "".join(f"\n  {each}" for each in found)
        raise Refusal(
            f"clients of {home.name} version {number}, which is served, could not go on with this "
            f"one:{listed}",
            "Nothing was written. Give it another --name; or, where clients are ready for it, "
            "add --breaking.",
        )
    for each in found:
        report(f"breaking, against version {number}: {each}")


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
