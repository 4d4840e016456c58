"""The seconds that a search may take, and what it reports while it runs.

That is one line on a terminal, a line a candidate elsewhere.
"""

from __future__ import annotations

import math
import time

from onnxlet.convert.metrics.metrics import Metric
from onnxlet.convert.progress import Report, advanced, heard
from onnxlet.convert.train.trials import Trial
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

    def over(self) -> bool:
        """Whether nothing more may be fitted."""
        return self.left() <= 0

    def ended(self) -> bool:
        """Whether the search has to come back with what it has."""
        return self.seconds is not None and self.spent() >= self.seconds


class SearchProgress:
    """What is tried, the best so far, and the time left; without `trials` time decides."""

    def __init__(self, report: Report, metric: Metric, budget: Budget, trials: int | None) -> None:
        self._report, self._metric, self._budget, self._trials = report, metric, budget, trials
        self._tried, self._best, self._ended = "", "", 0
        self._best_worth = float("-inf")

    def trying(self, name: str) -> None:
        """A candidate's next fit begins."""
        self._tried = name
        self.tick()

    def tick(self) -> None:
        """Have a terminal show what is so now."""
        seconds = self._budget.seconds
        left = "" if seconds is None else f", {max(0.0, self._budget.left()):.0f} s left"
        what = f"{self._tried or 'starting'}{self._best}{left}"
        if seconds is not None:
            advanced(what, int(self._budget.spent() * 10), int(seconds * 10))
        else:
            advanced(what, self._ended, self._trials or 1)

    def ended(self, trial: Trial, score: float | None, error: float | None) -> None:
        """A candidate is done, was stopped, or failed."""
        self._ended += 1
        if trial.state == "done" and score is not None:
            worth = score if self._metric.greater_is_better else -score
            if worth > self._best_worth:
                self._best_worth = worth
                self._best = f"; best so far {self._metric.title} {score:.5g}"
        if not heard():  # on a terminal the line of `tick` says it
            self._report(f"{trial.candidate.name}: {self._came_to(trial, score, error)}")
        self.tick()

    def _came_to(self, trial: Trial, score: float | None, error: float | None) -> str:
        if trial.state != "done" or score is None:
            return f"{trial.state}: {trial.why}"
        sure = "" if error is None else f" ± {error:.2g}"
        return f"{self._metric.title} {score:.5g}{sure} ({trial.seconds:.1f} s)"
