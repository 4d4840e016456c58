"""Servers as processes of their own: how they are started and ended, their time and memory."""

from __future__ import annotations

import hashlib
import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from bench.environments import ROOT
from bench.load.closed_loop import pin
from onnxlet.edge.device.machine import read_bytes_of

START_LIMIT_SECONDS = 120.0
KEY = "bench-key"
HEADERS = {"Content-Type": "application/json", "X-API-Key": KEY}


def http_event(body: str, path: str, key: str = "") -> dict[str, Any]:
    """An API Gateway HTTP API event, version 2.0."""
    headers = {"content-type": "application/json", "host": "bench", "x-api-key": key}
    return {
        "version": "2.0",
        "rawPath": path,
        "rawQueryString": "",
        "headers": headers,
        "requestContext": {"stage": "$default", "http": {"method": "POST", "path": path}},
        "body": body,
        "isBase64Encoded": False,
    }


def environ_for(models: Path, model: str) -> dict[str, str]:
    """The variables of a server of these models, one of them the default."""
    return {
        "ONNXLET_MODELS": os.fspath(models),
        "ONNXLET_DEFAULT_MODEL": model,
        "ONNXLET_API_KEYS": f"bench:{hashlib.sha256(KEY.encode()).hexdigest()}",
    }


def serve(models: Path, port: int) -> list[str]:
    """The command of our server."""
    command = [sys.executable, "-m", "edge", "serve", "--models", os.fspath(models)]
    return [*command, "--port", str(port)]


def only(models: Path, model: str) -> Path:
    """A folder that has one of the models."""
    folder = models.parent / f"only-{model}"
    folder.mkdir(exist_ok=True)
    if not (folder / model).exists():
        (folder / model).symlink_to(models / model)
    return folder


def post(port: int, path: str, body: bytes, headers: Mapping[str, str] = HEADERS) -> bytes:
    """The body of one answer.

    Raises:
        OSError: nobody answers, or with another status than 200.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("POST", path, body, dict(headers))
        answer = connection.getresponse()
        content = answer.read()
    finally:
        connection.close()
    if answer.status != 200:
        raise ConnectionError(f"{path}: {answer.status} {content[:300]!r}")
    return content


@contextmanager
def running(
    command: Sequence[str],
    environ: Mapping[str, str],
    port: int,
    path: str,
    body: bytes,
    core: int | None = None,
    headers: Mapping[str, str] = HEADERS,
) -> Iterator[tuple[subprocess.Popen[bytes], float]]:
    """A server that has answered this request, and milliseconds from its start to then.

    It is kept on one core, where one is given, and ended with its children.
    """
    start = time.perf_counter()
    process = subprocess.Popen(
        list(command),
        cwd=ROOT,
        env={**os.environ, **environ},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=None if core is None else partial(pin, core),
    )
    try:
        while True:
            try:
                post(port, path, body, headers)
                break
            except OSError:
                late = time.perf_counter() - start > START_LIMIT_SECONDS
                if late or process.poll() is not None:
                    raise
                time.sleep(0.002)
        yield process, (time.perf_counter() - start) * 1e3
    finally:
        for number in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            with suppress(subprocess.TimeoutExpired):
                process.wait(10)


def memory(process: subprocess.Popen[bytes]) -> float:
    """Proportional memory of a process and its children, in MiB (Linux)."""
    pids = [process.pid, *_children(process.pid)]
    found = (read_bytes_of(Path(f"/proc/{pid}/smaps_rollup"), "Pss") for pid in pids)
    return sum(each or 0 for each in found) / 2**20


def processor_seconds(process: subprocess.Popen[bytes]) -> float:
    """What all threads of a process have run for, whoever else had the core meanwhile (Linux)."""
    nanoseconds = 0
    for task in Path(f"/proc/{process.pid}/task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):  # a thread that has ended meanwhile
            nanoseconds += int((task / "schedstat").read_text().split()[0])
    return nanoseconds / 1e9


def _children(pid: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(FileNotFoundError):  # a thread that has ended meanwhile
            for child in (task / "children").read_text().split():
                found += [int(child), *_children(int(child))]
    return found


def process_times(
    commands: Mapping[str, tuple[Sequence[str], Mapping[str, str], bytes]], rounds: int
) -> dict[str, float]:
    """Median milliseconds from start to end of each process, taking turns.

    By name: words for Python, further variables, and standard input.
    """
    times: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(rounds + 1):
        for name, (command, environ, text) in commands.items():
            start = time.perf_counter()
            subprocess.run(
                [sys.executable, *command],
                cwd=ROOT,
                env={**os.environ, **environ},
                input=text,
                stderr=subprocess.DEVNULL,
                check=True,
            )
            if number:  # the first round fills the disk cache
                times[name].append((time.perf_counter() - start) * 1e3)
    return {name: median(values) for name, values in times.items()}
