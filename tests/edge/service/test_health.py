"""`edge health`, against real servers."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

import pytest

from onnxlet.edge.device.slots import DevicePaths
from onnxlet.edge.server.tls import TlsSocket, make_context
from onnxlet.edge.service import health
from onnxlet.edge.service.health import NotReady, check
from tests.conftest import ran
from tests.edge.certificates import Pair
from tests.edge.server.test_server import Serving
from tests.edge.service.test_serve import CLEAN

REFUSED = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"


def asked(environ: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return ran([sys.executable, "-m", "edge", "health"], env={**CLEAN, **environ})


def test_a_server_that_is_ready(socket_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONNXLET_DEVICE_PORT", str(socket_port))
    check()
    for host in ("0.0.0.0", "localhost"):
        monkeypatch.setenv("ONNXLET_DEVICE_HOST", host)
        check()


def test_a_device_s_settings_are_those_of_its_file(socket_port: int, tmp_path: Path) -> None:
    paths = DevicePaths(tmp_path)
    paths.settings.mkdir(parents=True)
    paths.environment.write_text(f"ONNXLET_DEVICE_PORT={socket_port}\n")
    check(paths=paths)
    paths.environment.write_text("ONNXLET_DEVICE_TLS_CERT=/c\n")
    with pytest.raises(NotReady, match="does not answer"):
        check(socket_port, paths)


def test_no_module_is_imported_for_a_file_that_is_not_there(socket_port: int) -> None:
    assert DevicePaths().environment == health.FILE
    code = (
        "import sys, pathlib\n"
        "from onnxlet.edge.service import health\n"
        "health.FILE = pathlib.Path('/nowhere/environment')\n"
        "health.check()\n"
        "print(*sys.modules)\n"
    )
    environ = {**CLEAN, "ONNXLET_DEVICE_PORT": str(socket_port)}
    done = ran([sys.executable, "-c", code], env=environ, check=True)
    extra = {"onnxlet.edge.device.slots", "onnxlet.edge.settings.environment_file", "shutil"}
    assert not extra & {*done.stdout.split()}


def test_the_command(socket_port: int) -> None:
    done = asked({"ONNXLET_DEVICE_PORT": str(socket_port)})
    assert (done.returncode, done.stdout, done.stderr) == (0, "ready\n", "")

    with socket.socket() as taken:  # and not listening: nobody else can listen there meanwhile
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        done = asked({"ONNXLET_DEVICE_PORT": str(port)})
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"error: 127.0.0.1 port {port} does not answer: ")
    assert "Traceback" not in done.stderr

    done = asked({"ONNXLET_DEVICE_PORT": "x"})
    assert done.returncode == 1
    assert "ONNXLET_DEVICE_PORT: expected a port" in done.stderr


def test_a_server_that_speaks_tls(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    context = make_context(*pair)
    serving = Serving(threads=2, in_flight=3, wrap=lambda sock: TlsSocket(sock, context))
    monkeypatch.setenv("ONNXLET_DEVICE_PORT", str(serving.port))
    try:
        with pytest.raises(NotReady, match="expected status 200, got 400"):
            check()
        monkeypatch.setenv("ONNXLET_DEVICE_TLS_CERT", str(pair.certificate))
        check()
    finally:
        serving.end()


@pytest.mark.parametrize(
    ("answer", "told"),
    [(REFUSED, "expected status 200, got 503"), (b"", "does not answer: "), (b"SSH\r\n", "answer")],
)
def test_a_server_that_is_not(answer: bytes, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            accepted, _ = listener.accept()
            with accepted:
                accepted.recv(1000)
                accepted.sendall(answer)

        running = threading.Thread(target=serve)
        running.start()
        monkeypatch.setenv("ONNXLET_DEVICE_PORT", str(listener.getsockname()[1]))
        with pytest.raises(NotReady, match=told):
            check()
        running.join()
