"""What a process that serves sets of itself: how signals end it, and one malloc arena.

In a container it takes settings that the platform has in its own words, too.
"""

from __future__ import annotations

import ctypes
import os
import re
import signal
import socket
import sys
from collections.abc import MutableMapping
from contextlib import suppress
from pathlib import Path

ENDING = (signal.SIGTERM, signal.SIGINT)
FIRST = 1  # the process that a container ends with
M_ARENA_MAX = -8  # from glibc's malloc.h
PR_SET_NAME = 15  # from Linux's prctl.h
PORT, MODELS = "ONNXLET_DEVICE_PORT", "ONNXLET_MODELS"
PORTS = ("PORT", "SAGEMAKER_BIND_TO_PORT")  # Cloud Run's, and SageMaker's
HIGHEST_PORT = 65535
REFUSED = 1  # exit code, as of any variable that is wrong
PLACES = ("/opt/ml/model", "/mnt/models")  # where SageMaker and KServe put models


def use_one_arena() -> None:
    """Share one malloc arena from now on; threads that have one of their own keep it.

    Else each thread keeps the memory of its largest request.
    """
    with suppress(AttributeError, OSError):  # another C library, which has one anyway
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)


def be_named(name: str) -> None:
    """Have `ps` and `top` show this process by a name, of at most 15 characters, on Linux."""
    with suppress(AttributeError):  # another system
        ctypes.CDLL(None).prctl(PR_SET_NAME, name.encode())


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


def begin() -> None:
    """Take a platform's settings, and end on SIGTERM and SIGINT while the server starts."""
    adapt(os.environ)
    for number in ENDING:
        end_on(number)


def adapt(environ: MutableMapping[str, str], places: tuple[str, ...] = PLACES) -> None:
    """Set our variables by a platform's, where they are not set.

    Models are taken from the first place where something is. It exits where the platform's port is
    none, which is reported by the name that was set.
    """
    name = next((each for each in PORTS if environ.get(each)), None)
    if name and not environ.get(PORT):
        environ[PORT] = _port(name, environ[name])
    if not environ.get(MODELS):
        found = [place for place in places if _has_something(Path(place))]
        if found:
            environ[MODELS] = found[0]


def _port(name: str, text: str) -> str:
    if re.fullmatch("[0-9]{1,5}", text) and int(text) <= HIGHEST_PORT:
        return text
    expected = f"error: {name}: expected a port from 0 to {HIGHEST_PORT}, got '{text[:80]}'"
    print(expected, f"hint: Set {name}, or {PORT}.", sep="\n", file=sys.stderr)
    sys.exit(REFUSED)


def _has_something(folder: Path) -> bool:
    try:
        return next(folder.iterdir(), None) is not None
    except OSError:
        return False
