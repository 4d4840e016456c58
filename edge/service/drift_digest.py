"""What stays of a drift report: of 200 columns some 20 kB, where the report has half a megabyte."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from onnxlet.edge.service.drift_summary import METRICS, summary

KINDS = ("estimated", "held_out", "realised")  # of performance


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
    """The tests of a report's `columns` and `predictions`, in few bytes each."""

    def __init__(self, entries: Sequence[Mapping[str, Any]]) -> None:
        pairs = [(entry, test) for entry in entries for test in entry["tests"]]
        self._names = sorted({str(test["statistic"]) for _, test in pairs})
        self._places = [(*_place(entry), str(entry["measure"])) for entry in entries]
        self._counts = array("H", [len(entry["tests"]) for entry in entries])
        self._statistics = bytes(self._names.index(test["statistic"]) for _, test in pairs)
        self._values = array("d", [test["value"] for _, test in pairs])
        self._thresholds = array("d", [test["threshold"] for _, test in pairs])
        self._alarmed = bytes(bool(test["alarmed"]) for _, test in pairs)

    def __iter__(self) -> Iterator[Test]:
        columns = (self._statistics, self._values, self._thresholds, self._alarmed)
        tests = zip(*columns, strict=True)
        for place, count in zip(self._places, self._counts, strict=True):
            for _ in range(count):
                statistic, value, threshold, alarmed = next(tests)
                yield Test(*place, self._names[statistic], value, threshold, bool(alarmed))


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
        """As `onnxlet.edge.service.drift_summary.summary` gives it, with these refusals."""
        return {**self.short, "refused": sum(self.refused.values())}


def digest(report: Mapping[str, Any], with_tests: bool = True) -> Digest:
    """What stays of a report, as `GET /models/N/drift` answers it; metrics need each test.

    LookupError, TypeError, ValueError or AttributeError is raised where it has another form.
    """
    entries = (*report["columns"], *report["predictions"]) if with_tests else ()
    estimated = report["estimated"] or {}
    figures = (estimated, estimated.get("held_out") or {}, report["realised"] or {})
    performance = {
        kind: {name: float(each[name]) for name in METRICS if each.get(name) is not None}
        for kind, each in zip(KINDS, figures, strict=True)
    }
    return Digest(summary(report), dict(report["refused"]), Tests(entries), performance)
