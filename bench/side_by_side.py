"""This server beside others with the same models, each on the second core, taking turns."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from bench import closed_loop, servers
from bench.peers import ENVIRONMENTS, HERE, LEAST, PEERS, QUIET, Peer, Rows, install, save
from bench.report import Line, comparisons, table
from bench.servers import KEY, ROOT
from bench.serving import Fitted, environ_for
from tests.project.commands import free_port

MODELS = ("logistic", "forest")
SIZES = (1, 100)  # rows
CONNECTIONS = (1, 8, 64)
ROUNDS = 3
SECONDS = 0.5
START_SECONDS = 120.0
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
    """A server that has answered rightly.

    Attributes:
        title: of the table.
        process: that was started; it may have children.
        port: of 127.0.0.1.
        path: of predictions.
        headers: of every request.
        body: makes a request's body of rows.
        memory: proportional MiB after its first answer, children included.
    """

    title: str
    process: subprocess.Popen[bytes]
    port: int
    path: str
    headers: dict[str, str]
    body: Any
    memory: float = 0.0
    results: dict[tuple[int, int], list[closed_loop.Load]] = field(default_factory=dict)

    def post(self, rows: Rows) -> Any:
        """One answer, decoded.

        Raises:
            OSError: it does not answer yet.
        """
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            content = json.dumps(self.body(rows))
            connection.request("POST", self.path, content, self.headers)
            got = connection.getresponse()
            text = got.read()
        finally:
            connection.close()
        if got.status != 200:
            raise ConnectionError(f"{self.title}: {got.status} {text[:300]!r}")
        return json.loads(text)

    def median(self, size: int, connections: int, what: str) -> float:
        """The median of one figure over the loads of this size and number of connections."""
        return float(median(getattr(each, what) for each in self.results[size, connections]))


def section(models: Path, fitted: Fitted) -> str:
    """Measure, and return the section as Markdown."""
    missing = [name for name in PEERS if not _is_installed(name)]
    parts = [ABOUT.format(rounds=ROUNDS, connections=" / ".join(map(str, CONNECTIONS)))]
    if missing:
        parts.append(f"Could not be installed, and are missing: {', '.join(missing)}.\n")
    names = [name for name in PEERS if name not in missing]
    lines: list[Line] = []
    for model in MODELS:
        rows = fitted[model][1].to_numpy().tolist()
        with ExitStack() as stack:
            running = _all_running(stack, names, models, model, fitted)
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


def _all_running(
    stack: ExitStack, names: Sequence[str], models: Path, model: str, fitted: Fitted
) -> dict[str, _Running]:
    rows = fitted[model][1].to_numpy().tolist()
    expected = fitted[model][0].predict_proba(fitted[model][1])
    running: dict[str, _Running] = {}
    readers = {OURS: PEERS["fastapi"].read, **{name: PEERS[name].read for name in names}}
    for name in (OURS, *names):
        starting = _ours(models, model) if name == OURS else _peer(name, PEERS[name], models, model)
        started = running[name] = stack.enter_context(starting)
        answer = np.asarray(readers[name](_first_answer(started, rows)), dtype=float)
        assert np.abs(answer.reshape(expected.shape) - expected).max() < 1e-5, name
        started.memory = servers.memory(started.process)
    return running


def _first_answer(server: _Running, rows: Rows) -> Any:
    end = time.monotonic() + START_SECONDS
    while True:
        try:
            server.post(rows[:1])
            return server.post(rows)
        except OSError:
            if server.process.poll() is not None or time.monotonic() > end:
                raise
            time.sleep(0.1)


@contextmanager
def _started(command: Sequence[str], environ: Mapping[str, str]) -> Iterator[Any]:
    """A process on the second core; with its children it is ended at the end."""

    def pin() -> None:
        closed_loop.pin(SERVER_CORE)

    process = subprocess.Popen(
        list(command),
        cwd=ROOT,
        env={**os.environ, **QUIET, **environ},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=pin,
    )
    try:
        yield process
    finally:
        for number in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            with suppress(subprocess.TimeoutExpired):
                process.wait(10)


@contextmanager
def _ours(models: Path, model: str) -> Iterator[_Running]:
    folder = models.parent / f"beside-{model}"
    if not folder.exists():
        folder.mkdir()
        (folder / model).symlink_to(models / model)
    port = free_port()
    command = [sys.executable, "-m", "edge", "serve", "--models", os.fspath(folder)]
    with _started([*command, "--port", str(port)], environ_for(folder, model)) as process:
        headers = {"Content-Type": "application/json", "X-API-Key": KEY}
        yield _Running(OURS, process, port, "/predict", headers, lambda rows: {"instances": rows})


@contextmanager
def _peer(name: str, peer: Peer, models: Path, model: str) -> Iterator[_Running]:
    saved = models.parent / f"{name}-{model}"
    if peer.saves and not saved.exists():
        save(name, model, saved)
    folder = ENVIRONMENTS / name / "bin"
    values = {
        "python": folder / "python",
        "bin": folder,
        "here": HERE,
        "saved": saved,
        "port": free_port(),
        "other_port": free_port(),
        "another_port": free_port(),
    }
    environ = {key: value.format(**values) for key, value in peer.environ.items()}
    environ["BENCH_ONNX"] = os.fspath(models / model / "1" / "model.onnx")
    environ["PATH"] = f"{folder}{os.pathsep}{os.environ['PATH']}"
    command = [word.format(**values) for word in peer.command]
    with _started(command, environ) as process:
        headers = {"Content-Type": "application/json"}
        port = int(str(values["port"]))
        yield _Running(peer.title, process, port, peer.path, headers, peer.body)


def _take_turns(running: Mapping[str, _Running], rows: Rows) -> None:
    for _ in range(ROUNDS):
        for size in SIZES:
            for connections in CONNECTIONS:
                for server in running.values():
                    body = json.dumps(server.body(rows[:size])).encode()
                    request = closed_loop.post(server.path, body, server.headers)
                    got = closed_loop.put_under(request, server.port, connections, SECONDS)
                    server.results.setdefault((size, connections), []).append(got)


def _figures(model: str, size: int, running: Mapping[str, _Running]) -> str:
    head = ["server", "idle MiB"]
    for connections in CONNECTIONS:
        head += [f"rows/s at {connections}", "p50 ms", "p99 ms"]
    rows = []
    for server in running.values():
        cells = [server.title, f"{server.memory:.0f}"]
        for connections in CONNECTIONS:
            rate = server.median(size, connections, "rate") * size
            p50, p99 = (server.median(size, connections, what) for what in ("p50", "p99"))
            cells += [f"{rate:,.0f}", f"{p50:.2f}", f"{p99:.2f}"]
        errors = sum(load.errors for loads in server.results.values() for load in loads)
        if errors:
            cells[0] += f" ({errors} errors)"
        rows.append(f"| {' | '.join(cells)} |")
    title = f"**{model}, {size} row{'s' if size > 1 else ''} a request**\n"
    return f"{title}\n{table([*head], rows)}"


def _lines(model: str, running: Mapping[str, _Running]) -> Iterator[Line]:
    ours = running[OURS]
    yield Line(
        f"{model}: idle proportional memory, all processes (limit {MOST_MEGABYTES:.0f} MiB)",
        f"{ours.memory:.0f} MiB", f"{MOST_MEGABYTES:.0f} MiB", ours.memory / MOST_MEGABYTES, 1.0,
    )  # fmt: skip
    for name, server in running.items():
        for size in SIZES if name != OURS else ():
            what = f"{model}, {size} row{'s' if size > 1 else ''}: {{}} against {server.title}"
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
