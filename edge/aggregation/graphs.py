"""Large arrays of graphs, in memory once for all workers.

The first worker that opens a graph copies its arrays, once their hash was checked, to memory that
the kernel seals: nobody can write to it any more, and each other worker compares it with the file
that it has checked itself. ONNX Runtime then reads them where they are. The files of a model are
not mapped: who writes to one that is would change answers.

Only on Linux, and only initializers: the nodes of trees are attributes, which ONNX Runtime copies
into its own form in each process; it packs the weights of float32 layers anew, too.

Graphs are read by a small reader of protobuf's wire format, which passes on what it need not know.
The fields are those of https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import finalize

from onnxlet.function import json_text, request_log
from onnxlet.function.files import open_file
from onnxlet.function.numpy_later import np
from onnxlet.function.runtime import sessions

if TYPE_CHECKING:
    from onnxlet.edge.aggregation.link import Link

TOPIC = "graphs"
LOCATION = "shared"  # the name of the arrays' file in a graph; there is no such file
LEAST_BYTES = 1_000_000  # of a graph's arrays that are shared
PATIENCE_SECONDS = 10.0  # for another worker that makes the very arrays
AT_ONCE = 2**20  # bytes that are compared together
GRAPH, INITIALIZER = 7, 5  # of a model, and of its graph
RAW_DATA, EXTERNAL_DATA, DATA_LOCATION = 9, 13, 14  # of a tensor
EXTERNAL = 1
VARINT, EIGHT_BYTES, BYTES, FOUR_BYTES = 0, 1, 2, 5  # wire types
LEAST_ARRAY_BYTES = 65_536  # of an array that is set apart
ALIGNED = 4096


class SharedGraphs:
    """Opens graphs for a worker."""

    def __init__(self, link: Link) -> None:
        self._link = link  # to the others
        self._held: dict[int, str] = {}  # files of arrays, and the hashes of their graphs
        link.provide(TOPIC, self._state)

    def open(self, graph: bytes | str, threads: int, file: Path, digest: str) -> Any:
        """A session of a graph.

        Its bytes have this digest (SHA-256) and were read from a file; a path is opened as it is.
        """
        parts = self._split(graph, file)
        if parts is None:
            return sessions.new_session(graph, threads)
        try:
            with _locked(file):
                memory = self._found(digest, parts) or self._made(digest, parts)
        except OSError as error:  # no such memory here, or no right to another one's
            request_log.fail(error, event="graph", model=file.parent.parent.name)
            return sessions.new_session(graph, threads)
        try:
            session = sessions.new_session(parts.graph, threads, {LOCATION: memory})
        except BaseException:
            self._forget(memory.file)
            raise
        finalize(session, self._forget, memory.file)
        return session

    def _split(self, graph: bytes | str, file: Path) -> Parts | None:
        """A graph's parts; None where it is too small, or this system has no sealed memory."""
        if isinstance(graph, str) or len(graph) < LEAST_BYTES or not hasattr(fcntl, "F_ADD_SEALS"):
            return None
        try:
            parts = split(graph, LOCATION)
        except ValueError as error:  # for ONNX Runtime to refuse
            request_log.fail(error, event="graph", model=file.parent.parent.name)
            return None
        return parts if parts.size >= LEAST_BYTES else None

    def _found(self, digest: str, parts: Parts) -> Memory | None:
        """The memory of another worker, compared with these arrays; None where there is none."""
        for state in self._link.collect(TOPIC):
            for process, number, of in json_text.loads(state):
                if of == digest:
                    with suppress(OSError):
                        file = os.open(f"/proc/{process}/fd/{number}", os.O_RDONLY | os.O_CLOEXEC)
                        with suppress(OSError, ValueError):  # another file has that number by now
                            memory, seals = Memory(file), fcntl.fcntl(file, fcntl.F_GET_SEALS)
                            if seals & SEALS == SEALS and memory.holds(parts):
                                self._held[file] = digest
                                return memory
                        os.close(file)
        return None

    def _made(self, digest: str, parts: Parts) -> Memory:
        file = os.memfd_create("onnxlet", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            os.ftruncate(file, parts.size)
            for start, array in parts.arrays:
                written = 0
                while written < len(array):
                    written += os.pwrite(file, array[written:], start + written)
            fcntl.fcntl(file, fcntl.F_ADD_SEALS, SEALS)
            memory = Memory(file)
        except BaseException:
            os.close(file)
            raise
        self._held[file] = digest
        return memory

    def _forget(self, file: int) -> None:
        self._held.pop(file, None)
        os.close(file)

    def _state(self) -> bytes:
        own = os.getpid()
        return json_text.dumps([[own, file, digest] for file, digest in list(self._held.items())])


class Memory(mmap.mmap):
    """Arrays in memory, which nobody writes to."""

    file: int  # that they are in

    def __new__(cls, file: int) -> Memory:  # noqa: D102 - as above
        made = super().__new__(cls, file, 0, prot=mmap.PROT_READ)
        made.file = file
        return made

    def holds(self, parts: Parts) -> bool:
        """Whether these arrays are in it, bit for bit."""
        found = np.frombuffer(self, np.uint8)
        return len(found) == parts.size and all(
            np.array_equal(
                found[start + at : start + min(at + AT_ONCE, len(array))],
                np.frombuffer(array[at : at + AT_ONCE], np.uint8),
            )
            for start, array in parts.arrays
            for at in range(0, len(array), AT_ONCE)
        )


SEALS = 0
if hasattr(fcntl, "F_ADD_SEALS"):
    SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Keep other workers from making the same meanwhile; without a lock where there is none."""
    with os.fdopen(open_file(os.path.realpath(path)), "rb") as file:  # a mount's are links
        until = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < until:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(0.01)
            except OSError:  # a file system without locks: at worst it is in memory twice
                break
        yield


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
    if len(raw) != 1 or len(raw[0]) < LEAST_ARRAY_BYTES:
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
