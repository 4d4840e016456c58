"""One JSON line per request on standard error: what happened, never the data."""

from __future__ import annotations

import os
import re
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from function import json_text
from function.errors import OnnxletError, RequestError

REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")
TRACE_PARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?")
STANDARD_ERROR = 2

Log = Callable[[dict[str, Any]], None]


def request_id(offered: str) -> str:
    """The caller's own id where it is a plain one, else a new one of 32 hexadecimal digits."""
    return offered if REQUEST_ID.fullmatch(offered) else os.urandom(16).hex()


def trace(parent: str) -> dict[str, str]:
    """The trace that a W3C `traceparent` header names, as a member of the log line."""
    found = TRACE_PARENT.fullmatch(parent)
    return {"trace_id": found[1]} if found else {}


def write(entry: dict[str, Any]) -> None:
    """Write one line; where nobody reads the log any more, requests are answered all the same."""
    with suppress(OSError):
        put(json_text.dumps(entry) + b"\n")


def _to_standard_error(line: bytes) -> None:
    os.write(STANDARD_ERROR, line)  # one call: lines never mix


put: Callable[[bytes], object] = _to_standard_error  # a device's server sets one that never waits


def told(error: Exception) -> str:
    """What the log says of an error: of a request's its kind, since its words may quote the data.

    Of one that is not ours it has the kind, too, and on lines of their own where it happened.
    """
    if isinstance(error, OnnxletError) and not isinstance(error, RequestError):
        return error.message
    if not isinstance(error, RequestError):
        with suppress(OSError):  # nobody reads the log any more
            put("".join(traceback.format_tb(error.__traceback__)).encode())
    return type(error).__name__
