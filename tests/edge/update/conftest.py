"""Devices in folders, keys, and releases of this very code without the packages beside it."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shlex
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from onnxlet.convert.bundle.archive import write_archive
from onnxlet.convert.bundle.contents import choose_models, place_code, place_models
from onnxlet.convert.bundle.parts import EDGE, FUNCTION
from onnxlet.convert.bundle.sign import SigningKey, sign_release
from onnxlet.edge.device.slots import DevicePaths, live_slot
from onnxlet.edge.update.fetch import Web
from onnxlet.edge.update.health import check_slot
from onnxlet.edge.update.setup import Setup, make_setup
from tests.conftest import quiet
from tests.convert.bundle.conftest import ARCH, PYTHON
from tests.edge.service.test_serve import CLEAN

Files = dict[str, Path | bytes]
FOR = {"channel": "stable", "name": "onnxlet"}
MACHINE = {"arch": ARCH, "python": PYTHON}


def make_key(folder: Path, name: str) -> SigningKey:
    """A key of minisign's form without a password: NAME.key, and NAME.pub for devices."""
    private, key_id = Ed25519PrivateKey.generate(), os.urandom(8)
    public = private.public_key().public_bytes_raw()
    secret = b"Ed\0\0B2" + bytes(48) + key_id + private.private_bytes_raw() + public + bytes(32)
    folder.mkdir(parents=True, exist_ok=True)
    for ending, content in ((".key", secret), (".pub", b"Ed" + key_id + public)):
        text = f"untrusted comment: {name}\n{base64.b64encode(content).decode()}\n"
        (folder / f"{name}{ending}").write_text(text)
    return SigningKey(key_id, private)


@dataclass(frozen=True)
class Maker:
    """Makes releases for the machine that the tests run on."""

    folder: Path
    models: Path
    scratch: Path
    key: SigningKey
    names: Sequence[str] = ("iris",)  # of the models that a release has

    def files(self, release: int, models: Path | None = None) -> Files:
        """What is in a release."""
        root = self._placed(models or self.models)
        every = {p.relative_to(root).as_posix(): p for p in root.rglob("*") if p.is_file()}
        of_edge = ("onnxlet/edge/", *(f"onnxlet/{file}" for file in EDGE.beside))
        files: Files = {p: f for p, f in every.items() if not p.startswith(of_edge)}
        listed = {"format": 1, "python": PYTHON, "arch": ARCH, "release": release, "remote": []}
        listed |= {
            "models": {
                p.parts[1]: int(p.parts[2]) for p in map(Path, files) if p.parts[0] == "models"
            }
        }
        files["bundle.json"] = json.dumps(listed | {"files": hashes(files)}).encode()
        more: Files = {p: f for p, f in every.items() if p.startswith(of_edge)}
        more["__main__.py"] = root / "onnxlet" / "edge" / "bundle_main.py"
        listed = {"format": 1, "release": release, "files": hashes(more)}
        return {**files, **more, "device.json": json.dumps(listed).encode()}

    def _placed(self, models: Path) -> Path:
        """The folder with code and models, made once."""
        root = self.scratch / hashlib.sha256(str(models).encode()).hexdigest()
        if not root.exists():
            place_code("function", root, FUNCTION.beside)
            place_code("edge", root, EDGE.beside)
            place_models(choose_models(models, self.names, ()), root)
        return root

    def write(self, files: Files, name: str) -> Path:
        """An archive that is not signed."""
        out = self.folder / name
        write_archive(out, files, lambda size: None, lambda sizes, whole: None)
        return out

    def sign(self, archive: Path, release: int, **more: Any) -> Path:
        """Sign an archive for this machine, and give it back."""
        parts = {"kind": "bundle", **FOR, **MACHINE, **more}
        sign_release(archive, parts.pop("key", self.key), release=release, **parts)
        return archive

    def release(self, number: int, models: Path | None = None, **more: Any) -> Path:
        """A signed release."""
        return self.sign(self.write(self.files(number, models), f"{number}.zip"), number, **more)


def hashes(files: Mapping[str, Path | bytes]) -> dict[str, str]:
    return {path: hashlib.sha256(as_bytes(content)).hexdigest() for path, content in files.items()}


def amend(files: Files, path: str, content: bytes) -> None:
    """Have a release bring another file, and list it as if it were right."""
    files[path] = content
    for name in ("bundle.json", "device.json"):
        reported = json.loads(as_bytes(files[name]))
        if path in reported["files"]:
            reported["files"][path] = hashlib.sha256(content).hexdigest()
            files[name] = json.dumps(reported).encode()


def as_bytes(content: Path | bytes) -> bytes:
    return content if isinstance(content, bytes) else content.read_bytes()


@pytest.fixture(scope="session")
def maker(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Maker:
    folder = tmp_path_factory.mktemp("releases")
    scratch = tmp_path_factory.mktemp("scratch")
    return Maker(folder, models, scratch, make_key(folder / "keys", "one"))


@pytest.fixture(scope="session")
def archives(maker: Maker) -> Callable[[int], Path]:
    """Releases by number, each made once."""
    made: dict[int, Path] = {}

    def get(number: int) -> Path:
        if number not in made:
            made[number] = maker.release(number)
        return made[number]

    return get


@pytest.fixture
def paths(tmp_path: Path, maker: Maker, archives: Callable[[int], Path]) -> DevicePaths:
    """A device that serves release 1 from slot a."""
    there = DevicePaths(tmp_path / "root")
    with zipfile.ZipFile(archives(1)) as bundle:
        bundle.extractall(there.slot("a"))
    there.live.symlink_to("a")
    there.models.mkdir()
    (there.data / ".lock").touch()
    there.keys.mkdir(parents=True)
    key = (maker.folder / "keys" / "one.pub").read_bytes()
    (there.keys / "one.pub").write_bytes(key)
    return there


@pytest.fixture
def setup(paths: DevicePaths, socket_port: int) -> Setup:
    """The device, beside a server that has its model and is not started again."""
    return setup_of(paths, socket_port, "true")


def setup_of(paths: DevicePaths, port: int, restart: str) -> Setup:
    paths.environment.write_text(
        f'ONNXLET_DEVICE_PORT={port}\nONNXLET_DEVICE_ID=one\nONNXLET_DEVICE_RESTART="{restart}"\n'
    )
    made = make_setup(paths, quiet)
    web = Web(timeout=20, attempts=4, pause=0.01)
    return made._replace(web=web, service=made.service._replace(seconds=60))


@pytest.fixture(autouse=True)
def no_sync(monkeypatch: pytest.MonkeyPatch) -> None:
    """That of the whole machine waits for whatever else is written there, by other tests, too."""
    monkeypatch.setattr(os, "sync", lambda: None)


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ.keys() - CLEAN.keys():
        monkeypatch.delenv(name)


def tree(folder: Path, *passed_over: str) -> dict[str, str]:
    """Everything below a folder: what it is, and its hash."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if name.startswith(passed_over) and passed_over:
            continue
        if path.is_symlink():
            found[name] = f"link to {path.readlink()}"
        elif path.is_file():
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
        else:
            found[name] = "folder"
    return found


def live_faults(paths: DevicePaths) -> list[str]:
    """What is wrong with the slot that is live; empty where it is whole and answers."""
    slot = live_slot(paths)
    return check_slot(paths.slot(slot), None) if slot else ["nothing is live"]


RESTART = """
import contextlib, os, pathlib, signal, sys, time
file = pathlib.Path(sys.argv[1])
before = file.read_text()
with contextlib.suppress(ProcessLookupError):
    os.kill(int(before), signal.SIGTERM)
over = time.monotonic() + 60
while file.read_text() in ("", before) and time.monotonic() < over:
    time.sleep(0.02)
"""


class Supervised:
    """Starts a device's service again whenever it ends, as systemd does."""

    def __init__(self, command: Sequence[str], folder: Path, more: Mapping[str, str]) -> None:
        self._command = command
        self._environ = {**CLEAN, "ONNXLET_RELOAD_SECONDS": "1", **more}
        self._pid = folder / "pid"
        self._log = folder / "log"
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = threading.Event()
        (folder / "restart.py").write_text(RESTART)
        self.restart = shlex.join([sys.executable, str(folder / "restart.py"), str(self._pid)])
        self._thread = threading.Thread(target=self._loop)
        self._thread.start()

    def _loop(self) -> None:
        while not self._stopped.is_set():
            with self._log.open("ab") as log:
                self._process = subprocess.Popen(
                    self._command, env=self._environ, stdout=log, stderr=log, cwd="/"
                )
            self._pid.with_suffix(".new").write_text(str(self._process.pid))
            self._pid.with_suffix(".new").replace(self._pid)
            self._process.wait()
            self._stopped.wait(0.1)

    def stop(self) -> None:
        self._stopped.set()
        while self._thread.is_alive():  # it may have just started another process
            if self._process:
                self._process.terminate()
            self._thread.join(5)


@pytest.fixture
def supervise(
    paths: DevicePaths, tmp_path: Path, free_tcp_port: int
) -> Iterator[Callable[..., Setup]]:
    """Starts the device's own service, and gives the device."""
    started: list[Supervised] = []

    def start(**environ: str) -> Setup:
        port = str(free_tcp_port)
        command = [sys.executable, "-B", str(paths.live), "serve", "--port", port]
        started.append(Supervised(command, tmp_path, environ))
        return setup_of(paths, free_tcp_port, started[0].restart)

    yield start
    for each in started:
        each.stop()


@pytest.fixture
def free_tcp_port() -> int:
    from tests.project.commands import free_port

    return free_port()


def patient(setup: Setup, **more: Any) -> Setup:
    return setup._replace(web=setup.web._replace(**more))
