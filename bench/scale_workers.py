"""Two workers against one: throughput, processor time, memory, and a kill under load."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from bench import closed_loop, servers
from bench.in_process import session_of
from bench.report import Figure, Line, comparisons, figures
from bench.serving import Fitted
from tests.project.commands import free_port

RUN_SECONDS = 200e-6  # of the model, as one request has it
CONNECTIONS, SECONDS, ROUNDS = 16, 3.0, 5
KILL_SECONDS = 6.0
SMALL, LARGER = "logistic", "forest"
ABOUT = """### Workers

`edge serve --workers 2` against one process, in turns, the load from a process of its own on the
same two cores, {connections} kept connections. A request has {rows} rows of the forest, for which
`session.run` takes {run:.0f} µs. Memory is what a worker has by itself (USS), with the logistic
regression, once it has answered.
"""


class Measured(NamedTuple):
    """What one server did in one turn.

    Attributes:
        rate: answers a second.
        per_second: answers a second of the processor time of its workers.
    """

    rate: float
    per_second: float


def section(models: Path, fitted: Fitted) -> str:
    """Measure, and return the section as Markdown."""
    rows, run = _rows_of_a_request(models, fitted)
    found: dict[int, list[Measured]] = {1: [], 2: []}
    with _server(models, 1) as one, _server(models, 2) as two:
        for turn in range(ROUNDS + 1):
            for workers, server in ((1, one), (2, two)):
                each = server.measure(_request(LARGER, rows, fitted))
                if turn:  # the first one fills caches
                    found[workers].append(each)
    rate, spent = ([median(each[at] for each in found[n]) for n in (1, 2)] for at in (0, 1))
    lines = [
        Line(
            "answers a second", f"{rate[1]:,.0f}", f"{rate[0]:,.0f}", rate[1] / rate[0], 1.3, True
        ),
        Line(
            "answers a second of processor time", f"{spent[1]:,.0f}", f"{spent[0]:,.0f}",
            spent[1] / spent[0], 0.9, True,
        ),
    ]  # fmt: skip
    about = ABOUT.format(connections=CONNECTIONS, rows=rows, run=run * 1e6)
    return f"{about}\n{comparisons('one process', lines)}\n{figures(_figures(models, fitted))}"


def _figures(models: Path, fitted: Fitted) -> Iterator[Figure]:
    small = _request(SMALL, 1, fitted)
    only = models.parent / "small"
    only.mkdir(exist_ok=True)
    if not (only / SMALL).exists():
        (only / SMALL).symlink_to(models / SMALL)
    with _server(only, 2) as server:
        server.measure(small)
        yield Figure("memory of a second worker", max(map(_uss, server.workers())), 35, "MB")
        yield Figure("memory of the supervisor", _uss(server.process.pid), None, "MB")
        in_hand, failed = server.kill_one(small)
        yield Figure("requests in the hands of a worker that is killed", in_hand)
        yield Figure("requests that failed beyond those", max(0, failed - in_hand), 0)


class _Server:
    """A server under load."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.process, self.port = process, port

    def workers(self) -> list[int]:
        """The process ids of what answers."""
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in path.read_text().split()] or [self.process.pid]

    def measure(self, request: bytes) -> Measured:
        """One turn."""
        before = sum(map(_spent, self.workers()))
        load = closed_loop.put_under(request, self.port, CONNECTIONS, SECONDS)
        assert not load.errors
        return Measured(load.rate, load.answers / (sum(map(_spent, self.workers())) - before))

    def kill_one(self, request: bytes) -> tuple[int, int]:
        """Kill a worker under load: the requests in its hands, and those that failed."""
        loads: list[closed_loop.Load] = []
        loading = threading.Thread(
            target=lambda: loads.append(
                closed_loop.put_under(request, self.port, CONNECTIONS, KILL_SECONDS)
            )
        )
        loading.start()
        time.sleep(KILL_SECONDS / 2)
        victim = self.workers()[0]
        os.kill(victim, signal.SIGSTOP)  # so that the count is true
        in_hand = _connections_of(victim, self.port)
        os.kill(victim, signal.SIGKILL)
        loading.join()
        return in_hand, loads[0].errors


@contextmanager
def _server(models: Path, workers: int) -> Iterator[_Server]:
    port = free_port()
    command = [
        sys.executable, "-m", "edge", "serve", "--models", str(models), "--port", str(port),
        "--workers", str(workers),
    ]  # fmt: skip
    environ = {"ONNXLET_LOG": "off"}
    body = b'{"instances": []}'
    with servers.running(command, environ, port, "/v2/repository/index", body) as (process, _):
        server = _Server(process, port)
        while len(server.workers()) != workers:
            time.sleep(0.05)
        time.sleep(1)  # the second may be a moment later
        yield server


def _request(model: str, rows: int, fitted: Fitted) -> bytes:
    X = fitted[model][1]
    body = json.dumps({"instances": X.to_numpy()[:rows].tolist()}).encode()
    return closed_loop.post(f"/models/{model}/predict", body, {"Content-Type": "application/json"})


def _rows_of_a_request(models: Path, fitted: Fitted) -> tuple[int, float]:
    """The fewest rows for which the larger model's run takes so long, and how long it takes."""
    import numpy as np

    session = session_of(models / LARGER / "1")
    X = fitted[LARGER][1].to_numpy()
    for rows in range(1, len(X)):
        feeds = _feeds(session, X[:rows].astype(np.float64))
        times = []
        for _ in range(200):
            start = time.perf_counter()
            session.run(None, feeds)
            times.append(time.perf_counter() - start)
        if median(times) >= RUN_SECONDS:
            break
    return rows, median(times)


def _feeds(session: Any, X: Any) -> dict[str, Any]:
    """A matrix as one tensor, or as a column for each input."""
    import numpy as np

    kinds = {"tensor(double)": np.float64, "tensor(float)": np.float32}
    inputs = session.get_inputs()
    if len(inputs) == 1:
        return {inputs[0].name: X.astype(kinds[inputs[0].type])}
    columns = zip(inputs, X.T, strict=True)
    return {each.name: column.reshape(-1, 1).astype(kinds[each.type]) for each, column in columns}


def _spent(pid: int) -> float:
    """Seconds that all threads of a process have run for."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def _uss(pid: int) -> float:
    """Memory that only this process has, in MB."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(map(int, re.findall(r"Private_\w+: +(\d+) kB", text))) * 1024 / 1e6


def _connections_of(pid: int, port: int) -> int:
    """Clients that a process is connected to."""
    links = [str(file.readlink()) for file in Path(f"/proc/{pid}/fd").iterdir()]
    inodes = {link[8:-1] for link in links if link.startswith("socket:[")}
    rows = [line.split() for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]]
    local = f":{port:04X}"
    return sum(r[1].endswith(local) and r[3] == "01" and r[9] in inodes for r in rows)
