"""The words for what the server itself answers: the document, the page, the metrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from onnxlet.function.openapi.forms import (
    TEXT,
    Endpoint,
    Operation,
    Part,
    answered,
    content,
    information,
    record,
    ref,
)


def _page(endpoint: Endpoint) -> Operation:
    answer = answered("HTML, without data.", TEXT, "text/html")
    answer["200"]["content"] |= content(record({"status": {"const": "alive"}}))
    return Operation(
        "A page to try the models",
        {**answer, "304": {"description": "As it was (If-None-Match)."}},
        description='Programs that accept anything (*/*) get `{"status": "alive"}`.',
    )


def _metrics(endpoint: Endpoint) -> Operation:
    return Operation(
        "Figures for Prometheus",
        answered("Counters and histograms.", TEXT, "text/plain"),
        refusals=(404,),
        description="404 where none are kept, as on Lambda: there the log's lines have them.",
    )


OPERATIONS: Mapping[str, Any] = {
    "GET /": _page,
    "GET /metrics": _metrics,
    "GET /openapi.json": information(
        "This document", "OpenAPI 3.1.", record({"openapi": TEXT, "paths": {"type": "object"}})
    ),
}
PART = Part(
    "about",
    "What is served here, for programs and for people.",
    OPERATIONS,
    ref("problem"),
    "application/problem+json",
)
