"""The step that a look at the models' folder is at, and how long it has stood still."""

from __future__ import annotations

import threading
import time

from onnxlet.function import request_log

STILL_SECONDS = 30.0


class Progress:
    """The step that a thread is at, for others to look at: it may never come back to say more.

    After so many seconds of one step it stands still.
    """

    def __init__(self, still: float = STILL_SECONDS) -> None:
        self._still = still
        self._step: tuple[float, str] | None = None  # since when, and what

    def at(self, step: str | None) -> None:
        """Begin a step; None where there is nothing to do."""
        self._step = None if step is None else (time.monotonic(), step)

    def seconds_still(self) -> float:
        """How long the step has taken, once it stands still; else 0."""
        step = self._step
        seconds = time.monotonic() - step[0] if step else 0.0
        return seconds if seconds >= self._still else 0.0

    def watch(self, stopped: threading.Event) -> None:
        """Write a line for each step that stands still, until this is stopped."""
        said = None
        while not stopped.wait(self._still / 3):
            step = self._step
            if step is not None and step is not said and self.seconds_still():
                said = step
                why = (
                    f"{step[1]}: not done after {self._still:g} s; what is loaded answers as before"
                )
                request_log.write({"event": "reload", "error": why})
