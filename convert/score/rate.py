"""How fast rows are answered, and how long that takes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from onnxlet.convert.progress import advanced
from onnxlet.convert.score.tasks import Task

STEPS = 1000  # of the bar


class Rate:
    """Reports rows, rows a second and the time left, to whoever listens.

    Of all tasks some are left to do now; the others' lines are in the journal.
    """

    def __init__(
        self,
        tasks: Sequence[Task],
        left: Sequence[Task],
        lines: Sequence[Mapping[str, Any]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock, self._began = clock, clock()
        self._weights = {task.name: task.weight for task in left}
        self._total = max(1, sum(task.weight for task in tasks))
        self._before = self._total - sum(self._weights.values())
        self._done = self._rows = 0
        self._rows_before = sum(line.get("rows", 0) for line in lines)

    def rows(self, count: int) -> None:
        """Some more rows are answered."""
        self._rows += count
        self._say()

    def done(self, line: Mapping[str, Any]) -> None:
        """A part is done."""
        self._done += self._weights.get(line["part"], 0)
        self._say()

    def _say(self) -> None:
        advanced(self.words(), STEPS * (self._before + self._done) // self._total, STEPS)

    def words(self) -> str:
        """Rows, rows a second, and the time left."""
        seconds = max(self._clock() - self._began, 1e-9)
        said = f"{self._rows_before + self._rows:,} rows, {self._rows / seconds:,.0f} a second"
        if not self._done:
            return said
        rest = self._total - self._before - self._done
        return f"{said}, {lasting(seconds * rest / self._done)} left"


def lasting(seconds: float) -> str:
    """A time in words: 40 s, 3 min, 1 h 20 min."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
