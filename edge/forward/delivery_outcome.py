"""What becomes of a batch by what the other side said, and when to try again: only decisions."""

from __future__ import annotations

import random
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Literal, NamedTuple

from onnxlet.edge.forward.queue import Batch

OVERALL_SECONDS = 300.0  # for a batch and its answer, however slow the link is
FIRST_SECONDS = 1.0
LONGEST_SECONDS = 300.0
LONGEST_WISH_SECONDS = 3600.0  # of what a server may ask for by Retry-After
PASSING = {408, 429}  # of 4xx: the same batch may fare better by itself
# Of 4xx: no fault of the records. Somebody has to put it right, and then they are sent.
BARRED = {
    401: "the key is not known there: ONNXLET_DEVICE_FORWARD_KEY",
    403: "not allowed there: ONNXLET_DEVICE_FORWARD_KEY, or whoever guards it",
    404: "nothing is there: ONNXLET_DEVICE_FORWARD_URL",
    407: "a proxy in between wants a password",
}


class Verdict(NamedTuple):
    """What became of a batch.

    Attributes:
        state: `arrived`; `failed`, and is sent again; `barred`, the same, once somebody has put
            right what is wrong; `refused`: something in it will never be taken, or it is too large.
        why: what the other side said.
        wait: seconds for which it wants to be left alone.
    """

    state: Literal["arrived", "failed", "barred", "refused"]
    why: str = ""
    wait: float = 0.0


Transport = Callable[[Batch], Verdict]


def of_status(status: int, retry_after: str = "", date: str = "") -> Verdict:
    """What a status of HTTP means.

    Args:
        status: of the answer.
        retry_after: its header, a number of seconds or a date.
        date: its header, which tells what time the other side takes it for.
    """
    why = f"status {status}"
    if 200 <= status < 300:
        return Verdict("arrived", why)
    wait = min(_seconds(retry_after, date), LONGEST_WISH_SECONDS)
    if hint := BARRED.get(status):
        return Verdict("barred", f"{why}: {hint}", wait)
    if 400 <= status < 500 and status not in PASSING:
        return Verdict("refused", why)
    return Verdict("failed", why, wait)


def _seconds(retry_after: str, date: str) -> float:
    if retry_after.isdecimal() and len(retry_after) < 9:
        return float(retry_after)
    try:  # this machine's own clock may be wrong, and the other one's tells how long it is
        then, now = parsedate_to_datetime(retry_after), parsedate_to_datetime(date)
        return max(0.0, (then - now).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return 0.0


def pause(failures: int, wish: float, chance: Callable[[], float] = random.random) -> float:
    """Seconds until the next try: twice as long each time, and never all devices at once.

    Args:
        failures: one after another, at least one.
        wish: the seconds that the other side asked for.
        chance: of at least 0 and less than 1.
    """
    longest = min(LONGEST_SECONDS, FIRST_SECONDS * 2.0 ** min(failures - 1, 20))
    return max(wish, longest * (0.5 + chance() / 2))
