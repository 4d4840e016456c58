"""The one way to answer: choose a model, decode, validate, run, encode; count; refuse."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple, Protocol, TypeVar

from onnxlet.function import request_log
from onnxlet.function.arrays import Noted
from onnxlet.function.errors import MalformedRequest, OnnxletError, RequestTooLarge
from onnxlet.function.inputs.tensors import count_rows
from onnxlet.function.messages import Failure, Prediction, PredictRequest, Reply, Route, failure_of
from onnxlet.function.models.model import Model
from onnxlet.function.models.repository import Repository
from onnxlet.function.monitoring.request_counts import RequestCounts
from onnxlet.function.monitoring.watches import Watches
from onnxlet.function.serving.predict import BEGIN, Marks, durations, predict
from onnxlet.function.settings import Settings

Observe = Callable[[Prediction], None]
Answer = TypeVar("Answer")
Later = list[Callable[[], object]]


class InFlight:
    """Counts requests in flight, of which so many may be answered; safe from several threads."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.count = 0
        self._lock = threading.Lock()

    def enter(self) -> bool:
        """Count one more, and return whether it is within the limit; each one has to leave."""
        with self._lock:
            self.count += 1
            return self.count <= self.limit

    def leave(self) -> None:
        """Count one less: the request is answered or refused."""
        with self._lock:
            self.count -= 1


class Meter(Protocol):
    """Shows the figures at `/metrics`: a device's server has one.

    Lambda has none: instances come and go, and nobody could scrape them. There the log line of
    each request bears the same figures.
    """

    def expose(self, service: Service, accept: str, on_rows: bool) -> Reply:
        """Figures in a form that the client's Accept header names; `on_rows`, also those."""


class Reports(Protocol):
    """Knows what came of predictions: a server that keeps them does."""

    def report(self, model: Model) -> dict[str, Any] | None:
        """The figures of a version; None where no truth has come."""

    def wider(self, model: Model, coverage: float) -> float:
        """How many times as wide as at build intervals and sets are, by the truths that came."""


class Service(NamedTuple):
    """What answers requests."""

    settings: Settings  # the limits
    repository: Repository  # the models
    observe: Observe | None  # called with each prediction that was answered
    in_flight: InFlight  # counts the requests that are being answered
    meter: Meter | None  # shows what was counted, or None
    counts: RequestCounts  # count all requests
    watches: Watches  # count what came in and went out
    routes: Sequence[Route] = ()  # all that the app has
    performance: Reports | None = None  # knows what came of predictions; None where none are kept

    def answer(
        self,
        decode: Callable[[], PredictRequest],
        encode: Callable[[Prediction, PredictRequest], Answer],
        refuse: Callable[[Failure], Answer],
        entry: dict[str, Any],
        name: str | None = None,
        version: str | None = None,
        later: Later | None = None,
    ) -> Answer:
        """Answer a request for predictions, whichever way it came, and count it; never raises.

        HTTP, direct invocations and queues all come here. The request is not decoded where the
        path's model is not there; the path's `name` and `version` go before the body's. `entry` is
        the request's line in the log, with its `request_id`; it gets `stages`, `model`, `version`,
        `rows`, `watched` and `error` as far as it comes. `later` takes what counts the rows, to be
        called once the answer is sent; None has them counted before.
        """
        marks = {BEGIN: time.perf_counter()}
        entry["stages"] = {}  # before the other members
        try:
            request, model = self.decoded(decode, entry, name, version)
            marks["decode"] = time.perf_counter()
            prediction = self.predict(request, model, entry["request_id"], marks)
            answer = encode(prediction, request)
            marks["encode"] = time.perf_counter()
            if self.observe is not None:
                key = entry.get("key", "")
                self.observe(prediction._replace(key=key) if key else prediction)
            entry["rows"] = prediction.rows
        except Exception as error:  # of every class: a request's failure is only its own
            if "model" in entry and self.watches.on:
                with suppress(OnnxletError):  # it is not served any more
                    model = self.repository.choose(entry["model"], str(entry["version"]))
                    self.watches.refuse(model, error, entry["request_id"])
            entry["error"] = request_log.described(error, entry["request_id"])
            return refuse(failure_of(error))
        finally:
            entry["stages"] = durations(marks)
        if later is None:
            self._count_answered(prediction, entry)
        else:
            later.append(partial(self._count_answered, prediction, entry))
        return answer

    def _count_answered(self, prediction: Prediction, entry: dict[str, Any]) -> None:
        counted = self.watches.count(prediction, entry.get("key", ""))
        if counted is not None:  # this request has completed a block of rows
            from onnxlet.function.monitoring import deltas  # not by a start, nor a server

            deltas.note(entry, prediction.model, *counted)

    def may_read(self, key: str) -> bool:
        """Whether a key, or whoever has none, may read figures on rows."""
        settings, shown_to_all = self.settings, bool(self.watches.keys)
        known = key in settings.reader_keys or key in settings.own_keys
        return shown_to_all or known or (settings.owned and not key)

    def decoded(
        self,
        decode: Callable[[], PredictRequest],
        entry: dict[str, Any],
        name: str | None = None,
        version: str | None = None,
    ) -> tuple[PredictRequest, Model]:
        """A decoded request and the model that it means: the path's goes before the body's.

        A model that is not there is the answer whatever else is wrong: the path's is looked for
        before the body is read, and the body's although its rows can't be. The request's line,
        `entry`, gets `model` and `version` once they are chosen. Raises UnknownModel where it is
        not there, RequestError as `decode` does.
        """
        model = None if name is None else self._choose(entry, name, version)
        try:
            request = decode()
        except MalformedRequest as error:
            if model is None and error.model is not None:
                self._choose(entry, error.model)
            raise
        return request, model or self._choose(entry, request.model)

    def _choose(self, entry: dict[str, Any], name: str | None, version: str | None = None) -> Model:
        model = self.repository.choose(name, version)
        entry["model"], entry["version"] = model.name, model.version
        return model

    def predict(
        self, request: PredictRequest, model: Model, request_id: str, marks: Marks
    ) -> Prediction:
        """Validate a request's rows and run them, within the limits.

        Raises RequestTooLarge, InvalidRows, NotCalibrated, NoNeighbours or TookTooLong: the
        client's mistakes.
        """
        rows, tensors = len(request.rows), request.tensors
        if tensors is not None:
            rows = count_rows(tensors, model.signature)
        if rows > (most := self.settings.max_rows):
            raise RequestTooLarge(
                f"expected at most {most} rows, got {rows}", "Send them in several requests."
            )
        if request.coverage is not None and self.performance and not self.watches.keys:
            wider = self.performance.wider(model, request.coverage)
            request = request._replace(wider=wider)
        noted = Noted() if self.watches.wants_notes(model) else None
        if self.settings.unusual != "off":
            from onnxlet.function.serving import unusual  # on most servers only requests ask for it

            request = unusual.as_set(request, model, refusing=self.settings.unusual == "refuse")
        found = predict(model, request, marks, request_id, noted)
        if request.refusing is not None:  # those that are left are ordinary
            found = found._replace(unusual=[None] * found.table.rows)
        return found
