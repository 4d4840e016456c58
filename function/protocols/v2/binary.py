"""Version 2's binary tensors: the JSON header, then the tensors' bytes one after another."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence

import numpy as np

from onnxlet.function.arrays import Array
from onnxlet.function.errors import MalformedRequest, RequestTooLarge
from onnxlet.function.protocols.v2.tensors import DATATYPES, Fault, reshaped

MOST_STRINGS = 2**19  # in one tensor; each takes eighty bytes, and is sent in four
HEADER = "Inference-Header-Content-Length"
MISALIGNED_TEXT = "the lengths before its strings do not end where its bytes do"


class Tail:
    """The bytes behind the header, taken from the front."""

    def __init__(self, body: bytes, start: int) -> None:
        self._body = body
        self._next = start
        self.left: int | None = len(body) - start  # None once a wrong size has made that unknown

    def take(self, size: int) -> tuple[int, int]:
        """Where the next bytes start and end; raises Fault where there are not so many."""
        if self.left is None:
            raise Fault("a wrong 'binary_data_size' before it leaves its bytes unknown")
        if size > self.left:
            left, self.left = self.left, None
            raise Fault(f"'binary_data_size' is {size}, and {left} bytes are left in the body")
        start = self._next
        self._next += size
        self.left -= size
        return start, self._next

    def lose(self) -> None:
        """Give up the rest: it is unknown where the next bytes start."""
        self.left = None

    def array(self, size: int, shape: Sequence[int], datatype: str) -> Array:
        """The next bytes as an array; BF16 as float32, strings in an object array.

        Raises Fault where they are not what the shape and the datatype say.
        """
        start, end = self.take(size)
        count = math.prod(shape)
        if datatype == "BYTES":
            if MOST_STRINGS < count <= size // 4:
                raise RequestTooLarge(
                    f"expected at most {MOST_STRINGS} strings, got {count}", "Send fewer rows."
                )
            return reshaped(_strings(self._body, start, end, count), shape)
        width = 2 if datatype == "BF16" else np.dtype(DATATYPES[datatype].dtype).itemsize
        if count * width != size:
            raise Fault(
                f"shape {list(shape)} of {datatype} takes {count * width} bytes, "
                f"and 'binary_data_size' is {size}"
            )
        return reshaped(_numbers(self._body, start, count, datatype), shape)


def _numbers(body: bytes, start: int, count: int, datatype: str) -> Array:
    if datatype == "BF16":
        halves = np.frombuffer(body, "<u2", count, start).astype("<u4")
        return (halves << 16).view("<f4")
    if datatype == "BOOL":
        bits = np.frombuffer(body, "u1", count, start)
        if count and bits.max() > 1:
            raise Fault(f"BOOL takes bytes of 0 and 1, got {bits.max()}")
        return bits.view(bool)
    array = np.frombuffer(body, DATATYPES[datatype].dtype, count, start)
    # The header's length decides where the bytes start: ONNX Runtime wants them aligned.
    return array if array.flags.aligned else array.copy()


def _strings(body: bytes, start: int, end: int, count: int) -> Array:
    """Each string has its length before it; one that is not UTF-8 stays bytes, to be refused."""
    found: list[str | bytes] = []
    while start < end and len(found) < count:
        if end - start < 4:
            raise Fault(MISALIGNED_TEXT)
        [length] = struct.unpack_from("<I", body, start)
        start += 4 + length
        if start > end:
            raise Fault(MISALIGNED_TEXT)
        piece = body[start - length : start]
        try:
            found.append(piece.decode())
        except UnicodeDecodeError:
            found.append(piece)
    if start < end:
        raise Fault(MISALIGNED_TEXT)
    if len(found) != count:
        raise Fault(f"its shape takes {count} strings, got {len(found)}")
    return np.fromiter(found, dtype=object, count=count)


def header_length(text: str, body: bytes) -> int:
    """How many bytes of the body are JSON: all of them where the header is not there.

    Raises MalformedRequest where it is no number, or larger than the body.
    """
    if not text:
        return len(body)
    length = int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else None
    if length is None or length > len(body):
        raise MalformedRequest(
            f"{HEADER}: expected a whole number up to {len(body)}, the body's bytes "
            f"(not compressed), got '{text[:40]}'"
        )
    return length


def to_bytes(array: Array) -> bytes:
    """An output's bytes: numbers little-endian, strings with their length before each."""
    if array.dtype != object:
        return array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
    pieces = []
    for text in array.ravel().tolist():
        content = text.encode()
        pieces += [struct.pack("<I", len(content)), content]
    return b"".join(pieces)
