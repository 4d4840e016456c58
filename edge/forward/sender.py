"""A thread that sends batches, the oldest first, each until it has arrived.

A refused batch is halved without a pause, until the record that the receiver refuses is on its own:
that one is set aside. If the receiver refuses everything, one record is set aside per pause.

Of several processes that share a queue, only the one that holds the lock sends.
"""

from __future__ import annotations

import fcntl
import os
import random
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Literal, NamedTuple

from onnxlet.edge.forward.queue import BATCH_RECORDS, Batch, Queue
from onnxlet.function import request_log
from onnxlet.function.files import open_file

STEADY = 16  # accepted batches of a reduced size, before a larger one is tried
OVERALL_SECONDS = 300.0  # for a batch and its answer, however slow the network is
FIRST_SECONDS = 1.0  # pause after the first failure
LONGEST_SECONDS = 300.0  # pause after many


class DeliveryResult(NamedTuple):
    """The outcome of sending a batch."""

    # `arrived`; `failed`, and is sent again; `barred`, and is sent again, but the cause needs
    # fixing; `refused`: a record will never be accepted, or it is too large.
    state: Literal["arrived", "failed", "barred", "refused"]
    why: str = ""  # the receiver's answer, in words
    wait: float = 0.0  # seconds until the receiver wants the next request


Transport = Callable[[Batch], DeliveryResult]


class Sender:
    """Empties a queue, which is opened again after each failure."""

    def __init__(
        self,
        open_queue: Callable[[], Queue],
        transport: Transport,
        lock: Path,
        seconds: float,
        log: request_log.Log = request_log.write,
    ) -> None:
        self.failures = 0  # of sending, in a row
        self._open = open_queue
        self._transport = transport  # sends one batch; never raises
        self._lock = lock  # a file beside the database
        self._seconds = seconds  # between two rounds
        self._log = log  # gets a line when sending fails, works again, or a record is refused
        self._logged: set[str] = set()  # states, since a batch has arrived
        self._most = BATCH_RECORDS
        self._steady = 0  # batches until one may have more records
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="forward", daemon=True)

    def start(self) -> None:
        """Start the thread that sends."""
        self._thread.start()

    def stop(self, seconds: float = 1.0) -> None:
        """Stop sending; the next process sends an unfinished batch again."""
        self._stopping.set()
        self._thread.join(seconds)

    def _run(self) -> None:
        held = None
        wait = 0.0
        while not self._stopping.wait(wait):
            held = held or _hold(self._lock)
            wait = self._seconds if held is None else self._round()

    def _round(self) -> float:
        """Send everything; return the seconds until the next round."""
        try:
            with closing(self._open()) as queue:
                queue.trim()
                return self._empty(queue)
        except Exception as error:  # nothing that a disk or the receiver does may end this thread
            self._log_once("failed", f"{type(error).__name__}: {error}"[:200])
            return self._pause(0.0)

    def _empty(self, queue: Queue) -> float:
        while not self._stopping.is_set():
            batch = queue.take(self._most)
            if batch is None:
                break
            outcome = self._transport(batch)
            if outcome.state == "arrived":
                self._arrived(queue)
            elif outcome.state == "refused":
                self._most, self._steady = queue.refused(), STEADY
                if not self._most:
                    return self._set_aside(outcome, batch)
            else:
                self._log_once(outcome.state, outcome.why)
                return self._pause(outcome.wait)
        return self._seconds

    def _arrived(self, queue: Queue) -> None:
        queue.arrived()
        self.failures = 0
        if self._steady:
            self._steady -= 1
        else:
            self._most = min(BATCH_RECORDS, self._most * 2)
        if self._logged:
            self._logged.clear()
            self._log({"event": "forward", "state": "sending"})

    def _set_aside(self, outcome: DeliveryResult, batch: Batch) -> float:
        self._most, self._steady = 1, 0
        entry = {"state": outcome.state, "error": outcome.why, "records": batch.records}
        self._log({"event": "forward", **entry})
        return self._pause(0.0)

    def _pause(self, requested: float) -> float:
        self.failures += 1
        return pause(self.failures, requested)

    def _log_once(self, state: str, why: str) -> None:
        """Log a state, unless it goes on."""
        if state not in self._logged:
            self._logged.add(state)
            self._log({"event": "forward", "state": state, "error": why})


def _hold(path: Path) -> int | None:
    """Take the lock until this process ends; None if another one has it, or it can't be opened."""
    try:
        file = open_file(path, os.O_RDWR | os.O_CREAT)
    except OSError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(file)
        return None
    return file


def pause(failures: int, requested: float, chance: Callable[[], float] = random.random) -> float:
    """Seconds until the next attempt: exponential backoff, with jitter to spread devices.

    There was at least one failure in a row; the receiver asked for `requested` seconds; `chance` is
    random in [0, 1).
    """
    longest = min(LONGEST_SECONDS, FIRST_SECONDS * 2.0 ** min(failures - 1, 20))
    return max(requested, longest * (0.5 + chance() / 2))
