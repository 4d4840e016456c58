"""Requests that are traced: chosen as they come, by OpenTelemetry's rules, and noted at their end.

It wraps the app, and only where traces are sent: a server without them has nothing more to do.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from onnxlet.edge.tracing.settings import TraceOptions
from onnxlet.function.errors import CAME, SAME_HEAD
from onnxlet.function.http.body import WSGI, Environ, StartResponse
from onnxlet.function.http.fast_path import LOGGED, NOTES
from onnxlet.function.request_log import TRACE_PARENT

PARENT = "HTTP_TRACEPARENT"
ALL = 1 << 64  # values of the half of a trace's id that its sampling goes by
SAMPLED = 1  # of a traceparent's flags


class Trace(NamedTuple):
    """The trace that a request belongs to, and its place there; ids are hexadecimal."""

    id: str
    span: str  # the request's own
    parent: str  # the caller's span; empty where the trace begins here


class Traced(NamedTuple):
    """A request that was answered."""

    trace: Trace
    ended: int  # nanoseconds since 1970
    seconds: float  # since it had come as a whole
    waited: float  # of these, until a thread took it
    method: str
    path: str  # as WSGI has it: bytes as Latin-1; empty where it is longer than any route's
    scheme: str
    status: int
    notes: Mapping[str, Any]  # its line in the log


def new_span() -> str:
    """A random id, which is not all zeros."""
    return f"{random.getrandbits(64) or 1:016x}"


def traced(app: WSGI, options: TraceOptions, unseen: str, put: Callable[[Traced], object]) -> WSGI:
    """An app that hands on its sampled requests once they are answered.

    Requests of the id `unseen` are the server's own.
    """

    def answer(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        trace = sampled(environ.get(PARENT), options)
        if trace is None or environ.get("HTTP_X_REQUEST_ID") == unseen:
            return app(environ, start_response)
        if not trace.parent:  # so that the line in the log names it
            environ[PARENT] = f"00-{trace.id}-{trace.span}-01"
            # Other requests of this head have other traces.
            if judged := environ.pop(SAME_HEAD, None):
                notes = {**judged["notes"], "trace_id": trace.id}
                environ[SAME_HEAD] = {**judged, "notes": notes}
        began, status = time.perf_counter(), "500"

        def started(line: str, *more: Any) -> Any:
            nonlocal status
            status = line[:3]
            return start_response(line, *more)

        try:
            return app(environ, started)
        finally:
            came = environ.get(CAME, began)
            # What waits has to be small, and of all that is kept only the path is as the client
            # likes. No model's name is so long.
            path = environ["PATH_INFO"] if len(environ["PATH_INFO"]) <= LOGGED else ""
            put(Traced(
                trace, time.time_ns(), time.perf_counter() - came, began - came,
                environ["REQUEST_METHOD"], path, environ["wsgi.url_scheme"],
                int(status), environ.get(NOTES, {}),
            ))  # fmt: skip

    return answer


def sampled(traceparent: str | None, options: TraceOptions) -> Trace | None:
    """The trace of a request, by its header; None where it is not sampled.

    An invalid header is ignored: the trace begins here. Shares go by the trace's id, so that all
    programs that a trace passes sample the same ones.
    """
    found = TRACE_PARENT.fullmatch(traceparent) if traceparent else None
    if found is None:
        number = random.getrandbits(128) or 1
        if number % ALL >= options.share * ALL:
            return None
        return Trace(f"{number:032x}", new_span(), "")
    trace, parent, flags = found.groups()
    if options.parent_based:
        wanted = bool(int(flags, 16) & SAMPLED)
    else:
        wanted = int(trace[16:], 16) < options.share * ALL
    return Trace(trace, new_span(), parent) if wanted else None
