"""Which shared libraries a program or a library asks for, read from its ELF file.

The form is that of the System V ABI, "Object files", in its 64-bit little-endian kind, which both
architectures have.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

MAGIC = b"\x7fELF\x02\x01"  # 64 bits, little-endian
LOAD, DYNAMIC, INTERPRETER = 1, 2, 3  # types of segments
NEEDED, STRINGS = 1, 5  # tags of a dynamic section


class Segment(NamedTuple):
    """One part of a file, as it is loaded."""

    kind: int
    offset: int
    address: int
    size: int


def is_elf(content: bytes) -> bool:
    """Whether it is a program or a library that these functions read."""
    return content.startswith(MAGIC)


def needed(content: bytes) -> list[str]:
    """The names of the libraries that the loader has to find for it, in its order."""
    segments = _segments(content)
    dynamic = next((each for each in segments if each.kind == DYNAMIC), None)
    if dynamic is None:  # it is linked statically
        return []
    entries = [
        struct.unpack_from("<qQ", content, dynamic.offset + place)
        for place in range(0, dynamic.size, 16)
    ]
    strings = next(value for tag, value in entries if tag == STRINGS)
    loaded = next(
        each for each in segments if each.kind == LOAD and 0 <= strings - each.address < each.size
    )
    start = strings - loaded.address + loaded.offset
    return [_text(content, start + value) for tag, value in entries if tag == NEEDED]


def interpreter(content: bytes) -> str | None:
    """The loader that a program names; None for a library."""
    found = next((each for each in _segments(content) if each.kind == INTERPRETER), None)
    return _text(content, found.offset) if found else None


def _segments(content: bytes) -> list[Segment]:
    # Where their table is, the bytes of an entry, and the number of them.
    (offset,) = struct.unpack_from("<Q", content, 32)
    size, number = struct.unpack_from("<HH", content, 54)
    found = []
    for at in range(offset, offset + number * size, size):
        kind, _, place, address, _, length = struct.unpack_from("<IIQQQQ", content, at)
        found.append(Segment(kind, place, address, length))
    return found


def _text(content: bytes, start: int) -> str:
    return content[start : content.index(b"\0", start)].decode()
