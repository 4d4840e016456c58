"""How often each model has answered since the process started, and how long each stage took."""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

# A prediction's stages, by the names that Triton gives them.
STAGES = {
    "decode": "compute_input",
    "validate": "compute_input",
    "run": "compute_infer",
    "encode": "compute_output",
}
BLOCK = 32  # requests that are counted together, which takes as long as half a request

Entry = Mapping[str, Any]  # a request's line in the log


class Count:
    """What was counted of one version of one model."""

    def __init__(self) -> None:
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
        for ended, entry in entries:
            if "error" in entry:
                self.refused += 1
                self.refused_ms += entry["ms"]
            elif "rows" in entry:
                self.answered += 1
                self.rows += entry["rows"]
                self.last_ms = ended
                stages = entry.get("stages", {})
                for stage in STAGES.keys() & stages.keys():
                    self.stages[stage] += stages[stage]


class RequestCounts:
    """Counts requests by their lines in the log; safe from several threads.

    Those of the `uncounted` id are not.
    """

    def __init__(self, uncounted: str = "") -> None:
        self._uncounted = uncounted
        self._lock = threading.Lock()  # guards what is counted
        self._waiting: deque[tuple[int, Entry]] = deque()
        # Of what means no model, the name is empty and the version 0.
        self._by_model: Mapping[tuple[str, int], Count] = defaultdict(Count)

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
        with self._lock:
            self._count_waiting()
            return deepcopy(self._by_model.get((name, version))) or Count()
