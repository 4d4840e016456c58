"""A worker's process, as its supervisor has it: started, written to, restarted later and later."""

from __future__ import annotations

import os
import signal
import socket
import time
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

from onnxlet.edge.service.process import ENDING
from onnxlet.edge.workers.frames import Message, Unpacker, packed

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.1, 10.0
LONG_LIFE_SECONDS = 30.0  # after which a death is the first one again
READ_BYTES = 1 << 18
MOST_UNSENT_BYTES = 1 << 26  # to a worker that reads nothing
ENDED_SECONDS = 1.0  # from the end of a process's link to its own
LOOK_SECONDS = 0.01  # between two looks whether it has ended


class Pauses:
    """How long to wait before a worker is started again: twice as long each time, up to a limit."""

    def __init__(self) -> None:
        self._next = FIRST_PAUSE_SECONDS

    def after(self, life: float) -> float:
        """The pause after a life of so many seconds."""
        if life >= LONG_LIFE_SECONDS:
            self._next = FIRST_PAUSE_SECONDS
        pause, self._next = self._next, min(2 * self._next, LONGEST_PAUSE_SECONDS)
        return pause


class Child:
    """A process, forked from this one; `pid` is 0 in that process itself.

    OSError is raised where the system has no process, memory or descriptor left for it.
    """

    def __init__(self, orders: Mapping[str, Any], agreed: Mapping[str, bytes]) -> None:
        self.serves = False  # it answers requests
        self.why = ""  # it ends, where more than its exit code is known; else empty
        self.link, self.theirs = socket.socketpair()  # this process's end, and the other one's
        self.link.setblocking(False)
        self._unpacker = Unpacker()
        self.unsent = bytearray()  # what the process has not taken yet
        self.pid = _forked(self.link, self.theirs)
        if self.pid:
            self.theirs.close()
            self.send(packed("welcome", *agreed.values(), agreed=list(agreed), **orders))

    def send(self, frame: bytes) -> None:
        """Send a frame, or the rest of it once the process reads; kill one that never does."""
        self.unsent += frame
        if len(self.unsent) > MOST_UNSENT_BYTES:
            self.kill("it read nothing of what others told it")
        self.flush()

    def flush(self) -> None:
        """Send what the process takes."""
        try:
            while self.unsent:
                del self.unsent[: self.link.send(self.unsent)]
        except BlockingIOError:
            pass
        except OSError:  # it has ended, which reading shows
            self.unsent.clear()

    def receive(self) -> Iterator[Message] | None:
        """The messages that have arrived; None once the process has ended."""
        try:
            data = self.link.recv(READ_BYTES)
        except BlockingIOError:
            return iter(())
        except OSError:
            return None
        return self._unpacker.feed(data) if data else None

    def kill(self, why: str = "") -> None:
        """End it at once."""
        self.why = self.why or why
        os.kill(self.pid, signal.SIGKILL)  # it is there until `end` has waited for it

    def end(self) -> int:
        """Release what is left of a process that has ended; its exit code."""
        self.link.close()
        until = time.monotonic() + ENDED_SECONDS
        while not (found := os.waitpid(self.pid, os.WNOHANG))[0]:
            if time.monotonic() > until:  # it has closed its link, but goes on
                self.kill()
                found = os.waitpid(self.pid, 0)
                break
            time.sleep(LOOK_SECONDS)
        return os.waitstatus_to_exitcode(found[1])


def _forked(*sockets: socket.socket) -> int:
    """Fork this process; the number of the new one, and 0 there.

    Signals wait there until it serves: terminals and systemd send to all. The sockets are closed
    where it can't be started.
    """
    pid, before = -1, signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        with warnings.catch_warnings():
            # Of a process with threads. Only a log that waits for its reader has one here, and no
            # worker uses that log.
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
    except OSError:
        for each in sockets:
            each.close()
        raise
    finally:
        if pid:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return pid
