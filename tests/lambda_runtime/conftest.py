"""Bundles packaged, unpacked and run: on this processor, and on an emulated arm64."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Client, lacking, ran, through_events
from tests.events import make_alb_event, make_v1_event, make_v2_event
from tests.lambda_runtime import harness, machines
from tests.lambda_runtime.harness import Runtime
from tests.lambda_runtime.machines import Machine, Unavailable

MACHINES: dict[str, Callable[[], Machine]] = {"native": machines.native, "arm64": machines.arm64}


def make_url_event(**parts: Any) -> dict[str, Any]:
    """A function URL's event: an HTTP API's, under another name."""
    event = make_v2_event(**parts)
    host = "abcdefghijklmnop.lambda-url.eu-west-1.on.aws"
    event["headers"]["host"] = event["requestContext"]["domainName"] = host
    return event


KINDS: dict[str, Callable[..., dict[str, Any]]] = {
    "REST API": make_v1_event,
    "HTTP API": make_v2_event,
    "HTTP API, named stage": partial(make_v2_event, stage="dev"),
    "function URL": make_url_event,
    "load balancer": make_alb_event,
}


@pytest.fixture(scope="session")
def get_machine() -> Callable[[str], Machine]:
    """A machine by name; where it can't be had the test is skipped, or fails if none may be."""

    def get(name: str) -> Machine:
        try:
            harness.check_namespaces()
            machine = MACHINES[name]()
            machines.client(machine)
            machines.emulator()
        except Unavailable as error:
            lacking(str(error))
        return machine

    return get


@pytest.fixture(scope="session", params=MACHINES)
def machine(request: pytest.FixtureRequest, get_machine: Callable[[str], Machine]) -> Machine:
    return get_machine(request.param)


@pytest.fixture(scope="session")
def native(get_machine: Callable[[str], Machine]) -> Machine:
    """For what does not depend on the processor."""
    return get_machine("native")


@pytest.fixture(scope="session")
def unpacked(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Machine], Path]:
    """The bundle of all models for a machine, by the command that users have, unpacked."""
    there: dict[str, Path] = {}

    def get(machine: Machine) -> Path:
        if machine.arch not in there:
            folder = tmp_path_factory.mktemp(f"bundle-{machine.arch}")
            package(models, machine, folder / "bundle.zip")
            there[machine.arch] = harness.unpack(folder / "bundle.zip", folder / "bundle")
        return there[machine.arch]

    return get


@pytest.fixture
def altered(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The models, one of them changed after it was built."""
    folder = tmp_path_factory.mktemp("altered") / "models"
    shutil.copytree(models, folder)
    folder.chmod(0o755)  # for Lambda's user, who is not the tests'
    graph = folder / "shop" / "1" / "model.onnx"
    graph.write_bytes(graph.read_bytes()[:-1] + b"\x00")
    return folder


def package(models: Path, machine: Machine, archive: Path, *more: str) -> None:
    """`python -m convert package`."""
    command = [sys.executable, "-m", "convert", "package", "--models", str(models)]
    command += ["--python", machine.python, "--arch", machine.arch, "--out", str(archive), *more]
    done = ran(command)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="session")
def runtime(
    machine: Machine,
    unpacked: Callable[[Machine], Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Runtime]:
    """All models on AWS's emulator, for each machine; kept for the whole session."""
    with Runtime(unpacked(machine), machine, tmp_path_factory.mktemp("logs")) as running:
        yield running


@pytest.fixture(scope="session")
def handler(
    machine: Machine,
    unpacked: Callable[[Machine], Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[[Any, Any], Any]]:
    """The handler as if it were a function here, with few rows allowed."""
    logs, environ = tmp_path_factory.mktemp("logs"), {"ONNXLET_MAX_ROWS": "50"}
    with Runtime(unpacked(machine), machine, logs, environ=environ) as running:
        yield lambda event, context: running.invoke(event).json()


@pytest.fixture(params=KINDS)
def client(request: pytest.FixtureRequest, runtime: Runtime) -> Client:
    """One client for each kind of event."""

    def answer(event: dict[str, Any]) -> dict[str, Any]:
        got = runtime.invoke(event)
        assert got.status == 200, got
        answered: dict[str, Any] = got.json()
        assert "errorType" not in answered, answered
        return answered

    return Client(through_events(answer, KINDS[request.param]))
