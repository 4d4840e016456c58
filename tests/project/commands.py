"""Starting `make` as a person does at a terminal, and ending it."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path


def free_port() -> int:
    """A port that nothing listens on.

    It is none that systems give to whoever asks for any (32768 and above, or 49152): until it is
    bound, another test's process might be given it.
    """
    while True:
        port = random.SystemRandom().randrange(10_000, 32_000)
        with suppress(OSError), socket.socket() as listener:
            listener.bind(("127.0.0.1", port))
            return port


@contextmanager
def run_make(
    arguments: Sequence[str], folder: Path, environ: Mapping[str, str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """`make` in a process group of its own, its output in `log`; nothing of it is left behind."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["make", *arguments],
            cwd=folder,
            env=dict(environ),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait_for_line(
    process: subprocess.Popen[bytes], log: Path, start: str, *, seconds: float
) -> str:
    """The log up to and with the first whole line that starts so."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        lines = log.read_text().splitlines(keepends=True)
        for number, line in enumerate(lines):
            if line.startswith(start) and line.endswith("\n"):
                return "".join(lines[: number + 1])
        if process.poll() is not None:
            break
        time.sleep(0.1)
    raise AssertionError(f"no line starts with '{start}' in:\n{log.read_text()}")
