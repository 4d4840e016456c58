"""All estimators, one after the other in each of some processes."""

from __future__ import annotations

import os
import signal
import time
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

from tools.evaluation.support.catalogue import SCIKIT_LEARN, cases_of
from tools.evaluation.support.outcomes import Outcome, outcome_of

LIMIT = 180  # seconds of work on one estimator, whatever else the machine does
PROCESSES = max(1, int(os.environ.get("PROCESSES", "2")))


class TooSlow(BaseException):
    """The limit is over; not an Exception, so that nothing on the way takes it for an answer."""


def sweep(pairs: Sequence[tuple[str, str]]) -> Iterator[tuple[Outcome, float]]:
    """Outcomes on these estimators in their order, each with the seconds that it took.

    A pair is of a library and the name of one of its estimators.
    """
    with ProcessPoolExecutor(PROCESSES, get_context("forkserver")) as pool:
        yield from pool.map(_timed, pairs)


def _timed(pair: tuple[str, str]) -> tuple[Outcome, float]:
    library, name = pair
    start = time.monotonic()
    outcome = judged(name, library)
    return outcome, time.monotonic() - start


def judged(name: str, library: str = SCIKIT_LEARN) -> Outcome:
    """The outcome on one estimator; what goes wrong in the sweep itself differs too."""
    signal.signal(signal.SIGPROF, _stop)
    signal.setitimer(signal.ITIMER_PROF, LIMIT)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return outcome_of(next(case for case in cases_of(library) if case.name == name))
    except (Exception, TooSlow) as error:
        return Outcome(name, "differs", f"{type(error).__name__}: {error}")
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _stop(*_: Any) -> None:
    raise TooSlow(f"it takes more than {LIMIT} s")
