"""A slot's `serve` as the service's unit has it: only by its settings, without a command line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

from onnxlet.edge.device.slots import DevicePaths
from tests.edge.service.test_serve import CLEAN


def start(paths: DevicePaths, errors: Path, **environ: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-X", "importtime", "-B", str(paths.live), "serve"]
    with errors.open("w") as file:
        return subprocess.Popen(
            command, env={**CLEAN, **environ}, stdout=subprocess.PIPE, stderr=file, text=True
        )


def test_it_serves_and_loads_no_more_than_that_needs(
    paths: DevicePaths, free_tcp_port: int, tmp_path: Path
) -> None:
    process = start(paths, tmp_path / "errors", ONNXLET_DEVICE_PORT=str(free_tcp_port))
    assert process.stdout is not None
    url = f"http://127.0.0.1:{free_tcp_port}"
    assert process.stdout.readline() == f"serving iris on {url}  (Ctrl-C ends it)\n"
    with urlopen(f"{url}/v2/health/ready", timeout=60) as answer:  # noqa: S310 - http
        assert answer.status == 200
    process.terminate()
    process.communicate(timeout=60)

    reported = (tmp_path / "errors").read_text()
    loaded = {line.rpartition("|")[2].strip() for line in reported.splitlines()}
    assert process.returncode == 0
    needed = {"onnxlet.edge.server.server", "onnxlet.function.app"}
    assert needed | {"onnxlet.function.runtime.session"} < loaded
    assert loaded & {"click", "itsdangerous", "numpy", "zipfile"} == set()
    assert "onnxlet.edge.command_line" not in loaded


def test_errors_are_printed_as_elsewhere(paths: DevicePaths, tmp_path: Path) -> None:
    process = start(paths, tmp_path / "errors", ONNXLET_DEVICE_PORT="http", ONNXLET_MODEL="iris")
    out, _ = process.communicate(timeout=60)

    reported = (tmp_path / "errors").read_text()
    assert (process.returncode, out) == (1, "")
    assert "error: ONNXLET_MODEL: unknown variable" in reported
    assert "hint: " in reported
    assert "Traceback" not in reported
