"""A collector on loopback, which reads bodies by the published protocol, and misbehaves.

The messages are those of opentelemetry-proto 1.x (trace/v1/trace.proto and what it imports), read
by protobuf's own JSON mapping, with OTLP's differences from it: ids are hexadecimal, enumerations
are numbers, and no other form is taken.
"""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import chain, repeat
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory

# By message its fields, each with its number, and its type: another message's name, or protobuf's;
# in a list where it is repeated.
MESSAGES: dict[str, dict[str, tuple[int, str | list[str]]]] = {
    "Request": {"resource_spans": (1, ["ResourceSpans"])},
    "ResourceSpans": {
        "resource": (1, "Resource"), "scope_spans": (2, ["ScopeSpans"]),
        "schema_url": (3, "STRING"),
    },
    "Resource": {"attributes": (1, ["KeyValue"]), "dropped_attributes_count": (2, "UINT32")},
    "ScopeSpans": {"scope": (1, "Scope"), "spans": (2, ["Span"]), "schema_url": (3, "STRING")},
    "Scope": {"name": (1, "STRING"), "version": (2, "STRING"), "attributes": (3, ["KeyValue"])},
    "Span": {
        "trace_id": (1, "BYTES"), "span_id": (2, "BYTES"), "trace_state": (3, "STRING"),
        "parent_span_id": (4, "BYTES"), "name": (5, "STRING"), "kind": (6, "INT32"),
        "start_time_unix_nano": (7, "FIXED64"), "end_time_unix_nano": (8, "FIXED64"),
        "attributes": (9, ["KeyValue"]), "status": (15, "Status"), "flags": (16, "FIXED32"),
    },
    "Status": {"message": (2, "STRING"), "code": (3, "INT32")},
    "KeyValue": {"key": (1, "STRING"), "value": (2, "AnyValue")},
    "AnyValue": {
        "string_value": (1, "STRING"), "bool_value": (2, "BOOL"), "int_value": (3, "INT64"),
        "double_value": (4, "DOUBLE"),
    },
}  # fmt: skip
ID_DIGITS = {"traceId": 32, "spanId": 16, "parentSpanId": 16}
FIELD = descriptor_pb2.FieldDescriptorProto


def _request_class() -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="otlp.proto", package="otlp", syntax="proto3")
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, (number, kind) in fields.items():
            made = message.field.add(name=field, number=number)
            repeated = isinstance(kind, list)
            kind = kind[0] if isinstance(kind, list) else kind
            made.label = FIELD.LABEL_REPEATED if repeated else FIELD.LABEL_OPTIONAL
            if kind in MESSAGES:
                made.type, made.type_name = FIELD.TYPE_MESSAGE, f".otlp.{kind}"
            else:
                made.type = getattr(FIELD, f"TYPE_{kind}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("otlp.Request"))


REQUEST = _request_class()


def read(body: bytes) -> list[dict[str, Any]]:
    """The spans of a body, each with its attributes as a dictionary, and its resource's."""
    whole = json.loads(body, object_hook=_hexadecimal)
    json_format.ParseDict(whole, REQUEST())  # raises where a member or a value is none of these
    return [
        {
            **span,
            "attributes": _values(span.get("attributes", [])),
            "resource": _values(resource["resource"]["attributes"]),
        }
        for resource in json.loads(body)["resourceSpans"]
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    ]


def _hexadecimal(entry: dict[str, Any]) -> dict[str, Any]:
    """An object whose ids are as protobuf's mapping has bytes; they have to be right before."""
    for name in ID_DIGITS.keys() & entry:
        assert re.fullmatch(f"[0-9a-f]{{{ID_DIGITS[name]}}}", entry[name]), entry
        assert int(entry[name], 16), entry
        entry[name] = base64.b64encode(bytes.fromhex(entry[name])).decode()
    for name in {"startTimeUnixNano", "endTimeUnixNano", "intValue"} & entry.keys():
        assert type(entry[name]) is str, entry
    assert type(entry.get("kind", 0)) is type(entry.get("code", 0)) is int, entry
    return entry


def _values(attributes: list[dict[str, Any]]) -> dict[str, str | int]:
    found = {each["key"]: each["value"] for each in attributes}
    assert len(found) == len(attributes), "a key stands there twice"
    return {
        name: int(value["intValue"]) if "intValue" in value else value["stringValue"]
        for name, value in found.items()
    }


class Collector:
    """What has come, and how it answers.

    Attributes:
        bodies: those that were taken, in order.
        tries: the headers of each request, in lower case.
        statuses: of the next answers, which are 200 once these are used up; 0 answers nothing.
        open: answers wait until it is set, as it is by default.
        answer: the body of an answer.
        more: further headers of an answer.
    """

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.tries: list[Mapping[str, str]] = []
        self.statuses: Iterator[int] = iter(())
        self.open = threading.Event()
        self.open.set()
        self.answer = b"{}"
        self.more: dict[str, str] = {}
        self.path = ""  # of the last request
        self.url = ""

    def says(self, *statuses: int, always: int | None = None) -> None:
        self.statuses = chain(statuses, () if always is None else repeat(always))

    @property
    def spans(self) -> list[dict[str, Any]]:
        return [span for body in list(self.bodies) for span in read(body)]

    @property
    def environ(self) -> dict[str, str]:
        return {"OTEL_EXPORTER_OTLP_ENDPOINT": self.url}


def _handler(collector: Collector) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = next(collector.statuses, 200)
            collector.path = self.path
            if status == 200:
                collector.bodies.append(body)
            collector.tries.append({name.lower(): v for name, v in self.headers.items()})
            collector.open.wait(60)
            if not status:
                self.connection.settimeout(60)
                with suppress(OSError):
                    self.connection.recv(1)  # until the other side has gone
                self.close_connection = True
                return
            self.send_response(status)
            for name, value in {**collector.more, "Content-Length": len(collector.answer)}.items():
                self.send_header(name, str(value))
            self.end_headers()
            self.wfile.write(collector.answer)

        def log_message(self, *args: Any) -> None:
            pass

    return Handler


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector that listens."""
    collector = Collector()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(collector))
    server.daemon_threads = True
    collector.url = f"http://127.0.0.1:{server.server_address[1]}"
    serving = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    serving.start()
    try:
        yield collector
    finally:
        server.shutdown()
        server.server_close()
        serving.join()
