"""HTTP events of Lambda: repaired before serverless-wsgi reads them, as are its answers after.

serverless-wsgi 3.1.0 has faults that this works around: events without headers or with null members
raise; a null body with isBase64Encoded raises; an HTTP API's stage stays in the path; of two
cookies in an answer to an HTTP API one is lost; an answer without a body does not say that it is no
base64; problem+json is taken for binary. Events that it would take for a warm-up or for its own
management commands never reach it, since `is_http` lets neither pass.
"""

from __future__ import annotations

import base64
import binascii
import json
import sys
from contextlib import suppress
from typing import Any

from onnxlet.function import json_text, request_log
from onnxlet.function.aws import quick_events
from onnxlet.function.errors import MalformedRequest, RequestTooLarge
from onnxlet.function.http.routes import protocol_of
from onnxlet.function.messages import failure_of
from onnxlet.function.protocols import native

Event = dict[str, Any]

# Bytes of an answer as the runtime writes it. A larger one is no answer: the caller gets 502, and
# the runtime's process ends. https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MOST_BYTES = 6 * 1024 * 1024 + 100
MOST_FOR_BALANCER = 1024 * 1024
ESCAPED = 12  # bytes at most that one character becomes: two escaped surrogates
OF_THE_BODY = ("content-type", "content-length", "content-encoding", "vary")


def is_http(event: Any) -> bool:
    """A request from API Gateway (REST or HTTP), a function URL or a load balancer."""
    texts = ("httpMethod", "path")
    return isinstance(event, dict) and (
        _is_version_2(event) or all(isinstance(event.get(each), str) for each in texts)
    )


def _is_version_2(event: Event) -> bool:
    context = event.get("requestContext")
    method = isinstance(context, dict) and isinstance(context.get("http"), dict)
    return event.get("version") == "2.0" and isinstance(event.get("rawPath"), str) and method


def repaired(event: Event) -> Event:
    """The event as serverless-wsgi reads it without raising, its stage taken off the path.

    Raises MalformedRequest where the body says that it is base64 and is not.
    """
    if event.get("isBase64Encoded"):
        _check_base64(event.get("body") or "")
    if not _is_whole(event):
        event = _filled(event)
    return _without_stage(_taking_only_text(event))


def _check_base64(body: str) -> None:
    with suppress(ValueError):  # most are whole, and found to be so in a third of the time
        binascii.a2b_base64(body, strict_mode=True)
        return
    try:
        base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedRequest(f"the event's body is not base64: {error}") from error


def _is_whole(event: Event) -> bool:
    """Whether nothing is null or missing that serverless-wsgi takes for granted."""
    context, headers = event.get("requestContext"), event.get("headers")
    return (
        bool(headers)
        and bool(context)
        and isinstance(event.get("isBase64Encoded"), bool)
        and "source" not in event
        and None not in event.values()
        and None not in context.values()  # type: ignore[union-attr] # bool(context) above
        and None not in headers.values()  # type: ignore[union-attr] # bool(headers) above
    )


def _filled(event: Event) -> Event:
    """A copy without nulls, with what may be lacking."""
    headers = json_text.without_none(event.get("headers") or {})
    many = event.get("multiValueHeaders") or {}
    return {
        **{k: v for k, v in event.items() if v is not None and k != "source"},
        "requestContext": json_text.without_none(event.get("requestContext") or {}),
        "headers": {k: str(v) for k, v in headers.items()},
        "multiValueHeaders": {k: [str(v) for v in vs] for k, vs in many.items() if vs},
        "body": event.get("body") or "",
        "isBase64Encoded": bool(event.get("isBase64Encoded")),
    }


def _taking_only_text(event: Event) -> Event:
    """Without Accept-Encoding, where the sender would pass base64 on to the client as it is.

    A REST API does, unless it was set up for binary media types: then its bodies are base64, too.
    """
    if "version" in event or "elb" in event["requestContext"] or event["isBase64Encoded"]:
        return event
    kept = {**event}
    for member in ("headers", "multiValueHeaders"):
        if event.get(member):
            known = event[member].items()
            kept[member] = {k: v for k, v in known if k.lower() != "accept-encoding"}
    return kept


def _without_stage(event: Event) -> Event:
    """HTTP APIs put the stage's name before the path, REST APIs don't."""
    context = event["requestContext"]
    stage = context.get("stage", "$default")
    if stage == "$default":
        return event
    key = "rawPath" if _is_version_2(event) else "path"
    path, prefix = event[key], f"/{stage}"
    # A REST API's own requestContext.path has the stage, and its path has not.
    staged = key == "rawPath" or context.get("path") == path
    if staged and (path == prefix or path.startswith(prefix + "/")):
        return {**event, key: path[len(prefix) :] or "/"}
    return event


def respond(
    app: Any, event: Event, context: Any, log: request_log.Log = request_log.write
) -> dict[str, Any]:
    """Answer one HTTP event through a WSGI app, in the form its sender expects."""
    try:
        event = repaired(event)
        answer: dict[str, Any] | None = quick_events.answer(app, event, context)
        if answer is None:
            answer = quick_events.serverless_wsgi().handle_request(app, event, context)
    except MalformedRequest as error:
        return _refusal(error, log)
    except Exception as error:  # the app answers its own errors: this one comes from the event
        return _refusal(MalformedRequest(f"the event can't be read: {type(error).__name__}"), log)
    if "body" not in answer:  # HEAD, OPTIONS and 204; a load balancer insists on the other member
        answer |= {"body": "", "isBase64Encoded": False}
    most = MOST_FOR_BALANCER if "elb" in event["requestContext"] else MOST_BYTES
    try:
        check_size(answer, len(answer["body"]), most)
    except RequestTooLarge as error:
        _refuse_in_place(answer, error, event, log)
    if _is_version_2(event):
        headers = answer.get("headers", {})  # others, where the event had lists of values
        cookies = [name for name in headers if name.lower() == "set-cookie"]
        if cookies:
            answer["cookies"] = [headers.pop(name) for name in cookies]
    return answer


def check_size(answer: Any, characters: int, most: int = MOST_BYTES) -> None:
    """Raise RequestTooLarge where an answer has more bytes than Lambda returns.

    It is as it is returned. Where its text has few `characters`, its bytes need not be counted.
    """
    if characters * ESCAPED <= most:
        return
    # As the runtime's client writes an answer: since Python 3.12 without escaping scripts.
    written = json.dumps(answer, ensure_ascii=sys.version_info < (3, 12))
    if (size := len(written.encode("utf-8", "surrogatepass"))) > most:
        raise RequestTooLarge(
            f"expected an answer of at most {most} bytes here, got {size}",
            "Send the rows in several requests.",
        )


def _refuse_in_place(
    answer: dict[str, Any], error: RequestTooLarge, event: Event, log: request_log.Log
) -> None:
    """Replace an answer's body with an error in its protocol's form; other headers stay."""
    path = event["rawPath" if _is_version_2(event) else "path"]
    reply = protocol_of(path).refuse(failure_of(error))
    length = str(len(reply.body))
    new = {"Content-Type": reply.media_type, "Content-Length": length, **reply.headers}
    for member, listed in (("headers", False), ("multiValueHeaders", True)):
        if member in answer:
            kept = {k: v for k, v in answer[member].items() if k.lower() not in OF_THE_BODY}
            answer[member] = kept | {k: [v] if listed else v for k, v in new.items()}
    answer |= {"statusCode": reply.status, "body": reply.body.decode(), "isBase64Encoded": False}
    if "statusDescription" in answer:
        answer["statusDescription"] = f"{reply.status} Content Too Large"
    log({"method": "event", "path": path[:200], "status": error.status, "error": "RequestTooLarge"})


def _refusal(error: MalformedRequest, log: request_log.Log) -> dict[str, Any]:
    """The answer to an event that is no request, which no app could be given."""
    log({"method": "event", "status": error.status, "error": error.message})
    return {
        "statusCode": error.status,
        "headers": {"Content-Type": "application/problem+json"},
        "body": json_text.dumps(native.problem(failure_of(error))).decode(),
        "isBase64Encoded": False,
    }
