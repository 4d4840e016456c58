"""A report of drift as lines to read: alarms first, then what has moved most, then the estimate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from onnxlet.function.monitoring.drift import PSI

MOST = 5  # columns that are listed
Entry = Mapping[str, Any]


def lines(report: Mapping[str, Any]) -> Iterator[str]:
    """One report, as `GET /models/N/drift` answers it."""
    reference = report["reference"]
    yield (
        f"{report['model']}/{report['version']}: {report['rows']:,} rows since {report['since']}; "
        f"the newest {report['window']:,} against {reference['rows']:,} of {reference['source']}"
    )
    yield f"  alarms: {len(report['alarms']) or 'none'}"
    for alarm in report["alarms"]:
        yield (
            f"    {_named(alarm)}: {alarm['statistic']} {alarm['value']:.4g}, "
            f"expected {_side(alarm)} {alarm['threshold']:.4g}"
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
