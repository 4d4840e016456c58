"""What systemd is told: ready, alive, stopping. Nothing where nobody listens."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

Tell = Callable[[str], None]


def teller(environ: Mapping[str, str]) -> Tell | None:
    """What tells systemd a line such as `READY=1`; None where there is none that listens."""
    address = environ.get("NOTIFY_SOCKET", "")
    if address[:1] not in ("/", "@"):
        return None
    address = address.replace("@", "\0", 1) if address[0] == "@" else address

    def tell(line: str) -> None:
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.settimeout(1)
            sender.sendto(line.encode(), address)

    return tell


def watchdog_seconds(environ: Mapping[str, str]) -> float | None:
    """After which systemd restarts this process where it hears nothing; None where it never does.

    Args:
        environ: with WATCHDOG_USEC, and WATCHDOG_PID where another process is meant.
    """
    text, process = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", "")
    if not text.isdecimal() or process not in ("", str(os.getpid())):
        return None
    return int(text) / 1e6 or None


def heartbeat(environ: Mapping[str, str]) -> Callable[[], None]:
    """What a loop calls as often as it comes round; systemd is told a few times in its time."""
    tell, seconds = teller(environ), watchdog_seconds(environ)
    last = float("-inf")

    def beat() -> None:
        nonlocal last
        now = time.monotonic()
        if tell and seconds and now - last > seconds / 8:
            last = now
            tell("WATCHDOG=1")

    return beat
