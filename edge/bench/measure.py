"""A bench as a whole, step by step. Times and rates are left out on an emulated processor."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from statistics import median

from onnxlet import folders
from onnxlet.edge.bench import processes
from onnxlet.edge.bench.board import emulated, read_board, read_facts, read_state, virtual
from onnxlet.edge.bench.energy import Meter
from onnxlet.edge.bench.model import BATCH, BenchModel, Client, choose_model, request
from onnxlet.edge.bench.processes import BenchError, Server
from onnxlet.edge.bench.report import Energy, Memory, Results, Speed, Times, times_of
from onnxlet.edge.install.install import Report
from onnxlet.edge.net.golden_answers import compare_body
from onnxlet.edge.update.status import release_of
from onnxlet.folders import typed

STARTS = 5
CONNECTIONS = 8
IDLE_SECONDS = 2.0  # of measuring the idle power
# Shares of the total seconds.
FUNCTION, SOCKET, RATE = 0.25, 0.45, 0.15
ROOT = Path("/")


def bench(models: Path, name: str | None, seconds: float, report: Report) -> Results:
    """Measure one model on this machine, beside the live service; by default the first one.

    Requests are sent for so many seconds. WrongUse is raised where there is no such model, or it
    has no golden rows, BenchError where it does not answer as at build.
    """
    model, facts = choose_model(models, name), read_facts()
    why = emulated(facts)
    before, steps = read_state(), [] if why else _starts(model, report)
    report(f"starting a server of its own, with all models of {models}")
    with processes.server(models) as server:
        served, golden = _answer_golden_rows(server, model)
        memory = Memory(server.proportional(), None, server.peak())
        speed = None if why else _speed(server, model, steps, seconds, report)
        if speed:
            memory = Memory(memory.idle, server.proportional(), server.peak())
    return Results(
        release=release_of(folders.ROOT), model=f"{model.name}/{model.version}", models=served,
        golden=golden, emulated=why, virtual=virtual(facts), board=read_board(), before=before,
        after=read_state(), memory=memory, speed=speed,
    )  # fmt: skip


def _starts(model: BenchModel, report: Report) -> list[dict[str, float]]:
    processes.start(model)  # warms the page cache
    steps = []
    for number in range(STARTS):
        report(f"starting the function, {number + 1} of {STARTS}")
        steps.append(processes.start(model).steps)
    return steps


def _answer_golden_rows(server: Server, model: BenchModel) -> tuple[int, int]:
    """The number of served models, and of golden rows, all answered as at build."""
    golden = model.golden
    body = json.dumps({"instances": golden["instances"]}).encode()
    client = Client(server.port)
    try:
        faults = compare_body(client.ask(request(model.path, body)), golden)
        served = client.ask(request("/models", b"", "GET"))
    except OSError as error:
        raise BenchError(
            f"{model.path}: {error}", f"See the log of: {typed('edge', 'serve')}."
        ) from error
    finally:
        client.close()
    if faults:
        # Golden rows may be somebody's data: report how many differ, not which.
        raise BenchError(
            f"{model.path}: {len(faults)} golden rows are answered differently than at build",
            "What answers wrongly is not measured. "
            f"Please report it, with: {typed('edge', 'doctor --json')}.",
        )
    return len(json.loads(served)["models"]), len(golden["instances"])


def _speed(
    server: Server,
    model: BenchModel,
    steps: Sequence[dict[str, float]],
    seconds: float,
    report: Report,
) -> Speed:
    meter = Meter()
    idle = _idle_watts(report) if meter.source else 0.0
    report(f"asking one row at a time for {seconds * SOCKET:.0f} s")
    with meter:
        began = time.monotonic()
        times = _one_after_the_other(server, model, seconds * SOCKET)
        took = time.monotonic() - began
    rates = {}
    for rows in (1, BATCH):
        report(f"asking {rows} row{'s' * (rows > 1)} a request over {CONNECTIONS} connections")
        rates[rows] = _rate(server, model, rows, seconds * RATE) * rows
    report(f"asking the function in its process for {seconds * FUNCTION:.0f} s")
    function = processes.start(model, seconds * FUNCTION).times
    energy = None
    if meter.joules is not None:
        energy = Energy(meter.joules, took, times.requests, idle, meter.source)
    start = {step: median(each[step] for each in steps) * 1e3 for step in steps[0]}
    return Speed(start, len(steps), times_of(function), times, rates, CONNECTIONS, energy)


def _idle_watts(report: Report) -> float:
    report("measuring the board's power at idle")
    with Meter() as meter:
        time.sleep(IDLE_SECONDS)
    return (meter.joules or 0.0) / IDLE_SECONDS


def _one_after_the_other(server: Server, model: BenchModel, seconds: float) -> Times:
    requests = [request(model.path, body) for body in model.bodies()]
    client, times = Client(server.port), []
    over = time.monotonic() + seconds
    for number in count():
        start = time.perf_counter()
        client.ask(requests[number % len(requests)])
        times.append(time.perf_counter() - start)
        if time.monotonic() > over:
            break
    client.close()
    return times_of(times)


def _rate(server: Server, model: BenchModel, rows: int, seconds: float) -> float:
    """Requests per second; while one answer is read, the server has others to compute."""
    whole = request(model.path, model.body(rows))
    clients = [Client(server.port) for _ in range(CONNECTIONS)]
    for client in clients:
        client.send(whole)
    start, answered = time.monotonic(), 0
    while time.monotonic() < start + seconds:
        for client in clients:
            client.receive()
            client.send(whole)
        answered += len(clients)
    rate = answered / (time.monotonic() - start)
    for client in clients:
        client.receive()
        client.close()
    return rate
