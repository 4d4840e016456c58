"""A timer that wakes one thread, unless cleared before: short answers wake nobody."""

from __future__ import annotations

import ctypes
import os
import threading
import time

CLOCK_MONOTONIC = 1  # of Linux's time.h
CLOSE_ON_EXEC = 0o2000000  # TFD_CLOEXEC of sys/timerfd.h
SHORTEST_SECONDS = 1e-9  # to ring now: zero would clear the kernel's timer


class TimerAlarm:
    """A timerfd of Linux: setting and clearing take a microsecond, and wake nobody.

    OSError is raised where this kernel has no such timers.
    """

    def __init__(self) -> None:
        # PyDLL keeps the GIL: releasing it would take longer than the call.
        library = ctypes.PyDLL(None, use_errno=True)
        try:
            create, self._settime = library.timerfd_create, library.timerfd_settime
        except AttributeError as error:
            raise OSError("this C library has no timerfd") from error
        self._file = create(CLOCK_MONOTONIC, CLOSE_ON_EXEC)
        if self._file < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")
        self._cleared = _timer(0.0)
        self._timers: dict[float, ctypes.Array[ctypes.c_long]] = {}

    def set(self, seconds: float) -> None:
        """Ring after so many seconds; the structs of the few values in use are cached."""
        timer = self._timers.get(seconds) or self._timers.setdefault(seconds, _timer(seconds))
        self._settime(self._file, 0, timer, None)

    def clear(self) -> None:
        """Don't ring, even if it rang and nobody has waited for it yet."""
        self._settime(self._file, 0, self._cleared, None)

    def wait(self) -> None:
        """Block until it rings."""
        os.read(self._file, 8)

    def close(self) -> None:
        """Close the timer's file descriptor."""
        os.close(self._file)


def _timer(seconds: float) -> ctypes.Array[ctypes.c_long]:
    """A struct itimerspec of a timer that expires once."""
    whole = int(seconds)
    return (ctypes.c_long * 4)(0, 0, whole, round((seconds - whole) * 1e9))


class EventAlarm:
    """Without timerfd: the waiting thread is woken when it is set, and waits for so long."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._lock = threading.Lock()  # else what is set while an earlier time rings is lost
        self._asleep = False
        self._due: float | None = None

    def set(self, seconds: float) -> None:
        """Ring after so many seconds."""
        with self._lock:
            self._due = time.monotonic() + seconds
            if self._asleep or seconds == SHORTEST_SECONDS:
                self._event.set()

    def clear(self) -> None:
        """Cancel the time that was set."""
        with self._lock:
            self._due = None

    def wait(self) -> None:
        """Block until it rings."""
        while True:
            with self._lock:
                self._asleep = self._due is None
                left = None if self._due is None else self._due - time.monotonic()
                if left is not None and left <= 0:
                    self._due = None
                    return
            self._event.wait(left)
            self._event.clear()

    def close(self) -> None:
        """Do nothing: there is no timer to release."""


Alarm = TimerAlarm | EventAlarm  # one thread waits; any thread may set and clear it


def make_alarm() -> Alarm:
    """The best alarm that this system offers."""
    try:
        return TimerAlarm()
    except OSError:
        return EventAlarm()
