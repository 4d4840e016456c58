"""Drift of what is deployed: adds up what each instance has counted and logged.

The counts are compared as an instance compares its own, by the manifest of the model that made
them. A hash in each line says which one that is.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from onnxlet.convert.progress import Report
from onnxlet.function.monitoring import deltas, drift
from onnxlet.function.monitoring.drift import PSI
from onnxlet.function.monitoring.layout import Layout
from onnxlet.function.monitoring.watch import BinCounts, Figures, Watch
from tools.deploy.bundle import ROOT, described, read_bundle
from tools.deploy.errors import DeployFailed
from tools.deploy.options import Plan

# CloudWatch's filter, so that of a large log only these lines are sent.
PATTERN = f"{{ $.{deltas.MEMBER}.rows > 0 }}"
NOTHING = (
    "An instance logs what it has counted with each hundred rows of a model, unless "
    "ONNXLET_LOG=errors or off, or ONNXLET_WATCH=off is set."
)

MOST = 5  # columns that are listed
Event = Mapping[str, Any]
Entry = Mapping[str, Any]  # of a report


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
    watch, refused = Watch(lambda: layout), Counter[str]()
    for delta in those:
        seen, why = counted(delta.content, layout)
        watch.add(seen, delta.at)
        refused.update(why)
    return watch.figures()._replace(since=since, refused=dict(refused))


def counted(delta: Any, layout: Layout) -> tuple[BinCounts, dict[str, int]]:
    """The rows and refusals of a delta, as `written` gives it; raises ValueError for others."""
    try:
        counts = [int(rows or 0) for rows in delta["counts"].split(",")]
        seen = BinCounts(
            int(delta["rows"]), np.array(counts, np.uint32), int(delta.get("beyond", 0))
        )
        refused = {str(reason): int(n) for reason, n in delta.get("refused", {}).items()}
    except (KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"expected a delta, got something else: {error}") from error
    if len(seen.counts) != layout.size:
        raise ValueError(f"expected {layout.size} counts, got {len(seen.counts)}")
    return seen, refused


def in_words(report: Mapping[str, Any]) -> Iterator[str]:
    """A report as lines to read: alarms, then what has moved most, then the estimate."""
    reference, came = report["reference"], report["came"]
    some = f" of {came:,} that came" if came > report["rows"] else ""
    yield (
        f"{report['model']}/{report['version']}: {report['rows']:,} rows{some} since "
        f"{report['since']}; "
        f"the newest {report['window']:,} against {reference['rows']:,} of {reference['source']}"
    )
    yield f"  alarms: {len(report['alarms']) or 'none'}"
    for alarm in report["alarms"]:
        yield (
            f"    {_named(alarm)}: {alarm['sentence']} ({alarm['statistic']} "
            f"{alarm['value']:.4g}, expected {_side(alarm)} {alarm['threshold']:.4g})"
        )
    entries = [*report["columns"], *report["predictions"]]
    moved = sorted((entry for entry in entries if entry["tests"]), key=_psi, reverse=True)
    if moved:
        yield "  moved most:"
    for entry in moved[:MOST]:
        yield f"    {_named(entry)}: {PSI} {_psi(entry):.4g}; {_shift(entry)}"
    if report["estimated"]:
        yield f"  expected: {_expected(report['estimated'])}"
    if report["refused"]:
        yield f"  refused: {sum(report['refused'].values()):,}"
    for reason, count in sorted(report["refused"].items(), key=lambda pair: -pair[1])[:MOST]:
        yield f"    {count:,} for {reason}"


def _named(entry: Entry) -> str:
    """A column by its name; an answer by that word, too, since a column may be called alike."""
    index = f"[{entry['index']}]" if "index" in entry else ""
    name = f"answer {entry['output']}{index}" if "output" in entry else f"{entry['column']}"
    return name if entry["measure"] in ("value", "label") else f"{name} ({entry['measure']})"


def _side(alarm: Entry) -> str:
    return "at most" if alarm["value"] > alarm["threshold"] else "at least"


def _psi(entry: Entry) -> float:
    return max((test["value"] for test in entry["tests"] if test["statistic"] == PSI), default=0.0)


def _shift(entry: Entry) -> str:
    """The bin whose share has changed most."""
    pairs = list(zip(entry["reference"], entry["window"], strict=True))
    bin_, (was, now) = max(enumerate(pairs), key=lambda pair: abs(pair[1][1] - pair[1][0]))
    return f"{_bins(entry)[bin_]} was {was:.1%}, is {now:.1%}"


def _bins(entry: Entry) -> Sequence[str]:
    """The bins in words; behind all others there is that of missing values."""
    if "categories" in entry:
        return [*(f"'{each}'" for each in entry["categories"]), "all others", "missing"]
    edges = [f"{edge:.6g}" for edge in entry["edges"]]
    if not edges:
        return ["any number", "missing"]
    between = [f"{low} to {high}" for low, high in pairwise(edges)]
    return [f"at most {edges[0]}", *between, f"above {edges[-1]}", "missing"]


def _expected(estimated: Entry) -> str:
    held_out = estimated["held_out"]
    figures = [
        f"{name.replace('_', ' ')} {_number(value)} ({_number(held_out.get(name))})"
        for name, value in estimated.items()
        if name not in ("rows", "held_out", "history", "doubtful")
    ]
    said = f"{', '.join(figures)}; in brackets on {held_out['rows']:,} held-out rows"
    if estimated["doubtful"]:
        said += f"; not to be trusted, by {', '.join(estimated['doubtful'])}"
    return said


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.4g}"
