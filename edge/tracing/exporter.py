"""Send traced requests to a collector, by OTLP/HTTP, in a thread of its own; no request waits.

What waits is bounded: where a collector is slow or away, spans are dropped, and counted.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from http.client import HTTPException

from onnxlet.edge.net.http_client import (
    Deadline,
    Received,
    describe_error,
    make_context,
    post,
    retry_after_seconds,
)
from onnxlet.edge.tracing.requests import Traced, traced
from onnxlet.edge.tracing.settings import TraceOptions, read_options
from onnxlet.edge.tracing.spans import Encoder, count_spans
from onnxlet.function import json_text, request_log
from onnxlet.function.http.body import WSGI

MOST_WAITING = 2048  # requests, each with about a kilobyte
BATCH = 256  # requests that are sent together
EVERY_SECONDS = 5.0  # between two rounds of sending, unless a batch is full
SEND_SECONDS = 10.0  # for a batch and its answer
PAUSES = (1.0, 2.0, 4.0, 8.0)  # seconds between the attempts of a batch, unless more is asked for
LONGEST_PAUSE_SECONDS = 60.0
FLUSH_SECONDS = 2.0  # at the server's end
BYTES_READ = 4096  # of an answer
# Statuses after which the same batch may be accepted; the specification has no others.
TRANSIENT = {429, 502, 503, 504}
SENT, FULL, FAILED, REFUSED = "sent", "full", "failed", "refused"  # what became of spans


class SpanCounts:
    """Spans that were sent, and those that were dropped, by the reason; safe from any thread."""

    def __init__(self) -> None:
        self._counts = Counter(dict.fromkeys((SENT, FULL, FAILED, REFUSED), 0))
        self._lock = threading.Lock()

    def state(self) -> dict[str, int]:
        """All counts, for JSON."""
        with self._lock:
            return dict(self._counts)

    def add(self, state: Mapping[str, int]) -> None:
        """Count more, as those of a worker that has ended."""
        with self._lock:
            self._counts.update(state)


class Exporter:
    """Sends what is put."""

    def __init__(self, options: TraceOptions, log: request_log.Log = request_log.write) -> None:
        """`log` gets a line when sending fails, and when it works again."""
        self.counts = SpanCounts()
        self._options = options
        self._log = log
        self._context = make_context(None) if options.url.scheme == "https" else None
        self._headers: dict[str, str | bytes] = {
            "Content-Type": "application/json",
            "User-Agent": "onnxlet",
            "Connection": "close",
            **{name: value.encode() for name, value in options.headers.items()},
        }
        self._encoder = Encoder(options.resource)
        self._queue = deque[Traced]()
        self._some = threading.Event()  # a batch is full, or the end has come
        self._ending = threading.Event()
        self._failing = False
        self._thread = threading.Thread(target=self._run, name="traces", daemon=True)

    def follow(self, app: WSGI, rules: Iterable[str], unseen: str) -> WSGI:
        """The app with its sampled requests traced, but for those of the id `unseen`."""
        self._encoder.know(rules)
        self._thread.start()
        return traced(app, self._options, unseen, self.put)

    def put(self, request: Traced) -> None:
        """Send it soon, or drop it where too many wait."""
        if len(self._queue) >= MOST_WAITING:
            self.counts.add({FULL: count_spans([request])})
            return
        self._queue.append(request)
        if len(self._queue) >= BATCH and not self._some.is_set():
            self._some.set()

    def stop(self) -> None:
        """Send what waits, for FLUSH_SECONDS at most."""
        self._ending.set()
        self._some.set()
        self._thread.join(FLUSH_SECONDS)

    def _run(self) -> None:
        while not self._ending.is_set():
            self._some.wait(EVERY_SECONDS)
            self._some.clear()
            while self._queue:
                batch = [self._queue.popleft() for _ in range(min(BATCH, len(self._queue)))]
                try:
                    self._deliver(batch)
                except Exception as error:  # a bug here: the next batch may be better
                    self.counts.add({FAILED: count_spans(batch)})
                    request_log.fail(error, event="tracing")

    def _deliver(self, batch: Sequence[Traced]) -> None:
        """Send a batch, several times where the collector may take it later."""
        body, spans = self._encoder.body(batch), count_spans(batch)
        for pause in (*PAUSES, None):
            answer, why = self._sent(body)
            if answer is not None and 200 <= answer.status < 300:
                self._note("")
                refused = min(spans, _rejected(answer.body))
                return self.counts.add({SENT: spans - refused, REFUSED: refused})
            self._note(why)
            if answer is not None and answer.status not in TRANSIENT:
                return self.counts.add({REFUSED: spans})
            if pause is None or self._ending.wait(max(pause, _asked_for(answer))):
                break
        return self.counts.add({FAILED: spans})

    def _sent(self, body: bytes) -> tuple[Received | None, str]:
        """The collector's answer, or None; and in words what is wrong."""
        deadline = Deadline(SEND_SECONDS)
        try:
            answer = post(
                self._options.url, body, self._headers, self._context, deadline, SEND_SECONDS,
                BYTES_READ,
            )  # fmt: skip
        except (OSError, HTTPException) as error:
            late = f"no whole answer within {SEND_SECONDS:g} s"
            return None, late if deadline.over else describe_error(error)
        return answer, f"status {answer.status}"

    def _note(self, why: str) -> None:
        """Log that sending fails, or works again, once."""
        if why and not self._failing:
            self._log({"event": "tracing", "state": FAILED, "error": why})
        elif self._failing and not why:
            self._log({"event": "tracing", "state": "sending"})
        self._failing = bool(why)


def _asked_for(answer: Received | None) -> float:
    """Seconds until the collector wants the next request."""
    if answer is None:
        return 0.0
    texts = [answer.headers.get(name, "").strip() for name in ("Retry-After", "Date")]
    return min(retry_after_seconds(*texts), LONGEST_PAUSE_SECONDS)


def _rejected(body: bytes) -> int:
    """Spans that a collector did not take, although it took the others (`partialSuccess`)."""
    with suppress(Exception):  # an answer of another form says nothing
        return max(0, int(json_text.loads(body)["partialSuccess"]["rejectedSpans"]))
    return 0


def start(environ: Mapping[str, str], log: request_log.Log = request_log.write) -> Exporter | None:
    """An exporter, by OpenTelemetry's variables; None where they name no collector, or no good one.

    Those that can't be used have a line in the log.
    """
    faults: list[str] = []
    options = read_options(environ, faults)
    for fault in faults:
        log({"event": "tracing", "error": fault})
    return Exporter(options, log) if options else None
