"""The seconds that a search may take."""

from __future__ import annotations

import math
import time

from onnxlet.function.errors import WrongUse

LEAST = 5  # seconds that a search may be given: processes have to start, and to fit something
TO_CHOOSE = 0.04  # of the seconds are kept for choosing among what was found


class Budget:
    """A clock that runs from now; without seconds the number of trials is the limit.

    Raises WrongUse for seconds that are too few for anything.
    """

    def __init__(self, seconds: float | None) -> None:
        if seconds is not None and not seconds >= LEAST:
            raise WrongUse(
                f"--seconds: expected {LEAST} or more, got {seconds:g}",
                "Give the search a minute or more, --seconds 60.",
            )
        self._started = time.monotonic()
        self.seconds = seconds
        share = None if seconds is None else seconds * (1 - TO_CHOOSE)
        self.until = None if share is None else self._started + share

    def spent(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._started

    def left(self) -> float:
        """Seconds in which candidates may still be fitted; infinite where nothing limits them."""
        return math.inf if self.until is None else self.until - time.monotonic()

    def share(self, part: float) -> float:
        """A part of all seconds; infinite where nothing limits them."""
        return math.inf if self.seconds is None else part * self.seconds

    def over(self) -> bool:
        """Whether nothing more may be fitted."""
        return self.left() <= 0

    def ended(self) -> bool:
        """Whether the search has to come back with what it has."""
        return self.seconds is not None and self.spent() >= self.seconds
