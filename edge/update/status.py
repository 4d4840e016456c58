"""The status of a device: slots, models, and the history of updates."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from onnxlet.edge.device.slots import SLOTS, DevicePaths, live_slot
from onnxlet.edge.settings.installed import pins_of
from onnxlet.edge.update.drift import drift_line
from onnxlet.edge.update.history import read_history
from onnxlet.function.errors import OnnxletError
from onnxlet.function.models.aliases import of_model, serves
from onnxlet.function.models.repository import versions_in


def release_of(slot: Path) -> int | None:
    """The number of the release in a slot; None if there is none."""
    release = _read(slot / "device.json").get("release")
    return release if isinstance(release, int) else None


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def status(paths: DevicePaths) -> dict[str, Any]:
    """The status, as `edge status --json` prints it.

    Refused is raised where the history can't be read.
    """
    history, live = read_history(paths), live_slot(paths)
    slots = {
        name: {
            "release": release_of(paths.slot(name)),
            "models": _read(paths.slot(name) / "bundle.json").get("models", {}),
        }
        for name in SLOTS
        if paths.slot(name).is_dir()
    }
    in_slot = slots[live]["models"] if live else {}
    updated = {
        folder.name: versions[-1]
        for folder in (sorted(paths.models.iterdir()) if paths.models.is_dir() else ())
        if (versions := versions_in(folder))
    }
    return {
        "live": live,
        "slots": slots,
        "models": {
            name: _served(paths, name) or max(in_slot.get(name, 0), updated.get(name, 0))
            for name in sorted({*in_slot, *updated})
        },
        "models_alone": updated,
        "highest": dict(history.highest),
        "broken": {kind: dict(numbers) for kind, numbers in history.broken.items()},
        "attempt": history.attempt and history.attempt._asdict(),
    }


def _served(paths: DevicePaths, name: str) -> int | None:
    """The version that the service serves; None if that can't be determined."""
    folders = [paths.live / "models", paths.models]
    versions = sorted({v for folder in folders for v in versions_in(folder / name)})
    try:
        pins = pins_of(paths)
        return serves(name, versions, of_model(folders, name, versions), pins.get(name))
    except (OnnxletError, OSError, LookupError):
        return None


def lines(found: dict[str, Any]) -> list[str]:
    """The status as lines to read."""
    said = []
    for name, slot in found["slots"].items():
        state = "live" if name == found["live"] else "idle"
        models = ", ".join(f"{n}/{v}" for n, v in slot["models"].items())
        said.append(f"slot {name} ({state}): release {slot['release']}, {models}")
    if found["live"] is None:
        said.append("no slot is live")
    for name, version in found["models"].items():
        how = " (model-only update)" if found["models_alone"].get(name) == version else ""
        said.append(f"model {name}: version {version}{how}")
    said += [drift_line(summary) for summary in found.get("drift", {}).values()]
    said += [f"highest accepted, {kind}: {number}" for kind, number in found["highest"].items()]
    for kind, numbers in found["broken"].items():
        said += [f"given up, {kind} release {number}: {why}" for number, why in numbers.items()]
    if attempt := found["attempt"]:
        said.append(f"cut off, {attempt['kind']} release {attempt['release']}: {attempt['tries']}")
    return said
