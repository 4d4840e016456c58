"""systemd's watchdog, fed as long as golden rows are answered.

One thread asks; another one tells, so that an answer that waits behind many others is no death.
"""

from __future__ import annotations

import threading
import time
from typing import Any, Protocol

from onnxlet.edge.service.systemd import Tell
from onnxlet.function import request_log

UNWATCHED_SECONDS = 8.0  # where systemd does not say after how long it acts
ASKED = 1 / 8  # of those seconds, between two questions
PATIENCE = 3 / 8  # of those seconds, since the last right answer
WELL = "STATUS=golden rows are answered"
CROWDED_SECONDS = 90.0  # since then, where others are answered meanwhile


def is_alive(silent: float, others: float, patience: float) -> bool:
    """Whether systemd is told that this server lives.

    Args:
        silent: seconds since a golden row was answered as it should be.
        others: seconds since anybody else's prediction was answered.
        patience: seconds that are usual between two.
    """
    return silent < patience or (others < patience and silent < CROWDED_SECONDS)


class Asks(Protocol):
    """Asks golden rows; says what is wrong, or an empty text."""

    def every(self) -> str:
        """Of every model."""

    def next(self) -> str:
        """Of the next model."""

    def close(self) -> None:
        """Ask no more."""


class Watchdog:
    """Tells systemd that this server is ready, alive, and stopping.

    Args:
        tell: systemd.
        seconds: after which systemd acts where it hears nothing; None where it does not.
        log: writes each request's line, and what is wrong with golden rows.
    """

    def __init__(self, tell: Tell, seconds: float | None, log: request_log.Log) -> None:
        self._tell, self._log = tell, log
        self._pause = (seconds or UNWATCHED_SECONDS) * ASKED
        self._patience = (seconds or UNWATCHED_SECONDS) * PATIENCE
        self._feeds = seconds is not None
        self._others = self._proven = -CROWDED_SECONDS
        self._fault = ""
        self._ready = threading.Event()
        self._stopping = threading.Event()

    def log(self, entry: dict[str, Any]) -> None:
        """A request was answered: its line."""
        if "rows" in entry and entry["status"] == 200:
            self._others = time.monotonic()
        self._log(entry)

    def start(self, asks: Asks) -> None:
        """Ask and tell from now on, in two threads."""
        threading.Thread(target=self._keep_asking, args=(asks,), daemon=True).start()
        threading.Thread(target=self._keep_telling, daemon=True).start()

    def stop(self) -> None:
        """Tell that it stops; what is in flight is still answered."""
        self._stopping.set()
        self._tell("STOPPING=1")

    def _keep_asking(self, asks: Asks) -> None:
        while not self._stopping.is_set():
            fault = asks.next() if self._ready.is_set() else asks.every()
            if not fault:
                self._proven = time.monotonic()
            self._note(fault)
            if not fault and not self._ready.is_set():
                self._tell(f"READY=1\n{WELL}")
                self._ready.set()
            self._stopping.wait(self._pause)
        asks.close()

    def _note(self, fault: str) -> None:
        """Log and tell what is wrong, once."""
        if fault and fault != self._fault and not self._stopping.is_set():
            self._log({"event": "watchdog", "error": fault})
            self._tell(f"STATUS=golden rows are not answered: {fault}")
        elif self._fault and not fault:
            self._log({"event": "watchdog", "state": "answered"})
            self._tell(WELL)
        self._fault = fault

    def _keep_telling(self) -> None:
        self._ready.wait()
        while self._feeds:
            now = time.monotonic()
            alive = is_alive(now - self._proven, now - self._others, self._patience)
            if alive or self._stopping.is_set():  # the server itself ends what takes too long then
                self._tell("WATCHDOG=1")
            time.sleep(self._pause)
