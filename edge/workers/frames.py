"""What a supervisor and its workers send each other: a kind, a few members, and opaque bytes.

A frame has four bytes of length, the kind and the members as a line of JSON, and the bytes of its
parts one behind the other.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

LENGTH_BYTES = 4


class Message(NamedTuple):
    """One message."""

    kind: str  # what it is about
    members: dict[str, Any]  # of any JSON form, by name
    parts: list[bytes]  # opaque bytes


def packed(kind: str, *parts: bytes, **members: Any) -> bytes:
    """The frame of a message."""
    head = json.dumps([kind, members, [len(part) for part in parts]]).encode() + b"\n"
    content = b"".join((head, *parts))
    return len(content).to_bytes(LENGTH_BYTES, "big") + content


def unpacked(content: bytes) -> Message:
    """The message of a frame without its length."""
    at = content.index(b"\n") + 1
    kind, members, sizes = json.loads(content[:at])
    ends = list(accumulate(sizes, initial=at))
    parts = [content[start:end] for start, end in pairwise(ends)]
    return Message(kind, members, parts)


class Unpacker:
    """Cuts bytes that arrive into messages."""

    def __init__(self) -> None:
        self._data = bytearray()

    def feed(self, data: bytes) -> Iterator[Message]:
        """The messages that are complete with these bytes."""
        self._data += data
        while len(self._data) >= LENGTH_BYTES:
            end = LENGTH_BYTES + int.from_bytes(self._data[:LENGTH_BYTES], "big")
            if len(self._data) < end:
                return
            content = bytes(self._data[LENGTH_BYTES:end])
            del self._data[:end]
            yield unpacked(content)
