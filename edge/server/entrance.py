"""Where new connections come in: one listener, which other processes may accept from, too.

Linux wakes one of the processes that wait for a connection (EPOLLEXCLUSIVE), else all are woken.
One that has more connections than another leaves the new one to that other for some milliseconds,
and calls it: connections stay, so whoever is woken first would otherwise have most of the work.
What nobody has taken by then, it accepts itself: the other may be busy, stopped or dead.

Workers share two numbers each in memory, so that reading them takes no call: how many requests one
has in flight, and how many connections it holds. Only the worker itself writes them, 4 bytes each
at a time; the supervisor clears those of a dead one.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import select
import selectors
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

# A process lets another thread lead after 5 ms; on a busy machine it is some more until it runs.
PATIENCE_SECONDS = 0.03
# One that was woken may be killed or stopped before it accepts, and nobody else was woken then.
LOOK_SECONDS = 1.0
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
    """One worker's view of the numbers, and how it calls the others.

    They are the `peers` of a server whose listener other processes accept from, too; only its
    leading thread uses them.
    """

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


class Entrance:
    """A listener in a selector."""

    def __init__(
        self,
        listener: socket.socket,
        selector: selectors.BaseSelector,
        accept: Callable[[], None],
        peers: SharedCounters | None,
    ) -> None:
        self._listener = listener  # bound, listening and non-blocking
        self._selector = selector  # that waits for it
        self._accept = accept  # called when there is something to accept
        self._peers = peers  # that accept from it, too; None where this process is the only one
        self._again = 0.0  # when it listens again; 0 while it does
        self._looked = time.monotonic()
        self._impatient = False  # accept whoever's turn it is
        self._watch()
        if peers:
            selector.register(peers.bell, selectors.EVENT_READ, self._called)
            peers.hold(0)

    def hold(self, connections: int) -> None:
        """Let the others know how many connections this process has, as long as it accepts."""
        if self._peers:
            self._peers.hold(connections)

    def _watch(self) -> None:
        self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
        has_epoll = hasattr(selectors, "EpollSelector")  # Linux
        if self._peers and has_epoll and isinstance(self._selector, selectors.EpollSelector):
            # `selectors` has no word for it: of the kernel's own set the listener is taken out, and
            # put in again. The duplicate is closed with the object, and the set is not.
            with select.epoll.fromfd(os.dup(self._selector.fileno())) as epoll:
                epoll.unregister(self._listener)
                epoll.register(self._listener, select.EPOLLIN | select.EPOLLEXCLUSIVE)

    def may_accept(self, held: int, is_first: bool) -> bool:
        """Whether to accept a connection now, else leave it to another process.

        This process holds so many connections. The first of a round is there, as far as is known.
        """
        if self._peers is None or self._impatient or self._peers.is_turn(held):
            return True
        if is_first and not self._again:
            self._selector.unregister(self._listener)
            self._again = time.monotonic() + PATIENCE_SECONDS
            self._peers.call()
        return False

    def wait(self, timeout: float | None) -> float | None:
        """How long a selector may wait, in seconds, where it would wait for `timeout`."""
        if self._peers is None:
            return timeout
        due = self._again or self._looked + LOOK_SECONDS
        left = max(0.0, due - time.monotonic())
        return left if timeout is None else min(timeout, left)

    def go_on(self) -> None:
        """Accept what the others have left for too long."""
        if self._peers is None:
            return
        now = time.monotonic()
        if self._again and now >= self._again:
            self._listen_again()
            self._impatient = True
            try:
                self._accept()
            finally:
                self._impatient = False
        elif not self._again and now >= self._looked + LOOK_SECONDS:
            self._looked = now
            self._accept()

    def _called(self) -> None:
        """Another process leaves a connection to this one."""
        if self._peers:
            with suppress(OSError):
                os.read(self._peers.bell, 4096)
        self._listen_again()
        self._accept()

    def _listen_again(self) -> None:
        if self._again:
            self._again = 0.0
            self._watch()

    def close(self) -> None:
        """Accept the clients that wait, and no more."""
        self._impatient = True
        self._accept()
        if not self._again:
            self._selector.unregister(self._listener)
        self._again = 0.0
        if self._peers:
            self._selector.unregister(self._peers.bell)
            self._peers.leave()
        self._peers = None  # nobody looks into a closed listener
        self._listener.close()
