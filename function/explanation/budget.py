"""The seconds that a request gives to its explanations.

The least that they need may take longer; then `onnxlet.function.deadline` ends it.
"""

from __future__ import annotations

import time
from collections.abc import Callable


class Budget:
    """Seconds that are shared by everything that one request asks for.

    Args:
        seconds: until no further work is begun.
        clock: in seconds.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._start = self._begun = clock()
        self._seconds = seconds

    def begin(self) -> None:
        """Start the clock of the work that `allows` and `room` judge."""
        self._begun = self._clock()

    def allows(self, times: float) -> bool:
        """Whether the work ends in time, if it takes `times` what it has taken since `begin`."""
        now = self._clock()
        return self._begun - self._start + (now - self._begun) * times <= self._seconds

    def room(self, done: int) -> int:
        """How many more steps fit, if each takes as long as the `done` ones did on average."""
        now = self._clock()
        each = max((now - self._begun) / done, 1e-9)
        return int((self._seconds - (now - self._start)) / each)
