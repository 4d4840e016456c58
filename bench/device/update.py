"""A model-only update under load: its effect on the clients' latency."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from bench.device import slot
from bench.load import open_loop
from onnxlet.edge.device.slots import DevicePaths
from tests.lambda_runtime.machines import Machine
from tests.project.commands import free_port

RATE = 100.0  # requests a second
BEFORE_SECONDS = 6.0  # an update takes less
AFTER_SECONDS = 0.5


class Swap(NamedTuple):
    """What requests met during one update."""

    seconds: float  # from the command's start to its end
    before: float  # milliseconds, p99 of those that came in as many seconds before
    during: float  # the same of those that came meanwhile
    errors: int  # answers other than 200, and none at all, from the first to the last request
    requests: int  # that were sent


def updates(
    paths: DevicePaths, machine: Machine, archives: list[Path], whole: bytes
) -> Iterator[Swap]:
    """Have a device take each of these, one after the other, by the command that users have."""
    port = free_port()
    slot.write_environment(paths, port)
    serve = slot.command(machine, paths.live, "serve")
    with slot.running(serve, whole, port):
        for archive in archives:
            yield _update(paths, machine, archive, port, whole)


def _update(paths: DevicePaths, machine: Machine, archive: Path, port: int, whole: bytes) -> Swap:
    take = slot.command(machine, paths.live, "update", archive, "--root", paths.root)
    with open_loop.asking(whole, port, RATE) as load:
        time.sleep(BEFORE_SECONDS)
        start = time.monotonic()
        done = subprocess.run(take, env=slot.environ(port), cwd="/", capture_output=True, text=True)
        end = time.monotonic()
        time.sleep(AFTER_SECONDS)
        answers = load.answers()
    assert done.returncode == 0, done.stderr
    assert "taken" in done.stdout, done.stdout
    seconds = end - start
    before = open_loop.between(answers, start - seconds, start)
    during = open_loop.between(answers, start, end)
    errors = sum(not answer.good for answer in answers)
    p99, p99_before = (open_loop.percentile(each, 0.99) for each in (during, before))
    return Swap(seconds, p99_before, p99, errors, len(answers))
