"""Call a WSGI app, and write its answer as the bytes of an HTTP/1.1 response."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import lru_cache
from typing import Any

from onnxlet.edge.server.http_request import Request

WSGI = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
Fail = Callable[[BaseException], None]

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def plain_response(status: str) -> bytes:
    """A response to bytes that are no request; it closes the connection."""
    text = f"{status}\n"
    head = f"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {len(text)}\r\n"
    return f"{head}Connection: close\r\n\r\n{text}".encode()


@lru_cache(1)
def date_line(second: int) -> str:
    """The Date header of a second since 1970; email.utils would take 3 ms of the start."""
    t = time.gmtime(second)
    day = f"{DAYS[t.tm_wday]}, {t.tm_mday:02} {MONTHS[t.tm_mon - 1]} {t.tm_year}"
    return f"Date: {day} {t.tm_hour:02}:{t.tm_min:02}:{t.tm_sec:02} GMT"


def answer(
    app: WSGI, request: Request, stays: Callable[[], bool], fail: Fail = traceback.print_exception
) -> tuple[bytes, bool]:
    """The response to one request, and whether the connection stays open, as its header says, too.

    The app answers in one piece: nothing is streamed. Whether the server goes on, `stays` is asked
    after that. `fail` is called with what the app raised.
    """
    try:
        return _answer(app, request, stays)
    except Exception as error:  # the app answers its own errors: this one is a bug
        with suppress(OSError, ValueError):  # the log is closed
            fail(error)
        return plain_response("500 Internal Server Error"), False


def _answer(app: WSGI, request: Request, stays: Callable[[], bool]) -> tuple[bytes, bool]:
    environ, status, headers = request.environ, "", list[tuple[str, str]]()

    def start_response(line: str, fields: list[tuple[str, str]], *error: Any) -> Any:
        nonlocal status, headers
        status, headers = line, fields
        return _no_writing

    parts = app(environ, start_response)
    if type(parts) is tuple and len(parts) == 1:  # most answers
        body = parts[0]
    else:
        try:
            body = b"".join(parts)
        finally:
            if hasattr(parts, "close"):
                parts.close()
    lines = [f"HTTP/1.1 {status}", date_line(int(time.time())), *map(": ".join, headers)]
    names = dict(headers)
    named = "Content-Length" in names or "content-length" in map(str.lower, names)
    if not named and not status.startswith(("1", "204", "304")):  # which have no body
        lines.append(f"Content-Length: {len(body)}")
    keep = request.keep and stays()
    if not keep:
        lines.append("Connection: close")
    elif environ["SERVER_PROTOCOL"] == "HTTP/1.0":
        lines.append("Connection: keep-alive")
    head = "\r\n".join([*lines, "", ""]).encode("latin-1")
    return (head if environ["REQUEST_METHOD"] == "HEAD" else head + body), keep


def _no_writing(data: bytes) -> None:
    raise NotImplementedError("WSGI's write() is not supported: return the body")
