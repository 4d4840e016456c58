"""What a process that serves sets of itself: how signals end it, and one malloc arena."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
from contextlib import suppress

ENDING = (signal.SIGTERM, signal.SIGINT)
FIRST = 1  # the process that a container ends with
M_ARENA_MAX = -8  # from glibc's malloc.h


def use_one_arena() -> None:
    """Share one malloc arena from now on; threads that have one of their own keep it.

    Else each thread keeps the memory of its largest request.
    """
    with suppress(AttributeError, OSError):  # another C library, which has one anyway
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)


def signals() -> tuple[socket.socket, socket.socket]:
    """A socket that is readable after SIGTERM or SIGINT, whichever thread receives it; its peer."""
    readable, written = socket.socketpair()
    written.setblocking(False)
    for number in ENDING:
        signal.signal(number, lambda received, frame: None)
    signal.set_wakeup_fd(os.dup(written.fileno()))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)  # a worker starts with these held back
    return readable, written


def end_on(number: int) -> None:
    """End by a signal, also as a container's first process, whom the kernel spares by default."""
    if os.getpid() == FIRST:
        signal.signal(number, lambda received, frame: os._exit(128 + received))
    else:
        signal.signal(number, signal.SIG_DFL)
