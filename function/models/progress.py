"""Whether work in the background stands still, as reading from a stalled disk does."""

from __future__ import annotations

import threading
import time

from onnxlet.function import request_log

STILL_SECONDS = 30.0


class Progress:
    """The step that a thread is at, for others to look at: it may never come back to say more.

    Args:
        event: of its lines in the log.
        still: seconds of one step, from which on it stands still.
    """

    def __init__(self, event: str, still: float = STILL_SECONDS) -> None:
        self._event = event
        self._still = still
        self._step: tuple[float, str] | None = None

    def at(self, step: str) -> None:
        """Begin a step."""
        self._step = time.monotonic(), step

    def done(self) -> None:
        """Have nothing to do."""
        self._step = None

    def seconds_still(self) -> float:
        """How long the step has taken, once it stands still; else 0."""
        step = self._step
        seconds = time.monotonic() - step[0] if step else 0.0
        return seconds if seconds >= self._still else 0.0

    def watch(self, stopped: threading.Event) -> None:
        """Write a line when a step stands still, and one when it goes on, until this is stopped."""
        said = None
        while not stopped.wait(self._still / 3):
            step = self._step
            if said is not None and step is not said:
                request_log.write({"event": self._event, "step": said[1], "state": "went on"})
                said = None
            if step is not None and said is None and self.seconds_still():
                said = step
                why = f"it is not done after {self._still:g} s; what is loaded answers as before"
                request_log.write({"event": self._event, "step": step[1], "error": why})
