"""Requests as spans of OTLP in JSON; nothing of their rows is in there.

Text is joined: dictionaries would take twice as long, beside the requests that are answered.

The form: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding. Names of attributes:
https://opentelemetry.io/docs/specs/semconv/http/http-spans/#http-server-span.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence

from onnxlet.edge.tracing.requests import Trace, Traced, new_span
from onnxlet.folders import VERSION
from onnxlet.function import json_text
from onnxlet.function.http.fast_path import Segment, matched, segments

INTERNAL, SERVER = 1, 2  # kinds of spans
FAILED = '"code":2'  # a span's status
METHODS = {"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"}
OTHER = "_OTHER"  # stands for methods that clients make up
# Attributes, by the member of the log's line that has their value.
NOTED = {
    "model": "onnxlet.model",
    "version": "onnxlet.model.version",
    "rows": "onnxlet.rows",
    "request_id": "onnxlet.request_id",
    "error": "onnxlet.error",
}
# Requests, about 20 µs each, after which those that are answered meanwhile have the interpreter: a
# thread that does not pause keeps it for 5 ms.
TOGETHER, PAUSE_SECONDS = 16, 0.0005


class Encoder:
    """Makes the bodies that a collector takes."""

    def __init__(self, resource: Mapping[str, str]) -> None:
        """`resource` are attributes of this program, its name among them."""
        self._resource = _attributes({**resource, "process.pid": os.getpid()})
        self._rules: list[tuple[str, list[Segment]]] = []

    def know(self, rules: Iterable[str]) -> None:
        """Name the requests to these routes by them."""
        self._rules = [(rule, segments(rule)) for rule in rules]

    def body(self, requests: Iterable[Traced]) -> bytes:
        """An ExportTraceServiceRequest of some requests."""
        spans = list[str]()
        for number, request in enumerate(requests):
            spans += self._spans(request)
            if number % TOGETHER == TOGETHER - 1:
                time.sleep(PAUSE_SECONDS)
        return (
            f'{{"resourceSpans":[{{"resource":{{"attributes":{self._resource}}},"scopeSpans":['
            f'{{"scope":{{"name":"onnxlet","version":"{VERSION}"}},"spans":[{",".join(spans)}]}}]}}]}}'
        ).encode()

    def _spans(self, request: Traced) -> Iterator[str]:
        """The request's span, and one for each of its stages, in order."""
        trace, begins = request.trace, request.ended - int(request.seconds * 1e9)
        path = request.path.encode("latin-1").decode(errors="replace")
        route = self._route(path) if path else None
        method = request.method if request.method in METHODS else OTHER
        failed = request.status >= 500
        about = {
            "http.request.method": method,
            "http.route": route,
            "url.path": path if route else None,  # others are what clients make up
            "url.scheme": request.scheme,
            "http.response.status_code": request.status,
            "error.type": str(request.status) if failed else None,
            **{name: request.notes.get(member) for member, name in NOTED.items()},
        }
        name = f"{'HTTP' if method == OTHER else method} {route or ''}".rstrip()
        more = f',"attributes":{_attributes(about)},"status":{{{FAILED if failed else ""}}}'
        yield _span(trace, trace.span, trace.parent, name, SERVER, begins, request.ended, more)
        since = begins + int(request.waited * 1e9)
        for stage, milliseconds in request.notes.get("stages", {}).items():
            ends = since + int(milliseconds * 1e6)
            yield _span(trace, new_span(), trace.span, stage, INTERNAL, since, ends)
            since = ends

    def _route(self, path: str) -> str | None:
        """The rule that a path has; None where there is no such route."""
        parts = path.lstrip("/").split("/")
        found = (rule for rule, parsed in self._rules if matched(parsed, parts) is not None)
        return next(found, None)


def count_spans(requests: Sequence[Traced]) -> int:
    """How many spans some requests have."""
    return sum(1 + len(request.notes.get("stages", ())) for request in requests)


def _span(
    trace: Trace,
    own: str,
    parent: str,
    name: str,
    kind: int,
    begins: int,
    ends: int,
    more: str = "",
) -> str:
    """A span as JSON, whose names are ours; times are nanoseconds since 1970, as texts."""
    above = f'"parentSpanId":"{parent}",' if parent else ""
    return (
        f'{{"traceId":"{trace.id}","spanId":"{own}",{above}"name":"{name}","kind":{kind},'
        f'"startTimeUnixNano":"{begins}","endTimeUnixNano":"{ends}"{more}}}'
    )


def _attributes(values: Mapping[str, str | int | None]) -> str:
    """Attributes as JSON, which has whole numbers as texts; without those that are None."""
    found = [
        {"key": name, "value": {"intValue": str(v)} if isinstance(v, int) else {"stringValue": v}}
        for name, v in values.items()
        if v is not None
    ]
    return json_text.dumps(found).decode()
