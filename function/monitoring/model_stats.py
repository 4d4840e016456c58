"""How often each model has answered since the process started, and how long each stage took."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

# A prediction's stages, by the names that Triton gives them.
STAGES = {
    "decode": "compute_input",
    "validate": "compute_input",
    "run": "compute_infer",
    "encode": "compute_output",
}


class Count:
    """What was counted of one version of one model."""

    def __init__(self) -> None:
        self.answered = self.refused = self.rows = 0  # requests, and rows of the answered ones
        # That refused ones took; when the last was answered, since 1970.
        self.refused_ns = self.last_ms = 0
        # Milliseconds that each stage of the answered ones took.
        self.stages = dict.fromkeys(STAGES, 0.0)

    @property
    def stages_ns(self) -> dict[str, int]:
        """Nanoseconds of the answered requests, by Triton's names for the stages."""
        parts = dict.fromkeys(STAGES.values(), 0)
        for stage, milliseconds in self.stages.items():
            parts[STAGES[stage]] += round(milliseconds * 1e6)
        return parts

    @property
    def answered_ns(self) -> int:
        """Nanoseconds that the answered requests took in all."""
        return sum(self.stages_ns.values())


class ModelStats:
    """Counts the requests of each version of each model; safe from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_model = defaultdict[tuple[str, int], Count](Count)

    def of(self, name: str, version: int) -> Count:
        """What was counted of a model so far."""
        return self._by_model.get((name, version)) or Count()

    def answered(self, name: str, version: int, rows: int, stages: Mapping[str, float]) -> None:
        """Count a request that was answered, with the milliseconds that each stage took."""
        with self._lock:
            count = self._by_model[name, version]
            count.answered += 1
            count.rows += rows
            count.last_ms = time.time_ns() // 1_000_000
            for stage, milliseconds in stages.items():
                count.stages[stage] += milliseconds

    def refused(self, name: str, version: int, nanoseconds: int) -> None:
        """Count a request that got no answer, and how long that took."""
        with self._lock:
            count = self._by_model[name, version]
            count.refused += 1
            count.refused_ns += nanoseconds

    def state(self) -> list[dict[str, Any]]:
        """All counts, for JSON."""
        with self._lock:
            return [
                {"name": name, "version": version, **vars(count), "stages": {**count.stages}}
                for (name, version), count in self._by_model.items()
            ]

    def add(self, state: Iterable[Mapping[str, Any]]) -> None:
        """Add what another has counted, by its state."""
        with self._lock:
            for each in state:
                count = self._by_model[each["name"], each["version"]]
                for name in ("answered", "refused", "rows", "refused_ns"):
                    setattr(count, name, getattr(count, name) + each[name])
                count.last_ms = max(count.last_ms, each["last_ms"])
                for stage, milliseconds in each["stages"].items():
                    count.stages[stage] += milliseconds
