"""Fetch files: resumed, limited in size and time, with retries."""

from __future__ import annotations

import http.client
import shutil
import time
from collections.abc import Callable, Iterator
from io import RawIOBase
from pathlib import Path
from typing import BinaryIO, TypeVar
from urllib.error import URLError

from onnxlet.edge.update.errors import Failed, Refused, Unreachable
from onnxlet.edge.update.sources import TransientError, Web, is_file, opened_at

CHUNK = 1 << 18  # bytes
NO_ROOM_HINT = "Make room there; what serves is as it was."
T = TypeVar("T")


def read_small(url: str, most: int, web: Web) -> bytes:
    """Fetch a file of a few kilobytes.

    Raises Unreachable where it can't be fetched, Refused where it has more than `most` bytes.
    """

    def fetch(over: float) -> bytes:
        content = b""
        with opened_at(url, 0, web) as (stream, _):
            for chunk in _chunks(stream, over, web):
                content += chunk
                if len(content) > most:
                    break
            else:
                if left := getattr(stream, "length", 0):
                    raise TransientError(f"it ended {left} bytes before its end")
        return content

    content = _with_retries(url, web, fetch)
    if len(content) > most:
        raise Refused(f"{url}: expected at most {most} bytes, got more")
    return content


def download(url: str, part: Path, size: int, web: Web) -> None:
    """Fetch a file of so many bytes, resuming where an earlier attempt ended.

    `part` is its beginning, if it is there. Raises Unreachable where it can't be fetched, and the
    part that was received stays; Refused where it has another size; Failed where the disk has no
    room for it.
    """
    if part.is_file() and part.stat().st_size > size:
        part.unlink()
    need = size - (part.stat().st_size if part.is_file() else 0)
    if need > (free := shutil.disk_usage(part.parent).free):
        raise Failed(f"{part.parent}: expected {need} bytes free, got {free}", NO_ROOM_HINT)

    def fetch(over: float) -> None:
        if (fetched := part.stat().st_size) == size:
            return
        with opened_at(url, fetched, web) as (stream, start), part.open("r+b", 0) as file:
            file.seek(start)
            file.truncate()
            for chunk in _chunks(stream, over, web):
                if file.tell() + len(chunk) > size:
                    raise Refused(f"{url}: expected {size} bytes, as signed, got more")
                _write(file, chunk)
        if part.stat().st_size < size:
            raise TransientError(f"it ended after {part.stat().st_size} of {size} bytes")

    part.touch()
    _with_retries(url, web, fetch)


def _chunks(stream: BinaryIO, over: float, web: Web) -> Iterator[bytes]:
    """Yield chunks as they arrive; a server that sends too slowly is given up."""
    read = getattr(stream, "read1", stream.read)
    since, came = time.monotonic(), 0
    while chunk := read(CHUNK):
        now = time.monotonic()
        came += len(chunk)
        if now > over:
            raise TransientError("it takes too long")
        if now - since > web.window:
            if came < web.least:
                raise TransientError(
                    f"{came} bytes came in {now - since:.0f} s, fewer than {web.least}"
                )
            since, came = now, 0
        yield chunk


def _write(file: RawIOBase, chunk: bytes) -> None:
    """Write a whole chunk; Failed is raised where the disk is full, or fails.

    A plain OSError would count as the network's.
    """
    left = memoryview(chunk)
    try:
        while left:
            left = left[file.write(left) :]
    except OSError as error:
        raise Failed(f"the download can't be written: {error.strerror}", NO_ROOM_HINT) from error


def _with_retries(url: str, web: Web, fetch: Callable[[float], T]) -> T:
    """Call `fetch` with the time of the deadline, again after transient errors."""
    over = time.monotonic() + web.most_seconds
    for attempt in range(web.attempts):
        try:
            return fetch(over)
        except (TransientError, OSError, http.client.HTTPException) as error:
            pause = web.pause * 2**attempt
            last = attempt + 1 == web.attempts or time.monotonic() + pause > over
            if last or is_file(url):
                raise Unreachable(
                    f"{url} can't be fetched: {_words(error)}",
                    "Is it there, and is there a network?",
                ) from error
            web.sleep(pause)
    raise AssertionError("there is at least one attempt")


def _words(error: Exception) -> str:
    """What went wrong, in the system's words if it has any."""
    cause = error.reason if isinstance(error, URLError) else error
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror
    return str(cause) if isinstance(cause, TransientError) else f"{type(cause).__name__} {cause}"
