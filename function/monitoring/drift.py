"""`GET /models/N/drift`: what came in and went out, against the model's reference statistics.

Both are samples: thresholds come from both sizes, and all tests of a report together alarm by
chance only once in 1 / CHANCE reports; those of realised performance as often again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from math import inf, isfinite
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from onnxlet.function.arrays import Array
from onnxlet.function.errors import NotServed
from onnxlet.function.messages import Reply, Request, json_reply
from onnxlet.function.models.model import Model
from onnxlet.function.monitoring import sentences, two_samples
from onnxlet.function.monitoring.layout import Feature, Layout
from onnxlet.function.monitoring.sentences import KS, MISSING, UNSEEN
from onnxlet.function.monitoring.two_samples import CHANCE
from onnxlet.function.monitoring.watch import BLOCK_ROWS, Figures

if TYPE_CHECKING:
    from onnxlet.function.serving.service import Service

OUTER = 0.5  # of the window's rows in the two outermost bins of a column that alarms
PSI, CHI_SQUARE = "population stability index", "chi-square"
ABOVE, BELOW = "above", "below"
AGAIN = "Build it again, with at least 20 held-out rows."


class Test(NamedTuple):
    """What one statistic of one feature says."""

    statistic: str  # its name
    value: float  # of the window's rows
    threshold: float  # that it passes by chance only
    side: str  # `above`; `below` where a share has fallen below its threshold
    alarmed: bool  # it has passed it


def answer(service: Service, request: Request, name: str) -> Reply:
    """The figures of the version that is served, or of the one that `version` names.

    Raises NotServed where nothing is counted.
    """
    model = service.repository.choose(name, request.query.get("version"))
    found = of(service, model)
    if found is None:
        why, hint = "it was built without reference statistics", AGAIN
        if not service.watches.on:
            why, hint = "ONNXLET_WATCH=off is set", "Set ONNXLET_WATCH=on."
        elif model.manifest.get("reference"):
            why, hint = "counting has failed", 'The log has a line with "event":"uncounted".'
        raise NotServed(f"nothing is counted of {model.name} version {model.version}: {why}", hint)
    return json_reply(found)


def of(service: Service, model: Model) -> dict[str, Any] | None:
    """The report on a model; None where nothing is counted."""
    watch, figures = service.watches.of(model), service.watches.figures(model)
    if watch is None or figures is None:
        return None
    found = report(model, watch.layout, figures)
    if service.watches.keys:  # who asks, too, would learn how much others ask at this moment
        found["waiting"] = None
    elif service.performance and (came := service.performance.report(model)):  # in blocks of rows
        of_truths = {"output": "prediction", "measure": "realised", **came}
        found |= {"realised": came, "alarms": _alarms([of_truths]) + found["alarms"]}
    return found


def report(model: Model, layout: Layout, figures: Figures) -> dict[str, Any]:
    """What a watch has counted, compared; the same wherever the counts come from."""
    about = layout.about
    kinds = {column.name: column.type for column in model.signature.columns}
    entries = [_entry(feature, layout, figures, kinds) for feature in layout.features]
    columns = [entry for entry in entries if "column" in entry]
    return {
        "model": model.name,
        "version": model.version,
        "since": _moment(figures.since),
        "rows": figures.total.rows,
        "came": figures.total.rows + figures.total.beyond,
        "window": figures.window.rows,
        "waiting": figures.waiting,
        "refused": dict(figures.refused),
        "reference": {key: about[key] for key in ("source", "rows", "held_out")},
        "alarms": _alarms(entries),
        "columns": columns,
        "predictions": [entry for entry in entries if "output" in entry],
        "estimated": _estimated(model, layout, figures, columns),
        "realised": None,
        "left_out": about["left_out"],
        "unusual": _unusual(layout, figures),
    }


def _entry(
    feature: Feature, layout: Layout, figures: Figures, kinds: Mapping[str, str]
) -> dict[str, Any]:
    about = {key: value for key, value in feature.entry.items() if key not in ("counts", MISSING)}
    reference = np.array([*feature.entry["counts"], feature.entry[MISSING]])
    window = figures.window.counts[feature.bins].astype(np.int64)
    about |= {
        "reference": _shares(reference),
        "window": _shares(window),
        "total": _shares(figures.total.counts[feature.bins]),
        "tests": [],
    }
    if figures.window.rows >= BLOCK_ROWS:
        chance = CHANCE / (4 * len(layout.features))  # each has at most four tests
        about["tests"] = [each._asdict() for each in _tests(feature, reference, window, chance)]
    kind = kinds.get(about.get("column", ""), "")
    for test in about["tests"]:
        if test["alarmed"]:
            test["sentence"] = sentences.of_feature(
                test["statistic"], feature.entry, kind, reference, window
            )
    return about


def _tests(feature: Feature, reference: Array, window: Array, chance: float) -> Iterator[Test]:
    """Of the bins without the missing values, and of the shares of missing and unseen ones."""
    ordered = "edges" in feature.entry
    was, now = two_samples.merged(reference[:-1], window[:-1], ordered=ordered)
    chi_square = two_samples.chi_square(was, now)
    limit = two_samples.chi_square_threshold(len(was), chance)
    index = two_samples.psi(was, now)
    if isfinite(limit):  # there is more than one bin
        threshold = two_samples.psi_threshold(was, now, chance)
        if 0 < chi_square <= limit:
            # Of bins with few rows the index passes its threshold more often than it should, and
            # chi-square does not: the threshold is raised to where that would, in proportion.
            threshold = max(threshold, index * limit / chi_square)
        yield _above(PSI, index, threshold)
    if ordered:
        sizes = int(reference[:-1].sum()), int(window[:-1].sum())
        distance = two_samples.ks(reference[:-1], window[:-1])
        if all(sizes):
            yield _above(KS, distance, two_samples.ks_threshold(*sizes, chance))
    else:
        if isfinite(limit):
            yield _above(CHI_SQUARE, chi_square, limit)
        yield _share(UNSEEN, int(reference[-2]), int(window[-2]), reference, window, chance)
    yield _share(MISSING, int(reference[-1]), int(window[-1]), reference, window, chance)


def _above(statistic: str, value: float, threshold: float) -> Test:
    return Test(statistic, _rounded(value), _rounded(threshold), ABOVE, value > threshold)


def _share(
    statistic: str, was: int, now: int, reference: Array, window: Array, chance: float
) -> Test:
    rows = int(window.sum())
    low, high = two_samples.share_threshold(was, int(reference.sum()), rows, chance)
    side, threshold = (BELOW, low) if now < low else (ABOVE, high)
    share, limit = _rounded(now / rows), _rounded(threshold / rows)
    return Test(statistic, share, limit, side, not low <= now <= high)


def _alarms(entries: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The tests that alarm, with a sentence each: of columns, then of answers, clearest first."""
    found = []
    for entry in entries:
        for test in entry["tests"]:
            if test["alarmed"]:
                where = entry.get("column", entry.get("output"))
                about = {"column": where, "measure": entry["measure"]}
                about |= {key: entry[key] for key in ("output", "index") if key in entry}
                about |= {key: value for key, value in test.items() if key != "alarmed"}
                found.append(about)
    return sorted(found, key=_rank)


def _rank(alarm: Mapping[str, Any]) -> tuple[bool, float]:
    """Columns before answers, which follow from them; those far beyond their thresholds first."""
    small, large = sorted((alarm["value"], alarm["threshold"]))
    times = large / small if small else inf
    # The others grow with the square of a distance.
    return "output" in alarm, -(times**2 if alarm["statistic"] == KS else times)


def _doubtful(entries: Sequence[Mapping[str, Any]]) -> list[str]:
    """Columns by which expected performance can't be trusted: rows as the build has seen none.

    More values are missing or unseen than by chance, or most lie in the outermost bins.
    """
    found = []
    for entry in entries:
        alarmed = {(t["statistic"], t["side"]) for t in entry["tests"] if t["alarmed"]}
        strange = alarmed & {(MISSING, ABOVE), (UNSEEN, ABOVE)}
        outer = entry["window"][0] + entry["window"][-2] if "edges" in entry else 0.0
        if strange or (alarmed and outer > OUTER):
            found.append(entry["column"])
    return list(dict.fromkeys(found))


def _estimated(
    model: Model, layout: Layout, figures: Figures, columns: Sequence[Mapping[str, Any]]
) -> dict[str, Any] | None:
    entry = model.manifest.get("estimate")
    if not entry or not layout.expected:
        return None
    return {
        "rows": figures.window.rows,
        **layout.expected_performance(figures.window.counts),
        "doubtful": _doubtful(columns),
        "held_out": {"rows": entry["rows"], **entry["held_out"]},
        "history": [
            {"until": _moment(half.until), "rows": half.rows, **half.expected}
            for half in figures.history
        ],
    }


def _unusual(layout: Layout, figures: Figures) -> dict[str, Any] | None:
    """Of rows that were compared with training rows, how many are unusual, and by what."""
    if not layout.unlike:
        return None
    found = {}
    for name, seen in (("window", figures.window), ("total", figures.total)):
        compared, rows, whole, *columns = seen.counts[layout.compared].tolist()
        pairs = zip(layout.unlike[1:], columns, strict=True)
        by_column = {column: count for column, count in pairs if count}
        found[name] = {"compared": compared, "rows": rows, "whole": whole, "columns": by_column}
    return found


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _rounded(value: float) -> float:
    return float(f"{value:.9g}")


def _shares(counts: Array) -> list[float]:
    rows = int(counts.sum())
    return [round(count / rows, 6) for count in counts.tolist()] if rows else [0.0] * len(counts)
