"""Large JSON bodies, read in slices: how many rows there are is known before a cell is read.

A JSON parser holds the interpreter for as long as it reads a body, and makes objects of it that
take up to twenty times as much memory. Here NumPy, which releases the interpreter, finds where long
lists begin and end, and where their members do. What is around them is parsed at once, the lists
themselves some members at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any
from uuid import uuid4

from onnxlet.function import deadline, json_text
from onnxlet.function.arrays import Array
from onnxlet.function.errors import MalformedRequest, RequestTooLarge
from onnxlet.function.inputs.parts import Faults, Parts
from onnxlet.function.json_text import ANY, DEEPEST, ENTRY, TOO_DEEP
from onnxlet.function.numpy_later import np
from onnxlet.function.orjson_alone import orjson

SLICE = 2**18  # bytes that are looked at together
MOST_VALUES = 2**17  # in one member of a long list, and around the long lists
LONGEST_NAME = 1000  # bytes, of a member that is looked for: ours are far shorter
QUOTE, COMMA, LIST = b'"', ord(","), ord("[")
# What a byte does to the depth, as a signed one.
STEPS = bytes({91: 1, 123: 1, 93: 255, 125: 255}.get(byte, 0) for byte in range(256))
BINARY = "Send them as tensors in binary, to /v2/models/NAME/infer."

Path = tuple[str, ...]
Span = tuple[int, int, int]


def _long_list(body: bytes, spans: Sequence[Span], inner: frozenset[Path]) -> Parts:
    """A long JSON list; its members are read at each iteration, some at a time.

    In its members lists at the `inner` paths may be long themselves. As they are read,
    MalformedRequest is raised where they are not JSON, RequestTooLarge where one member has too
    many values.
    """

    def read() -> Iterator[tuple[Sequence[Any], Faults]]:
        for start, end, count in spans:
            found = _part(b"[%b]" % body[start:end], body, start, count, inner)
            if len(found) != count:
                raise _expected("a value", body, end)
            yield found, {}

    return Parts(sum(count for _, _, count in spans), read)


class Members:
    """A long JSON object; its members are read at each iteration, some at a time.

    Lists at some paths in it may be long themselves.
    """

    def __init__(self, body: bytes, spans: Sequence[Span], lists: frozenset[Path]) -> None:
        self._body = body
        self._spans = spans
        self._lists = lists

    def objects(self) -> Iterator[dict[str, Any]]:
        """Some members at a time; of equal names the last one counts."""
        for start, end, count in self._spans:
            deadline.check()
            text = b"{%b}" % self._body[start:end]
            found = _part(text, self._body, start, count, self._lists)
            if count and not found:
                raise _expected("a name", self._body, end)
            yield found


def _expected(what: str, body: bytes, at: int) -> MalformedRequest:
    detail = f"the body is not JSON: expected {what} {json_text.position(body, at)}"
    return MalformedRequest(detail, json_text.HINT)


def _part(text: bytes, body: bytes, start: int, count: int, lists: frozenset[Path]) -> Any:
    """Parse some members, in added brackets; a long one is parsed by itself."""
    if lists and len(text) > SLICE:
        return loads(text, lists)
    if count == 1:  # several are little more than a slice
        _check_values(text)
    return json_text.parsed(text, body, lambda at: start + at - 1)


def _check_values(text: bytes) -> None:
    """Raise RequestTooLarge for too many values that would be read in one call."""
    if text.count(b",") > MOST_VALUES:  # those within strings included
        scan = _Scan(text, frozenset({()}), frozenset())
        scan.containers()
        if scan.commas > MOST_VALUES:
            detail = f"the body has more than {MOST_VALUES} values in one row"
            raise RequestTooLarge(detail, BINARY)


class _Open:
    """A list or object that is open where a slice ends, and so may be long."""

    def __init__(self, start: int, path: Path | None, is_list: bool) -> None:
        self.start, self.path, self.is_list = start, path, is_list
        self.end = -1
        self.cuts: list[tuple[int, int]] = []  # a comma between members, how many since the last

    def spans(self, body: bytes) -> list[Span]:
        """The spans of its members that are parsed together."""
        found, start = list[Span](), self.start + 1
        for at, count in self.cuts:
            found.append((start, at, count))
            start = at + 1
        if found or body[start : self.end].strip(b" \t\n\r"):
            found.append((start, self.end, 1))
        return found


def loads(body: bytes, lists: frozenset[Path], members: frozenset[Path] = frozenset()) -> Any:
    """Read JSON text in UTF-8 as `json_text.loads` does, but long lists and objects in parts.

    Those at the paths of `lists` become Parts, and of `members` Members. MalformedRequest is
    raised where it is not JSON, as far as it is read; RequestTooLarge where there are too many
    values around the long lists.
    """
    found = [
        each
        for each in _Scan(body, lists, members).containers()
        if each.path in (lists if each.is_list else members)
    ]
    # Stand-ins that no body can contain: what they name is put back after the parsing.
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
    _check_values(rest)

    def original(position: int) -> int:
        return position + sum(left_out for stands, left_out in moved if stands <= position)

    form = json_text.parsed(rest, body, original)
    made = {name: _made(each, body, lists) for name, each in names.items()}
    return _put_back(form, made, lists | members) if names else form


def _put_back(value: Any, made: Mapping[str, Any], paths: Set[Path]) -> Any:
    """Replace the placeholder names with the long ones: at the ends of these paths, no deeper."""
    if not isinstance(value, list | dict) or not value:
        return value
    first = next(iter(value))
    if isinstance(first, str) and len(value) == 1 and first in made:
        return made[first]
    pairs = enumerate(value) if isinstance(value, list) else value.items()
    for key, member in list(pairs):
        steps = {key, ANY} if isinstance(key, str) else {ENTRY}
        if within := {path[1:] for path in paths if path and path[0] in steps}:
            value[key] = _put_back(member, made, within)
    return value


def _made(each: _Open, body: bytes, lists: frozenset[Path]) -> Parts | Members:
    around = each.path or ()
    depth = len(around)
    within = frozenset(p[depth:] for p in lists if p[:depth] == around and len(p) > depth)
    if each.is_list:
        return _long_list(body, each.spans(body), frozenset(p for p in within if p[0] == ENTRY))
    return Members(body, each.spans(body), frozenset(p for p in within if p[0] != ENTRY))


class _Scan:
    """Scans a body slice by slice, and keeps track of what is open from one to the next."""

    def __init__(self, body: bytes, lists: frozenset[Path], members: frozenset[Path]) -> None:
        self._body = body
        self._wanted = lists | members
        self._levels = 1 + max(map(len, self._wanted))
        self._open: list[_Open] = []  # by level, from 1
        self._every: list[_Open] = []
        self._depth = 0
        self._within = 0  # a string
        self.commas = 0  # outside strings

    def containers(self) -> list[_Open]:
        """The lists and objects of the first levels that no single slice contains.

        Raises MalformedRequest where the body ends within one, or is nested too deeply.
        """
        start = 0
        while start < len(self._body):
            deadline.check()
            start = self._slice(start)
        if self._within or self._depth > 0:
            within = "a string" if self._within else "a list or an object"
            raise MalformedRequest(f"the body is not JSON: it ends within {within}")
        return self._every

    def _slice(self, start: int) -> int:
        """Scan one slice; returns where the next one starts."""
        text = self._body[start : start + SLICE]
        if b"\\" in text:  # an escaped quote begins and ends no string
            text = text.replace(b"\\\\", b"..").replace(b'\\"', b"..")
            if text.endswith(b"\\") and len(text) == SLICE:
                text = text[:-1]
        array: Array = np.frombuffer(text, np.uint8)
        step: Array = np.frombuffer(text.translate(STEPS), np.int8)
        commas = array == COMMA
        if self._within or QUOTE in text:
            quotes = (array == ord(QUOTE)).view(np.uint8)
            within = np.bitwise_xor.accumulate(quotes)  # four times as fast as a sum
            outside = within == self._within
            self._within ^= int(within[-1])
            step, commas = step * outside, commas & outside
        self.commas += int(np.count_nonzero(commas))
        depth: Array = np.cumsum(step, dtype=np.int32)
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
            if not found.size:
                return
            first, last = (start + at + int(found[position]) for position in (0, -1))
            count, before = int(found.size), each.cuts[-1][0] if each.cuts else each.start
            if first < last and first - before > SLICE // 4:  # a long member, read by itself
                each.cuts.append((first, 1))
                count -= 1
            each.cuts.append((last, count))

    def _path(self, at: int) -> Path | None:
        """The path of what opens at a position; None where no wanted path leads there."""
        if not self._open:
            return ()
        around = self._open[-1]
        if around.path is None:
            return None
        if around.is_list:
            return (*around.path, ENTRY)
        colon = _last_but_blanks(self._body, around.start, at)
        end = _last_but_blanks(self._body, around.start, colon) + 1
        name = self._body[max(around.start, end - LONGEST_NAME) : end]
        key = _key(name[name[:-1].rfind(b'"') :])
        for path in ((*around.path, key), (*around.path, ANY)):
            if any(wanted[: len(path)] == path for wanted in self._wanted):
                return path
        return None


def _last_but_blanks(body: bytes, start: int, end: int) -> int:
    """The position of the last byte before `end` that is no blank; `start` where there is none."""
    while end > start:
        some = body[max(start, end - LONGEST_NAME) : end]
        if kept := some.rstrip(b" \t\n\r"):
            return end - len(some) + len(kept) - 1
        end -= len(some)
    return start


def _key(text: bytes) -> str:
    try:
        return str(orjson.loads(text))
    except orjson.JSONDecodeError:
        return ""  # it is refused when it is parsed
