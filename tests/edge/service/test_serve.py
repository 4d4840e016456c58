"""The device server as a process: start, signals, errors."""

from __future__ import annotations

import http.client
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from onnxlet.edge.service.serve import SOON_COUNTED
from tests.conftest import (
    ROOT,
    Client,
    Server,
    at_once,
    begun,
    clean_environ,
    ran,
    running_server,
    start_server,
    through_socket,
)
from tests.edge.forward.endpoint import wait_until
from tests.function.serving.test_predict import SHOP
from tests.project.commands import free_port

CLEAN = clean_environ()


@pytest.fixture
def server(models: Path, tmp_path: Path) -> Server:
    return start_server(models, CLEAN, tmp_path / "log")


@pytest.mark.parametrize("name", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_cleanly(server: Server, tmp_path: Path, name: signal.Signals) -> None:
    server.process.send_signal(name)
    out, _ = server.process.communicate(timeout=20)

    assert server.process.returncode == 0
    assert "Traceback" not in out + (tmp_path / "log").read_text()


@pytest.mark.skipif(sys.platform != "linux", reason="reads what is in memory from /proc")
def test_numpy_is_imported_once_rows_are_soon_counted_by_it(models: Path, tmp_path: Path) -> None:
    """Of one process: several hand on what they have counted, by NumPy, each second."""
    server = start_server(models, {**CLEAN, "ONNXLET_DEVICE_WORKERS": "1"}, tmp_path / "log")
    maps = Path(f"/proc/{server.process.pid}/maps")
    client = Client(through_socket(server.port))
    assert client.post("/models/shop/predict", {"instances": [SHOP]}).status == 200
    wait_until(lambda: "markupsafe" in maps.read_text())  # with Flask, once it is idle
    assert "numpy" not in maps.read_text()

    for _ in range(SOON_COUNTED):
        assert client.post("/models/shop/predict", {"instances": [SHOP]}).status == 200
    wait_until(lambda: "numpy" in maps.read_text())

    server.process.terminate()
    server.process.communicate(timeout=20)


def test_what_is_in_flight_is_finished(server: Server) -> None:
    """The head and half of the body are there when SIGTERM comes; the other half follows."""
    body = json.dumps({"instances": [SHOP]}).encode()
    head = (
        f"POST /models/shop/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
    )
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(head.encode() + b"Content-Type: application/json\r\n\r\n" + body[:20])
        time.sleep(0.3)
        server.process.terminate()
        time.sleep(0.3)
        connection.sendall(body[20:])
        received = b""
        while part := connection.recv(65536):
            received += part
    server.process.communicate(timeout=20)

    assert received.startswith(b"HTTP/1.1 200 ")
    assert b'"prediction":[true]' in received
    assert server.process.returncode == 0


def is_listened_on(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
def test_an_output_whose_disk_is_full_holds_up_nobody(models: Path) -> None:
    port = free_port()
    command = [sys.executable, "-m", "edge", "serve", "--models", str(models)]
    with Path("/dev/full").open("w") as full:
        process = subprocess.Popen(
            [*command, "--port", str(port)], cwd=ROOT, env=CLEAN, stdout=full, stderr=full
        )
    try:
        wait_until(lambda: is_listened_on(port))
        # It listens before it has loaded anything.
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=60) as answer:
            assert answer.status == 200
        process.terminate()
        assert process.wait(20) is not None
    finally:
        process.kill()
        process.wait()


def test_a_log_that_nobody_reads_holds_up_nobody(models: Path) -> None:
    read, write = os.pipe()
    command = [sys.executable, "-m", "edge", "serve", "--models", str(models), "--port", "0"]
    process = begun(command, env=CLEAN, stderr=write)
    os.close(write)
    try:
        assert process.stdout is not None
        found = re.search(r":(\d+)  ", process.stdout.readline())
        assert found
        os.close(read)
        for _ in range(3):
            with urllib.request.urlopen(f"http://127.0.0.1:{found[1]}/ping", timeout=10) as answer:
                assert answer.status == 200
        process.terminate()
        process.communicate(timeout=20)
        assert process.returncode == 0
    finally:
        process.kill()
        process.communicate()


def test_what_it_prints_can_be_pasted(models: Path, tmp_path: Path) -> None:
    """Once, of the model that was built last, however many there are."""
    shutil.copytree(models, tmp_path / "models")
    for newest in ("iris", "shop"):
        manifest = tmp_path / "models" / newest / "1" / "manifest.json"
        os.utime(manifest, (time.time() + 9,) * 2 if newest == "shop" else None)
    with running_server(tmp_path / "models", CLEAN, tmp_path / "log") as server:
        assert server.process.stdout is not None
        others, _, call = [server.process.stdout.readline() for _ in range(3)]
        listed = re.search(r"(http://\S+)/ in a browser, or GET (\S+), shows how", others)
        assert listed is not None
        assert answered("GET", listed[2])["models"]
        words = shlex.split(call)
        assert words[0] == "curl"
        [url] = [word for word in words if word.startswith("http://")]
        answer = answered("POST", url, words[words.index("-d") + 1])
        server.process.terminate()
        rest, _ = server.process.communicate(timeout=20)

    assert answer["model"] == "shop"
    assert "curl" not in rest


def answered(method: str, url: str, body: str | None = None) -> Any:
    request = urllib.request.Request(  # noqa: S310 - our own server
        url, body.encode() if body else None, {"Content-Type": "application/json"}, method=method
    )
    with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310 - our own server
        return json.loads(answer.read())


def test_chunks_are_read_and_counted(models: Path, tmp_path: Path) -> None:
    with running_server(
        models, {**CLEAN, "ONNXLET_MAX_BODY_BYTES": "300"}, tmp_path / "log"
    ) as server:
        body = json.dumps({"instances": [SHOP]}).encode()
        statuses = []
        for content in ([body[:9], body[9:]], [body, b" " * 300], [b""]):
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
            headers = {"Content-Type": "application/json", "Transfer-Encoding": "chunked"}
            connection.request(
                "POST", "/models/shop/predict", iter(content), headers, encode_chunked=True
            )
            statuses.append(connection.getresponse().status)
            connection.close()

    assert statuses == [200, 413, 400]


def test_eight_clients_on_four_threads_all_get_their_answers(socket_port: int) -> None:
    wrong: list[object] = []

    def ask() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", socket_port, timeout=20)
        for _ in range(40):
            body = json.dumps({"instances": [SHOP]})
            headers = {"Content-Type": "application/json"}
            connection.request("POST", "/models/shop/predict", body, headers)
            answer = connection.getresponse()
            if answer.status != 200 or json.loads(answer.read())["prediction"] != [True]:
                wrong.append(answer.status)
        connection.close()

    at_once(*[ask] * 8)

    assert wrong == []


def serve(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return ran([sys.executable, "-m", "edge", "serve", *arguments], env={**CLEAN, **environ})


NOT_STARTED: dict[str, tuple[list[str], dict[str, str], list[str]]] = {
    "no models": (
        ["--models", "FOLDER"], {}, ["error: no models in FOLDER", "python -m convert build"]
    ),
    "a link in a circle": (["--models", "FOLDER/circle"], {}, ["no models in FOLDER/circle"]),
    "a host that is nowhere": (
        ["--host", "nowhere.invalid"], {},
        ["can't listen on nowhere.invalid port 0", "hint: Choose another with --host."],
    ),
    "a host of another machine": (
        ["--host", "192.0.2.1"], {},
        ["can't listen on 192.0.2.1 port 0", "hint: Choose another with --host."],
    ),
    "a wrong setting": (
        [], {"ONNXLET_THREADS": "many"}, ["ONNXLET_THREADS: expected a whole number"]
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", NOT_STARTED)
def test_why_it_does_not_start(case: str, models: Path, tmp_path: Path) -> None:
    arguments, environ, told = NOT_STARTED[case]
    (tmp_path / "circle").symlink_to("circle")
    own = [each.replace("FOLDER", str(tmp_path)) for each in arguments]
    failed = serve("--models", str(models), "--port", "0", *own, **environ)

    assert failed.returncode == 1
    assert all(each.replace("FOLDER", str(tmp_path)) in failed.stderr for each in told)
    assert "Traceback" not in failed.stderr


def test_a_taken_port_is_reported_immediately(models: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = str(listener.getsockname()[1])
        failed = serve("--models", str(models), "--port", port)

    assert failed.returncode == 1
    assert f"can't listen on 127.0.0.1 port {port}" in failed.stderr
    hint = failed.stderr.splitlines()[-1]
    assert hint == "hint: Choose another with --port; with make: make run PORT=8081."
    assert "Traceback" not in failed.stderr


@pytest.mark.parametrize("arguments", [["--port", "x"], ["--port", "99999"], ["--nope"]])
def test_wrong_use_ends_with_2(arguments: list[str]) -> None:
    assert serve(*arguments).returncode == 2


@pytest.mark.parametrize("port", ["x", "99999"])
def test_an_option_s_numbers_are_told_in_words(port: str) -> None:
    told = serve("--port", port).stderr
    assert f"'--port': expected a whole number from 0 to 65535, got '{port}'" in told


def test_broken_chunks_are_the_clients_mistake(socket_port: int) -> None:
    head = (
        b"POST /models/shop/predict HTTP/1.1\r\nHost: [::1]\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", socket_port), timeout=20) as connection:
        connection.sendall(head + b"zz\r\n{}\r\n0\r\n\r\n")
        received = connection.recv(65536)

    assert received.startswith(b"HTTP/1.1 400 ")


def test_clients_that_stall_in_their_body_give_their_threads_back(socket_port: int) -> None:
    head = b"POST /models/shop/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50\r\n\r\n{"
    stalled = [socket.create_connection(("127.0.0.1", socket_port)) for _ in range(6)]
    try:
        for connection in stalled:
            connection.sendall(head)
        assert Client(through_socket(socket_port)).get("/v2/health/live").status == 200
    finally:
        for connection in stalled:
            connection.close()
