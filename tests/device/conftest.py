"""One booted system, with a bundle in /srv, for all of these tests."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT, lacking
from tests.convert.bundle.conftest import ARCH
from tests.convert.helpers import command
from tests.device.machine import PYTHON, Machine, Unavailable, check_tools
from tests.edge.update.conftest import make_key


@pytest.fixture(scope="session")
def shared(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Release 1 as a zip, release 2 in a channel, and the key of both."""
    folder = tmp_path_factory.mktemp("shared")
    make_key(folder, "onnxlet")
    for release in (1, 2):
        package(models, folder, release, folder / "onnxlet.key", PYTHON, ARCH)
    archive, channel = folder / "release-2.zip", folder / "channel"
    channel.mkdir()
    done = command("publish", str(archive), str(channel), "--sign", str(folder / "onnxlet.key"))
    assert done.returncode == 0, done.stderr
    shutil.copy(Path(__file__).with_name("stalling.py"), folder)
    folder.chmod(0o755)  # for the service's user
    return folder


def package(models: Path, folder: Path, release: int, key: Path, python: str, arch: str) -> None:
    """A signed `release-N.zip` with one model."""
    done = command(
        "package", "--target", "device", "--models", str(models), "--model", "iris",
        "--python", python, "--arch", arch, "--release", str(release),
        "--sign", str(key), "--out", str(folder / f"release-{release}.zip"),
        cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="session")
def machine(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    machine = None
    try:
        check_tools()
        machine = Machine(tmp_path_factory.mktemp("machine"), shared)
        machine.boot()
    except Unavailable as error:
        lacking(str(error))
    else:
        yield machine
    finally:
        if machine is not None:
            machine.power_off()
