"""Large arrays of graphs, in memory once for all workers.

The first worker that opens a graph copies its arrays, once their hash was checked, to memory that
the kernel seals: nobody can write to it any more, and each other worker compares it with the file
that it has checked itself. ONNX Runtime then reads them where they are. The files of a model are
not mapped: who writes to one that is would change answers.

Only on Linux, and only initializers: the nodes of trees are attributes, which ONNX Runtime copies
into its own form in each process; it packs the weights of float32 layers anew, too.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import finalize

import numpy as np

from onnxlet.edge.aggregation.initializers import Parts, split
from onnxlet.function import json_text, request_log
from onnxlet.function.models import sessions

if TYPE_CHECKING:
    from onnxlet.edge.aggregation.link import Link

TOPIC = "graphs"
LOCATION = "shared"  # the name of the arrays' file in a graph; there is no such file
LEAST_BYTES = 1_000_000  # of a graph's arrays that are shared
PATIENCE_SECONDS = 10.0  # for another worker that makes the very arrays
AT_ONCE = 2**20  # bytes that are compared together


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
                            memory = Memory(file)
                            if memory.is_sealed and memory.holds(parts):
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

    @property
    def is_sealed(self) -> bool:
        """Whether nobody can change it."""
        return fcntl.fcntl(self.file, fcntl.F_GET_SEALS) & SEALS == SEALS

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
    with path.open("rb") as file:
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
