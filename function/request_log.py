"""The log: one JSON line for each event, on standard error, which never has the data in it."""

from __future__ import annotations

import os
import re
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import lru_cache, partial
from itertools import count
from typing import Any

from onnxlet.function.errors import OnnxletError, RequestError
from onnxlet.function.orjson_alone import orjson

REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")
# A trace's id, that of the caller's span in it, and flags; neither id is all zeros, and only later
# versions than 00 have more behind (https://www.w3.org/TR/trace-context-2/#traceparent-header).
TRACE_PARENT = re.compile(
    r"(?!ff|00.{54})[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?"
)
STANDARD_ERROR = 2
INNERMOST = 20  # frames of a traceback: the outer ones are Flask's, or a thread's

Log = Callable[[dict[str, Any]], None]


def request_id(offered: str) -> str:
    """The caller's own id where it is a plain one, else a new one of 32 hexadecimal digits."""
    return offered if REQUEST_ID.fullmatch(offered) else os.urandom(16).hex()


def trace(parent: str) -> dict[str, str]:
    """The trace that a W3C `traceparent` header names, as a member of the log line."""
    found = TRACE_PARENT.fullmatch(parent)
    return {"trace_id": found[1]} if found else {}


# How a line says when and how bad: the member with the time, and the words for nothing wrong,
# refused and failed. Lambda's own log reads `timestamp` and `level`, in these words:
# https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html
LAMBDA, ELSEWHERE = ("timestamp", "INFO", "WARN", "ERROR"), ("time", "info", "warning", "error")
FORM = LAMBDA if "AWS_LAMBDA_FUNCTION_NAME" in os.environ else ELSEWHERE


class Choice:
    """Which lines are written, in this process: it has one standard error."""

    def __init__(self, which: str = "all", successes: int = 1) -> None:
        self.which = which  # off, errors or all
        self.successes = successes  # of these, one is written
        self.answered = count()
        self.every = which == "all" and successes == 1


CHOICE = Choice()
ORIGIN = ""  # a member of every line, with its comma: which of several processes wrote it


def choose(which: str, successes: int) -> None:
    """Choose which lines are written: off, errors (refusals, too) or all.

    Of answered requests one in `successes` is; refused ones all are.
    """
    global CHOICE
    CHOICE = Choice(which, successes)


def moment(seconds: float) -> str:
    """The time in RFC 3339's form, to milliseconds, that is so many seconds since 1970, in UTC."""
    milliseconds = int(seconds * 1000)
    return f"{_second(milliseconds // 1000)}{milliseconds % 1000:03}Z"


@lru_cache(1)  # it is written once
def _second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.", time.gmtime(seconds))


def severity(entry: Mapping[str, Any]) -> int:
    """How bad it was: 0 not at all, 1 a client's mistake, 2 a failure of the server or machine."""
    status = entry.get("status", 0)
    if status:
        return 0 if status < 400 else 1 if status < 500 else 2
    return 2 if "error" in entry else int("breaking" in entry or "lost" in entry)


def is_wanted(entry: Mapping[str, Any], always: bool = False) -> bool:
    """Whether a line is written; asked once for each.

    `always`: although it is a success, of which only some are written.
    """
    choice = CHOICE
    if choice.which == "off" or severity(entry):
        return choice.which != "off"
    if choice.which == "errors" or always or "status" not in entry:
        return choice.which != "errors"
    return next(choice.answered) % choice.successes == 0


def write(entry: Mapping[str, Any], always: bool = False) -> None:
    """Write one line with time and level, where such lines are wanted, or it is `always`.

    Where nobody reads the log any more, requests are answered nevertheless.
    """
    if CHOICE.every or is_wanted(entry, always):
        # Most lines are of requests that were answered.
        level = FORM[1 if entry.get("status", 500) < 400 else 1 + severity(entry)]
        head = f'{{"{FORM[0]}":"{moment(time.time())}","level":"{level}",{ORIGIN}'
        # Put before the rest as text: a new dictionary would take as long as all else here.
        line = head.encode() + orjson.dumps(entry, _listed, orjson.OPT_SERIALIZE_NUMPY)[1:] + b"\n"
        with suppress(OSError):
            put(line)


def _listed(value: Any) -> Any:
    from onnxlet.function import json_text  # few lines need it

    return json_text.listed(value)


# One call: lines never mix. A device's server sets one that never waits.
put: Callable[[bytes], object] = partial(os.write, STANDARD_ERROR)


def fail(error: BaseException, **more: str) -> None:
    """Write where a failure happened, but not its message, which may quote the data."""
    import traceback  # few failures happen

    innermost = deque(traceback.walk_tb(error.__traceback__), INNERMOST)
    where = [
        f"{frame.f_code.co_filename}:{line} in {frame.f_code.co_name}" for frame, line in innermost
    ]
    write({"event": "failure", "error": type(error).__name__, **more, "where": where})


def described(error: Exception, request_id: str) -> str:
    """What a request's line says of its error.

    Of a client's mistake only the kind, since its message may quote the data. Of an error that is
    not ours the kind, too; a line of its own says where it happened.
    """
    if isinstance(error, OnnxletError) and not isinstance(error, RequestError):
        return error.message
    if not isinstance(error, RequestError):
        fail(error, request_id=request_id)
    return type(error).__name__
