"""The status of a device: slots, models, the history of updates, and how what is served drifts."""

from __future__ import annotations

import http.client
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from onnxlet.edge.device.slots import SLOTS, DevicePaths, live_slot
from onnxlet.edge.service.drift_reports import main_metric, summary
from onnxlet.edge.settings.environment_file import pins_of
from onnxlet.edge.update.health import ask
from onnxlet.edge.update.history import read_history
from onnxlet.edge.update.setup import make_setup
from onnxlet.function.errors import OnnxletError
from onnxlet.function.models.aliases import of_model, serves
from onnxlet.function.models.repository import versions_in
from onnxlet.function.monitoring.watch import BLOCK_ROWS

ANSWER_SECONDS = 5.0
MOST_SHOWN = 3  # alarms in a line


def release_of(slot: Path) -> int | None:
    """The number of the release in a slot; None if there is none."""
    release = _read(slot / "device.json").get("release")
    return release if isinstance(release, int) else None


def called(release: int | None) -> str:
    """What a release is called in a sentence."""
    return "a release without a number" if release is None else f"release {release}"


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
    shown = []
    for name, slot in found["slots"].items():
        state = "live" if name == found["live"] else "idle"
        models = ", ".join(f"{n}/{v}" for n, v in slot["models"].items())
        shown.append(f"slot {name} ({state}): {called(slot['release'])}, {models}")
    if found["live"] is None:
        shown.append("no slot is live")
    if silence := found.get("silence"):
        shown.append(f"the service gives {silence}")
    for name, version in found["models"].items():
        how = " (model-only update)" if found["models_alone"].get(name) == version else ""
        shown.append(f"model {name}: version {version}{how}")
    shown += [drift_line(summary) for summary in found.get("drift", {}).values()]
    shown += [f"highest accepted, {kind}: {n}" for kind, n in found["highest"].items() if n]
    for kind, numbers in found["broken"].items():
        shown += [f"given up, {kind} release {number}: {why}" for number, why in numbers.items()]
    if attempt := found["attempt"]:
        shown.append(f"cut off, {attempt['kind']} release {attempt['release']}: {attempt['tries']}")
    return shown


def silence(paths: DevicePaths) -> str:
    """What to look at where the live slot's service does not answer; empty where it does.

    It is empty, too, where no slot is live, or this user can't read where the service listens.
    """
    unread = paths.environment.exists() and not os.access(paths.environment, os.R_OK)
    if live_slot(paths) is None or unread:
        return ""
    try:
        service = make_setup(paths, lambda line: None).service
    except OnnxletError as error:
        return f"{paths.environment}: {error.message}"
    if ask(service, "/v2/health/ready", None, ANSWER_SECONDS)[0]:
        return ""
    return f"no answer at {service.url}: systemctl status onnxlet; journalctl --namespace=onnxlet"


def drift_of(paths: DevicePaths, models: Iterable[str]) -> dict[str, dict[str, Any]]:
    """What the service has counted, in short, by model; never raises.

    A model without reference statistics is left out; so are all of them where the service counts
    nothing, does not answer, or wants a key that this user can't read.
    """
    try:
        service = make_setup(paths, lambda line: None).service
    except OnnxletError:  # the settings are at fault; what stands on the disk is shown anyway
        return {}
    found = {}
    for name in models:
        status, content = ask(service, f"/models/{name}/drift", None, ANSWER_SECONDS)
        if not status:
            break
        if status == http.client.OK and (short := _summary(content)):
            found[name] = short
    return found


def _summary(content: bytes) -> dict[str, Any] | None:
    try:
        return summary(json.loads(content))
    except (ValueError, LookupError, TypeError, AttributeError):  # another release's form
        return None


def drift_line(found: Mapping[str, Any]) -> str:
    """A summary as a line to read."""
    return f"drift of {found['model']}: {_state(found)}{_expected(found)}"


def _state(found: Mapping[str, Any]) -> str:
    window, count = found["window"], found["alarm_count"]
    rows = f"the last {window:,} rows" if window else "what came of predictions"
    if count:
        said = list(dict.fromkeys(each["sentence"] for each in found["alarms"]))[:MOST_SHOWN]
        more = count - sum(each["sentence"] in said for each in found["alarms"])
        said += [f"And {more} more."] * (more > 0)
        return f"{count} alarm{'s' * (count > 1)} in {rows}: {' '.join(said).removesuffix('.')}"
    if window:
        return f"calm in {rows}"
    if (waiting := found["waiting"]) is None:
        return "not enough rows yet"
    return f"{waiting} row{'s' * (waiting != 1)} so far: figures from {BLOCK_ROWS} on"


def _expected(found: Mapping[str, Any]) -> str:
    """Expected performance beside that on held-out rows, and what came of predictions."""
    estimated, realised = found["estimated"], found["realised"]
    text = ""
    if estimated and (name := main_metric(estimated)) and estimated[name] is not None:
        text = f"; expected {name.replace('_', ' ')} {_shown(estimated[name])}"
        if (held_out := estimated["held_out"].get(name)) is not None:
            text += f", {_shown(held_out)} on held-out rows"
    if realised and (name := main_metric(realised)) and realised[name] is not None:
        text += f"; realised {name.replace('_', ' ')} {_shown(realised[name])}"
        text += f" on {realised['rows']:,} rows"
    return text


def _shown(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
