"""A slot's `serve` as the service's unit has it: by its settings alone, without a command line."""

from __future__ import annotations

import subprocess
import sys
from urllib.request import urlopen

from onnxlet.edge.device.slots import Places
from tests.edge.service.test_serve import CLEAN


def start(places: Places, **environ: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-X", "importtime", "-B", str(places.live), "serve"]
    return subprocess.Popen(
        command, env={**CLEAN, **environ}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_it_serves_and_loads_no_more_than_that_needs(places: Places, free_tcp_port: int) -> None:
    process = start(places, ONNXLET_DEVICE_PORT=str(free_tcp_port))
    assert process.stdout is not None
    url = f"http://127.0.0.1:{free_tcp_port}"
    assert process.stdout.readline() == f"serving iris on {url}  (Ctrl-C ends it)\n"
    with urlopen(f"{url}/v2/health/ready", timeout=10) as answer:  # noqa: S310 - http
        assert answer.status == 200
    process.terminate()
    _, told = process.communicate(timeout=20)

    loaded = {line.rpartition("|")[2].strip() for line in told.splitlines()}
    assert process.returncode == 0
    assert {"onnxlet.edge.server.server", "onnxlet.function.app", "onnxruntime"} < loaded
    assert loaded & {"click", "itsdangerous", "zipfile", "onnxlet.edge.command_line"} == set()


def test_what_is_wrong_is_told_as_elsewhere(places: Places) -> None:
    process = start(places, ONNXLET_DEVICE_PORT="http", ONNXLET_MODEL="iris")
    out, told = process.communicate(timeout=20)

    assert (process.returncode, out) == (1, "")
    assert "error: ONNXLET_MODEL: unknown variable" in told
    assert "hint: " in told
    assert "Traceback" not in told
