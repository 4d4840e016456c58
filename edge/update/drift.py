"""The drift of the served models, asked from the service that runs on this device."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterable, Mapping
from typing import Any

from onnxlet.edge.device.slots import DevicePaths
from onnxlet.edge.service.drift_summary import main_metric, summary
from onnxlet.edge.update.health import ask
from onnxlet.edge.update.setup import make_setup
from onnxlet.function.errors import OnnxletError

ANSWER_SECONDS = 5.0
MOST_SHOWN = 3  # alarms in a line


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
    if not found["window"]:
        return "not enough rows yet"
    rows, count = f"the last {found['window']:,} rows", found["alarm_count"]
    if not count:
        return f"calm in {rows}"
    named = [f"{_place(each)} ({each['statistic']})" for each in found["alarms"][:MOST_SHOWN]]
    more = f" and {count - len(named)} more" if count > len(named) else ""
    return f"{count} alarm{'s' * (count > 1)} in {rows}: {', '.join(named)}{more}"


def _place(alarm: Mapping[str, Any]) -> str:
    """A column by its name; an answer by that word, too, since a column may be called alike."""
    index = f"[{alarm['index']}]" if "index" in alarm else ""
    return f"answer {alarm['output']}{index}" if "output" in alarm else str(alarm["column"])


def _expected(found: Mapping[str, Any]) -> str:
    """Expected performance beside that on held-out rows, and what came of predictions."""
    estimated, realised = found["estimated"], found["realised"]
    said = ""
    if estimated and (name := main_metric(estimated)) and estimated[name] is not None:
        said = f"; expected {name.replace('_', ' ')} {_shown(estimated[name])}"
        if (held_out := estimated["held_out"].get(name)) is not None:
            said += f", {_shown(held_out)} on held-out rows"
    if realised and (name := main_metric(realised)) and realised[name] is not None:
        said += f"; realised {name.replace('_', ' ')} {_shown(realised[name])}"
        said += f" on {realised['rows']:,} rows"
    return said


def _shown(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
