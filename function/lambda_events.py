"""Lambda events, mended before serverless-wsgi sees them, and its answers after.

What is met here, in serverless-wsgi 3.1.0: events without headers or with null members raise;
a null body with isBase64Encoded raises; an HTTP API's stage stays in the path; of two cookies
in an answer to an HTTP API one is lost; problem+json is taken for binary; what it takes for a
warm-up or for its own management commands never reaches it, since `is_http` lets neither pass.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

import serverless_wsgi

serverless_wsgi.TEXT_MIME_TYPES.append("application/problem+json")

Event = dict[str, Any]


def is_http(event: Any) -> bool:
    """A request from API Gateway (REST or HTTP), a function URL or a load balancer."""
    return isinstance(event, dict) and (_is_version_2(event) or _is_version_1(event))


def _is_version_2(event: Event) -> bool:
    context = event.get("requestContext")
    method = isinstance(context, dict) and isinstance(context.get("http"), dict)
    return event.get("version") == "2.0" and isinstance(event.get("rawPath"), str) and method


def _is_version_1(event: Event) -> bool:
    return isinstance(event.get("httpMethod"), str) and isinstance(event.get("path"), str)


def mended(event: Event) -> Event:
    """A copy that serverless-wsgi reads without raising, its stage taken off the path.

    Raises:
        ValueError: the body says that it is base64 and is not.
    """
    context = {k: v for k, v in (event.get("requestContext") or {}).items() if v is not None}
    mended = {k: v for k, v in event.items() if v is not None} | {"requestContext": context}
    mended["headers"] = _texts(event.get("headers"))
    multi = event.get("multiValueHeaders") or {}
    mended["multiValueHeaders"] = {k: [str(v) for v in vs] for k, vs in multi.items() if vs}
    mended["body"] = event.get("body") or ""
    mended["isBase64Encoded"] = bool(event.get("isBase64Encoded")) and bool(mended["body"])
    mended.pop("source", None)
    if mended["isBase64Encoded"]:
        try:
            base64.b64decode(mended["body"], validate=True)
        except binascii.Error as error:
            raise ValueError("the event's body is not base64, though the event says so") from error
    return _without_stage(mended)


def _texts(headers: Any) -> dict[str, str]:
    return {k: str(v) for k, v in (headers or {}).items() if v is not None}


def _without_stage(event: Event) -> Event:
    """HTTP APIs put the stage's name before the path, REST APIs don't."""
    context = event["requestContext"]
    prefix = f"/{context.get('stage', '$default')}"
    key = "rawPath" if _is_version_2(event) else "path"
    path = event[key]
    # A REST API's own requestContext.path has the stage, and its path has not.
    staged = key == "rawPath" or context.get("path") == path
    if staged and (path == prefix or path.startswith(prefix + "/")):
        event[key] = path[len(prefix) :] or "/"
    return event


def respond(app: Any, event: Event, context: Any) -> dict[str, Any]:
    """Answer one HTTP event through a WSGI app, in the form its sender expects."""
    answer: dict[str, Any] = serverless_wsgi.handle_request(app, mended(event), context)
    if _is_version_2(event):
        headers = answer["headers"]
        cookies = [name for name in headers if name.lower() == "set-cookie"]
        if cookies:
            answer["cookies"] = [headers.pop(name) for name in cookies]
    return answer
