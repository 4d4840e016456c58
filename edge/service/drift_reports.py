"""What stays of the drift report of each model that is served, made again when something is new.

A report of 200 columns takes 30 ms, and a scrape is answered by the server's leading thread. It
takes 0.5 MB, too, so that only a digest of it is kept.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from math import inf
from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakKeyDictionary, WeakSet

from onnxlet.edge.service.drift_digest import Digest, digest
from onnxlet.function import request_log
from onnxlet.function.models.model import Model

if TYPE_CHECKING:
    from onnxlet.function.monitoring.watch import Figures
    from onnxlet.function.serving.service import Service

OLDEST_SECONDS = 60.0  # of a report: what came of predictions may be new although no row is


class Made(NamedTuple):
    """A report."""

    at: float  # when it was made, in seconds of the monotonic clock
    rows: int  # that were counted then
    digest: Digest | None  # what stays of it; None where it failed


NEVER = Made(-inf, -1, None)


class DriftReports:
    """Reports of an app's models; safe from several threads."""

    def __init__(self, with_tests: bool = True) -> None:
        self._with_tests = with_tests  # keep each test, as metrics need them
        self._lock = threading.Lock()
        self._made: WeakKeyDictionary[Model, Made] = WeakKeyDictionary()
        self._failed: WeakSet[Model] = WeakSet()  # whose counts have failed, which is logged once

    def of(self, service: Service, seconds: float = inf) -> list[Digest]:
        """What stays of the reports of the models that are counted, by name; never raises.

        Reports are made for so many seconds, at least one in a call; those that it does not come to
        are as they were, or come with a later call.
        """
        service = replace(service, watches=service.watches.now())
        with self._lock:
            figures = dict(self._figures(service))
            began = time.monotonic()
            made = {model: self._made.get(model, NEVER) for model in figures}
            for model in sorted(made, key=lambda model: made[model].at):
                old, rows = made[model], figures[model].total.rows
                if old.rows == rows and began - old.at <= OLDEST_SECONDS:
                    continue
                made[model] = self._made[model] = Made(began, rows, self._digest(service, model))
                if time.monotonic() - began > seconds:
                    break
        return [
            each.digest._replace(refused=dict(figures[model].refused))
            for model, each in made.items()
            if each.digest
        ]

    def _figures(self, service: Service) -> Iterator[tuple[Model, Figures]]:
        """What was counted; a model whose counts fail is left out, as if it were not counted."""
        for model in service.repository.models:
            try:
                figures = service.watches.figures(model)
            except Exception as error:  # of whatever class
                if model not in self._failed:
                    request_log.fail(error, event="drift", model=model.name)
                self._failed.add(model)
                continue
            if figures:
                yield model, figures

    def _digest(self, service: Service, model: Model) -> Digest | None:
        from onnxlet.function.monitoring import drift  # no prediction needs it

        try:
            report = drift.of(service, model)
            return digest(report, self._with_tests) if report else None
        except Exception as error:  # of whatever class: it must fail neither a scrape nor readings
            request_log.fail(error, event="drift", model=model.name)
            return None
