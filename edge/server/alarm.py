"""Wakes a thread after a while, unless it is cleared before: nothing wakes for short answers."""

from __future__ import annotations

import ctypes
import os
import threading
import time
from typing import Protocol

CLOCK_MONOTONIC = 1  # of Linux's time.h
CLOSE_ON_EXEC = 0o2000000  # TFD_CLOEXEC of sys/timerfd.h
AT_ONCE = 1e-9  # seconds; none at all would clear it


class Alarm(Protocol):
    """One thread waits; any may set and clear it."""

    def set(self, seconds: float) -> None:
        """Ring after so long, and not when it was set to before."""

    def clear(self) -> None:
        """Don't ring."""

    def wait(self) -> None:
        """Return when it rings."""

    def close(self) -> None:
        """Nobody waits any more."""


class TimerAlarm:
    """The kernel keeps the time: setting and clearing take a microsecond, and wake nobody.

    Raises:
        OSError: this kernel has no such timers.
    """

    def __init__(self) -> None:
        # PyDLL keeps the interpreter's lock: letting it go would take longer than the call.
        library = ctypes.PyDLL(None, use_errno=True)
        try:
            create, self._settime = library.timerfd_create, library.timerfd_settime
        except AttributeError as error:
            raise OSError("no timers that can be waited for") from error
        self._file = create(CLOCK_MONOTONIC, CLOSE_ON_EXEC)
        if self._file < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")
        self._cleared = _timer(0.0)
        self._timers: dict[float, ctypes.Array[ctypes.c_long]] = {}

    def set(self, seconds: float) -> None:
        """Ring after so long, of few different ones."""
        timer = self._timers.get(seconds) or self._timers.setdefault(seconds, _timer(seconds))
        self._settime(self._file, 0, timer, None)

    def clear(self) -> None:
        """Don't ring, even if nobody has heard it yet."""
        self._settime(self._file, 0, self._cleared, None)

    def wait(self) -> None:
        """Return when it rings."""
        os.read(self._file, 8)

    def close(self) -> None:
        """Give the timer back."""
        os.close(self._file)


def _timer(seconds: float) -> ctypes.Array[ctypes.c_long]:
    """A struct itimerspec that rings once."""
    whole = int(seconds)
    return (ctypes.c_long * 4)(0, 0, whole, round((seconds - whole) * 1e9))


class EventAlarm:
    """Where the kernel has no timers: who waits is woken when it is set, to wait for so long."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._asleep = False
        self._due: float | None = None

    def set(self, seconds: float) -> None:
        """Ring after so long."""
        self._due = time.monotonic() + seconds
        if self._asleep or seconds == AT_ONCE:
            self._event.set()

    def clear(self) -> None:
        """Don't ring."""
        self._due = None

    def wait(self) -> None:
        """Return when it rings."""
        while True:
            self._asleep = True
            due = self._due
            self._asleep = due is None
            left = None if due is None else due - time.monotonic()
            if left is not None and left <= 0:
                self._due = None
                return
            self._event.wait(left)
            self._event.clear()

    def close(self) -> None:
        """There is nothing to give back."""


def make_alarm() -> Alarm:
    """The best that there is here."""
    try:
        return TimerAlarm()
    except OSError:
        return EventAlarm()
