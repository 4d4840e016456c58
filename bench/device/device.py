"""A device: the size of its bundle, its service's memory, and an update's effect on clients."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import NamedTuple

from bench.device import slot
from bench.device.slot import Service
from bench.environments import ROOT
from bench.load import open_loop, processes
from bench.models import Fitted
from bench.report import Line, comparisons
from bench.start import lambda_bundles
from bench.start.lambda_bundles import MODEL
from onnxlet.edge.device.slots import DevicePaths
from tests.lambda_runtime import machines
from tests.lambda_runtime.machines import Machine, Unavailable
from tests.project.commands import free_port

ZIPPED_MB, UNPACKED_MB = 36, 105
IDLE_MB = 90
CORE_PERCENT = 2.0
SWAP, START = 2.0, 1.5
STARTS = 15
UPDATES = 7
RATE = 20.0  # inferences a second
WINDOWS = 5
SECONDS = 10.0  # of each
SETTLED_SECONDS = 3.0
ARM64 = "aarch64"
IDLE_SECONDS = 10.0
UPDATING_RATE = 100.0  # requests a second
BEFORE_SECONDS = 6.0  # an update takes less
AFTER_SECONDS = 0.5
ABOUT = """The bundle for devices with one small model, the logistic regression above, unpacked into
a slot and started as the service's unit does, with an API key, validation, the log and metrics;
Python {python} on {arch}. Bare: the start of Python, NumPy, ONNX Runtime, one session and one run,
from the same slot, to its end; a start of the service is from its process's to the last byte of
its first answer. They take turns, {starts} times.

Idle memory is proportional ({settled:.0f} s after the first answer). Core: the time that all
threads of the process worked, while {rate:.0f} one-row requests came each second and /metrics was
asked for once; the median of {windows} times {seconds:.0f} s.

An update: `update FILE` with a signed archive of only the model, while {load:.0f} one-row requests
come each second on their own times, whether the last was answered or not; each is timed from when
it was due. p99 of all that came from the command's start to its end ({took:.1f} s: signature,
unpacking, golden rows in a process of its own, the server's two looks, golden rows over the
socket), against as many seconds before it; the median of {updates} updates. Nothing is pinned to a
core.
"""


def section(models: Path, fitted: Fitted) -> str:
    """Measure, and return the page as Markdown."""
    folder = Path(tempfile.mkdtemp(dir=models.parent))
    rows = fitted[MODEL][1].to_numpy().tolist()
    whole = slot.request(json.dumps({"instances": rows[:1]}).encode())
    try:
        machine = machines.native()
        foreign = slot.package(models, ARM64, machine.python, folder)
        own = slot.package(models, machine.arch, machine.python, folder)
        paths = slot.install(own, folder)
        lines = [*_sizes(foreign, folder), *_sizes(own, folder)]
        lines += [*_service(paths, machine, whole), _starts(paths, machine, whole)]
        swaps, updating = _updates(models, paths, machine, folder, whole)
    except Unavailable as error:
        return f"Not measured: {error}\n"
    about = ABOUT.format(
        python=machine.python, arch=machine.arch, starts=STARTS, settled=SETTLED_SECONDS,
        rate=RATE, windows=WINDOWS, seconds=SECONDS, load=UPDATING_RATE,
        took=swaps, updates=UPDATES,
    )  # fmt: skip
    return f"{about}\n{comparisons('compared with', [*lines, *updating])}"


def _budget(what: str, got: float, limit: float, unit: str) -> Line:
    limited = f"{limit:g} {unit}"
    return Line(f"{what}, against the budget", f"{got:.1f} {unit}", limited, got / limit, 1.0)


def _sizes(archive: Path, folder: Path) -> Iterator[Line]:
    arch = archive.stem.partition("-")[2]
    size = lambda_bundles.size(archive, folder / f"sizes-{arch}")
    yield _budget(f"{arch}: bundle, zipped", size.zipped / 1e6, ZIPPED_MB, "MB")
    yield _budget(f"{arch}: bundle, unpacked", size.unpacked / 1e6, UNPACKED_MB, "MB")


def _service(paths: DevicePaths, machine: Machine, whole: bytes) -> Iterator[Line]:
    serve = slot.command(machine, paths.live, "serve")
    with slot.running(serve, whole) as service:
        time.sleep(SETTLED_SECONDS)
        idle = processes.memory(service.process) * 2**20 / 1e6
        idle_percent = _idle_percent(service)
        asked = _core_percent(service, whole, RATE)
    yield _budget(f"{machine.arch}: idle memory", idle, IDLE_MB, "MB")
    what = (
        f"{machine.arch}: {RATE:.0f} inferences a second, of a core ({idle_percent:.2f} % without)"
    )
    yield _budget(what, asked, CORE_PERCENT, "%")


def _core_percent(service: Service, whole: bytes, rate: float) -> float:
    """Percent of a core that `rate` requests a second take, `/metrics` with drift among them."""
    head = f"GET /metrics HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {slot.READER}"
    metrics = f"{head}\r\n\r\n".encode()
    slot.ask(service.port, metrics)  # brings in what the first one needs
    shares = []
    with open_loop.asking(whole, service.port, rate) as load:
        time.sleep(1.0)
        for _ in range(WINDOWS):
            before, start = processes.processor_seconds(service.process), time.monotonic()
            slot.ask(service.port, metrics)
            time.sleep(SECONDS)
            worked = processes.processor_seconds(service.process) - before
            shares.append(worked / (time.monotonic() - start) * 100)
        assert all(answer.good for answer in load.answers())
    return median(shares)


def _idle_percent(service: Service) -> float:
    before = processes.processor_seconds(service.process)
    time.sleep(IDLE_SECONDS)
    return (processes.processor_seconds(service.process) - before) / IDLE_SECONDS * 100


def _starts(paths: DevicePaths, machine: Machine, whole: bytes) -> Line:
    serve = slot.command(machine, paths.live, "serve")
    pairs = []
    for _ in range(STARTS + 1):
        with slot.running(serve, whole) as service:
            ours = service.started
        pairs.append((ours, _bare(paths, machine)))
    del pairs[0]  # filled the disk cache
    ours, bare = (median(times) for times in zip(*pairs, strict=True))
    return Line(
        f"{machine.arch}: start of the service to its first answer, against bare",
        f"{ours:.0f} ms", f"{bare:.0f} ms", median(a / b for a, b in pairs), START,
    )  # fmt: skip


def _bare(paths: DevicePaths, machine: Machine) -> float:
    """Milliseconds of the bare program."""
    live = paths.live.resolve()
    program = [
        str(ROOT / "bench" / "start" / "bare.py"),
        str(live / "models" / MODEL / "1/model.onnx"),
    ]
    environ = {**slot.environ(free_port()), "PYTHONPATH": str(live)}
    start = time.perf_counter()
    subprocess.run([*machine.command, "-S", "-B", *program], env=environ, cwd="/", check=True)
    return (time.perf_counter() - start) * 1e3


def _updates(
    models: Path, paths: DevicePaths, machine: Machine, folder: Path, whole: bytes
) -> tuple[float, list[Line]]:
    archives = [slot.models_archive(models, folder, version) for version in range(2, UPDATES + 2)]
    os.sync()  # what was packaged is no part of what an update waits for
    swaps = list(_swaps(paths, machine, archives, whole))
    errors, requests = (
        sum(getattr(each, what) for each in swaps) for what in ("errors", "requests")
    )
    before, during = (
        median(getattr(each, what) for each in swaps) for what in ("before", "during")
    )
    lines = [
        Line(
            f"model-only update under {UPDATING_RATE:.0f} requests a second: errors, of "
            f"{requests:,}", f"{errors}", "0", float(errors), 0.0,
        ),
        Line(
            "the same: p99 during it, against before", f"{during:.2f} ms", f"{before:.2f} ms",
            median(each.during / each.before for each in swaps), SWAP,
        ),
    ]  # fmt: skip
    return median(each.seconds for each in swaps), lines


class Swap(NamedTuple):
    """What requests met during one update."""

    seconds: float  # from the command's start to its end
    before: float  # milliseconds, p99 of those that came in as many seconds before
    during: float  # the same of those that came meanwhile
    errors: int  # answers other than 200, and none at all, from the first to the last request
    requests: int  # that were sent


def _swaps(
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
    with open_loop.asking(whole, port, UPDATING_RATE) as load:
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
