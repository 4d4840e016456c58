"""Counts and histograms of requests, in plain arrays that several workers' add up of."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Mapping
from operator import add
from typing import Any

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
        self.lock = threading.Lock()  # guards what is below
        self.requests: Counter[tuple[str, int]] = Counter()
        self.errors: Counter[tuple[str, str]] = Counter()
        self.rows: Counter[str] = Counter()
        self.times: dict[str, dict[str, Times]] = defaultdict(lambda: defaultdict(Times))

    def count(self, entry: Mapping[str, Any]) -> None:
        """Count one request; this takes 2 µs."""
        model = entry.get("model", "")
        with self.lock:
            self.requests[model, entry["status"]] += 1
            if "rows" in entry:
                self.rows[model] += entry["rows"]
            if "error" in entry:
                kind = entry["error"]
                self.errors[model, kind if kind.isidentifier() else OTHER] += 1
            times = self.times[model]
            times[WHOLE].count(entry["ms"])
            if "stages" in entry:
                for stage, milliseconds in entry["stages"].items():
                    times[stage].count(milliseconds)

    def state(self) -> dict[str, Any]:
        """All counts, for JSON."""
        with self.lock:
            return {
                "requests": [[*key, count] for key, count in self.requests.items()],
                "errors": [[*key, count] for key, count in self.errors.items()],
                "rows": dict(self.rows),
                "times": {
                    model: {stage: [t.counts.copy(), t.total] for stage, t in stages.items()}
                    for model, stages in self.times.items()
                },
            }

    def add(self, state: Mapping[str, Any]) -> None:
        """Add what another has counted, by its state."""
        with self.lock:
            for model, status, count in state["requests"]:
                self.requests[model, status] += count
            for model, kind, count in state["errors"]:
                self.errors[model, kind] += count
            self.rows.update(state["rows"])
            for model, stages in state["times"].items():
                for stage, (counts, total) in stages.items():
                    times = self.times[model][stage]
                    times.counts = list(map(add, times.counts, counts))
                    times.total += total
