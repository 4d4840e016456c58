"""The words for what the server itself answers: the document, the page, the metrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from onnxlet.function.openapi.forms import Endpoint, Operation, Part, answered, content, record


def _document(endpoint: Endpoint) -> Operation:
    schema = record({"openapi": {"type": "string"}, "paths": {"type": "object"}})
    return Operation("This document", answered("OpenAPI 3.1.", schema))


def _page(endpoint: Endpoint) -> Operation:
    answer = answered("HTML, without data.", {"type": "string"}, "text/html")
    answer["200"]["content"] |= content(record({"status": {"const": "alive"}}))
    return Operation(
        "A page to try the models",
        {**answer, "304": {"description": "As it was (If-None-Match)."}},
        description='Programs that accept anything (*/*) get `{"status": "alive"}`.',
    )


def _metrics(endpoint: Endpoint) -> Operation:
    answer = answered("Counters and histograms.", {"type": "string"}, "text/plain")
    return Operation(
        "Figures for Prometheus",
        answer,
        refusals=(404,),
        description="404 where none are kept, as on Lambda: there the log's lines have them.",
    )


OPERATIONS: Mapping[str, Any] = {
    "GET /": _page,
    "GET /metrics": _metrics,
    "GET /openapi.json": _document,
}
PART = Part(
    "about",
    "What is served here, for programs and for people.",
    OPERATIONS,
    {"$ref": "#/components/schemas/problem"},
    "application/problem+json",
)
