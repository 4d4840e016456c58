"""A worker's process, as its supervisor has it: started, written to, restarted later and later."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from onnxlet.edge.service.process import ENDING
from onnxlet.edge.workers.frames import Message, Unpacker, packed

START = Path(__file__).with_name("start.py")
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.1, 10.0
LONG_LIFE_SECONDS = 30.0  # after which a death is the first one again
READ_BYTES = 1 << 18
MOST_UNSENT_BYTES = 1 << 26  # to a worker that reads nothing
NOT_ITS_OWN = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")  # systemd speaks to the supervisor


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
    """One process, started; `files` are the descriptors that it inherits, by what they are.

    OSError is raised where the system has no process, memory or descriptor left for it.
    """

    def __init__(
        self, files: Mapping[str, Any], orders: Mapping[str, Any], agreed: Mapping[str, bytes]
    ) -> None:
        self.serves = False  # it answers requests
        self.why = ""  # it ends, where more than its exit code is known; else empty
        self.link, theirs = socket.socketpair()
        self.link.setblocking(False)
        self._unpacker = Unpacker()
        self.unsent = bytearray()  # what the process has not taken yet
        files = {**files, "link": theirs.fileno()}
        numbers = [
            n for each in files.values() for n in (each if isinstance(each, list) else [each])
        ]
        arguments = json.dumps({"files": files})
        environ = {name: v for name, v in os.environ.items() if name not in NOT_ITS_OWN}
        with theirs, _starting(self.link):
            self.process = subprocess.Popen(  # noqa: S603 - this very program
                [sys.executable, *_flags(), str(START), arguments, *sys.path],
                stdin=subprocess.DEVNULL, env=environ, pass_fds=numbers,
            )  # fmt: skip
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
        with suppress(OSError):
            self.process.kill()

    def end(self) -> int:
        """Release what is left of a process that has ended; its exit code."""
        self.link.close()
        try:
            return self.process.wait(1)
        except subprocess.TimeoutExpired:  # it has closed its link, but goes on
            self.kill()
            return self.process.wait()


@contextmanager
def _starting(link: socket.socket) -> Iterator[None]:
    """Have a process inherit that signals wait until it serves: terminals and systemd send to all.

    The link to it is closed where it can't be started.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        yield
    except OSError:
        link.close()
        raise
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _flags() -> list[str]:
    """What this interpreter was started with, as far as it matters to one that serves."""
    flags = {"-I": sys.flags.isolated, "-S": sys.flags.no_site, "-B": sys.flags.dont_write_bytecode}
    options = (n if v is True else f"{n}={v}" for n, v in sys._xoptions.items())
    return [
        *(flag for flag, is_set in flags.items() if is_set),
        *(part for each in sys.warnoptions for part in ("-W", each)),
        *(part for each in options for part in ("-X", each)),
    ]
