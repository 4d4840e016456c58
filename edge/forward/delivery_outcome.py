"""The outcome of sending a batch, by the receiver's answer, and when to retry. No I/O."""

from __future__ import annotations

import random
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Literal, NamedTuple

from onnxlet.edge.forward.queue import Batch

OVERALL_SECONDS = 300.0  # for a batch and its answer, however slow the network is
FIRST_SECONDS = 1.0  # pause after the first failure
LONGEST_SECONDS = 300.0  # pause after many
LONGEST_RETRY_AFTER_SECONDS = 3600.0  # a server can't ask for a longer pause
TRANSIENT = {408, 429}  # statuses 4xx after which the same batch may be accepted later
# Statuses 4xx that are no fault of the records: they are sent once the cause is fixed.
BARRED = {
    401: "the key is not known there: ONNXLET_DEVICE_FORWARD_KEY",
    403: "not allowed there: ONNXLET_DEVICE_FORWARD_KEY, or the server's own rules",
    404: "nothing is there: ONNXLET_DEVICE_FORWARD_URL",
    407: "a proxy in between wants a password",
}


class Outcome(NamedTuple):
    """The outcome of sending a batch."""

    # `arrived`; `failed`, and is sent again; `barred`, and is sent again, but the cause needs
    # fixing; `refused`: a record will never be accepted, or it is too large.
    state: Literal["arrived", "failed", "barred", "refused"]
    why: str = ""  # the receiver's answer, in words
    wait: float = 0.0  # seconds until the receiver wants the next request


Transport = Callable[[Batch], Outcome]


def status_outcome(status: int, retry_after: str = "", date: str = "") -> Outcome:
    """The outcome by an HTTP response.

    `retry_after` is a number of seconds or a date; `date` is the receiver's clock.
    """
    why = f"status {status}"
    if 200 <= status < 300:
        return Outcome("arrived", why)
    wait = min(_seconds(retry_after, date), LONGEST_RETRY_AFTER_SECONDS)
    if hint := BARRED.get(status):
        return Outcome("barred", f"{why}: {hint}", wait)
    if 400 <= status < 500 and status not in TRANSIENT:
        return Outcome("refused", why)
    return Outcome("failed", why, wait)


def _seconds(retry_after: str, date: str) -> float:
    if retry_after.isdecimal() and len(retry_after) < 9:
        return float(retry_after)
    try:  # by the receiver's clock, since this machine's may be wrong
        then, now = parsedate_to_datetime(retry_after), parsedate_to_datetime(date)
        return max(0.0, (then - now).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return 0.0


def pause(failures: int, requested: float, chance: Callable[[], float] = random.random) -> float:
    """Seconds until the next attempt: exponential backoff, with jitter to spread devices.

    There was at least one failure in a row; the receiver asked for `requested` seconds; `chance` is
    random in [0, 1).
    """
    longest = min(LONGEST_SECONDS, FIRST_SECONDS * 2.0 ** min(failures - 1, 20))
    return max(requested, longest * (0.5 + chance() / 2))
