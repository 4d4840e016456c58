"""What becomes of a batch by what the other side said, and when to try again: decisions alone."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Literal, NamedTuple

from edge.forward.queue import Batch

OVERALL_SECONDS = 300.0  # for a batch and its answer, however slow the link is
FIRST_SECONDS = 1.0
LONGEST_SECONDS = 300.0
LONGEST_WISH_SECONDS = 3600.0  # of what a server may ask for by Retry-After
AGAIN = (408, 429)


class Verdict(NamedTuple):
    """What became of a batch.

    Attributes:
        state: `arrived`; `refused` is not to be sent again; `failed` is.
        why: what the other side said.
        wait: seconds for which it wants to be left alone.
    """

    state: Literal["arrived", "refused", "failed"]
    why: str = ""
    wait: float = 0.0


Transport = Callable[[Batch], Verdict]


def of_status(status: int, retry_after: str = "") -> Verdict:
    """What a status of HTTP means."""
    why = f"status {status}"
    if 200 <= status < 300:
        return Verdict("arrived", why)
    if 400 <= status < 500 and status not in AGAIN:
        return Verdict("refused", why)
    wish = float(retry_after) if retry_after.isdecimal() and len(retry_after) < 9 else 0.0
    return Verdict("failed", why, min(wish, LONGEST_WISH_SECONDS))


def pause(failures: int, wish: float, chance: Callable[[], float] = random.random) -> float:
    """Seconds until the next try: twice as long each time, and never all devices at once.

    Args:
        failures: one after another, at least one.
        wish: the seconds that the other side asked for.
        chance: of at least 0 and less than 1.
    """
    longest = min(LONGEST_SECONDS, FIRST_SECONDS * 2.0 ** min(failures - 1, 20))
    return max(wish, longest * (0.5 + chance() / 2))
