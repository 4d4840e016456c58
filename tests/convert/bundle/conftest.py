"""Bundles for the machine and the Python that the tests run on, made once."""

from __future__ import annotations

import hashlib
import json
import platform
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from onnxlet.convert.bundle import archive
from onnxlet.convert.bundle.contents import choose_models
from onnxlet.convert.bundle.package import Order, Packaged, package
from onnxlet.convert.bundle.parts import Machine
from onnxlet.convert.bundle.targets import TARGETS
from tests.kept_builds import kept

PYTHON = "{}.{}".format(*sys.version_info[:2])
ARCH = {"arm64": "aarch64", "AMD64": "x86_64"}.get(platform.machine(), platform.machine())


@pytest.fixture(scope="session", autouse=True)
def _quick() -> Iterator[None]:
    """Zipping as small as it goes takes most of the time that a bundle takes."""
    kept, archive.LEVEL = archive.LEVEL, 1
    yield
    archive.LEVEL = kept


@contextmanager
def no_bar(total: int) -> Iterator[Any]:
    yield lambda size: None


def make(kind: str, models: Path, out: Path, **more: Any) -> Packaged:
    """A bundle for this machine."""
    target, machine = TARGETS[kind], Machine(more.pop("python", PYTHON), more.pop("arch", ARCH))
    chosen = choose_models(models, more.pop("names", ()), more.pop("remote", ()))
    budget = more.pop("budget", target.budget)
    told: list[str] = more.pop("told", [])
    order = Order(target.parts, machine, chosen, out, budget, target.limits, **more)
    return package(order, told.append, no_bar)


class Made(NamedTuple):
    """A bundle, its table and where it is unpacked."""

    zip: Path
    packaged: Packaged
    folder: Path


def made(kind: str, models: Path, folder: Path, **more: Any) -> Made:
    """A bundle that is made once, unpacked into the folder."""
    digest = hashlib.sha256(json.dumps([kind, archive.LEVEL, more]).encode())
    for path in sorted(path for path in models.rglob("*") if path.is_file()):
        digest.update(path.relative_to(models).as_posix().encode() + b"\0" + path.read_bytes())

    def write(into: Path) -> None:
        (into / "packaged.json").write_text(
            json.dumps(make(kind, models, into / "bundle.zip", **more))
        )

    home = kept(f"bundle-{digest.hexdigest()[:16]}", write)
    with zipfile.ZipFile(home / "bundle.zip") as bundle:
        bundle.extractall(folder / "unpacked")
    packaged = Packaged(*json.loads((home / "packaged.json").read_text()))
    return Made(home / "bundle.zip", packaged, folder / "unpacked")


@pytest.fixture(scope="session")
def for_lambda(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Made:
    return made("lambda", models, tmp_path_factory.mktemp("for lambda"))


@pytest.fixture(scope="session")
def for_device(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Made:
    return made("device", models, tmp_path_factory.mktemp("for device"), release=7)
