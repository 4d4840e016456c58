"""What a server counts of requests beside what statistics of v2 show: statuses, errors, times."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from operator import add
from typing import Any

from onnxlet.function.monitoring.request_counts import Count, Entry, RequestCounts

# Upper bounds of the histogram's buckets, in milliseconds.
BOUNDS = (0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 10_000)
WHOLE = "total"  # stands for all stages together
OTHER = "ServerError"  # stands for errors that are no client's mistake; the log has their message
SUMS = ("answered", "refused", "rows", "refused_ms")


class Times:
    """A histogram."""

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS) + 1)  # by bucket; the last one is above all bounds
        self.total = 0.0  # the sum, in milliseconds

    def count(self, milliseconds: Iterable[float]) -> None:
        """Count some times."""
        ordered = sorted(milliseconds)
        self.total += sum(ordered)
        before = 0
        for index, bound in enumerate(BOUNDS):
            below = bisect_right(ordered, bound, before)
            self.counts[index] += below - before
            before = below
        self.counts[-1] += len(ordered) - before


class ServerCount(Count):
    """What was counted of one version of one model."""

    def __init__(self) -> None:
        super().__init__()
        self.requests: Counter[int] = Counter()  # by status
        self.errors: Counter[str] = Counter()  # by kind
        self.times: dict[str, Times] = defaultdict(Times)  # by stage

    def count(self, entries: Sequence[tuple[int, Entry]]) -> None:
        """Count requests, which ended at so many milliseconds since 1970."""
        super().count(entries)
        times = defaultdict[str, list[float]](list)
        for _, entry in entries:
            self.requests[entry["status"]] += 1
            for stage, milliseconds in entry.get("stages", {}).items():
                times[stage].append(milliseconds)
            times[WHOLE].append(entry["ms"])
            if "error" in entry:
                kind = entry["error"]
                self.errors[kind if kind.isidentifier() else OTHER] += 1
        for stage, some in times.items():
            self.times[stage].count(some)

    def state(self) -> dict[str, Any]:
        """All of it, for JSON."""
        times = {stage: [each.counts.copy(), each.total] for stage, each in self.times.items()}
        requests = [*self.requests.items()]  # JSON's names are texts
        plain = {name: vars(self)[name] for name in SUMS}
        return {
            **plain, "requests": requests, "errors": {**self.errors}, "stages": {**self.stages},
            "times": times, "last_ms": self.last_ms,
        }  # fmt: skip

    def add(self, state: Mapping[str, Any]) -> None:
        """Add what another has counted, by its state."""
        for name in SUMS:
            setattr(self, name, getattr(self, name) + state[name])
        self.last_ms = max(self.last_ms, state["last_ms"])
        self.requests.update(dict(state["requests"]))
        self.errors.update(state["errors"])
        self.stages.update(state["stages"])
        for stage, (counts, total) in state["times"].items():
            times = self.times[stage]
            times.counts = list(map(add, times.counts, counts))
            times.total += total


class ServerCounts(RequestCounts):
    """Counts requests by their lines in the log; safe from several threads."""

    def __init__(self, uncounted: str = "") -> None:
        super().__init__(uncounted)
        self._by_model: Mapping[tuple[str, int], ServerCount] = defaultdict(ServerCount)

    def by_name(self) -> dict[str, ServerCount]:
        """What was counted of each model at one moment; "" stands for what meant none."""
        found = defaultdict[str, ServerCount](ServerCount)
        for state in self.state():
            found[state["name"]].add(state)
        return found

    def state(self) -> list[dict[str, Any]]:
        """All counts, for JSON."""
        with self._lock:
            self._count_waiting()
            return [
                {"name": name, "version": version, **count.state()}
                for (name, version), count in self._by_model.items()
            ]

    def add(self, state: Iterable[Mapping[str, Any]]) -> None:
        """Add what another has counted, by its state."""
        with self._lock:
            for each in state:
                self._by_model[each["name"], each["version"]].add(each)
