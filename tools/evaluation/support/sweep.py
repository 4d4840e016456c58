"""All estimators of scikit-learn and of the libraries that are installed, in some processes."""

from __future__ import annotations

import importlib
import os
import signal
import time
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from multiprocessing import get_context
from typing import Any

from tools.evaluation.support import estimators, libraries
from tools.evaluation.support.estimators import Case
from tools.evaluation.support.outcomes import Outcome, outcome_of

SCIKIT_LEARN = "scikit-learn"
TOOLS = (SCIKIT_LEARN, "skl2onnx", "onnx", "onnxruntime")  # the same on every Python
LIMIT = 180  # seconds of work on one estimator, whatever else the machine does
PROCESSES = max(1, int(os.environ.get("PROCESSES", "2")))


def installed() -> list[str]:
    """The names of the libraries, scikit-learn first."""
    modules = libraries.DISTRIBUTIONS.items()
    return [SCIKIT_LEARN, *(name for module, name in modules if _is_there(module, name))]


def cases_of(library: str) -> Iterator[Case]:
    """Every estimator of a library."""
    if library == SCIKIT_LEARN:
        return estimators.cases()
    module = next(m for m, name in libraries.DISTRIBUTIONS.items() if name == library)
    found: Iterator[Case] = importlib.import_module(f"{libraries.__name__}.{module}").cases()
    return found


def versions_of(library: str) -> str:
    """What a table was made with."""
    names = TOOLS if library == SCIKIT_LEARN else (library,)
    return ", ".join(f"{name} {version(name)}" for name in names)


def _is_there(module: str, distribution: str) -> bool:
    try:
        version(distribution)
    except PackageNotFoundError:
        return False
    return find_spec(f"{libraries.__name__}.{module}") is not None


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
