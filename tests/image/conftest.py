"""Images of this machine's architecture and of the other one, built once; containers of them."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from onnxlet.convert.build import build
from onnxlet.convert.bundle import archive
from onnxlet.convert.bundle.contents import Chosen, choose_models
from onnxlet.convert.bundle.image import ImageFile, write_image
from onnxlet.convert.bundle.package import Order
from onnxlet.convert.bundle.parts import Machine
from onnxlet.convert.bundle.targets import IMAGE
from onnxlet.convert.sources.source import load_source
from tests.conftest import EXAMPLES, lacking, quiet, ran
from tests.convert.bundle.conftest import no_bar
from tests.project.commands import free_port

PYTHON = "3.13"
NATIVE = platform.machine()
OTHER = "x86_64" if NATIVE == "aarch64" else "aarch64"
TOOLS = ("apt-get", "dpkg-deb", "podman", "runc", f"qemu-{OTHER}")
ANSWERS_WITHIN = 180  # seconds of a start


@pytest.fixture(scope="session", autouse=True)
def _tools() -> None:
    if sys.platform != "linux" or os.geteuid() != 0:
        lacking("an image's tests need Linux and root")
    missing = [tool for tool in TOOLS if not shutil.which(tool)]
    if missing:
        lacking(f"no {', '.join(missing)}: on Debian, apt-get install podman runc qemu-user")


@pytest.fixture(scope="session")
def house_prices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the README's model."""
    folder = tmp_path_factory.mktemp("models")
    build(load_source(f"{EXAMPLES / 'house_prices.py'}:build"), "house-prices", folder, quiet)
    folder.chmod(0o755)  # containers read it as another user
    for parent in list(folder.parents)[:2]:
        parent.chmod(0o755)
    return folder


class Image(NamedTuple):
    """An image, and what writing it reported."""

    file: Path
    written: ImageFile
    arch: str

    def blobs(self) -> dict[str, bytes]:
        """Every file of the tar, by its name there."""
        with tarfile.open(self.file) as tar:
            return {m.name: tar.extractfile(m).read() for m in tar}  # type: ignore[union-attr]

    def unpacked(self, folder: Path) -> Path:
        """The layers, unpacked one over the other."""
        with tarfile.open(self.file) as tar:
            [told] = json.loads(tar.extractfile("manifest.json").read())  # type: ignore[union-attr]
            for path in told["Layers"]:
                with tarfile.open(fileobj=tar.extractfile(path)) as layer:
                    layer.extractall(folder, filter="fully_trusted")  # noqa: S202 - it is ours
        return folder


def make(folder: Path, chosen: Sequence[Chosen], arch: str, **more: Any) -> Image:
    """Write an image of these models."""
    file, tag = folder / "image.tar", more.pop("tag", "onnxlet:latest")
    order = Order(IMAGE.parts, Machine(PYTHON, arch), list(chosen), file, IMAGE.budget, **more)
    return Image(file, write_image(order, tag, quiet, no_bar), arch)


@pytest.fixture(scope="session")
def native(house_prices: Path, tmp_path_factory: pytest.TempPathFactory) -> Image:
    return make(tmp_path_factory.mktemp("native"), choose_models(house_prices, (), ()), NATIVE)


@pytest.fixture(scope="session")
def other(house_prices: Path, tmp_path_factory: pytest.TempPathFactory) -> Image:
    return make(tmp_path_factory.mktemp("other"), choose_models(house_prices, (), ()), OTHER)


@pytest.fixture(scope="session")
def without_models(tmp_path_factory: pytest.TempPathFactory) -> Image:
    kept, archive.LEVEL = archive.LEVEL, 1  # nobody looks at its size
    try:
        return make(tmp_path_factory.mktemp("none"), [], NATIVE, tag="only:latest")
    finally:
        archive.LEVEL = kept


class Podman:
    """Podman with a storage of its own, which ends with the tests."""

    def __init__(self, folder: Path) -> None:
        self._options = [f"--root={folder / 'root'}", f"--runroot={folder / 'run'}"]
        self._options += [f"--tmpdir={folder / 'tmp'}", f"--volumepath={folder / 'volumes'}"]
        # Debian's crun takes no hybrid control groups.
        self._options += ["--runtime=runc", "--cgroup-manager=cgroupfs"]

    def __call__(
        self, *arguments: str | Path, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        done = ran(
            ["podman", *self._options, *map(str, arguments)],
            env={**os.environ, "PODMAN_IGNORE_CGROUPSV1_WARNING": "1"},
            timeout=600,
        )
        if check and done.returncode:
            raise AssertionError(f"podman {arguments}: {done.stdout}{done.stderr}")
        return done

    @contextmanager
    def running(self, *arguments: str | Path) -> Iterator[tuple[str, int]]:
        """A container that answers: its id, and its port on this machine."""
        port = free_port()
        run = ["run", "-d", "--network=host", "-e", f"PORT={port}", *arguments]
        name = self(*run).stdout.strip()
        try:
            end = time.monotonic() + ANSWERS_WITHIN
            while self("exec", name, "onnxlet", "health", check=False).returncode:
                if time.monotonic() > end:
                    raise AssertionError(f"it does not answer: {self('logs', name).stderr}")
            yield name, port
        finally:
            self("rm", "-f", "-t", "0", name, check=False)


@pytest.fixture(scope="session")
def podman(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Podman]:
    podman = Podman(tmp_path_factory.mktemp("podman"))
    yield podman
    podman("rm", "-af", "-t", "0", check=False)
    podman("rmi", "-af", check=False)
