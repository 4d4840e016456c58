"""The Open Inference Protocol, version 2 (KServe, Triton, MLServer)."""

from __future__ import annotations

from collections.abc import Sequence

from function.errors import MalformedRequest
from function.exchange import Call, Failure, Prediction, Reply, Request, Route, json_reply
from function.service import Service

PREDICT: Sequence[str] = ()
OPEN = frozenset({"/v2/health/live", "/v2/health/ready"})


def owns(path: str) -> bool:
    """Everything below /v2."""
    return path == "/v2" or path.startswith("/v2/")


def decode(request: Request) -> Call:
    """Read an inference request."""
    raise MalformedRequest("not written yet")


def encode(prediction: Prediction, call: Call) -> Reply:
    """Write an inference response."""
    raise MalformedRequest("not written yet")


def refuse(failure: Failure) -> Reply:
    """Write an error."""
    return json_reply({"error": failure.detail}, failure.status)


def _live(service: Service, request: Request) -> Reply:
    return json_reply({"live": True})


def _ready(service: Service, request: Request) -> Reply:
    return json_reply({"ready": True})  # models are loaded before the app exists


ROUTES: Sequence[Route] = (
    Route("GET", "/v2/health/live", _live),
    Route("GET", "/v2/health/ready", _ready),
)
