"""What a container's platform sets becomes this project's settings."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from onnxlet.edge.service.process import MODELS, PORT, adapt
from tests.conftest import ROOT

CASES = {
    "nothing": ({}, {}),
    "Cloud Run": ({"PORT": "9000"}, {PORT: "9000"}),
    "SageMaker": ({"SAGEMAKER_BIND_TO_PORT": "9001"}, {PORT: "9001"}),
    "both": ({"SAGEMAKER_BIND_TO_PORT": "9001", "PORT": "9000"}, {PORT: "9000"}),
    "empty": ({"PORT": "", PORT: ""}, {}),
    "ours first": ({"PORT": "9000", PORT: "9002"}, {}),
}


@pytest.mark.parametrize("case", CASES)
def test_the_port(case: str) -> None:
    given, set_to = CASES[case]
    environ = dict(given)
    adapt(environ, places=())
    assert environ == {**given, **set_to}


@pytest.mark.parametrize("text", ["abc", "65536", "-1", " 80"])
def test_a_port_that_is_none_is_reported_by_the_name_that_was_set(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    environ = {"SAGEMAKER_BIND_TO_PORT": text}
    with pytest.raises(SystemExit, match="1"):
        adapt(environ, places=())
    assert capsys.readouterr().err == (
        f"error: SAGEMAKER_BIND_TO_PORT: expected a port from 0 to 65535, got '{text}'\n"
        "hint: Set SAGEMAKER_BIND_TO_PORT, or ONNXLET_DEVICE_PORT.\n"
    )
    adapt(environ | {PORT: "8080"}, places=())


def test_the_first_folder_of_models_with_something_in_it(tmp_path: Path) -> None:
    empty, full, last = (str(tmp_path / name) for name in ("empty", "full", "last"))
    places = (str(tmp_path / "missing"), empty, full, last)
    for place in (empty, f"{full}/iris", f"{last}/iris"):
        Path(place).mkdir(parents=True)
    environ: dict[str, str] = {}
    adapt(environ, places)
    assert environ == {MODELS: full}

    environ = {MODELS: "/models"}
    adapt(environ, places)
    assert environ == {MODELS: "/models"}
    environ = {}
    adapt(environ, places[:2])
    assert environ == {}


def test_signals_end_a_process_that_has_begun() -> None:
    program = (
        "import sys; from onnxlet.edge.service.process import begin; begin();"
        "print(flush=True); sys.stdin.read()"
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        process = subprocess.Popen(
            [sys.executable, "-c", program], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(number)
        process.communicate(timeout=20)
        assert process.returncode == -number
