"""A device in a folder: its bundle in a slot, its keys, its service, and updates of its models."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from bench.environments import ROOT, convert
from bench.load import closed_loop
from bench.load.processes import HEADERS, KEY, environ_for
from bench.start import lambda_bundles
from bench.start.lambda_bundles import MODEL
from onnxlet.edge.bench.model import Client
from onnxlet.edge.bench.processes import ENVIRON
from onnxlet.edge.device.slots import DevicePaths
from tests.edge.update.conftest import make_key
from tests.lambda_runtime.harness import unpack
from tests.lambda_runtime.machines import Machine
from tests.project.commands import free_port

READER = "a key for reading, as Prometheus has one"
START_SECONDS = 120.0
NOT_A_DISK = Path("/dev/shm")  # noqa: S108 - the journal takes a service's log without waiting


class Service(NamedTuple):
    """A device's service, which has answered."""

    process: subprocess.Popen[bytes]
    port: int  # that it listens on
    started: float  # milliseconds from the process's start to the first answer


def package(models: Path, arch: str, python: str, folder: Path) -> Path:
    """The zip of the small model for devices."""
    machine, more = Machine(arch, python, []), ("--target", "device", "--release", 1)
    return lambda_bundles.package(models, machine, folder / f"device-{arch}.zip", *more)


def install(archive: Path, folder: Path) -> DevicePaths:
    """A device that serves a bundle, and takes updates that are signed by the folder's key."""
    make_key(folder, "key")
    paths = DevicePaths(folder / "root")
    unpack(archive, paths.slot("a"))
    paths.live.symlink_to("a")
    paths.models.mkdir()
    paths.keys.mkdir(parents=True)
    shutil.copy(folder / "key.pub", paths.keys)
    return paths


def write_environment(paths: DevicePaths, port: int) -> None:
    """The settings of a device whose service is started by hand."""
    lines = {"PORT": port, "ID": "bench", "RESTART": "true", "API_KEY": KEY}
    text = "".join(f"ONNXLET_DEVICE_{name}={value}\n" for name, value in lines.items())
    paths.environment.write_text(text)


def models_archive(models: Path, folder: Path, version: int) -> Path:
    """A signed model-only archive of the small model, under another version."""
    again = folder / f"version-{version}"
    shutil.copytree(models / MODEL / "1", again / MODEL / str(version))
    archive = folder / f"models-{version}.zip"
    sign = ("--sign", folder / "key.key", "--release", version)
    convert("package", "--target", "models", "--models", again, *sign, "--out", archive)
    return archive


def command(machine: Machine, slot: Path, *arguments: object) -> list[str]:
    """One of a slot's commands, as the service's unit starts it."""
    return [*machine.command, "-I", "-S", "-B", *map(str, (slot, *arguments))]


def environ(port: int) -> Mapping[str, str]:
    """The environment of a service on this port, which asks for a key."""
    readers = f"reader:{hashlib.sha256(READER.encode()).hexdigest()}"
    keys = {"ONNXLET_API_KEYS": environ_for(ROOT, MODEL)["ONNXLET_API_KEYS"]}
    keys["ONNXLET_READER_KEYS"] = readers
    path = {"PATH": os.environ["PATH"]}
    return {**path, **ENVIRON, **keys, "ONNXLET_DEVICE_PORT": str(port)}


def request(body: bytes) -> bytes:
    """A prediction, with its key."""
    return closed_loop.post(f"/models/{MODEL}/predict", body, HEADERS)


def ask(port: int, whole: bytes) -> None:
    """Have one request answered, by status 200, on a connection of its own.

    Raises:
        OSError: nobody listens yet, or it is answered otherwise.
    """
    with closing(Client(port)) as client:
        client.ask(whole)


@contextmanager
def running(command: Sequence[str], whole: bytes, port: int | None = None) -> Iterator[Service]:
    """A service that has answered this request, on this port or a free one."""
    port = port or free_port()
    log = NOT_A_DISK / f"onnxlet-bench-{os.getpid()}.log"
    with log.open("wb") as errors:
        start = time.perf_counter()
        process = subprocess.Popen(
            list(command), env=environ(port), cwd="/", stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL, stderr=errors,
        )  # fmt: skip
    try:
        _wait_until_it_listens(process, port, log)
        ask(port, whole)
        yield Service(process, port, (time.perf_counter() - start) * 1e3)
    finally:
        process.terminate()
        process.communicate(timeout=60)
        log.unlink()


def _wait_until_it_listens(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """It does long before it can answer: who has connected waits there."""
    end = time.monotonic() + START_SECONDS
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < end, f"{log.read_text()}: it does not listen"
            time.sleep(0.001)
