"""Cross-origin requests: pages of the origins that are set may call, with a key or without."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

Headers = list[tuple[str, str]]

EXPOSED = (
    "Access-Control-Expose-Headers",
    "X-Request-Id, Retry-After, Inference-Header-Content-Length",
)
PREFLIGHT: Headers = [
    ("Access-Control-Allow-Methods", "GET, POST"),
    (
        "Access-Control-Allow-Headers",
        "Authorization, X-API-Key, Content-Type, Content-Encoding, X-Request-Id, Traceparent, "
        "Inference-Header-Content-Length",
    ),
    ("Access-Control-Max-Age", "600"),
]


def let_in(headers: Headers, origin: str, allowed: frozenset[str]) -> None:
    """Add the CORS headers of an answer to a request from `origin`, where that is allowed.

    All that an answer varies by goes into one header: of two of a name, Lambda's senders lose one.
    """
    varies = [value for name, value in headers if name == "Vary"]
    headers[:] = [header for header in headers if header[0] != "Vary"]
    headers.append(("Vary", ", ".join([*varies, "Origin"])))
    if origin in allowed:
        headers += [("Access-Control-Allow-Origin", origin), EXPOSED]


def is_preflight(environ: dict[str, Any]) -> bool:
    """Whether a browser asks if a page may send the request that it describes."""
    return (
        environ["REQUEST_METHOD"] == "OPTIONS"
        and "HTTP_ORIGIN" in environ
        and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in environ
    )


def preflight(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """A WSGI app that answers that question; `let_in` says for which origin."""
    start_response("204 No Content", list(PREFLIGHT))
    return []
