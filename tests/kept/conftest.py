"""The kept bundle unpacked, today's versions of its models, and a Python that has the packages."""

from __future__ import annotations

import json
import shutil
import sys
import sysconfig
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest

from onnxlet.convert.build import Built, build
from onnxlet.convert.bundle.contents import choose_models
from onnxlet.convert.bundle.package import write_models
from onnxlet.convert.bundle.sign import sign_release
from onnxlet.convert.imported.import_onnx import import_onnx
from onnxlet.convert.sources.source import load_source
from tests.conftest import Client, through_socket
from tests.convert.bundle.conftest import ARCH, PYTHON
from tests.edge.update.conftest import FOR, Maker, Supervised, make_key
from tests.kept import sources
from tests.kept.device import Device
from tests.project.commands import free_port

HERE = Path(__file__).parent
RELEASES = sorted(models.parent.name for models in HERE.glob("*/models"))
OURS = ("convert", "edge", "function", "onnxlet", "site-packages")


class Rebuilt(NamedTuple):
    """The kept models with today's beside them.

    Attributes:
        folder: of both.
        built: what each build made, by the model's name.
        reported: while they were built.
    """

    folder: Path
    built: dict[str, Built]
    reported: list[str]


@pytest.fixture(scope="session", params=RELEASES)
def kept(request: pytest.FixtureRequest) -> Path:
    """What a release made, or a commit before the first."""
    return HERE / str(request.param)


@pytest.fixture(scope="session")
def models(kept: Path) -> Path:
    """The model directories that it built."""
    return kept / "models"


@pytest.fixture(scope="session")
def rebuilt(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Rebuilt:
    home, reported = tmp_path_factory.mktemp("rebuilt"), list[str]()
    folder = Path(shutil.copytree(models, home / "models"))
    file, sample, _ = sources.net(home, first=1)  # to differ, as the others do
    built = {"net": import_onnx(file, "net", folder, reported.append, sample)}
    for name in ("frame", "iris", "text"):
        source = load_source(f"{HERE / 'sources.py'}:{name}")
        source = replace(source, X_test=source.X_test[1:], y_test=source.y_test[1:])
        built[name] = build(source, name, folder, reported.append)
    return Rebuilt(folder, built, reported)


@pytest.fixture(scope="session")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python whose own library has the packages of this environment, and nothing of ours.

    Units run `python -I -S`, which hides an environment's packages; a bundle brings its own.
    """
    home = tmp_path_factory.mktemp("python")
    library = home / "base" / "lib" / "python{}.{}".format(*sys.version_info)
    for folder in (home / "base" / "bin", library, home / "bin"):
        folder.mkdir(parents=True)
    entries = {
        entry.name: entry
        for path in ("purelib", "platlib", "stdlib")
        for entry in Path(sysconfig.get_path(path)).iterdir()
        if entry.stem not in OURS
    }
    for name, entry in entries.items():
        (library / name).symlink_to(entry)
    # What is named as its home is where a Python looks for its library.
    (home / "pyvenv.cfg").write_text(f"home = {home / 'base' / 'bin'}\n")
    (home / "bin" / "python").symlink_to(Path(sys.executable).resolve())
    return home / "bin" / "python"


@pytest.fixture(scope="session")
def bundle(kept: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The kept bundle as a zip, for this machine: release 1, with version 1 of each model."""
    archive = tmp_path_factory.mktemp("bundle") / "onnxlet.zip"
    with tarfile.open(kept / "device.tar.xz") as tar:
        files = {member.name: tar.extractfile(member) for member in tar}
        contents = {name: file.read() for name, file in files.items() if file}
    told = json.loads(contents["bundle.json"]) | {"python": PYTHON, "arch": ARCH}
    contents["bundle.json"] = json.dumps(told).encode()
    with zipfile.ZipFile(archive, "w") as opened:
        for name, content in contents.items():
            opened.writestr(name, content)
    return archive


@pytest.fixture(scope="session")
def maker(rebuilt: Rebuilt, tmp_path_factory: pytest.TempPathFactory) -> Maker:
    """Makes releases of today's code and models."""
    folder = tmp_path_factory.mktemp("releases")
    scratch = tmp_path_factory.mktemp("scratch")
    return Maker(folder, rebuilt.folder, scratch, make_key(folder / "keys", "one"))


@pytest.fixture(scope="session")
def today(maker: Maker) -> Path:
    """Release 2, of today's code, with version 2 of iris."""
    return maker.release(2)


@pytest.fixture(scope="session")
def models_of_today(maker: Maker) -> Path:
    """Models release 1: version 2 of frame."""
    out = maker.folder / "models.zip"
    write_models(choose_models(maker.models, ["frame"], ()), out, 1)
    sign_release(out, maker.key, kind="models", release=1, **FOR)
    return out


@pytest.fixture(scope="session")
def installed(
    bundle: Path, python: Path, maker: Maker, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A root that the kept bundle has installed itself into."""
    root = tmp_path_factory.mktemp("root")
    (root / "etc").mkdir()  # without it `install` takes a folder for no system
    key = maker.folder / "keys" / "one.pub"
    done = Device(root, python).install(bundle, "--key", str(key))
    assert done.returncode == 0, done.stderr
    return root


@pytest.fixture
def device(installed: Path, python: Path, tmp_path: Path) -> Device:
    """A device that serves release 1 from slot a, by the kept code."""
    device = Device(shutil.copytree(installed, tmp_path / "root", symlinks=True), python)
    device.paths.state.mkdir()
    return device


@pytest.fixture
def supervised(device: Device, tmp_path: Path) -> Iterator[Client]:
    """A client of the device's service, which is started again by the command in its settings."""
    port = free_port()
    settings = f"ONNXLET_DEVICE_PORT={port}\nONNXLET_DEVICE_ID='one'\nONNXLET_RELOAD_SECONDS=1\n"
    with device.paths.environment.open("a") as file:
        file.write(settings)
    service = Supervised(device.unit("onnxlet.service"), tmp_path, device.service_environ())
    with device.paths.environment.open("a") as file:
        file.write(f'ONNXLET_DEVICE_RESTART="{service.restart}"\n')
    yield Client(through_socket(port))
    service.stop()
