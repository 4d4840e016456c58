"""What is on a device: slots, models, and what is remembered of updates."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from onnxlet.edge.device.slots import SLOTS, Places, live_slot
from onnxlet.edge.update.memory import read_memory
from onnxlet.edge.update.setup import pins_of
from onnxlet.function.errors import OnnxletError
from onnxlet.function.models.aliases import of_model, serves
from onnxlet.function.models.repository import versions_in


def release_of(slot: Path) -> int | None:
    """The number of the release in a slot; None where there is none."""
    release = _told(slot / "device.json").get("release")
    return release if isinstance(release, int) else None


def _told(path: Path) -> dict[str, Any]:
    try:
        told = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}


def status(places: Places) -> dict[str, Any]:
    """What is there, as it is printed by `edge status --json`.

    Raises:
        Refused: what is remembered can't be read.
    """
    memory, live = read_memory(places), live_slot(places)
    slots = {
        name: {
            "release": release_of(places.slot(name)),
            "models": _told(places.slot(name) / "bundle.json").get("models", {}),
        }
        for name in SLOTS
        if places.slot(name).is_dir()
    }
    in_slot = slots[live]["models"] if live else {}
    alone = {
        folder.name: versions[-1]
        for folder in (sorted(places.models.iterdir()) if places.models.is_dir() else ())
        if (versions := versions_in(folder))
    }
    return {
        "live": live,
        "slots": slots,
        "models": {
            name: _served(places, name) or max(in_slot.get(name, 0), alone.get(name, 0))
            for name in sorted({*in_slot, *alone})
        },
        "models_alone": alone,
        "highest": dict(memory.highest),
        "broken": {kind: dict(numbers) for kind, numbers in memory.broken.items()},
        "attempt": memory.attempt and memory.attempt._asdict(),
    }


def _served(places: Places, name: str) -> int | None:
    """The version that the service serves; None where that can't be told."""
    folders = [places.live / "models", places.models]
    versions = sorted({v for folder in folders for v in versions_in(folder / name)})
    try:
        pins = pins_of(places)
        return serves(name, versions, of_model(folders, name, versions), pins.get(name))
    except (OnnxletError, OSError, LookupError):
        return None


def lines(told: dict[str, Any]) -> list[str]:
    """The same, to read."""
    said = []
    for name, slot in told["slots"].items():
        state = "live" if name == told["live"] else "idle"
        models = ", ".join(f"{n}/{v}" for n, v in slot["models"].items())
        said.append(f"slot {name} ({state}): release {slot['release']}, {models}")
    if told["live"] is None:
        said.append("no slot is live")
    for name, version in told["models"].items():
        how = " (came alone)" if told["models_alone"].get(name) == version else ""
        said.append(f"model {name}: version {version}{how}")
    said += [f"highest accepted, {kind}: {number}" for kind, number in told["highest"].items()]
    for kind, numbers in told["broken"].items():
        said += [f"given up, {kind} release {number}: {why}" for number, why in numbers.items()]
    if attempt := told["attempt"]:
        said.append(f"cut off, {attempt['kind']} release {attempt['release']}: {attempt['tries']}")
    return said
