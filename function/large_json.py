"""Large JSON bodies, read in slices: how many rows there are is known before a cell is read.

One call of a JSON parser on all of a body holds the interpreter as long as it takes, and what it
makes of the body takes up to twenty times as much memory. Here NumPy, which lets others go on,
finds where the lists begin and end that may be long, and where their members do. What is around
them is parsed at once, they themselves some members at a time.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from uuid import uuid4

import numpy as np
import orjson

from function import number_lists
from function.errors import MalformedRequest, RequestTooLarge
from function.json_text import ANY, DEEPEST, ENTRY, LARGE, TOO_DEEP
from function.parts import Faults, Parts
from function.signature import Array

SLICE = 2**18  # bytes that are looked at together
MOST_VALUES = 2**17  # in one member of a long list, and around the long lists
SHALLOW = 4  # levels at which a list may be long
QUOTE, COMMA, LIST = b'"', ord(","), ord("[")
# What a byte does to the depth, as a signed one.
STEPS = bytes({91: 1, 123: 1, 93: 255, 125: 255}.get(byte, 0) for byte in range(256))
SMALLER = "Send fewer rows at once."

Path = tuple[str, ...]
Span = tuple[int, int, int]


class Rows(Parts):
    """A long JSON list; its members are read when somebody goes through them, some at a time.

    Args:
        body: JSON text.
        spans: of members that are read together: start, end, and how many they are.
        inner: paths of lists in its members that may be long themselves.
    """

    def __init__(self, body: bytes, spans: Sequence[Span], inner: frozenset[Path]) -> None:
        super().__init__(sum(count for _, _, count in spans))
        self._body = body
        self._spans = spans
        self._inner = inner

    def read(self) -> Iterator[tuple[Sequence[Any], Faults]]:
        """Neighbouring members.

        Raises:
            MalformedRequest: they are not JSON.
            RequestTooLarge: one member has too many values.
        """
        for start, end, count in self._spans:
            text = b"[%b]" % self._body[start:end]
            found = _numbers(text) or _part(text, self._body, start, self._inner)
            if len(found) != count:
                raise MalformedRequest(
                    f"the body is not JSON: expected a value {_place(self._body, end)}"
                )
            yield found, {}


class Members:
    """A long JSON object, likewise.

    Args:
        body: JSON text.
        spans: of members that are read together.
        lists: paths in it, of lists that may be long themselves.
    """

    def __init__(self, body: bytes, spans: Sequence[Span], lists: frozenset[Path]) -> None:
        self._body = body
        self._spans = spans
        self._lists = lists

    def objects(self) -> Iterator[dict[str, Any]]:
        """Some members after others; of equal names the last one counts."""
        for start, end, count in self._spans:
            text = b"{%b}" % self._body[start:end]
            found = _part(text, self._body, start, self._lists)
            if count and not found:
                raise MalformedRequest(
                    f"the body is not JSON: expected a name {_place(self._body, end)}"
                )
            yield found


def _part(text: bytes, body: bytes, start: int, lists: frozenset[Path]) -> Any:
    """Some members in brackets of ours, one of which may be long itself."""
    if lists and len(text) > LARGE:
        return loads(text, lists)
    return _parsed(text, body, lambda at: start + at - 1)


def _numbers(text: bytes) -> Any:
    """Lists of numbers without an object for each; None where it isn't so simple."""
    return number_lists.read(text) if len(text) <= LARGE else None


class _Open:
    """A list or an object that is open where a slice ends, and so may be long."""

    def __init__(self, start: int, path: Path | None, is_list: bool) -> None:
        self.start, self.path, self.is_list = start, path, is_list
        self.end = -1
        self.cuts: list[tuple[int, int]] = []  # a comma between members, how many since the last

    def spans(self, body: bytes) -> list[Span]:
        """Its members, in parts."""
        found, start = list[Span](), self.start + 1
        for at, count in self.cuts:
            found.append((start, at, count))
            start = at + 1
        if found or body[start : self.end].strip(b" \t\n\r"):
            found.append((start, self.end, 1))
        return found


def loads(body: bytes, lists: frozenset[Path], members: frozenset[Path] = frozenset()) -> Any:
    """Read JSON text in UTF-8, as `json_text.loads` does, but for what is long.

    Args:
        body: JSON text.
        lists: the paths at which long lists become Rows.
        members: the paths at which long objects become Members.

    Raises:
        MalformedRequest: it is not JSON, as far as it is read.
        RequestTooLarge: there are too many values around the long lists.
    """
    found = [
        each
        for each in _Scan(body, lists, members).containers()
        if each.path in (lists if each.is_list else members)
    ]
    token, names, kept, at = uuid4().hex, dict[str, _Open](), list[bytes](), 0
    moved: list[tuple[int, int]] = []  # position in the rest, bytes that are left out there
    for each in sorted(found, key=lambda each: each.start):
        if each.start < at:
            continue  # in one that is long itself
        name = f"{token}-{len(names)}"
        names[name] = each
        stands = f'"{name}"' + ":0" * (not each.is_list)
        kept += [body[at : each.start + 1], stands.encode()]
        moved.append((sum(map(len, kept)), each.end - each.start - 1 - len(stands)))
        at = each.end
    rest = b"".join([*kept, body[at:]])
    if rest.count(b",") > MOST_VALUES:
        raise RequestTooLarge(f"the body has more than {MOST_VALUES} values in one row", SMALLER)

    def original(place: int) -> int:
        return place + sum(left_out for stands, left_out in moved if stands <= place)

    form = _parsed(rest, body, original)
    return _put_back(form, names, body, lists) if names else form


def _put_back(value: Any, names: Mapping[str, _Open], body: bytes, lists: frozenset[Path]) -> Any:
    """The long ones where their names stand."""
    if not isinstance(value, list | dict) or not value:
        return value
    first = next(iter(value))
    each = names.get(first) if isinstance(first, str) and len(value) == 1 else None
    if each is None:
        pairs = enumerate(value) if isinstance(value, list) else value.items()
        for key, member in list(pairs):
            value[key] = _put_back(member, names, body, lists)
        return value
    around = each.path or ()
    depth = len(around)
    within = frozenset(p[depth:] for p in lists if p[:depth] == around and len(p) > depth)
    if each.is_list:
        return Rows(body, each.spans(body), frozenset(p for p in within if p[0] == ENTRY))
    return Members(body, each.spans(body), frozenset(p for p in within if p[0] != ENTRY))


def _parsed(text: bytes, body: bytes, original: Callable[[int], int]) -> Any:
    """What orjson reads, or the standard library: bare NaN, integers past 64 bits.

    Args:
        text: some of the body.
        body: the whole.
        original: where a position in the text is in the body.
    """
    if text.count(b",") > MOST_VALUES:
        raise RequestTooLarge(f"the body has more than {MOST_VALUES} values in one row", SMALLER)
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        pass
    try:
        return json.loads(decoded := text.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise MalformedRequest(
            f"byte {original(error.start)} of the body is not UTF-8", "Send JSON encoded as UTF-8."
        ) from error
    except json.JSONDecodeError as error:
        at = original(len(decoded[: error.pos].encode()))
        raise MalformedRequest(f"the body is not JSON: {error.msg} {_place(body, at)}") from error
    except RecursionError as error:
        raise MalformedRequest(TOO_DEEP) from error
    except ValueError as error:
        raise MalformedRequest("the body has a number of too many digits") from error


def _place(body: bytes, at: int) -> str:
    line = body.count(b"\n", 0, at) + 1
    column = len(body[body.rfind(b"\n", 0, at) + 1 : at].decode("utf-8", "replace")) + 1
    return f"at line {line} column {column}"


class _Scan:
    """Goes through a body slice by slice, and notes what is open from one to the next.

    Args:
        body: JSON text.
    """

    def __init__(self, body: bytes, lists: frozenset[Path], members: frozenset[Path]) -> None:
        self._body = body
        self._wanted = lists | members
        self._levels = 1 + max(map(len, self._wanted))
        self._open: list[_Open] = []  # by level, from 1
        self._every: list[_Open] = []
        self._depth = 0
        self._within = 0  # a string

    def containers(self) -> list[_Open]:
        """Those lists and objects of the first levels that no slice has whole.

        Raises:
            MalformedRequest: the body ends within one, or is nested too deeply.
        """
        start = 0
        while start < len(self._body):
            start = self._slice(start)
        if self._within or self._depth > 0:
            within = "a string" if self._within else "a list or an object"
            raise MalformedRequest(f"the body is not JSON: it ends within {within}")
        return self._every

    def _slice(self, start: int) -> int:
        """Look at one slice; where the next one starts."""
        text = self._body[start : start + SLICE]
        if b"\\" in text:  # what is escaped begins and ends nothing
            text = text.replace(b"\\\\", b"..").replace(b'\\"', b"..")
            if text.endswith(b"\\") and len(text) == SLICE:
                text = text[:-1]
        array: Array = np.frombuffer(text, np.uint8)
        step: Array = np.frombuffer(text.translate(STEPS), np.int8)
        commas = array == COMMA
        if self._within or QUOTE in text:
            within = np.cumsum(array == ord(QUOTE), dtype=np.uint8)
            within += np.uint8(self._within)
            outside = within & 1 == 0
            self._within = int(within[-1] & 1)
            step, commas = step * outside, commas & outside
        depth = np.cumsum(step, dtype=np.int32)
        depth += self._depth
        if depth.max() > DEEPEST:
            raise MalformedRequest(TOO_DEEP)
        self._follow(start, array, commas, step, depth)
        self._depth = int(depth[-1])
        return start + len(text)

    def _follow(self, start: int, array: Array, commas: Array, step: Array, depth: Array) -> None:
        """Close what ends here, open what does not, and count the commas of both."""
        least = int(depth.min())
        if least < 0:
            raise MalformedRequest("the body is not JSON: a bracket closes what was not opened")
        ends = {}
        for level in range(least + 1, len(self._open) + 1):
            ends[level] = int(np.argmax(depth < level))
            self._open[level - 1].end = start + ends[level]
        for level, each in enumerate(self._open, 1):
            self._count(each, level, commas, depth, start, 0, ends.get(level, len(array)))
        del self._open[least:]
        for level in range(len(self._open) + 1, min(self._levels, int(depth[-1])) + 1):
            at = int(np.flatnonzero((depth == level) & (step == 1))[-1])
            each = _Open(start + at, self._path(start + at), array[at] == LIST)
            self._open.append(each)
            self._every.append(each)
            self._count(each, level, commas, depth, start, at, len(array))

    def _count(
        self, each: _Open, level: int, commas: Array, depth: Array, start: int, at: int, end: int
    ) -> None:
        if each.path in self._wanted:
            found = np.flatnonzero(commas[at:end] & (depth[at:end] == level))
            if found.size:
                each.cuts.append((start + at + int(found[-1]), int(found.size)))

    def _path(self, at: int) -> Path | None:
        """Of what opens there, in what is open around it; None below what is not wanted."""
        if not self._open:
            return ()
        around = self._open[-1]
        if around.path is None:
            return None
        if around.is_list:
            return (*around.path, ENTRY)
        named = self._body[max(around.start, at - 1000) : at].rstrip(b" \t\n\r")
        name = named.removesuffix(b":").rstrip(b" \t\n\r")
        key = _key(name[name[:-1].rfind(b'"') :])
        for path in ((*around.path, key), (*around.path, ANY)):
            if any(wanted[: len(path)] == path for wanted in self._wanted):
                return path
        return None


def _key(text: bytes) -> str:
    try:
        return str(orjson.loads(text))
    except orjson.JSONDecodeError:
        return ""  # it is told when it is parsed
