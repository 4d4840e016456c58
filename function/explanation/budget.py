"""The seconds that a request gives to its explanations.

What they take at the least may be longer; then `onnxlet.function.deadline` ends it.
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
        """What is judged next begins now."""
        self._begun = self._clock()

    def allows(self, times: float) -> bool:
        """Whether it will be done in time, if it takes so many times what it took until now."""
        now = self._clock()
        return self._begun - self._start + (now - self._begun) * times <= self._seconds

    def room(self, done: int) -> int:
        """How many more can be done in time, if each takes what those that are done took."""
        now = self._clock()
        each = max((now - self._begun) / done, 1e-9)
        return int((self._seconds - (now - self._start)) / each)
