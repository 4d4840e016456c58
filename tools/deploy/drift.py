"""Drift of what is deployed: adds up what each instance has counted and logged.

The counts are compared as an instance compares its own, by the manifest of the model that made
them. A hash in each line says which one that is.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from onnxlet.function.monitoring import deltas, drift
from onnxlet.function.monitoring.layout import Layout
from onnxlet.function.monitoring.watch import Figures, Watch
from tools.deploy.bundle import ROOT, Report, described, read_bundle
from tools.deploy.errors import DeployFailed
from tools.deploy.options import Plan

# CloudWatch's filter, so that of a large log only these lines are sent.
PATTERN = f"{{ $.{deltas.MEMBER}.rows > 0 }}"
NOTHING = (
    "An instance logs what it has counted with each hundred rows of a model, unless "
    "ONNXLET_LOG=errors or off, or ONNXLET_WATCH=off is set."
)

Event = Mapping[str, Any]


class Counted(NamedTuple):
    """What counts may be added up of: one version of one model, as it was built."""

    name: str
    version: int
    layout: str  # the hash of its bins

    def __str__(self) -> str:
        return f"{self.name}/{self.version}"


class Delta(NamedTuple):
    """What one line has."""

    at: float  # when it was written, in seconds since 1970
    content: Mapping[str, Any]  # `rows`, `counts` and others


# Reads the manifest of a model's version, or an empty object; by what it is called in messages.
Manifests = Mapping[str, Callable[[str, int], Mapping[str, Any]]]


def deltas_of(events: Iterable[Event], model: str = "") -> dict[Counted, list[Delta]]:
    """The deltas in a log, oldest first.

    A log may have an event twice, and pages of it overlap: a line is taken once. An instance has
    a log stream of its own and numbers its deltas, so that no two lines are equal. The events may
    come in any order; without the name of a model all are wanted.
    """
    found: dict[Counted, list[Delta]] = {}
    seen: set[tuple[Any, str]] = set()
    for event in events:
        key = event.get("logStreamName"), event["message"]
        if key in seen or (line := _line(event["message"])) is None:
            continue
        seen.add(key)
        content = line[deltas.MEMBER]
        of = Counted(str(line["model"]), int(line["version"]), str(content.get("layout")))
        if model in ("", of.name):
            found.setdefault(of, []).append(Delta(event["timestamp"] / 1000, content))
    return {of: sorted(found[of], key=lambda delta: delta.at) for of in sorted(found)}


def _line(message: str) -> dict[str, Any] | None:
    """A line with a delta, or None: CloudWatch's filter is not every emulator's."""
    try:
        line = json.loads(message)
    except ValueError:
        return None
    has = isinstance(line, dict) and isinstance(line.get(deltas.MEMBER), dict)
    return line if has and isinstance(line.get("version"), int) and "model" in line else None


def manifests_of(plan: Plan) -> Manifests:
    """Where the manifests of what is deployed may be: the bundle, and the folder of models.

    DeployFailed where the bundle that is named is none.
    """
    found: dict[str, Callable[[str, int], Mapping[str, Any]]] = {}
    packaged = ROOT / "build" / "deploy" / f"onnxlet-{plan.stage}.zip"
    path = Path(plan.values.get("BUNDLE", packaged))
    if "BUNDLE" in plan.values or path.is_file():
        bundle = read_bundle(path)
        found[str(path)] = lambda name, version: bundle.read(name, "manifest.json", version)

    def in_folder(name: str, version: int) -> Mapping[str, Any]:
        file = plan.models / name / str(version) / "manifest.json"
        manifest: Mapping[str, Any] = json.loads(file.read_bytes()) if file.is_file() else {}
        return manifest

    return {**found, str(plan.models): in_folder}


def added_up(
    found: Mapping[Counted, Sequence[Delta]], manifests: Manifests, since: float, report: Report
) -> list[dict[str, Any]]:
    """A report, as `GET /models/N/drift` answers, of each version that has rows in the log.

    It was read from `since`, in seconds since 1970. `report` takes a line for each version that
    can't be compared; DeployFailed where none can.
    """
    if not found:
        raise DeployFailed("the log has no counts of that time", NOTHING)
    drifts = []
    for of, those in found.items():
        try:
            model = described(of.name, of.version, _manifest(of, manifests))
            layout = Layout(model.manifest, model.signature)
            figures = figures_of(those, layout, since)
        except ValueError as error:
            rows = sum(delta.content.get("rows", 0) for delta in those)
            report(f"{of}: {rows} rows can't be compared: {error}")
            continue
        drifts.append(drift.report(model, layout, figures))
    if not drifts:
        raise DeployFailed(
            "nothing that the log has counted can be compared: see above",
            "Set BUNDLE or MODELS to what is deployed.",
        )
    return drifts


def _manifest(of: Counted, manifests: Manifests) -> Mapping[str, Any]:
    """The manifest by which it was counted; ValueError says what is there instead."""
    others = []
    for place, read in manifests.items():
        manifest = read(of.name, of.version)
        if manifest and deltas.layout_hash(manifest) == of.layout:
            return manifest
        if manifest:
            others.append(place)
    if others:
        raise ValueError(
            f"they were counted by another build of it (its hash {of.layout}) "
            f"than {' and '.join(others)} has"
        )
    raise ValueError(f"its manifest is not in {' or '.join(manifests)}")


def figures_of(those: Sequence[Delta], layout: Layout, since: float) -> Figures:
    """What several instances have counted, as one would have it that had all their requests.

    ValueError where a line has something else than counts of this layout.
    """
    watch, refused = Watch(layout), Counter[str]()
    for delta in those:
        seen, why = deltas.read(delta.content, layout)
        watch.add(seen, delta.at)
        refused.update(why)
    return watch.figures()._replace(since=since, refused=dict(refused))
