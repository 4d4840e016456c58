"""One process at a time for a prefix in S3, where nothing can be locked: an object that is renewed.

Two processes that start within the same moment both may pass; the parts that they write are equal.
The mark of a killed process is void at once for one of the same name, such as a container's, which
is started again as process 1 of the same host.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from onnxlet.convert.progress import repeated
from onnxlet.convert.score.storage import Place, put, read
from onnxlet.function.errors import OnnxletError, WrongUse

RENEWED = 20.0  # seconds between two renewals
STALE = 90.0  # seconds after which nobody renews it any more
HELD: dict[tuple[str, str], object] = {}  # where, and which object; by which call of this process


@contextmanager
def leased(place: Place, path: str) -> Iterator[None]:
    """Hold an object as long as the block runs.

    Raises:
        WrongUse: another process holds it, or another thread of this one.
    """
    key, call = (place.uri, path), object()
    if HELD.setdefault(key, call) is not call:  # in one step, whatever other threads do
        raise WrongUse(f"OUT: this process writes to '{place.uri}' already", "Wait for it.")
    try:
        with _marked(place, path):
            yield
    finally:
        del HELD[key]


@contextmanager
def _marked(place: Place, path: str) -> Iterator[None]:
    mine = f"{socket.gethostname()}, process {os.getpid()}"
    found = place.entry(path)
    if found is not None and time.time() - found.changed / 1e9 < STALE:
        holder = json.loads(read(place, path)).get("holder")
        if holder != mine:
            raise WrongUse(
                f"OUT: another process ({holder}) writes to '{place.uri}'",
                f"Wait for it. Where it was killed, its mark is void after {STALE:.0f} seconds.",
            )
    content = json.dumps({"holder": mine}).encode()
    put(place, path, content)

    def renew() -> None:
        with suppress(OnnxletError):
            put(place, path, content)

    try:
        with repeated(renew, RENEWED):
            yield
    finally:
        with suppress(OSError):
            place.remove(path)
