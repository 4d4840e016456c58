"""Starting `make` as a person does at a terminal, and ending it."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

FIRST, PORTS = 10_000, 22_000  # below those that Linux and macOS hand out by themselves


def free_port() -> int:
    """A port that nothing listens on, for a server that is started later.

    The system gives it to nobody who asks for any: in a test that runs beside this one, that would
    take it meanwhile.
    """
    while True:
        port = FIRST + secrets.randbelow(PORTS)  # of no seed that another test may have, too
        with socket.socket() as listener, suppress(OSError):
            listener.bind(("", port))
            return port


def wait_for_port(port: int, *, seconds: float = 60) -> None:
    """Until something on this machine listens there."""
    end = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=seconds).close()
        except ConnectionRefusedError:
            assert time.monotonic() < end, f"nothing listens on {port}"
            time.sleep(0.05)
        else:
            return


def apart_from_make() -> dict[str, str]:
    """The environment without what a make that runs this suite hands on to others."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}


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
