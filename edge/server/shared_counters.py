"""Numbers that workers share in memory, so that reading them takes no call: two for each worker.

How many requests it has in flight, and how many connections it holds. Only the worker itself writes
them, 4 bytes each at a time; the supervisor clears those of a dead one. They are the `peers` of a
server whose listener other processes accept from, too; only its leading thread uses them.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import sys
import time
from collections.abc import Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ABSENT = 2**32 - 1  # connections of a worker that is not there: nobody waits for it to accept
SLOT_BYTES = 8
LOCK_TRIES, LOCK_PAUSE_SECONDS = 20, 0.0005  # a stopped process may hold the lock


def make_counters(workers: int) -> int:
    """A file in memory where no worker is there yet; its descriptor."""
    if sys.platform == "linux":
        file = os.memfd_create("onnxlet-workers")
    else:
        import tempfile  # only a supervisor needs it, and only there

        with tempfile.TemporaryFile() as made:
            file = os.dup(made.fileno())
    os.truncate(file, SLOT_BYTES * workers)
    for number in range(workers):
        clear_slot(file, number)
    return file


def clear_slot(file: int, number: int) -> None:
    """Write that a worker is not there."""
    content = (0).to_bytes(4, sys.byteorder) + ABSENT.to_bytes(4, sys.byteorder)
    os.pwrite(file, content, SLOT_BYTES * number)


class SharedCounters:
    """One worker's view of the numbers, and how it calls the others."""

    def __init__(self, file: int, number: int, bells: Sequence[int], bell: int) -> None:
        self.bell = bell  # the reading end of this one's
        self._file = file  # made by `make_counters`
        self._number = number  # of this worker
        self._bells = bells  # of all workers, pipes' writing ends that wake them
        slots = memoryview(mmap.mmap(file, SLOT_BYTES * len(bells))).cast("I")
        self._requests, self._connections = slots[0::2], slots[1::2]

    def hold(self, connections: int) -> None:
        """Write how many connections this worker has."""
        self._connections[self._number] = connections

    def leave(self) -> None:
        """Write that this worker accepts no more."""
        self.hold(ABSENT)

    def is_turn(self, connections: int) -> bool:
        """Whether no other worker has fewer."""
        return connections <= min(self._connections)

    def call(self) -> None:
        """Wake the worker with the fewest connections: it is to accept one."""
        fewest = min(range(len(self._bells)), key=self._connections.__getitem__)
        with suppress(OSError):  # full: it has not come to the calls before
            os.write(self._bells[fewest], b"x")

    def carry(self, requests: int) -> None:
        """Write how many requests this worker has in flight."""
        self._requests[self._number] = requests

    def admit(self, requests: int, limit: int) -> bool:
        """Whether one more request than this worker's is within the limit of all workers.

        It is counted then.
        """
        # Counted before the others' are read: who is not seen here sees this one.
        self.carry(requests + 1)
        if sum(self._requests) + len(self._bells) <= limit:
            return True
        with self._locked():
            if sum(self._requests) <= limit:
                return True
            self.carry(requests)
        return False

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Let one worker at a time count; whoever holds the lock too long is not waited for."""
        for _ in range(LOCK_TRIES):
            with suppress(BlockingIOError):
                fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            time.sleep(LOCK_PAUSE_SECONDS)
        try:
            yield
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN)
