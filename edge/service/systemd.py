"""Notify systemd: ready, alive, stopping (sd_notify). Without systemd nothing is sent."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

Notify = Callable[[str], None]


def notifier(environ: Mapping[str, str]) -> Notify | None:
    """A function that sends systemd a line such as `READY=1`; None if it does not listen."""
    address = environ.get("NOTIFY_SOCKET", "")
    if address[:1] not in ("/", "@"):
        return None
    address = address.replace("@", "\0", 1) if address[0] == "@" else address

    def notify(line: str) -> None:
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.settimeout(1)
            sender.sendto(line.encode(), address)

    return notify


def watchdog_seconds(environ: Mapping[str, str]) -> float | None:
    """Seconds of silence after which systemd restarts this process; None if it never does.

    The environment has WATCHDOG_USEC, and WATCHDOG_PID of the process that is meant.
    """
    text, process = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", "")
    if not text.isdecimal() or process not in ("", str(os.getpid())):
        return None
    return int(text) / 1e6 or None


def heartbeat(environ: Mapping[str, str]) -> Callable[[], None]:
    """A function for a loop to call each time round; it notifies systemd often enough."""
    notify, seconds = notifier(environ), watchdog_seconds(environ)
    last = float("-inf")

    def beat() -> None:
        nonlocal last
        now = time.monotonic()
        if notify and seconds and now - last > seconds / 8:
            last = now
            notify("WATCHDOG=1")

    return beat
