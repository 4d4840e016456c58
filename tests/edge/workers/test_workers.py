"""`edge serve --workers`: real processes that are killed, stopped, drained and left."""

from __future__ import annotations

import gc
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from onnxlet.edge.service.serve import ServeError
from onnxlet.edge.workers import supervisor
from onnxlet.function.runtime.faults import RuntimeMissing
from tests.conftest import Server, begun, ran, start_server, stop_server
from tests.edge.forward.endpoint import wait_until
from tests.edge.service.test_serve import CLEAN, is_listened_on
from tests.edge.service.test_watchdog import Listener
from tests.function.serving.test_predict import SHOP
from tests.project.commands import free_port

WORKERS = {"ONNXLET_DEVICE_WORKERS": "2"}
BODY = json.dumps({"instances": [SHOP]}).encode()
JSON = {"Content-Type": "application/json"}
PATH = "/models/shop/predict"
HEAD = (
    f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(BODY)}\r\n"
    "Content-Type: application/json\r\n\r\n"
).encode()
ORPHANED_SECONDS = 40  # each has 25 to finish


class Started:
    """A server with two workers."""

    def __init__(self, server: Server, log: Path) -> None:
        self.server, self.port, self._log = server, server.port, log

    def workers(self) -> list[int]:
        """Process ids of the workers that are there, by their numbers: ids begin anew at times."""
        parent = str(self.server.process.pid)
        listed = subprocess.check_output(["ps", "-A", "-o", "pid=,ppid=,stat=,comm="], text=True)
        rows = [line.split(None, 3) for line in listed.splitlines()]
        found = {
            comm: int(pid)
            for pid, ppid, stat, comm in rows
            if ppid == parent and stat[0] != "Z" and comm.startswith("worker-")
        }
        return [found[comm] for comm in sorted(found)]

    def lines(self, **wanted: Any) -> list[dict[str, Any]]:
        """Lines of the log with these members."""
        whole = self._log.read_text().rpartition("\n")[0]  # the last one may be half written
        lines = [json.loads(line) for line in whole.splitlines() if line[0] == "{"]
        return [line for line in lines if wanted.items() <= line.items()]

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)


@pytest.fixture
def started(models: Path, tmp_path: Path) -> Iterator[Started]:
    server = start_server(models, {**CLEAN, **WORKERS}, tmp_path / "log")
    started = Started(server, tmp_path / "log")
    wait_until(lambda: len(started.workers()) == 2)
    yield started
    if server.process.poll() is None:
        assert stop_server(server) == 0
    server.process.communicate(timeout=20)
    assert "Traceback" not in (tmp_path / "log").read_text()


def stop(pid: int) -> None:
    """SIGSTOP; returns once no thread runs: the first one that sees it has the others stop."""
    os.kill(pid, signal.SIGSTOP)
    if (threads := Path(f"/proc/{pid}/task")).exists():
        stats = [each / "stat" for each in threads.iterdir()]
        wait_until(lambda: all(each.read_text().rpartition(") ")[2][0] == "T" for each in stats))
    else:
        time.sleep(0.5)


def ask(connection: http.client.HTTPConnection) -> int:
    connection.request("POST", PATH, BODY, JSON)
    answer = connection.getresponse()
    assert json.loads(answer.read())["prediction"] == [True]
    return answer.status


def test_connections_are_shared_out_and_lines_say_who_answered(started: Started) -> None:
    connections = list[http.client.HTTPConnection]()

    def shares() -> list[int]:
        """How many each worker has got, once there are more of them."""
        for _ in range(16):
            connections.append(started.connect())
            assert ask(connections[-1]) == 200
        wait_until(lambda: len(started.lines(status=200)) == len(connections))
        by_worker = Counter(line["worker"] for line in started.lines(status=200))
        return [by_worker[number] for number in (0, 1)]

    # One that stands still for a moment loses some, and has the next ones until both have as many.
    while min(found := shares()) < len(connections) / 4:
        assert len(connections) < 96, found
    for connection in connections:
        connection.close()


class Load:
    """Clients that keep a connection each, and ask again and again."""

    def __init__(self, started: Started, clients: int) -> None:
        self._started = started
        self._on = True
        self.answered: list[int] = []
        self.failed: list[int] = []
        self._threads: list[threading.Thread] = []
        for _ in range(clients):
            self._add()
        while {line["worker"] for line in started.lines(status=200)} != {0, 1}:
            assert len(self._threads) < 10 * clients, "one worker has them all"
            self._add()

    def _add(self) -> None:
        """One more; of those that come one after another no worker is left out."""
        number = len(self._threads)
        self.answered.append(0)
        self.failed.append(0)
        self._threads.append(threading.Thread(target=self._ask, args=(number,)))
        self._threads[-1].start()
        wait_until(lambda: self.answered[number])

    def _ask(self, number: int) -> None:
        connection = self._started.connect()
        while self._on:
            try:
                assert ask(connection) == 200
                self.answered[number] += 1
            except (OSError, http.client.HTTPException):
                self.failed[number] += 1
                connection.close()
        connection.close()

    def end(self) -> None:
        self._on = False
        for thread in self._threads:
            thread.join(30)


def test_a_killed_worker_costs_what_it_had_in_hand_and_is_replaced(started: Started) -> None:
    load = Load(started, 8)
    try:
        wait_until(lambda: min(load.answered) > 5)
        killed, other = started.workers()
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: other in (now := started.workers()) and len(now) == 2)
        before = list(load.answered)
        wait_until(lambda: all(a > b for a, b in zip(load.answered, before, strict=True)))
    finally:
        load.end()
    [line] = wait_lines(started, event="worker", state="restarts")
    assert (line["error"], line["in_seconds"]) == ("signal 9", 0.1)
    assert max(load.failed) == 1
    assert sum(load.failed) < len(load.failed), "the other worker's connections went on"
    [serves] = wait_lines(started, event="worker", state="serves")
    assert serves["worker"] == line["worker"]


def wait_lines(started: Started, **wanted: Any) -> list[dict[str, Any]]:
    wait_until(lambda: started.lines(**wanted))
    return started.lines(**wanted)


@pytest.mark.workers
def test_each_restart_waits_twice_as_long(started: Started) -> None:
    for times in range(1, 4):
        wait_until(lambda: len(started.workers()) == 2)
        os.kill(started.workers()[0], signal.SIGKILL)
        wait_until(lambda times=times: len(started.lines(state="restarts")) == times)  # type: ignore[misc]
    pauses = [(line["worker"], line["in_seconds"]) for line in started.lines(state="restarts")]
    number = pauses[0][0]
    assert pauses == [(number, 0.1), (number, 0.2), (number, 0.4)]


@pytest.mark.workers
def test_sigterm_to_a_worker_replaces_it_and_loses_nothing(started: Started) -> None:
    load = Load(started, 4)
    try:
        wait_until(lambda: min(load.answered) > 5)
        [first, second] = started.workers()
        os.kill(first, signal.SIGTERM)
        wait_until(lambda: first not in (now := started.workers()) and len(now) == 2)
        before = list(load.answered)
        wait_until(lambda: all(a > b for a, b in zip(load.answered, before, strict=True)))
    finally:
        load.end()
    assert started.lines(state="restarts")[0]["error"] == "exit code 0"
    assert second in started.workers()
    # A connection that idles when it is closed looks broken to its client, as with any server.
    assert max(load.failed) <= 1


def half(started: Started) -> socket.socket:
    """A connection on which half of a request was sent."""
    connection = socket.create_connection(("127.0.0.1", started.port), timeout=30)
    connection.sendall(HEAD + BODY[:20])
    return connection


def all_of(connection: socket.socket) -> bytes:
    """What comes until the other side closes."""
    received = b""
    while part := connection.recv(65536):
        received += part
    return received


def test_what_has_begun_on_any_worker_is_finished(started: Started) -> None:
    begun = [half(started) for _ in range(6)]
    time.sleep(0.3)
    started.server.process.terminate()
    wait_until(lambda: not is_listened_on(started.port))
    for connection in begun:
        connection.sendall(BODY[20:])
        with connection:
            assert all_of(connection).startswith(b"HTTP/1.1 200 ")
    started.server.process.communicate(timeout=20)
    assert started.server.process.returncode == 0


@pytest.mark.workers
def test_what_has_begun_before_all_workers_serve_is_finished(models: Path, tmp_path: Path) -> None:
    port = free_port()
    about = {"ONNXLET_DEVICE_PORT": str(port), "ONNXLET_MODELS": str(models)}
    about["REPORT_BY"] = str(tmp_path / "now")
    with (tmp_path / "log").open("w") as log:
        command = [sys.executable, "-m", "tests.edge.workers.slow_start"]
        server = begun(command, env={**CLEAN, **WORKERS, **about}, stderr=log)
    started = Started(Server(server, port), tmp_path / "log")
    wait_until(lambda: len(started.workers()) == 2)
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        request = HEAD + BODY
        connection.sendall(request)
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
        connection.sendall(request[:-20])
        time.sleep(0.3)
        terminate(server)
        (tmp_path / "now").touch()
        connection.sendall(request[-20:])
        assert all_of(connection).startswith(b"HTTP/1.1 200 ")
    assert server.communicate(timeout=20)[0] == ""
    assert server.returncode == 0


def terminate(server: subprocess.Popen[str]) -> None:
    """SIGTERM; returns once it is heard: the supervisor has closed its listener."""
    if (files := Path(f"/proc/{server.pid}/fd")).exists():
        before = len(list(files.iterdir()))
        server.terminate()
        wait_until(lambda: len(list(files.iterdir())) < before)
    else:
        server.terminate()
        time.sleep(0.5)


def test_a_second_signal_ends_all_at_once(started: Started) -> None:
    with half(started) as begun:
        workers = started.workers()
        time.sleep(0.3)
        terminate(started.server.process)
        assert started.workers() != []
        started.server.process.send_signal(signal.SIGINT)
        assert begun.recv(100) == b""
    started.server.process.communicate(timeout=20)
    assert started.server.process.returncode == -signal.SIGINT
    wait_until(lambda: not any(map(is_there, workers)))


def is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A dead child that nobody has waited for is none.
    stat = ran(["ps", "-o", "stat=", "-p", str(pid)])
    return bool(stat.stdout.strip()) and not stat.stdout.startswith("Z")


@pytest.mark.workers
def test_without_their_supervisor_workers_finish_and_free_the_port(started: Started) -> None:
    workers = started.workers()
    with half(started) as begun:
        time.sleep(0.3)
        started.server.process.kill()
        started.server.process.wait(20)
        time.sleep(0.3)
        begun.sendall(BODY[20:])
        assert all_of(begun).startswith(b"HTTP/1.1 200 ")
    wait_until(lambda: not any(map(is_there, workers)), ORPHANED_SECONDS)
    with socket.create_server(("127.0.0.1", started.port)):
        pass


@pytest.mark.workers
def test_a_stopped_worker_keeps_no_new_client_waiting(started: Started) -> None:
    stopped, _ = started.workers()
    stop(stopped)
    try:
        for _ in range(8):
            connection = started.connect()
            start = time.monotonic()
            assert ask(connection) == 200
            assert time.monotonic() - start < 10
            connection.close()
    finally:
        os.kill(stopped, signal.SIGCONT)


def test_a_broken_start_is_reported_once(models: Path, tmp_path: Path) -> None:
    broken = tmp_path / "models"
    for name in ("iris", "shop"):
        (broken / name / "1").mkdir(parents=True)
    command = [sys.executable, "-m", "edge", "serve", "--port", "0", "--workers", "3", "--models"]
    failed = ran([*command, str(broken)], env=CLEAN)
    assert failed.returncode == 1
    assert failed.stderr.count("error: ") == 1
    assert failed.stderr.count("hint: ") == 1
    assert failed.stdout == ""


@pytest.mark.workers
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_all_ends_a_start_without_a_word(
    models: Path, tmp_path: Path, number: signal.Signals
) -> None:
    """As a terminal and systemd send it."""
    command = [sys.executable, "-m", "edge", "serve", "--port", "0", "--models", str(models)]
    with (tmp_path / "log").open("w") as log:
        server = begun(
            command, env={**CLEAN, **WORKERS}, stderr=log, stdout=log, start_new_session=True
        )
    started = Started(Server(server, 0), tmp_path / "log")
    wait_until(lambda: len(started.workers()) == 2)
    os.killpg(server.pid, number)
    assert server.wait(20) == 0
    assert (tmp_path / "log").read_text() == ""


@pytest.mark.workers
@pytest.mark.skipif(sys.platform != "linux", reason="has no limits of another process")
def test_others_go_on_where_none_can_be_started(started: Started) -> None:
    import resource

    pid, limit = started.server.process.pid, resource.RLIMIT_NOFILE
    usual = resource.prlimit(pid, limit)
    resource.prlimit(pid, limit, (5, usual[1]))
    os.kill(started.workers()[0], signal.SIGKILL)
    wait_until(lambda: started.lines(state="restarts", error="[Errno 24] Too many open files"))
    connection = started.connect()
    assert ask(connection) == 200
    connection.close()
    resource.prlimit(pid, limit, usual)
    wait_lines(started, state="serves")


@pytest.mark.workers
def test_a_start_that_fails_says_why_and_without_others_begins_afresh(
    own: Path, tmp_path: Path
) -> None:
    environ = {**CLEAN, **WORKERS, "ONNXLET_RELOAD_SECONDS": "0"}
    started = Started(start_server(own, environ, log := tmp_path / "log"), log)
    one, other = started.workers()
    (own / "iris" / "1").rename(own / "iris" / "2")
    os.kill(one, signal.SIGKILL)
    why = "model iris/1: it is not there any more, and others serve it"
    wait_until(lambda: started.lines(state="restarts", error=why))
    os.kill(other, signal.SIGKILL)
    wait_until(lambda: len({line["worker"] for line in started.lines(state="serves")}) == 2)
    connection = started.connect()
    connection.request("GET", "/models/iris")
    assert json.loads(connection.getresponse().read())["versions"] == [2]
    connection.close()
    assert stop_server(started.server) == 0


def test_a_launcher_may_have_children_ignored(models: Path, tmp_path: Path) -> None:
    ignoring = "import os, signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN); "
    command = f"{ignoring}os.execv(sys.executable, [sys.executable, '-m', 'edge', 'serve'])"
    port = free_port()
    environ = {"ONNXLET_DEVICE_PORT": str(port), "ONNXLET_MODELS": str(models)}
    with (tmp_path / "log").open("w") as log:
        server = begun(
            [sys.executable, "-c", command], env={**CLEAN, **WORKERS, **environ}, stderr=log
        )
    started = Started(Server(server, port), tmp_path / "log")
    assert server.stdout is not None
    assert server.stdout.readline().startswith("serving")
    first = started.workers()
    os.kill(first[0], signal.SIGKILL)
    wait_until(lambda: len(started.workers()) == 2 and started.workers() != first)
    terminate(server)
    server.communicate(timeout=30)
    assert server.returncode == 0
    assert "Traceback" not in (tmp_path / "log").read_text()


def test_a_worker_has_of_the_supervisors_sockets_only_the_listener(started: Started) -> None:
    def sockets(pid: int) -> set[str]:
        every = [str(file.readlink()) for file in Path(f"/proc/{pid}/fd").iterdir()]
        return {each for each in every if each.startswith("socket:")}

    with closing(started.connect()) as connection:
        assert ask(connection) == 200
    first = started.workers()
    os.kill(first[0], signal.SIGKILL)  # another is forked beside the one that stays
    wait_until(lambda: len(started.workers()) == 2 and started.workers()[0] != first[0])
    of_supervisor = sockets(started.server.process.pid)
    assert len(of_supervisor) > 3
    for pid in started.workers():
        wait_until(lambda pid=pid: len(sockets(pid) & of_supervisor) == 1)  # type: ignore[misc]


def test_a_start_without_onnx_runtime_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> str:
        raise RuntimeMissing("expected onnxruntime 1.20 or newer, got none")

    monkeypatch.setattr(supervisor, "runtime_version", missing)
    with pytest.raises(ServeError, match="ONNX Runtime does not load: expected onnxruntime"):
        supervisor.load()
    gc.enable()


def test_what_workers_import_is_in_memory_once(started: Started) -> None:
    with closing(started.connect()) as connection:
        for _ in range(300):  # counted by NumPy
            ask(connection)
    for pid in started.workers():
        own = private_mib(pid)
        assert own < 20, own


def private_mib(pid: int) -> float:
    """MiB of memory that no other process has, too."""
    found = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(map(int, re.findall(r"^Private_\w+: +(\d+) kB", found, re.M))) / 1024


# With systemd.


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[Listener]:
    listener = Listener(str(tmp_path / "notify"))
    yield listener
    listener.socket.close()


@pytest.fixture
def watched(models: Path, tmp_path: Path, listener: Listener) -> Iterator[Started]:
    """A server whose systemd allows it four seconds of silence."""
    about = {"NOTIFY_SOCKET": listener.address, "WATCHDOG_USEC": "4000000"}
    server = start_server(models, {**CLEAN, **WORKERS, **about}, tmp_path / "log")
    yield Started(server, tmp_path / "log")
    assert stop_server(server) == 0


def heard(listener: Listener, last: str) -> list[str]:
    """What systemd is notified of until a line comes that has a text."""
    lines = [listener.next(30)]
    while not re.search(last, lines[-1]):
        assert lines[-1], f"{last} never came"
        lines.append(listener.next(30))
    return lines


@pytest.mark.long
def test_a_worker_that_hangs_is_killed_and_the_service_lives(
    watched: Started, listener: Listener
) -> None:
    assert heard(listener, "READY=1")[-1] == "READY=1\nSTATUS=golden rows are answered"
    wait_until(lambda: len(watched.workers()) == 2)
    stopped = watched.workers()[0]
    stop(stopped)
    until = heard(listener, "restarting")
    number = wait_lines(watched, state="restarts")[0]["worker"]
    assert until[-1] == f"STATUS=restarting worker {number} of 2"
    after = heard(listener, "are answered")
    assert after[-1] == "STATUS=golden rows are answered"
    assert set(until[:-1]) == {"WATCHDOG=1"}
    [line] = watched.lines(state="restarts")
    assert line["error"] == "golden rows were not answered for 4 seconds"
    assert stopped not in watched.workers()
    assert listener.next() == "WATCHDOG=1"


@pytest.mark.workers
def test_a_killed_supervisor_s_silence_is_systemd_s_to_notice(
    watched: Started, listener: Listener
) -> None:
    heard(listener, "WATCHDOG=1")
    watched.server.process.send_signal(signal.SIGSTOP)
    time.sleep(0.5)
    listener.drain()
    assert listener.next(5) == ""
    watched.server.process.send_signal(signal.SIGCONT)
    assert listener.next() == "WATCHDOG=1"
    time.sleep(1)
    assert watched.lines(event="worker") == [], "nobody was late but the supervisor"
