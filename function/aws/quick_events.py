"""HTTP events of the usual form: what serverless-wsgi makes of them, without importing Werkzeug.

That import takes a quarter of a cold start. An event that is unusual in any way is left to
serverless-wsgi, and so is the form of an unusual answer: tests compare the two.
"""

from __future__ import annotations

import base64
import io
import os
import sys
from functools import cache
from typing import Any

from onnxlet.function.messages import JSON

Event = dict[str, Any]
Headers = list[tuple[str, str]]

TRUE = ("yes", "y", "true", "t", "1")
QUERIES = ("multiValueQueryStringParameters", "queryStringParameters", "query")
OF_THE_BODY = ("HTTP_CONTENT_TYPE", "HTTP_CONTENT_LENGTH")


def answer(app: Any, event: Event, context: Any) -> dict[str, Any] | None:
    """Answer a POST event in its sender's form, by a WSGI app.

    The event has all members that serverless-wsgi takes for granted. Returns None where it is
    unusual; the app has not been called then.
    """
    environ = environ_of(event, context)
    if environ is None:
        return None
    status, headers = "", Headers()

    def start_response(line: str, given: Headers, *more: Any) -> None:
        nonlocal status, headers
        status, headers = line, given

    parts = app(environ, start_response)
    try:
        body = b"".join(parts)
    finally:
        if hasattr(parts, "close"):
            parts.close()
    named = {name.lower(): value for name, value in headers}
    twice = len(named) < len(headers)  # a name
    if named.get("content-type") != JSON or "content-encoding" in named or not body or twice:
        response = serverless_wsgi().Response([body], status, headers)
        written: dict[str, Any] = serverless_wsgi().generate_response(response, event)
        return written
    return {
        "statusCode": int(status[:3]),
        "headers": dict(headers),
        "body": body.decode(),
        "isBase64Encoded": False,
    }


@cache
def serverless_wsgi() -> Any:
    """It, imported when few events need it, without the parts of Werkzeug that never run here."""
    from onnxlet.function.http.stand_ins import stand_ins

    with stand_ins():
        import serverless_wsgi
    serverless_wsgi.TEXT_MIME_TYPES.append("application/problem+json")
    return serverless_wsgi


def environ_of(event: Event, context: Any) -> dict[str, Any] | None:
    """WSGI's environ of a POST event; None where the event is unusual."""
    requested, second = event["requestContext"], event.get("version") == "2.0"
    sender = requested.get("http" if second else "identity", {})
    method = sender.get("method") if second else event["httpMethod"]
    known = {name.lower(): value for name, value in event["headers"].items()}
    authorizer = requested.get("authorizer") or {}
    texts = {
        **{name: value for name, value in known.items() if name != "cookie"},
        "path": event["rawPath"] if second else event["path"],
        "query": event.get("rawQueryString", "") if second else "",
        "stage": requested.get("stage", ""),
        "address": sender.get("sourceIp", ""),
        "user": authorizer.get("principalId", "") if isinstance(authorizer, dict) else None,
    }
    if (
        method != "POST"
        or "elb" in requested
        or event.get("multiValueHeaders")
        or event.get("cookies")
        or os.environ.get("API_GATEWAY_BASE_PATH")
        or len(known) < len(event["headers"])  # a name twice, in other letters
        or "cookie" in known
        or type(event.get("body") or "") is not str
        # The same in every encoding, and without an end of a line.
        or not all(type(t) is str and t.isascii() and t.isprintable() for t in texts.values())
        or "?" in texts["path"]
        or (not second and any(event.get(member) for member in QUERIES))
    ):
        return None
    text = event.get("body") or ""
    body = base64.b64decode(text) if event.get("isBase64Encoded") else text.encode()
    path = texts["path"]
    if "%" in path:
        from urllib.parse import unquote  # most paths are plain

        path = unquote(path)
    host, strips = known.get("host", "lambda"), os.environ.get("STRIP_STAGE_PATH", "")
    is_below_stage = "amazonaws.com" in host and strips.lower().strip() not in TRUE
    environ = {
        "CONTENT_LENGTH": str(len(body)),
        "CONTENT_TYPE": known.get("content-type", ""),
        "PATH_INFO": path.encode().decode("latin-1"),
        "QUERY_STRING": texts["query"],
        "REMOTE_ADDR": texts["address"],
        "REMOTE_USER": texts["user"],
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": f"/{texts['stage']}" if is_below_stage else "",
        "SERVER_NAME": host,
        "SERVER_PORT": known.get("x-forwarded-port", "443"),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.errors": sys.stderr,
        "wsgi.input": io.BytesIO(body),
        "wsgi.multiprocess": False,
        "wsgi.multithread": False,
        "wsgi.run_once": False,
        "wsgi.url_scheme": known.get("x-forwarded-proto", "https"),
        "wsgi.version": (1, 0),
        "serverless.authorizer": requested.get("authorizer"),
        "serverless.event": event,
        "serverless.context": context,
    }
    if second:
        known["cookie"] = ""
    for name, value in known.items():
        key = "HTTP_" + name.upper().replace("-", "_")
        if key not in OF_THE_BODY:
            environ[key] = value
    return environ
