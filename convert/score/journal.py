"""What is done: JSON lines beside the parts, the first of which says what is scored.

One process at a time writes them. In S3, where nothing can be locked, that is an object that is
renewed. Two processes that start within the same moment both may pass; the parts that they write
are equal. The mark of a killed process is void at once for one of the same name, such as a
container's, which is started again as process 1 of the same host.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from onnxlet.convert.directory.durable import sync
from onnxlet.convert.progress import repeated
from onnxlet.convert.score.errors import cannot_write
from onnxlet.convert.score.storage import LocalFolder, Storage, put, read
from onnxlet.function.errors import OnnxletError, WrongUse

JOURNAL = "_journal.jsonl"
LINES = "_journal"  # in S3, which has no files that grow: an object for each line
LOCK = "_lock"  # in S3
FORMAT = 1
Line = dict[str, Any]
AFRESH = "--overwrite starts afresh."
REMOVE = "Remove the folder that it is in, with its parts; or write elsewhere."
HEAD = {"format", "source", "model", "options", "packages", "files"}
OF_PART = {"part", "file", "rows", "bad", "problems", "size", "sha256", "side"}
RENEWED = 20.0  # seconds between two renewals
STALE = 90.0  # seconds after which nobody renews it any more
HELD: dict[tuple[str, str], object] = {}  # where, and which object; by which call of this process


class FileJournal:
    """The lines of one OUT, in a file that grows; a line that was cut off is cut off again.

    `head` is what is scored, and how, None where nothing has begun; `lines` are of the parts that
    are done, in the order in which they were, and the last may be of all: `done`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.head: Line | None = None
        self.lines: list[Line] = []
        content = path.read_bytes() if path.exists() else b""
        whole = content[: content.rfind(b"\n") + 1]
        if whole:
            self.head, *self.lines = _parsed(whole, path, head=True)
            if whole != content:
                with path.open("r+b") as file:
                    file.truncate(len(whole))

    def begin(self, head: Line, lines: Sequence[Line] = ()) -> None:
        """Start afresh, with these lines."""
        self.head, self.lines = head, list(lines)
        put(LocalFolder(str(self._path.parent)), self._path.name, _written([head, *lines]))

    def end(self) -> None:
        """Remove it: all that it is of has become one file."""
        LocalFolder(str(self._path.parent)).remove(self._path.name)

    def add(self, line: Line) -> None:
        """Add a line; it is on disk when this returns."""
        written = _written([line])
        try:
            with self._path.open("ab") as file:
                file.write(written)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise cannot_write(str(self._path), error) from error
        except KeyboardInterrupt:  # it comes when a slow disk has synced, if not before
            if self._path.read_bytes().endswith(written):
                self.lines.append(line)
            raise
        self.lines.append(line)


class ObjectJournal:
    """Likewise, with an object for each line, and one for the head."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self.head: Line | None = None
        self.lines: list[Line] = []
        self._paths: list[str] = []
        if storage.entry(JOURNAL) is not None:
            [self.head] = _parsed(read(storage, JOURNAL), JOURNAL, head=True)
            begins = f"{LINES}/"
            self._paths = sorted(e.path for e in storage.entries() if e.path.startswith(begins))
            for path in self._paths:
                self.lines += _parsed(read(storage, path), path, head=False)

    def begin(self, head: Line, lines: Sequence[Line] = ()) -> None:
        """Start afresh, with these lines."""
        for path in self._paths:
            self._storage.remove(path)
        self.head, self.lines, self._paths = head, [], []
        put(self._storage, JOURNAL, _written([head]))
        for line in lines:
            self.add(line)

    def end(self) -> None:
        """Remove it: all that it is of has become one object."""
        for path in [*self._paths, JOURNAL]:  # where a kill leaves some, the head is there, too
            self._storage.remove(path)

    def add(self, line: Line) -> None:
        """Add a line, an object of its own."""
        path = f"{LINES}/{len(self._paths):08}.json"
        try:
            put(self._storage, path, _written([line]))
        except KeyboardInterrupt:  # it comes once all is sent, if not before
            if self._storage.entry(path) is not None:
                self._added(path, line)
            raise
        self._added(path, line)

    def _added(self, path: str, line: Line) -> None:
        self._paths.append(path)
        self.lines.append(line)


Journal = FileJournal | ObjectJournal


def _written(lines: Sequence[Line]) -> bytes:
    return b"".join(json.dumps(line, ensure_ascii=False).encode() + b"\n" for line in lines)


def _parsed(content: bytes, path: object, head: bool) -> list[Line]:
    """Lines of a journal, the first of which is a head where one is expected."""
    try:
        lines = [json.loads(line) for line in content.splitlines()]
    except (ValueError, RecursionError) as error:
        raise OnnxletError(f"'{path}' is no journal any more: {error}", REMOVE) from error
    for number, line in enumerate(lines):
        kinds = [HEAD] if head and not number else [OF_PART, {"done"}]
        if not isinstance(line, dict) or not any(keys <= line.keys() for keys in kinds):
            raise OnnxletError(f"'{path}', line {number + 1}: it is none of a journal", REMOVE)
        if line.get("format", FORMAT) != FORMAT:
            raise OnnxletError(f"'{path}' was written by another version of onnxlet", REMOVE)
    return lines


@contextmanager
def journal_of(storage: Storage, ours: bool = False) -> Iterator[Journal]:
    """The journal of an OUT, which no other process writes to meanwhile: else this is WrongUse.

    A folder of `ours`, which is beside OUT, or was not there before, does not stay where it is
    empty in the end.
    """
    if isinstance(storage, LocalFolder):
        with _only_one(storage.root, ours):
            yield FileJournal(storage.root / JOURNAL)
    else:
        with leased(storage, LOCK):
            yield ObjectJournal(storage)


@contextmanager
def _only_one(folder: Path, ours: bool) -> Iterator[None]:
    made = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if made:
            sync(folder.parent)
        opened = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise cannot_write(str(folder), error) from error
    try:  # the folder itself: a file that is locked could not be removed again
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        try:
            yield
        finally:
            if made or ours:
                with suppress(OSError):  # there is something in it
                    folder.rmdir()
    except BlockingIOError as error:
        raise WrongUse(
            f"OUT: another process writes to '{folder}'", "Wait for it; or write elsewhere."
        ) from error
    finally:
        os.close(opened)


def by_part(lines: Sequence[Line]) -> dict[str, Line]:
    """The lines of the parts that are done, by the parts' names."""
    return {line["part"]: line for line in lines if "part" in line}


def sums(lines: Sequence[Line]) -> tuple[int, int]:
    """Rows that are written, and bad ones, of the parts that are done."""
    parts = by_part(lines).values()
    return sum(line["rows"] for line in parts), sum(line["bad"] for line in parts)


@contextmanager
def leased(storage: Storage, path: str) -> Iterator[None]:
    """Hold an object as long as the block runs; WrongUse where another process or thread does."""
    key, call = (storage.uri, path), object()
    if HELD.setdefault(key, call) is not call:  # in one step, whatever other threads do
        raise WrongUse(f"OUT: this process writes to '{storage.uri}' already", "Wait for it.")
    try:
        with _marked(storage, path):
            yield
    finally:
        del HELD[key]


@contextmanager
def _marked(storage: Storage, path: str) -> Iterator[None]:
    mine = f"{socket.gethostname()}, process {os.getpid()}"
    found = storage.entry(path)
    if found is not None and time.time() - found.changed / 1e9 < STALE:
        holder = json.loads(read(storage, path)).get("holder")
        if holder != mine:
            raise WrongUse(
                f"OUT: another process ({holder}) writes to '{storage.uri}'",
                f"Wait for it. Where it was killed, its mark is void after {STALE:.0f} seconds.",
            )
    content = json.dumps({"holder": mine}).encode()
    put(storage, path, content)

    def renew() -> None:
        with suppress(OnnxletError):
            put(storage, path, content)

    try:
        with repeated(renew, RENEWED):
            yield
    finally:
        with suppress(OSError):
            storage.remove(path)
