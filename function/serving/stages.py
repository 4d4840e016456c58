"""How long each stage of a request takes."""

from __future__ import annotations

import time


class StageTimer:
    """Times the stages of a request, one after another.

    Attributes:
        stages: milliseconds of each stage that has ended.
    """

    def __init__(self) -> None:
        self.stages: dict[str, float] = {}
        self._since = time.perf_counter()

    def end(self, stage: str) -> None:
        """The stage has ended, and the next one begins."""
        now = time.perf_counter()
        self.stages[stage] = int((now - self._since) * 1e6) / 1e3  # to microseconds; round is slow
        self._since = now
