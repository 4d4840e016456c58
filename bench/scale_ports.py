"""Three ways to share a port between processes, measured with two that answer a few bytes."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import cycle
from pathlib import Path
from typing import Any

from bench import closed_loop
from bench.report import table
from bench.scale_workers import _spent
from bench.serving import Fitted
from onnxlet.edge.server.server import Server
from onnxlet.edge.server.shared_counters import SharedCounters, make_counters

WORKERS, KEPT, WAITING, SECONDS = 2, 16, 40, 3.0
WAYS = {
    "accept": "one socket, all accept, the one with fewer is called",
    "race": "one socket, all accept, whoever is first",
    "reuseport": "a socket each (`SO_REUSEPORT`)",
    "hand": "a third process accepts, and hands over",
}
ABOUT = f"""### Sharing the port

Two processes that answer a few bytes. Processor time is that of all processes for a request that
has a connection of its own, 8 at once. Kept: how {KEPT} connections that stay are spread, three
times. Killed: of {WAITING} clients that have just connected, how many are answered once one process
is killed. Stopped: of {WAITING} that come while one is stopped, how many are answered in a second.
"""


def section(models: Path, fitted: Fitted) -> str:
    """Measure, and return the section as Markdown."""
    head = ["way", "µs of processor time", "requests a second", "kept", "killed", "stopped"]
    return f"{ABOUT}\n{table(head, [_row(way) for way in WAYS])}"


def _row(way: str) -> str:
    request = closed_loop.post("/", b"", {"Connection": "close"})
    with _Shared(way).running() as shared:
        before = shared.spent()
        load = closed_loop.put_under(request, shared.port, 8, SECONDS)
        spent = (shared.spent() - before) / max(1, load.answers)
        kept = ", ".join(shared.spread() for _ in range(3))
        stopped = shared.answered_beside_a_stopped()
        killed = shared.answered_after_a_kill()
    cells = [WAYS[way], f"{spent * 1e6:.0f}", f"{load.rate:,.0f}", kept, str(killed), str(stopped)]
    return f"| {' | '.join(cells)} |"


class _Shared:
    """Two processes that share a port in one way."""

    def __init__(self, way: str) -> None:
        self._way = way
        self._listeners = [_listener(way, 0)]
        self.port = self._listeners[0].getsockname()[1]
        if way == "reuseport":
            self._listeners.append(_listener(way, self.port))
        self._board = make_counters(WORKERS)
        self._pipes = [os.pipe() for _ in range(WORKERS)]
        self._hands = [socket.socketpair() for _ in range(WORKERS)]
        self._processes: list[subprocess.Popen[str]] = []
        self._on = True

    @contextmanager
    def running(self) -> Iterator[_Shared]:
        """While the processes are there."""
        for number in range(WORKERS):
            files = {
                "listener": self._listeners[number % len(self._listeners)].fileno(),
                "board": self._board, "bell": self._pipes[number][0],
                "bells": [write for _, write in self._pipes],
                "hand": self._hands[number][1].fileno(), "number": number, "way": self._way,
            }  # fmt: skip
            self._processes.append(_start(files))
        handing = threading.Thread(target=self._hand_over)
        if self._way == "hand":
            handing.start()
        elif self._way == "reuseport":  # the processes' own are the only ones: so a kill closes one
            for listener in self._listeners:
                listener.close()
        try:
            yield self
        finally:
            self._on = False
            for process in self._processes:
                process.kill()
                process.communicate()
            if self._way == "hand":
                handing.join()

    def _hand_over(self) -> None:
        """Accept, and hand connections to the processes in turn."""
        turns = cycle(range(WORKERS))
        self._listeners[0].setblocking(False)
        while self._on:
            if not select.select([self._listeners[0]], [], [], 0.1)[0]:
                continue
            with suppress(BlockingIOError):
                sock, _ = self._listeners[0].accept()
                with sock, suppress(OSError):
                    socket.send_fds(self._hands[next(turns)][0], [b"x"], [sock.fileno()])

    def spent(self) -> float:
        """Seconds of processor time of all, the one that hands over, too."""
        own = time.process_time() if self._way == "hand" else 0.0
        return own + sum(_spent(process.pid) for process in self._processes)

    def spread(self) -> str:
        """How many kept connections each process has, the larger number first."""
        held = [_asked(self.port) for _ in range(KEPT)]
        by = Counter(_read(sock) for sock in held)
        for sock in held:
            sock.close()
        time.sleep(0.2)
        return " to ".join(str(count) for _, count in by.most_common()) + " to 0" * (len(by) < 2)

    def answered_beside_a_stopped(self) -> int:
        """Of clients that come while one process is stopped, how many are answered in a second."""
        os.kill(self._processes[0].pid, signal.SIGSTOP)
        held = [_asked(self.port) for _ in range(WAITING)]
        answered = _answered(held, 1.0)
        os.kill(self._processes[0].pid, signal.SIGCONT)
        time.sleep(0.5)
        return answered

    def answered_after_a_kill(self) -> int:
        """Of clients that wait in the backlog when a process dies, how many are answered."""
        for process in self._processes:
            os.kill(process.pid, signal.SIGSTOP)
        held = [_asked(self.port) for _ in range(WAITING)]
        time.sleep(0.3)
        self._processes[0].kill()
        os.kill(self._processes[1].pid, signal.SIGCONT)
        return _answered(held, 3.0)


def _listener(way: str, port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if way == "reuseport":
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(2048)
    return listener


def _start(files: dict[str, Any]) -> subprocess.Popen[str]:
    numbers = [files["listener"], files["board"], files["bell"], *files["bells"], files["hand"]]
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.scale_ports", json.dumps(files)],
        cwd=Path(__file__).resolve().parent.parent,
        pass_fds=numbers,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "there\n"
    return process


def _asked(port: int) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", port), 5)
    sock.sendall(closed_loop.post("/", b"", {}))
    return sock


def _read(sock: socket.socket) -> str:
    return sock.recv(4096).decode().rpartition("\r\n")[2]


def _answered(held: list[socket.socket], seconds: float) -> int:
    end, count = time.monotonic() + seconds, 0
    for sock in held:
        sock.settimeout(max(0.01, end - time.monotonic()))
        with suppress(OSError):
            count += bool(sock.recv(4096))
        sock.close()
    return count


def _serve(files: dict[str, Any]) -> None:
    """One of the two processes."""
    way, number = files["way"], files["number"]
    board = SharedCounters(files["board"], number, files["bells"], files["bell"])
    if way == "race":
        board.is_turn = lambda connections: True  # type: ignore[method-assign] # nobody waits
    listener = socket.socket(fileno=files["listener"])
    if way == "hand":
        listener = socket.socket()  # nobody connects to it
        listener.bind(("127.0.0.1", 0))
        listener.listen()

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return [str(number).encode()]

    server = Server(app, listener, peers=None if way == "reuseport" else board)
    if way == "hand":
        hand = socket.socket(fileno=files["hand"])
        threading.Thread(target=_take, args=(hand, server), daemon=True).start()
    sys.stdout.write("there\n")
    sys.stdout.flush()
    server.run()


def _take(hand: socket.socket, server: Server) -> None:
    while True:
        _, received, _, _ = socket.recv_fds(hand, 1, 1)
        for each in received:
            server.adopt(socket.socket(fileno=each))


if __name__ == "__main__":
    _serve(json.loads(sys.argv[1]))
