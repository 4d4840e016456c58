"""JSON in and out: orjson, and the standard library where a client sends bare NaN."""

from __future__ import annotations

import io
import json
from codecs import BOM_UTF8
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from onnxlet.function.errors import MalformedRequest, RequestTooLarge
from onnxlet.function.numpy_later import is_there, np
from onnxlet.function.orjson_alone import orjson

DEEPEST = 1024  # levels of lists and objects: orjson's own limit, kept by every reading
# Lists and objects in one body: each takes seventy bytes, and is sent in three.
MOST_BRACKETS = 1_000_000
HINT = "JSON has names and texts in double quotes, null for None, and no comma before a bracket."
VALUES = 20_000  # of an array that are written together
FEW_MEMBERS = 200  # members of a list that are written one by one, since each may be large itself
ANY, ENTRY = "*", "[]"  # in a path: whichever member of an object, whichever one of a list
TOO_DEEP = f"the body is nested too deeply: at most {DEEPEST} levels are read"


def loads(body: bytes) -> Any:
    """Read JSON text in UTF-8; bare NaN and Infinity are accepted.

    Raises MalformedRequest where it is not JSON, or nested more than `DEEPEST` levels deep (with a
    bare NaN in it somewhat less, where Python itself goes no deeper); RequestTooLarge where it has
    so many lists and objects that they would take all memory.
    """
    if len(body) > MOST_BRACKETS and body.count(b"[") + body.count(b"{") > MOST_BRACKETS:
        raise RequestTooLarge(
            f"the body has more than {MOST_BRACKETS} lists and objects", "Send fewer rows at once."
        )
    return parsed(body, body, lambda at: at)


def parsed(text: bytes, body: bytes, original: Callable[[int], int]) -> Any:
    """JSON text that is some of a body; `original` maps positions in the text to the body.

    Raises MalformedRequest where it is not JSON, or nested too deeply.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return _loads_lenient(text, body, original)


def _loads_lenient(text: bytes, body: bytes, original: Callable[[int], int]) -> Any:
    """What orjson refuses and clients send all the same: NaN, Infinity, integers past 64 bits."""
    try:
        value = json.loads(decoded := text.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise MalformedRequest(
            f"byte {original(error.start)} of the body is not UTF-8", "Send JSON encoded as UTF-8."
        ) from error
    except json.JSONDecodeError as error:
        mark = text.startswith(BOM_UTF8) * len(BOM_UTF8)
        at = original(mark + len(decoded[: error.pos].encode()))
        raise MalformedRequest(
            f"the body is not JSON: {error.msg.removesuffix(' at')} {position(body, at)}", HINT
        ) from error
    except RecursionError as error:
        raise MalformedRequest(TOO_DEEP) from error
    except ValueError as error:
        raise MalformedRequest("the body has a number of too many digits") from error
    if text.count(b"[") + text.count(b"{") > DEEPEST and _is_deep(value):
        raise MalformedRequest(TOO_DEEP)
    return value


def position(body: bytes, at: int) -> str:
    """The position of a byte as `at line 3 column 7`, both from 1."""
    line = body.count(b"\n", 0, at) + 1
    column = len(body[body.rfind(b"\n", 0, at) + 1 : at].decode("utf-8-sig", "replace")) + 1
    return f"at line {line} column {column}"


def _is_deep(value: Any) -> bool:
    """Whether lists and objects are nested more than `DEEPEST` levels deep."""
    level = [value]
    for _ in range(DEEPEST):
        level = [
            member
            for outer in level
            for member in (outer.values() if type(outer) is dict else outer)
            if type(member) is list or type(member) is dict
        ]
        if not level:
            return False
    return True


def as_keys(names: Sequence[str]) -> list[str]:
    """The same names, as the very objects that orjson makes of an object's keys.

    It keeps one string for each short key that it meets, and a dictionary finds a key that is
    the same object almost twice as fast as one that is merely equal.
    """
    return list(orjson.loads(orjson.dumps(dict.fromkeys(names))))


def without_none(members: Mapping[str, Any]) -> dict[str, Any]:
    """The members of an object that are there; None stands for one that is left out."""
    return {name: value for name, value in members.items() if value is not None}


def dumps(answer: Any) -> bytes:
    """Write JSON text; NumPy arrays as lists, NaN and infinities as null."""
    return orjson.dumps(answer, default=listed, option=orjson.OPT_SERIALIZE_NUMPY)


def dumps_large(answer: Any) -> bytes:
    """Write a large answer in slices, between which other requests are answered."""
    written = io.BytesIO()
    for piece in _pieces(answer):
        written.write(piece)
    return written.getvalue()


def _pieces(answer: Any) -> Iterator[bytes]:
    if isinstance(answer, dict):
        yield from _joined(b"{", b"}", (_member(*pair) for pair in answer.items()))
    elif is_there() and isinstance(answer, np.ndarray) and answer.ndim and answer.size > VALUES:
        rows = max(1, VALUES * len(answer) // answer.size)
        yield from _sliced(answer, rows)
    elif isinstance(answer, list | tuple) and 0 < len(answer) <= FEW_MEMBERS:
        yield from _joined(b"[", b"]", map(_pieces, answer))
    elif isinstance(answer, list | tuple) and answer:
        yield from _sliced(answer, FEW_MEMBERS)
    else:
        yield dumps(answer)


def _member(name: str, value: Any) -> Iterator[bytes]:
    yield dumps(name) + b":"
    yield from _pieces(value)


def _joined(start: bytes, end: bytes, members: Iterable[Iterable[bytes]]) -> Iterator[bytes]:
    between = start
    for member in members:
        yield between
        yield from member
        between = b","
    yield end if between == b"," else start + end


def _sliced(values: Any, rows: int) -> Iterator[bytes]:
    for start in range(0, len(values), rows):
        yield b"," if start else b"["
        yield dumps(values[start : start + rows])[1:-1]
    yield b"]"


def listed(value: Any) -> Any:
    """Lists of the arrays that orjson does not write: of strings, or not contiguous in memory."""
    if is_there() and isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} has no JSON form")
