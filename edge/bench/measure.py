"""The whole of a bench, in order. No time and no rate is taken where the processor is emulated."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from statistics import median

from onnxlet import folders
from onnxlet.edge.bench import children
from onnxlet.edge.bench.board import read_board, read_state
from onnxlet.edge.bench.children import BenchError, Server
from onnxlet.edge.bench.chosen import BATCH, Chosen, choose
from onnxlet.edge.bench.client import Client, request
from onnxlet.edge.bench.emulation import emulated, read_facts, virtual
from onnxlet.edge.bench.energy import Meter
from onnxlet.edge.bench.figures import Energy, Found, Memory, Speed, Times, times_of
from onnxlet.edge.update.status import release_of
from onnxlet.function.serving.golden import compare_body

STARTS = 5
CONNECTIONS = 8
IDLE_SECONDS = 2.0
# Shares of the seconds that are given.
FUNCTION, SOCKET, RATE = 0.25, 0.45, 0.15
ROOT = Path("/")

Report = Callable[[str], object]


def bench(models: Path, name: str | None, seconds: float, report: Report) -> Found:
    """Measure one model on this machine, beside whatever else serves here.

    Args:
        models: folder of model directories.
        name: of the model; None is the first one.
        seconds: that answers are asked for.
        report: told what is being done.

    Raises:
        WrongUse: there is no such model, or nothing to ask it.
        BenchError: it does not answer as at build.
    """
    chosen, facts = choose(models, name), read_facts()
    why = emulated(facts)
    before, steps = read_state(), [] if why else _starts(chosen, report)
    report(f"starting a server of its own, with all models of {models}")
    with children.server(models) as server:
        served, golden = _answer_golden_rows(server, chosen)
        memory = Memory(server.proportional(), None, server.peak())
        speed = None if why else _speed(server, chosen, steps, seconds, report)
        if speed:
            memory = Memory(memory.idle, server.proportional(), server.peak())
    return Found(
        release=release_of(folders.ROOT), model=f"{chosen.name}/{chosen.version}", models=served,
        golden=golden, emulated=why, virtual=virtual(facts), board=read_board(), before=before,
        after=read_state(), memory=memory, speed=speed,
    )  # fmt: skip


def _starts(chosen: Chosen, report: Report) -> list[dict[str, float]]:
    children.start(chosen)  # brings files into memory
    steps = []
    for number in range(STARTS):
        report(f"starting the function, {number + 1} of {STARTS}")
        steps.append(children.start(chosen).steps)
    return steps


def _answer_golden_rows(server: Server, chosen: Chosen) -> tuple[int, int]:
    """How many models are served, and how many golden rows were answered as at build."""
    golden = chosen.golden
    body = json.dumps({"instances": golden["instances"]}).encode()
    client = Client(server.port)
    try:
        faults = compare_body(client.ask(request(chosen.path, body)), golden)
        served = client.ask(b"GET /models HTTP/1.1\r\nHost: localhost\r\n\r\n")
    except OSError as error:
        raise BenchError(f"{chosen.path}: {error}", "See the log of: edge serve.") from error
    finally:
        client.close()
    if faults:
        # Golden rows may be somebody's data: how many are off is told, not which.
        raise BenchError(
            f"{chosen.path}: {len(faults)} golden rows are answered otherwise than at build",
            "What answers wrongly is not measured. Please report it, with: edge doctor --json.",
        )
    return len(json.loads(served)["models"]), len(golden["instances"])


def _speed(
    server: Server,
    chosen: Chosen,
    steps: Sequence[dict[str, float]],
    seconds: float,
    report: Report,
) -> Speed:
    meter = Meter()
    idle = _idle_watts(report) if meter.source else 0.0
    report(f"asking one row at a time for {seconds * SOCKET:.0f} s")
    with meter:
        began = time.monotonic()
        times = _one_after_the_other(server, chosen, seconds * SOCKET)
        took = time.monotonic() - began
    rates = {}
    for rows in (1, BATCH):
        report(f"asking {rows} row{'s' * (rows > 1)} a request over {CONNECTIONS} connections")
        rates[rows] = _rate(server, chosen, rows, seconds * RATE) * rows
    report(f"asking the function in its process for {seconds * FUNCTION:.0f} s")
    function = children.start(chosen, seconds * FUNCTION).times
    energy = None
    if meter.joules is not None:
        energy = Energy(meter.joules, took, times.requests, idle, meter.source)
    start = {step: median(each[step] for each in steps) * 1e3 for step in steps[0]}
    return Speed(start, len(steps), times_of(function), times, rates, CONNECTIONS, energy)


def _idle_watts(report: Report) -> float:
    report("looking at what the board takes at idle")
    with Meter() as meter:
        time.sleep(IDLE_SECONDS)
    return (meter.joules or 0.0) / IDLE_SECONDS


def _one_after_the_other(server: Server, chosen: Chosen, seconds: float) -> Times:
    requests = [request(chosen.path, body) for body in chosen.bodies()]
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


def _rate(server: Server, chosen: Chosen, rows: int, seconds: float) -> float:
    """Requests a second; while one answer is read, the server has others to answer."""
    whole = request(chosen.path, chosen.body(rows))
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
