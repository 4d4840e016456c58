"""Model-only updates, in `models/` beside the slots: add, remove, and prune versions."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from onnxlet.edge.device.slots import DevicePaths, sync_folder
from onnxlet.function.model_files import read_file, read_within
from onnxlet.function.models.aliases import FILE
from onnxlet.function.models.model import MANIFEST
from onnxlet.function.models.repository import versions_in

KEPT_VERSIONS = 2  # versions of each model: the served one and the previous one


def clashes(paths: DevicePaths, incoming: Path, models: Mapping[str, int]) -> list[str]:
    """The versions that exist already with other content."""
    return [
        f"models/{name}/{version} is there already, and another: give it a higher version"
        for name, version in models.items()
        if (there := paths.models / name / str(version)).exists()
        and not _same(there, incoming / "models" / name / str(version))
    ]


def _same(one: Path, other: Path) -> bool:
    """Compare manifests: they have the hashes of all other files."""
    with suppress(OSError):
        return read_file(one, MANIFEST) == read_file(other, MANIFEST)
    return False


def put(paths: DevicePaths, incoming: Path, models: Mapping[str, int]) -> None:
    """Move unpacked versions among the models, each atomically."""
    for name, version in models.items():
        folder = paths.models / name
        folder.mkdir(parents=True, exist_ok=True)
        (incoming / "models" / name / str(version)).rename(folder / str(version))
        sync_folder(folder)
    sync_folder(paths.models)
    sync_folder(paths.data)


def take_away(paths: DevicePaths, models: Mapping[str, int]) -> None:
    """Remove versions: each is first moved away, atomically, and then deleted."""
    for name, version in models.items():
        folder = paths.models / name / str(version)
        outgoing = paths.data / ".outgoing"
        shutil.rmtree(outgoing, ignore_errors=True)
        if folder.exists():
            folder.rename(outgoing)
            sync_folder(folder.parent)
            shutil.rmtree(outgoing, ignore_errors=True)


def prune(paths: DevicePaths, pins: Mapping[str, str]) -> None:
    """Remove all but the highest versions of each model, and those that pins or aliases name."""
    for folder in paths.models.iterdir() if paths.models.is_dir() else ():
        older = versions_in(folder)[:-KEPT_VERSIONS]
        for version in older:
            if not names_of(paths, folder.name, version, pins):
                take_away(paths, {folder.name: version})


def names_of(paths: DevicePaths, name: str, version: int, pins: Mapping[str, str]) -> list[str]:
    """The pin and aliases that name a version: without it the service would not start."""
    named = [f"ONNXLET_SERVE={name}={version}"] if pins.get(name) == str(version) else []
    try:
        aliases = json.loads(read_within(paths.models / name, FILE))
        return [*named, *(f"{FILE}: {alias}" for alias, to in aliases.items() if to == version)]
    except FileNotFoundError:
        return named
    except (OSError, ValueError, AttributeError):  # it may name this version
        return [*named, f"{FILE} can't be read"]
