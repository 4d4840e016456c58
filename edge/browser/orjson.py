"""What `function` takes of orjson, by the standard library: orjson has no build for browsers.

It lies at the root of the files there, where `import orjson` finds it. Numbers may be written with
another exponent than orjson's, such as 1e-05; they are the same numbers.
"""

import json
import re
from collections.abc import Callable
from itertools import accumulate
from math import isfinite
from typing import Any

JSONDecodeError = json.JSONDecodeError
OPT_SERIALIZE_NUMPY = 0  # there are no arrays
DEEPEST = 1024  # levels of lists and objects, as orjson's
# The last may lack its end. It is matched once, and not from each quote in it.
STRING = re.compile(r'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
NO_BRACKET = re.compile(r"[^][{}]+")
LONGEST = 20  # characters of an integer of 64 bits
LONG = re.compile(r"\d{19}")  # digits: it may be no integer of 64 bits
STEPS = {"[": 1, "{": 1, "]": -1, "}": -1}


def loads(text: bytes | str) -> Any:
    """Read JSON in UTF-8.

    Raises JSONDecodeError for what is none; MalformedRequest where it is nested too deeply, which
    Python's own parser would follow until this engine has no more stack, and ends.
    """
    try:
        return _read(text if isinstance(text, str) else text.decode())
    except ValueError as error:  # no JSON, no UTF-8, or a number of too many digits
        raise JSONDecodeError(str(error), "", 0) from error


def _read(text: str) -> Any:
    if text.count("[") + text.count("{") > DEEPEST:
        brackets = NO_BRACKET.sub("", STRING.sub("", text))
        if max(accumulate(map(STEPS.__getitem__, brackets)), default=0) > DEEPEST:
            from onnxlet.function.errors import MalformedRequest
            from onnxlet.function.json_text import TOO_DEEP  # which imports this

            raise MalformedRequest(TOO_DEEP)
    return json.loads(text, parse_int=_whole if LONG.search(text) else None)


def _whole(text: str) -> int | float:
    """A number without a point, as orjson has it: a float where 64 bits do not hold it."""
    value = int(text) if len(text) <= LONGEST else float(text)
    if not isfinite(value):
        raise JSONDecodeError("a number is out of range", text, 0)
    return value if -(2**63) <= value < 2**64 else float(value)


def dumps(value: Any, default: Callable[[Any], Any] | None = None, option: int = 0) -> bytes:
    """Write JSON in UTF-8; what is no number is null."""
    try:
        return _written(value, default)
    except ValueError:  # NaN, or an infinity, somewhere
        return _written(_finite(value), default)


def _written(value: Any, default: Callable[[Any], Any] | None) -> bytes:
    return json.dumps(
        value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=default
    ).encode()


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, dict):
        return {name: _finite(member) for name, member in value.items()}
    return [_finite(member) for member in value] if isinstance(value, list | tuple) else value
