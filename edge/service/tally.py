"""Counters and histograms of requests, in plain arrays that several workers' add up of."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from itertools import accumulate
from operator import add
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from prometheus_client.core import Metric

# Upper bounds of the histogram's buckets, in milliseconds.
BOUNDS = (0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 10_000)
WHOLE = "total"  # stands for all stages together
OTHER = "ServerError"  # label of errors that are no client's mistake; the log has their message


class Times:
    """A histogram."""

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS) + 1)  # by bucket; the last one is above all bounds
        self.total = 0.0  # the sum, in milliseconds

    def count(self, milliseconds: float) -> None:
        """Count one time."""
        self.counts[bisect_left(BOUNDS, milliseconds)] += 1
        self.total += milliseconds


class Tally:
    """Counts requests by their lines in the log; safe from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: Counter[tuple[str, int]] = Counter()
        self._errors: Counter[tuple[str, str]] = Counter()
        self._rows: Counter[str] = Counter()
        self._times: dict[str, dict[str, Times]] = defaultdict(lambda: defaultdict(Times))

    def count(self, entry: Mapping[str, Any]) -> None:
        """Count one request; this takes 2 µs."""
        model = entry.get("model", "")
        with self._lock:
            self._requests[model, entry["status"]] += 1
            if "rows" in entry:
                self._rows[model] += entry["rows"]
            if "error" in entry:
                kind = entry["error"]
                self._errors[model, kind if kind.isidentifier() else OTHER] += 1
            times = self._times[model]
            times[WHOLE].count(entry["ms"])
            if "stages" in entry:
                for stage, milliseconds in entry["stages"].items():
                    times[stage].count(milliseconds)

    def state(self) -> dict[str, Any]:
        """All counts, for JSON."""
        with self._lock:
            return {
                "requests": [[*key, count] for key, count in self._requests.items()],
                "errors": [[*key, count] for key, count in self._errors.items()],
                "rows": dict(self._rows),
                "times": {
                    model: {stage: [t.counts.copy(), t.total] for stage, t in stages.items()}
                    for model, stages in self._times.items()
                },
            }

    def add(self, state: Mapping[str, Any]) -> None:
        """Add what another has counted, by its state."""
        with self._lock:
            for model, status, count in state["requests"]:
                self._requests[model, status] += count
            for model, kind, count in state["errors"]:
                self._errors[model, kind] += count
            self._rows.update(state["rows"])
            for model, stages in state["times"].items():
                for stage, (counts, total) in stages.items():
                    times = self._times[model][stage]
                    times.counts = list(map(add, times.counts, counts))
                    times.total += total

    def metrics(self) -> Iterator[Metric]:
        """The counters as prometheus-client's types."""
        from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily

        requests = CounterMetricFamily(
            "onnxlet_requests", "Requests answered.", labels=["model", "status"]
        )
        errors = CounterMetricFamily(
            "onnxlet_errors", "Requests refused or failed.", labels=["model", "error"]
        )
        rows = CounterMetricFamily("onnxlet_rows", "Rows predicted.", labels=["model"])
        times = HistogramMetricFamily(
            "onnxlet_request_seconds", "Time by stage.", labels=["model", "stage"]
        )
        with self._lock:
            for (model, status), count in self._requests.items():
                requests.add_metric([model, str(status)], count)
            for (model, kind), count in self._errors.items():
                errors.add_metric([model, kind], count)
            for model, count in self._rows.items():
                rows.add_metric([model], count)
            for model, stages in self._times.items():
                for stage, each in stages.items():
                    times.add_metric([model, stage], _buckets(each), each.total / 1e3)
        yield from (requests, errors, rows, times)


def _buckets(times: Times) -> list[tuple[str, float]]:
    """Cumulative counts: in Prometheus, a bucket includes the lower ones."""
    bounds = [*(str(bound / 1e3) for bound in BOUNDS), "+Inf"]
    return list(zip(bounds, map(float, accumulate(times.counts)), strict=True))
