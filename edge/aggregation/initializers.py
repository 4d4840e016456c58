"""The large arrays of an ONNX graph, apart from the rest of it.

A small reader of protobuf's wire format, which passes on what it need not know. The fields are
those of https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

GRAPH, INITIALIZER = 7, 5  # of a model, and of its graph
RAW_DATA, EXTERNAL_DATA, DATA_LOCATION = 9, 13, 14  # of a tensor
EXTERNAL = 1
VARINT, EIGHT_BYTES, BYTES, FOUR_BYTES = 0, 1, 2, 5  # wire types
LEAST_BYTES = 65_536  # of an array that is set apart
ALIGNED = 4096


class Field(NamedTuple):
    """One field of a message."""

    number: int  # which
    whole: memoryview  # as it is written, with its tag
    content: memoryview  # of a field of bytes; else empty


class Parts(NamedTuple):
    """A graph in two parts."""

    graph: bytes  # with references in the place of arrays
    # The bytes of each, and where it begins in the file that is referred to.
    arrays: list[tuple[int, memoryview]]
    size: int  # of that file


def split(graph: bytes, location: str) -> Parts:
    """Set the large arrays of a serialised model apart; the graph calls their file `location`.

    ValueError is raised where it is no protobuf.
    """
    found = Parts(b"", [], 0)
    written = bytearray()
    for field in fields(memoryview(graph)):
        if field.number == GRAPH:
            inner = bytearray()
            for each in fields(field.content):
                if each.number == INITIALIZER:
                    found = _tensor(each, location, inner, found)
                else:
                    inner += each.whole
            written += _bytes_field(GRAPH, bytes(inner))
        else:
            written += field.whole
    return found._replace(graph=bytes(written))


def _tensor(field: Field, location: str, written: bytearray, found: Parts) -> Parts:
    """Write an initializer, as it is or with a reference."""
    members = list(fields(field.content))
    raw = [each.content for each in members if each.number == RAW_DATA]
    if len(raw) != 1 or len(raw[0]) < LEAST_BYTES:
        written += field.whole
        return found
    kept = b"".join(each.whole for each in members if each.number != RAW_DATA)
    about = {"location": location, "offset": str(found.size), "length": str(len(raw[0]))}
    for key, value in about.items():
        entry = _bytes_field(1, key.encode()) + _bytes_field(2, value.encode())
        kept += _bytes_field(EXTERNAL_DATA, entry)
    kept += _varint(DATA_LOCATION << 3 | VARINT) + _varint(EXTERNAL)
    written += _bytes_field(INITIALIZER, kept)
    end = found.size + len(raw[0])
    size = end + -end % ALIGNED
    return found._replace(arrays=[*found.arrays, (found.size, raw[0])], size=size)


def fields(message: memoryview) -> Iterator[Field]:
    """The fields of a message in their order; ValueError is raised where it is none."""
    at = 0
    while at < len(message):
        start = at
        tag, at = _read_varint(message, at)
        content = message[:0]
        if tag & 7 == VARINT:
            _, at = _read_varint(message, at)
        elif tag & 7 == BYTES:
            size, at = _read_varint(message, at)
            content, at = message[at : at + size], at + size
        elif tag & 7 in (EIGHT_BYTES, FOUR_BYTES):
            at += 8 if tag & 7 == EIGHT_BYTES else 4
        else:
            raise ValueError(f"expected a field of protobuf at byte {start}, got type {tag & 7}")
        if at > len(message):
            raise ValueError(f"the field at byte {start} ends beyond its message")
        yield Field(tag >> 3, message[start:at], content)


def _read_varint(message: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at == len(message) or shift > 63:
            raise ValueError(f"expected a number at byte {at}, got none")
        byte, at = message[at], at + 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7


def _varint(value: int) -> bytes:
    written = bytearray()
    while value > 127:
        written.append(value & 127 | 128)
        value >>= 7
    written.append(value)
    return bytes(written)


def _bytes_field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | BYTES) + _varint(len(content)) + content
