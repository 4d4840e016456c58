"""One thread sends batches, the oldest first, each as often as it takes.

A batch that is refused is halved, at once, until the record that will not be taken is on its own:
that one is set aside. Where the other side takes nothing at all, that is one after each pause.

Of several processes that keep records in one queue, one sends: whoever holds the lock.
"""

from __future__ import annotations

import fcntl
import os
import threading
from contextlib import closing
from pathlib import Path

from onnxlet.edge.forward.delivery_outcome import Transport, Verdict, pause
from onnxlet.edge.forward.queue import BATCH_RECORDS, Batch, Queue
from onnxlet.edge.forward.writing import Open
from onnxlet.function import request_log

STEADY = 16  # batches of a size that was taken, before a larger one is tried again


class Sender:
    """Empties a queue.

    Args:
        open_queue: opens the database; called again after each failure.
        transport: sends one batch, and never raises.
        lock: a file beside the database.
        seconds: between two rounds.
        log: told when sending fails, works again, or something is refused.

    Attributes:
        failures: of sending, one after another.
    """

    def __init__(
        self,
        open_queue: Open,
        transport: Transport,
        lock: Path,
        seconds: float,
        log: request_log.Log = request_log.write,
    ) -> None:
        self.failures = 0
        self._open = open_queue
        self._transport = transport
        self._lock = lock
        self._seconds = seconds
        self._log = log
        self._told: set[str] = set()  # states, since something has arrived
        self._most = BATCH_RECORDS
        self._steady = 0  # batches before there may be more records in one
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="forward", daemon=True)

    def start(self) -> None:
        """Send from now on."""
        self._thread.start()

    def stop(self, seconds: float = 1.0) -> None:
        """Send no more; a batch that is under way is sent again by the next process."""
        self._stopping.set()
        self._thread.join(seconds)

    def _run(self) -> None:
        held = None
        wait = 0.0
        while not self._stopping.wait(wait):
            held = held or _hold(self._lock)
            wait = self._seconds if held is None else self._round()

    def _round(self) -> float:
        """Send all there is; the seconds until there is something to do again."""
        try:
            with closing(self._open()) as queue:
                queue.trim()
                return self._empty(queue)
        except Exception as error:  # nothing that a disk or the other side does may end the sending
            self._tell("failed", f"{type(error).__name__}: {error}"[:200])
            return self._pause(0.0)

    def _empty(self, queue: Queue) -> float:
        while not self._stopping.is_set():
            batch = queue.take(self._most)
            if batch is None:
                break
            verdict = self._transport(batch)
            if verdict.state == "arrived":
                self._arrived(queue)
            elif verdict.state == "refused":
                self._most, self._steady = queue.refused(), STEADY
                if not self._most:
                    return self._set_aside(verdict, batch)
            else:
                self._tell(verdict.state, verdict.why)
                return self._pause(verdict.wait)
        return self._seconds

    def _arrived(self, queue: Queue) -> None:
        queue.arrived()
        self.failures = 0
        if self._steady:
            self._steady -= 1
        else:
            self._most = min(BATCH_RECORDS, self._most * 2)
        if self._told:
            self._told.clear()
            self._log({"event": "forward", "state": "sending"})

    def _set_aside(self, verdict: Verdict, batch: Batch) -> float:
        self._most, self._steady = 1, 0
        told = {"state": verdict.state, "error": verdict.why, "records": batch.records}
        self._log({"event": "forward", **told})
        return self._pause(0.0)

    def _pause(self, wish: float) -> float:
        self.failures += 1
        return pause(self.failures, wish)

    def _tell(self, state: str, why: str) -> None:
        """What goes on so is told once."""
        if state not in self._told:
            self._told.add(state)
            self._log({"event": "forward", "state": state, "error": why})


def _hold(path: Path) -> int | None:
    """Take the lock until this process ends; None where another one has it, or none can be had."""
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(file)
        return None
    return file
