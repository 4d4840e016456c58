"""What stays of the drift report of each model that is served, made again when something is new.

A report of 200 columns takes 30 ms, and a scrape is answered by the server's leading thread. It
takes 0.5 MB, too, so that only a digest of it is kept. Its summary stands in one MQTT message, and
in a device's status.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from math import inf
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary, WeakSet

from onnxlet.function import request_log
from onnxlet.function.models.model import Model
from onnxlet.function.numpy_later import np

if TYPE_CHECKING:
    from onnxlet.function.monitoring.watch import Figures
    from onnxlet.function.serving.service import Service

OLDEST_SECONDS = 60.0  # of a report: what came of predictions may be new although no row is
KINDS = ("estimated", "held_out", "realised")  # of performance
MOST_ALARMS = 5
LONGEST_NAME = 100  # characters of a column's name, or an output's
LONGEST_SENTENCE = 240  # characters of an alarm's
# What performance is measured by, in the order of a report.
METRICS = ("accuracy", "precision", "recall", "f1", "roc_auc", "mean_absolute_error")
# A test: the indices of its feature and statistic, value and threshold, and whether it alarms.
ROW = "u2, u1, f8, f8, ?"


def summary(report: Mapping[str, Any]) -> dict[str, Any]:
    """What a report of `GET /models/N/drift` says of the model as a whole, in at most 8 kB of JSON.

    `alarms` has the clearest MOST_ALARMS, `alarm_count` says how many there are; `refused` is the
    number of rows and requests without an answer.
    """
    kept = ("model", "version", "since", "rows", "window", "waiting")
    found = {key: report[key] for key in kept}
    found["refused"] = sum(report["refused"].values())
    found["alarm_count"] = len(report["alarms"])
    found["alarms"] = [_alarm(each) for each in report["alarms"][:MOST_ALARMS]]
    total = (report.get("unusual") or {}).get("total")
    found["unusual"] = total and {key: total[key] for key in ("compared", "rows")}
    estimated = report["estimated"]
    found["estimated"] = estimated and {
        **performance(estimated),
        "held_out": performance(estimated["held_out"]),
        "doubtful": [name[:LONGEST_NAME] for name in estimated["doubtful"][:MOST_ALARMS]],
    }
    found["realised"] = report["realised"] and {
        "rows": report["realised"]["rows"],
        **performance(report["realised"]),
    }
    return found


def performance(figures: Mapping[str, Any]) -> dict[str, float | None]:
    """The metrics among some figures; None where one is not defined."""
    return {name: _short(figures[name]) for name in METRICS if name in figures}


def main_metric(figures: Mapping[str, Any]) -> str | None:
    """The metric that says most about a model: accuracy, or the error; None where there is none."""
    return next((name for name in ("accuracy", "mean_absolute_error") if name in figures), None)


def _alarm(alarm: Mapping[str, Any]) -> dict[str, Any]:
    names = {key: alarm[key][:LONGEST_NAME] for key in ("column", "output") if key in alarm}
    names["sentence"] = alarm["sentence"][:LONGEST_SENTENCE]
    return {**alarm, **names} | {key: _short(alarm[key]) for key in ("value", "threshold")}


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.5g}")


class Test(NamedTuple):
    """What one statistic of one feature says."""

    column: str  # that it is of, or empty
    output: str  # that it is of with its index, as `prediction[1]`, or empty
    measure: str  # of the feature
    statistic: str
    value: float  # of the recent rows
    threshold: float  # that it passes by chance only
    alarmed: bool  # it does


class Tests:
    """The tests of a report's `columns`, `predictions` and truths, in few bytes each."""

    def __init__(self, entries: Sequence[Mapping[str, Any]]) -> None:
        pairs = [(number, test) for number, each in enumerate(entries) for test in each["tests"]]
        self._names = sorted({str(test["statistic"]) for _, test in pairs})
        self._places = [(*_place(entry), str(entry["measure"])) for entry in entries]
        self._rows = np.array(
            [(n, self._names.index(t["statistic"]), t["value"], t["threshold"], t["alarmed"])
             for n, t in pairs], ROW,
        )  # fmt: skip

    def __iter__(self) -> Iterator[Test]:
        for place, statistic, value, threshold, alarmed in self._rows.tolist():
            column, output, measure = self._places[place]
            yield Test(column, output, measure, self._names[statistic], value, threshold, alarmed)


def _place(entry: Mapping[str, Any]) -> tuple[str, str]:
    """Column and output, one of them empty: a column may be called as an output is."""
    index = f"[{entry['index']}]" if "index" in entry else ""
    return entry.get("column", ""), f"{entry['output']}{index}" if "output" in entry else ""


class Digest(NamedTuple):
    """What stays of a report."""

    short: Mapping[str, Any]  # its summary
    refused: Mapping[str, int]  # rows and requests without an answer, by the reason
    tests: Tests  # each of them; none where they were not asked for
    # With all digits, by one of KINDS and the metric.
    performance: Mapping[str, Mapping[str, float]]

    @property
    def summary(self) -> dict[str, Any]:
        """As `onnxlet.edge.service.drift_reports.summary` gives it, with these refusals."""
        return {**self.short, "refused": sum(self.refused.values())}


def digest(report: Mapping[str, Any], with_tests: bool = True) -> Digest:
    """What stays of a report, as `GET /models/N/drift` answers it; metrics need each test.

    LookupError, TypeError, ValueError or AttributeError is raised where it has another form.
    """
    entries = (*report["columns"], *report["predictions"]) if with_tests else ()
    if with_tests and report["realised"]:
        entries += ({"output": "prediction", "measure": "realised", **report["realised"]},)
    estimated = report["estimated"] or {}
    figures = (estimated, estimated.get("held_out") or {}, report["realised"] or {})
    performance = {
        kind: {name: float(each[name]) for name in METRICS if each.get(name) is not None}
        for kind, each in zip(KINDS, figures, strict=True)
    }
    return Digest(summary(report), dict(report["refused"]), Tests(entries), performance)


class DriftReport(NamedTuple):
    """A report."""

    at: float  # when it was made, in seconds of the monotonic clock
    rows: int  # that were counted then
    digest: Digest | None  # what stays of it; None where it failed


NEVER = DriftReport(-inf, -1, None)


class DriftReports:
    """Reports of an app's models; safe from several threads."""

    def __init__(self, with_tests: bool = True) -> None:
        self._with_tests = with_tests  # keep each test, as metrics need them
        self._lock = threading.Lock()
        self._made: WeakKeyDictionary[Model, DriftReport] = WeakKeyDictionary()
        self._failed: WeakSet[Model] = WeakSet()  # whose counts have failed, which is logged once

    def of(self, service: Service, seconds: float = inf) -> list[Digest]:
        """What stays of the reports of the models that are counted, by name; never raises.

        Reports are made for so many seconds, at least one in a call; those that it does not come to
        are as they were, or come with a later call.
        """
        service = service._replace(watches=service.watches.now())
        with self._lock:
            figures = dict(self._figures(service))
            began = time.monotonic()
            made = {model: self._made.get(model, NEVER) for model in figures}
            for model in sorted(made, key=lambda model: made[model].at):
                old, rows = made[model], figures[model].total.rows
                if old.rows == rows and began - old.at <= OLDEST_SECONDS:
                    continue
                made[model] = self._made[model] = DriftReport(
                    began, rows, self._digest(service, model)
                )
                if time.monotonic() - began > seconds:
                    break
        return [
            each.digest._replace(refused=dict(figures[model].refused))
            for model, each in made.items()
            if each.digest
        ]

    def _figures(self, service: Service) -> Iterator[tuple[Model, Figures]]:
        """What was counted; a model whose counts fail is left out, as if it were not counted."""
        for model in service.repository.models:
            try:
                figures = service.watches.figures(model)
            except Exception as error:  # of whatever class
                if model not in self._failed:
                    request_log.fail(error, event="drift", model=model.name)
                self._failed.add(model)
                continue
            if figures:
                yield model, figures

    def _digest(self, service: Service, model: Model) -> Digest | None:
        from onnxlet.function.monitoring import drift  # no prediction needs it

        try:
            report = drift.of(service, model)
            return digest(report, self._with_tests) if report else None
        except Exception as error:  # of whatever class: it must fail neither a scrape nor readings
            request_log.fail(error, event="drift", model=model.name)
            return None
