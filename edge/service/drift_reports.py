"""The drift report of each model that is served, made again when there is something new.

A report of 200 columns takes 30 ms, and a scrape is answered by the server's leading thread.
"""

from __future__ import annotations

import threading
import time
from math import inf
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary

from onnxlet.function import request_log
from onnxlet.function.models.model import Model

if TYPE_CHECKING:
    from onnxlet.function.serving.service import Service

OLDEST_SECONDS = 60.0  # of a report: what came of predictions may be new although no row is


class Made(NamedTuple):
    """A report.

    Attributes:
        at: when it was made, in seconds of the monotonic clock.
        rows: that were counted then.
        report: as `GET /models/N/drift` answers it; None where that failed.
    """

    at: float
    rows: int
    report: dict[str, Any] | None


NEVER = Made(-inf, -1, None)


class DriftReports:
    """Reports of an app's models; safe from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: WeakKeyDictionary[Model, Made] = WeakKeyDictionary()

    def of(self, service: Service, seconds: float = inf) -> list[dict[str, Any]]:
        """The reports of the models that are counted, by name; never raises.

        Args:
            service: has the models and their counts.
            seconds: that reports are made for, at least one in a call; those that it does not come
                to are as they were, or come with a later call.
        """
        watches = {model: service.watches.of(model) for model in service.repository.models}
        figures = {model: watch.figures() for model, watch in watches.items() if watch}
        with self._lock:
            began = time.monotonic()
            made = {model: self._made.get(model, NEVER) for model in figures}
            for model in sorted(made, key=lambda model: made[model].at):
                old, rows = made[model], figures[model].total.rows
                if old.rows == rows and began - old.at <= OLDEST_SECONDS:
                    continue
                made[model] = self._made[model] = Made(began, rows, _report(service, model))
                if time.monotonic() - began > seconds:
                    break
        return [
            {**each.report, "refused": dict(figures[model].refused)}
            for model, each in made.items()
            if each.report
        ]


def _report(service: Service, model: Model) -> dict[str, Any] | None:
    from onnxlet.function.monitoring import drift  # no prediction needs it

    try:
        return drift.of(service, model)
    except Exception as error:  # of whatever class: it must fail neither a scrape nor readings
        request_log.fail(error, event="drift", model=model.name)
        return None
