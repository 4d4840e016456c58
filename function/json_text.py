"""JSON in and out: orjson, and the standard library where a client sends bare NaN."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson

from function.errors import MalformedRequest


def loads(body: bytes) -> Any:
    """Read JSON text in UTF-8; bare NaN and Infinity are accepted.

    Raises:
        MalformedRequest: it is not JSON, or nested too deeply to be a request.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return _loads_lenient(body)


def _loads_lenient(body: bytes) -> Any:
    """What orjson refuses and clients send all the same: NaN, Infinity, integers past 64 bits."""
    try:
        return json.loads(body.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise MalformedRequest(
            f"byte {error.start} of the body is not UTF-8", "Send JSON encoded as UTF-8."
        ) from error
    except json.JSONDecodeError as error:
        raise MalformedRequest(
            f"the body is not JSON: {error.msg} at line {error.lineno} column {error.colno}"
        ) from error
    except (RecursionError, ValueError) as error:
        raise MalformedRequest("the body is nested too deeply or has an endless number") from error


def as_keys(names: Sequence[str]) -> list[str]:
    """The same names, as the very objects that orjson makes of an object's keys.

    It keeps one string for each short key that it meets, and a dictionary finds a key that is
    the same object almost twice as fast as one that is merely equal.
    """
    return list(orjson.loads(orjson.dumps(dict.fromkeys(names))))


def dumps(answer: Any) -> bytes:
    """Write JSON text; NumPy arrays as lists, NaN and infinities as null."""
    return orjson.dumps(answer, default=_listed, option=orjson.OPT_SERIALIZE_NUMPY)


def _listed(value: Any) -> Any:
    """Arrays that orjson leaves to us: strings, and those not contiguous in memory."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} has no JSON form")
