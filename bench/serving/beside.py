"""This server beside others with the same models, each on the second core, taking turns."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from bench.environments import ENVIRONMENTS, QUIET, install
from bench.load import closed_loop, processes
from bench.load.processes import HEADERS, environ_for
from bench.models import Fitted
from bench.report import Line, comparisons, row, table
from bench.serving.peers import HERE, LEAST, PEERS, Peer, Rows, save
from tests.project.commands import free_port

MODELS = ("logistic", "forest")
SIZES = (1, 100)  # rows
CONNECTIONS = (1, 8, 64)
ROUNDS = 3
SECONDS = 0.5
MOST_MEGABYTES = 90.0
SERVER_CORE = 1
OURS = "onnxlet"
SCIKIT_LEARN = ("mlserver", "mlflow")
ABOUT = """Every server has one core, and the load comes from the other, over connections that are
kept; each number is the median of {rounds} turns, and every answer was looked at. Ours checks every
value, asks for a key, logs each request and counts it for `/metrics`; the others do what their
documentation's first example does, on one process. One is no server: a loop of httptools, orjson
and ONNX Runtime that checks nothing shows the least that Python can do. MLServer and MLflow have
scikit-learn's own model, the others the very ONNX file. A ratio is the worst
of those at {connections} connections.
"""


@dataclass
class _Running:
    """A server that has answered rightly."""

    peer: Peer
    port: int
    headers: Mapping[str, str]
    memory: float  # proportional MiB after its first answer, children included
    # By rows and connections.
    results: dict[tuple[int, int], list[closed_loop.Load]] = field(default_factory=dict)

    def median(self, size: int, connections: int, what: str) -> float:
        """The median of one figure over the loads of this size and number of connections."""
        return float(median(getattr(each, what) for each in self.results[size, connections]))


def section(models: Path, fitted: Fitted) -> str:
    """Measure, and return the page as Markdown."""
    missing = [name for name in PEERS if name != LEAST and not _is_installed(name)]
    parts = [ABOUT.format(rounds=ROUNDS, connections=" / ".join(map(str, CONNECTIONS)))]
    if missing:
        parts.append(f"Could not be installed, and are missing: {', '.join(missing)}.\n")
    names = [name for name in PEERS if name not in missing]
    lines: list[Line] = []
    for model in MODELS:
        rows = fitted[model][1].to_numpy().tolist()
        expected = fitted[model][0].predict_proba(fitted[model][1])
        with ExitStack() as stack:
            running = {
                name: _started(stack, name, models, model, rows, expected)
                for name in (OURS, *names)
            }
            _take_turns(running, rows)
            parts += [_figures(model, size, running) for size in SIZES]
            lines += _lines(model, running)
    parts.append(comparisons("compared with", lines))
    return "\n".join(parts)


def _is_installed(name: str) -> bool:
    try:
        install(name)
    except (OSError, subprocess.CalledProcessError) as error:
        sys.stderr.write(f"{name} can't be installed here: {error}\n")
        return False
    return True


def _started(
    stack: ExitStack, name: str, models: Path, model: str, rows: Rows, expected: Any
) -> _Running:
    """A server that runs until the stack ends, once its answers are scikit-learn's."""
    port, headers = free_port(), HEADERS
    if name == OURS:
        single = processes.only(models, model)
        peer = Peer(OURS, processes.serve(single, port))
        command, environ = peer.command, environ_for(single, model)
    else:
        peer, headers = PEERS[name], {"Content-Type": "application/json"}
        command, environ = _peer(name, peer, models, model, port)
    first = json.dumps(peer.body(rows)).encode()
    starting = processes.running(command, environ, port, peer.path, first, SERVER_CORE, headers)
    process, _ = stack.enter_context(starting)
    answer = json.loads(processes.post(port, peer.path, first, headers))
    got = np.asarray(peer.read(answer), dtype=float).reshape(expected.shape)
    assert np.abs(got - expected).max() < 1e-5, name
    return _Running(peer, port, headers, processes.memory(process))


def _peer(
    name: str, peer: Peer, models: Path, model: str, port: int
) -> tuple[list[str], dict[str, str]]:
    """The words that start it, and its variables."""
    saved = models.parent / f"{name}-{model}"
    if peer.saves and not saved.exists():
        save(name, model, saved)
    folder = ENVIRONMENTS / name / "bin"
    values = {
        "python": folder / "python",
        "bin": folder,
        "here": HERE,
        "saved": saved,
        "port": port,
        "other_port": free_port(),
        "another_port": free_port(),
    }
    environ = {key: value.format(**values) for key, value in peer.environ.items()}
    environ["BENCH_ONNX"] = os.fspath(models / model / "1" / "model.onnx")
    environ["PATH"] = f"{folder}{os.pathsep}{os.environ['PATH']}"
    return [word.format(**values) for word in peer.command], {**QUIET, **environ}


def _take_turns(running: Mapping[str, _Running], rows: Rows) -> None:
    for _ in range(ROUNDS):
        for size in SIZES:
            for connections in CONNECTIONS:
                for server in running.values():
                    body = json.dumps(server.peer.body(rows[:size])).encode()
                    request = closed_loop.post(server.peer.path, body, dict(server.headers))
                    got = closed_loop.put_under(request, server.port, connections, SECONDS)
                    server.results.setdefault((size, connections), []).append(got)


def _figures(model: str, size: int, running: Mapping[str, _Running]) -> str:
    head = ["server", "idle MiB"]
    for connections in CONNECTIONS:
        head += [f"rows/s at {connections}", "p50 ms", "p99 ms"]
    rows = []
    for server in running.values():
        cells = [server.peer.title, f"{server.memory:.0f}"]
        for connections in CONNECTIONS:
            rate = server.median(size, connections, "rate") * size
            p50, p99 = (server.median(size, connections, what) for what in ("p50", "p99"))
            cells += [f"{rate:,.0f}", f"{p50:.2f}", f"{p99:.2f}"]
        errors = sum(load.errors for loads in server.results.values() for load in loads)
        if errors:
            cells[0] += f" ({errors} errors)"
        rows.append(row(*cells))
    title = f"**{model}, {size} row{'s' if size > 1 else ''} a request**\n"
    return f"{title}\n{table(head, rows)}"


def _lines(model: str, running: Mapping[str, _Running]) -> Iterator[Line]:
    ours = running[OURS]
    yield Line(
        f"{model}: idle proportional memory, all processes (limit {MOST_MEGABYTES:.0f} MiB)",
        f"{ours.memory:.0f} MiB", f"{MOST_MEGABYTES:.0f} MiB", ours.memory / MOST_MEGABYTES, 1.0,
    )  # fmt: skip
    for name, server in running.items():
        for size in SIZES if name != OURS else ():
            what = f"{model}, {size} row{'s' if size > 1 else ''}: {{}} against {server.peer.title}"
            target = 10.0 if name in SCIKIT_LEARN else 1.0
            if name == "fastapi":
                rate = what.format("rows a second") + ", {}"
                one, several = CONNECTIONS[:1], CONNECTIONS[1:]
                yield _worst(rate.format("1 connection"), ours, server, size, "rate", 1.1, one)
                yield _worst(rate.format("several"), ours, server, size, "rate", 1.3, several)
            elif name == LEAST:
                yield _worst(what.format("rows a second"), ours, server, size, "rate", None)
                continue
            else:
                yield _worst(what.format("rows a second"), ours, server, size, "rate", target)
            least = None if name == "fastapi" else 1.0
            yield _worst(what.format("p99 (times shorter)"), ours, server, size, "p99", least)


def _worst(
    what: str,
    ours: _Running,
    server: _Running,
    size: int,
    figure: str,
    target: float | None,
    among: Sequence[int] = CONNECTIONS,
) -> Line:
    def ratio(connections: int) -> float:
        a, b = (each.median(size, connections, figure) for each in (ours, server))
        return a / b if figure == "rate" else b / a

    at = min(among, key=ratio)
    a, b = (each.median(size, at, figure) for each in (ours, server))
    if figure == "rate":
        cells = f"{a * size:,.0f} /s at {at}", f"{b * size:,.0f} /s"
    else:
        cells = f"{a:.2f} ms at {at}", f"{b:.2f} ms"
    return Line(what, *cells, ratio(at), target, True)
