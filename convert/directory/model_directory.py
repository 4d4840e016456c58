"""Model directories on disk: `models/<name>/<version>/`, whole or not there."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from onnxlet.convert.directory.durable import sync, whole
from onnxlet.convert.errors import BreakingChange
from onnxlet.convert.progress import Report
from onnxlet.function import json_text
from onnxlet.function.errors import OnnxletError, WrongUse
from onnxlet.function.files import locked
from onnxlet.function.model_files import read_file
from onnxlet.function.models.aliases import file_of, of_model, read, serves
from onnxlet.function.models.compatible import differences
from onnxlet.function.models.model import MANIFEST, NO_VERSION, REPORT
from onnxlet.function.models.repository import NAME, versions_in
from onnxlet.function.settings import pins_of

LOCK = ".lock"  # in the folder of models: held while a version is written


def check_name(name: str, argument: str = "--name") -> None:
    """Refuse what can't be a model's name; messages say which argument gave it.

    Raises WrongUse where it is not letters, digits, dots, dashes and underscores, or does not begin
    with a letter or digit.
    """
    if not NAME.fullmatch(name):
        raise WrongUse(
            f"{argument}: expected a letter or digit, then up to 99 letters, digits, '.', '-' or "
            f"'_', got '{name}'",
            "It names a folder and is part of a URL.",
        )


def check_folder(folder: Path, name: str) -> None:
    """Refuse a folder of models that can't be written to, before any work is done for it.

    It need not exist. Raises WrongUse where it, the model's folder or what these would be made in
    is no folder or can't be written to; or its lock can't.
    """
    if fault := next(_faults(folder, name), ""):
        raise WrongUse(f"--models: {fault}", "Choose another folder with --models.")


def _faults(folder: Path, name: str) -> Iterator[str]:
    """Why no version of a model can be written below a folder."""
    try:
        os.lstat(folder / name)
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError as error:  # a loop of links, or a name that is too long
        yield f"'{folder}': {error.strerror}"
    # A link that leads nowhere is there, too: no folder can be made in its place.
    there = next(each for each in (folder, *folder.absolute().parents) if os.path.lexists(each))
    home, lock = folder / name, folder / LOCK
    for place in (there, home):
        if os.path.lexists(place) and not place.is_dir():
            yield f"'{place}' is not a folder"
    if os.path.lexists(lock) and (lock.is_symlink() or not lock.is_file()):
        sort = "link" if lock.is_symlink() else "folder" if lock.is_dir() else "pipe or device"
        yield f"'{lock}' is a {sort}: expected the file that builds lock"
    for place in (there, home, lock):
        if place.exists() and not os.access(place, os.W_OK):
            yield f"'{place}' can't be written to"
    try:  # who may do everything still can't write everywhere, such as in /proc
        Path(mkdtemp(prefix=".", dir=there)).rmdir()
    except OSError as error:
        yield f"'{there}' can't be written to: {error.strerror}"


def check_version(directory: Path) -> None:
    """Refuse what is not the folder of one version.

    Raises WrongUse where it is the folder of a model, or of several, a file, or not there.
    """
    if not directory.is_dir():
        got = f"got the file '{directory}'" if directory.is_file() else f"there is no '{directory}'"
        raise WrongUse(f"DIR/N/V: expected the folder of one version, {got}", NO_VERSION)
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
        with suppress(OSError, ValueError, RecursionError):
            found = json.loads(read_file(home / str(version), MANIFEST))
            return found if isinstance(found, dict) else {}
    return {}


def still_served(directory: Path, environ: Mapping[str, str]) -> str:
    """Why a version that was written is not the one that is served; '' where it is.

    ONNXLET_SERVE in the environment may pin the model.
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
    report: Report = lambda line: None,
    beside: Mapping[str, bytes] | None = None,
) -> tuple[int, bool]:
    """Write the next version, or find that the highest is these very bytes.

    The files are written beside the models and renamed into place when they are on disk, so that a
    killed build leaves no half-made version; the next build removes what it left. Those `beside`
    are the report's, which no version is written for: where the highest is these very bytes, they
    replace its own. `breaking` says that clients of the version that is served need not go on with
    this one; `report` is called with a line where versions can't be compared, or differ.

    Returns the version, and whether it is new. Raises Refusal where clients of the version that is
    served could not go on with this one, and it is not `breaking`, and OnnxletError where it can't
    be written; nothing of it is left.
    """
    try:
        return _written(folder, name, files, breaking, report, beside or {})
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
    report: Report,
    beside: Mapping[str, bytes],
) -> tuple[int, bool]:
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / LOCK):
        for left in folder.glob(".building-*"):
            shutil.rmtree(left)
        home = folder / name
        versions = versions_in(home)
        if versions and _holds(home / str(versions[-1]), files, report):
            replace_files(home / str(versions[-1]), beside)
            return versions[-1], False
        if versions:
            _compare(home, versions, files, breaking, report)
        version = versions[-1] + 1 if versions else 1
        building = folder / f".building-{name}"
        try:
            building.mkdir()
            for file, content in {**files, **beside}.items():
                (building / file).write_bytes(content)
                sync(building / file)
            sync(building)
            home.mkdir(exist_ok=True)
            building.rename(home / str(version))
        except BaseException:
            shutil.rmtree(building, ignore_errors=True)
            raise
        sync(home)
        sync(folder)
        return version, True


def _compare(
    home: Path, versions: Sequence[int], files: Mapping[str, bytes], breaking: bool, report: Report
) -> None:
    """Compare a manifest with that of the version that is served from this folder."""
    try:
        number = serves(home.name, versions, of_model([home.parent], home.name, versions))
        served = json_text.loads(read_file(home / str(number), MANIFEST))
        found = differences(served, json_text.loads(files[MANIFEST]))
    except (OnnxletError, OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        why = getattr(error, "message", f"{type(error).__name__} {error}")
        report(f"warning: not compared with the version of {home.name} that is served: {why}")
        return
    if found and not breaking:
        listed = "".join(f"\n  {each}" for each in found)
        raise BreakingChange(
            f"clients of {home.name} version {number}, which is served, could not go on with this "
            f"one:{listed}",
            "Nothing was written. Give it another --name; or, where clients are ready for it, "
            "add --breaking.",
        )
    for each in found:
        report(f"breaking, against version {number}: {each}")


def _holds(version: Path, files: Mapping[str, bytes], report: Report) -> bool:
    """Whether a version has these very files; a line reports where they come from others."""
    # A report makes no versions differ: it holds measured times.
    there = {entry.name for entry in version.iterdir() if not entry.name.startswith(REPORT)}
    known = {file: read_file(version, file) for file in there & set(files)}
    if there != set(files) or any(known[file] != files[file] for file in there - {MANIFEST}):
        return False
    if known[MANIFEST] == files[MANIFEST]:
        return True
    kept, made = _without_origin(known[MANIFEST]), _without_origin(files[MANIFEST])
    if kept is None or kept != made:
        return False
    # The same model of other files, such as of code with another comment: clients have no reason
    # to load it again, and what it was made from stays true of the version that is there.
    if "origin" in json_text.loads(files[MANIFEST]):  # a script has none to tell
        report(f"note: version {version.name} is the same model: its origin stays, of other files")
    return True


def _without_origin(manifest: bytes) -> dict[str, Any] | None:
    """What a manifest says but where the model comes from; None where it can't be read."""
    with suppress(ValueError, RecursionError):
        found = json_text.loads(manifest)
        return {key: found[key] for key in found if key != "origin"}
    return None


def replace_files(directory: Path, files: Mapping[str, bytes]) -> None:
    """Write files into a directory, each whole or not at all; what is there is replaced."""
    for file, content in files.items():
        with whole(directory / file) as part:
            part.write_bytes(content)
    if files:
        sync(directory)
