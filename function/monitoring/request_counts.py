"""How often each model has answered since the process started, and how long each stage took."""

from __future__ import annotations

import threading
import time
from bisect import bisect_right
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from operator import add
from typing import Any

# A prediction's stages, by the names that Triton gives them.
STAGES = {
    "decode": "compute_input",
    "validate": "compute_input",
    "run": "compute_infer",
    "encode": "compute_output",
}
# Upper bounds of the histogram's buckets, in milliseconds.
BOUNDS = (0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 10_000)
WHOLE = "total"  # stands for all stages together
OTHER = "ServerError"  # stands for errors that are no client's mistake; the log has their message
BLOCK = 32  # requests that are counted together, which takes as long as half a request

Entry = Mapping[str, Any]  # a request's line in the log


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


class Count:
    """What was counted of one version of one model."""

    def __init__(self) -> None:
        self.requests: Counter[int] = Counter()  # by status
        self.errors: Counter[str] = Counter()  # by kind
        self.times: dict[str, Times] = defaultdict(Times)  # by stage
        self.answered = self.refused = self.rows = 0  # requests, and rows of the answered ones
        self.refused_ms = 0.0  # that refused ones took
        self.last_ms = 0  # when the last was answered, since 1970
        # Milliseconds that each stage of the answered ones took.
        self.stages: Counter[str] = Counter()

    @property
    def stages_ns(self) -> dict[str, int]:
        """Nanoseconds of the answered requests, by Triton's names for the stages."""
        parts = dict.fromkeys(STAGES.values(), 0)
        for stage, milliseconds in self.stages.items():
            parts[STAGES[stage]] += round(milliseconds * 1e6)
        return parts

    def count(self, entries: Sequence[tuple[int, Entry]]) -> None:
        """Count requests, which ended at so many milliseconds since 1970."""
        times = defaultdict[str, list[float]](list)
        for ended, entry in entries:
            self.requests[entry["status"]] += 1
            stages = entry.get("stages", {})
            for stage, milliseconds in stages.items():
                times[stage].append(milliseconds)
            times[WHOLE].append(entry["ms"])
            if "error" in entry:
                kind = entry["error"]
                self.errors[kind if kind.isidentifier() else OTHER] += 1
                self.refused += 1
                self.refused_ms += entry["ms"]
            elif "rows" in entry:
                self.answered += 1
                self.rows += entry["rows"]
                self.last_ms = ended
                for stage in STAGES.keys() & stages.keys():
                    self.stages[stage] += stages[stage]
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


SUMS = ("answered", "refused", "rows", "refused_ms")


class RequestCounts:
    """Counts requests by their lines in the log; safe from several threads.

    Those of the `uncounted` id are not.
    """

    def __init__(self, uncounted: str = "") -> None:
        self._uncounted = uncounted
        self._lock = threading.Lock()  # guards what is counted
        self._waiting: deque[tuple[int, Entry]] = deque()
        # Of what means no model, the name is empty and the version 0.
        self._by_model = defaultdict[tuple[str, int], Count](Count)

    def count(self, entry: Entry) -> None:
        """Count one request, which has just ended: with others, or when somebody asks."""
        if self._uncounted and entry.get("request_id") == self._uncounted:
            return
        self._waiting.append((time.time_ns() // 1_000_000, entry))
        if len(self._waiting) >= BLOCK:
            with self._lock:
                self._count_waiting()

    def _count_waiting(self) -> None:
        found = defaultdict[tuple[str, int], list[tuple[int, Entry]]](list)
        for _ in range(len(self._waiting)):
            ended, entry = self._waiting.popleft()
            found[entry.get("model", ""), entry.get("version", 0)].append((ended, entry))
        for key, entries in found.items():
            self._by_model[key].count(entries)

    def of(self, name: str, version: int) -> Count:
        """What was counted of a version so far."""
        total = Count()
        with self._lock:
            self._count_waiting()
            if (name, version) in self._by_model:
                total.add(self._by_model[name, version].state())
        return total

    def by_name(self) -> dict[str, Count]:
        """What was counted of each model at one moment; "" stands for what meant none."""
        found = defaultdict[str, Count](Count)
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
