"""Notify systemd: ready, alive, stopping (sd_notify). Without systemd nothing is sent.

It is alive as long as golden rows are answered. One thread checks and another notifies systemd, so
that a check that waits behind many requests is not taken for a hang.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Protocol

from onnxlet.function import request_log

Notify = Callable[[str], None]

DEFAULT_SECONDS = 8.0  # the watchdog's timeout where systemd sets none
CHECK_INTERVAL = 1 / 8  # of that timeout
ALLOWED_SILENCE = 3 / 8  # of that timeout, since the last right answer
WELL = "STATUS=golden rows are answered"
CROWDED_SECONDS = 90.0  # allowed silence while others' requests are answered


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


def is_alive(silent: float, others: float, allowed: float) -> bool:
    """Whether to notify systemd that this server is alive.

    Given are the seconds since a golden row was answered correctly, since another client's
    prediction was answered, and those of allowed silence of either.
    """
    return silent < allowed or (others < allowed and silent < CROWDED_SECONDS)


class Checks(Protocol):
    """Checks golden rows; returns a fault, or an empty text."""

    def every(self) -> str:
        """Check the golden rows of every model."""

    def next(self) -> str:
        """Check the golden rows of the next model."""

    def close(self) -> None:
        """Release what the checks hold."""


class Watchdog:
    """Notifies systemd that this server is ready, alive, and stopping.

    Systemd's timeout is None if it has none.
    """

    def __init__(self, notify: Notify, seconds: float | None, log: request_log.Log) -> None:
        self._notify, self._log = notify, log
        self._pause = (seconds or DEFAULT_SECONDS) * CHECK_INTERVAL
        self._allowed = (seconds or DEFAULT_SECONDS) * ALLOWED_SILENCE
        self._feeds = seconds is not None
        self._others = self._proven = -CROWDED_SECONDS
        self._fault = ""
        self._ready = threading.Event()
        self._stopping = threading.Event()

    def log(self, entry: dict[str, Any]) -> None:
        """Write the line of a request that was answered."""
        if "rows" in entry and entry["status"] == 200:
            self._others = time.monotonic()
        self._log(entry)

    def start(self, checks: Checks) -> None:
        """Check and notify from now on, in two threads."""
        threading.Thread(target=self._keep_checking, args=(checks,), daemon=True).start()
        threading.Thread(target=self._keep_notifying, daemon=True).start()

    def stop(self) -> None:
        """Notify systemd that the server stops; requests in flight are still answered."""
        self._stopping.set()
        self._notify("STOPPING=1")

    def _keep_checking(self, checks: Checks) -> None:
        while not self._stopping.is_set():
            fault = checks.next() if self._ready.is_set() else checks.every()
            if not fault:
                self._proven = time.monotonic()
            self._note(fault)
            if not fault and not self._ready.is_set():
                self._notify(f"READY=1\n{WELL}")
                self._ready.set()
            self._stopping.wait(self._pause)
        checks.close()

    def _note(self, fault: str) -> None:
        """Log a fault, and notify systemd of it, once."""
        if fault and fault != self._fault and not self._stopping.is_set():
            self._log({"event": "watchdog", "error": fault})
            self._notify(f"STATUS=golden rows are not answered: {fault}")
        elif self._fault and not fault:
            self._log({"event": "watchdog", "state": "answered"})
            self._notify(WELL)
        self._fault = fault

    def _keep_notifying(self) -> None:
        self._ready.wait()
        while self._feeds:
            now = time.monotonic()
            alive = is_alive(now - self._proven, now - self._others, self._allowed)
            if (
                alive or self._stopping.is_set()
            ):  # while stopping, the server has its own time limit
                self._notify("WATCHDOG=1")
            time.sleep(self._pause)
