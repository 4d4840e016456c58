"""Models that came alone, in `models/` beside the slots: put there, taken away, cleared out."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from onnxlet.edge.device.slots import Places, sync_folder
from onnxlet.function.models.aliases import FILE
from onnxlet.function.models.repository import versions_in

KEPT = 2  # versions of each model: the one that serves and the one before it


def clashes(places: Places, incoming: Path, models: Mapping[str, int]) -> list[str]:
    """Versions that are there already, and others."""
    return [
        f"models/{name}/{version} is there already, and another: give it a higher version"
        for name, version in models.items()
        if (there := places.models / name / str(version)).exists()
        and not _same(there, incoming / "models" / name / str(version))
    ]


def _same(one: Path, other: Path) -> bool:
    """The manifest has the hash of every other file."""
    with suppress(OSError):
        return (one / "manifest.json").read_bytes() == (other / "manifest.json").read_bytes()
    return False


def put(places: Places, incoming: Path, models: Mapping[str, int]) -> None:
    """Move versions that are on the card among the models, each in one step."""
    for name, version in models.items():
        folder = places.models / name
        folder.mkdir(parents=True, exist_ok=True)
        (incoming / "models" / name / str(version)).rename(folder / str(version))
        sync_folder(folder)
    sync_folder(places.models)
    sync_folder(places.data)


def take_away(places: Places, models: Mapping[str, int]) -> None:
    """Have versions serve no more: each is gone in one step, and then removed."""
    for name, version in models.items():
        folder = places.models / name / str(version)
        outgoing = places.data / ".outgoing"
        shutil.rmtree(outgoing, ignore_errors=True)
        if folder.exists():
            folder.rename(outgoing)
            sync_folder(folder.parent)
            shutil.rmtree(outgoing, ignore_errors=True)


def prune(places: Places, pins: Mapping[str, str]) -> None:
    """Leave the highest versions of each model, and those that are named.

    Args:
        places: this device's folders.
        pins: of models by name the version, or its alias, that the service is to serve.
    """
    for folder in places.models.iterdir() if places.models.is_dir() else ():
        older = versions_in(folder)[:-KEPT]
        for version in older:
            if not names_of(places, folder.name, version, pins):
                take_away(places, {folder.name: version})


def names_of(places: Places, name: str, version: int, pins: Mapping[str, str]) -> list[str]:
    """What names a version, so that the service would not start without it."""
    named = [f"ONNXLET_SERVE={name}={version}"] if pins.get(name) == str(version) else []
    try:
        told = json.loads((places.models / name / FILE).read_bytes())
        return [*named, *(f"{FILE}: {alias}" for alias, to in told.items() if to == version)]
    except FileNotFoundError:
        return named
    except (OSError, ValueError, AttributeError):  # nobody knows which it means
        return [*named, f"{FILE} can't be read"]
