"""Disks for machines whose power is cut: many small releases, their packages beside them."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from tests.device.conftest import package
from tests.edge.update.conftest import RESTART, Files, Maker, as_bytes, hashes
from tests.edge.update.test_taking import models_archive
from tests.machine.system import ARCH, PYTHON, make_disk

HERE = Path(__file__).parent
OURS = ("onnxlet/", "models/", "__main__.py")  # of a bundle; the rest are packages
LISTS = ("bundle.json", "device.json")
SETTINGS = b"""\
ONNXLET_DEVICE_FORWARD_URL=http://127.0.0.1:9/
ONNXLET_DEVICE_RESTART="python3 /srv/restart.py /run/onnxlet.pid"
"""


class Releases(NamedTuple):
    """Disks.

    Attributes:
        srv: releases from 2 on, `bundle-N.zip` and `models-N.zip`, and what the machine runs.
        data: a device's /var/lib/onnxlet, with release 1 in slot a; to be copied.
    """

    srv: Path
    data: Path


def make_releases(maker: Maker, folder: Path, count: int) -> Releases:
    """Make the disks.

    Args:
        maker: has the key and the models.
        folder: for the disks, and what is on them.
        count: of the releases of each kind.
    """
    srv, data, key = folder / "srv", folder / "data", maker.folder / "keys" / "one"
    package(maker.models, folder, 1, key.with_suffix(".key"), PYTHON, ARCH)
    ours, packages = split(folder / "release-1.zip")
    place(packages, srv / "packages")
    place({"environment": SETTINGS, "keys/one.pub": key.with_suffix(".pub")}, srv / "onnxlet")
    place({"unsynced.py": HERE / "unsynced.py"}, srv / "unsynced")
    place({name: HERE / name for name in ("agent.py", "guest.py", "whole.py")}, srv)
    place({"restart.py": RESTART.encode()}, srv)
    for number in range(2, 2 + count):
        archive = maker.write(numbered(ours, number), f"bundle-{number}.zip")
        place_signed(maker.sign(archive, number, arch=ARCH, python=PYTHON), srv / archive.name)
        models = folder / "models" / str(number)
        shutil.copytree(maker.models / "iris" / "1", models / "iris" / str(number))
        place_signed(models_archive(maker, models, number), srv / f"models-{number}.zip")
    place(numbered(ours, 1), data / "a")
    (data / "live").symlink_to("a")
    (data / "models").mkdir()
    return Releases(
        make_disk(srv, folder / "srv.disk", "400M", "srv"),
        make_disk(data, folder / "data.disk", "200M", "data"),
    )


def split(bundle: Path) -> tuple[dict[str, bytes], Files]:
    """What a bundle brings itself, its lists among it; and its packages."""
    with zipfile.ZipFile(bundle) as opened:
        every = {name: opened.read(name) for name in opened.namelist()}
    ours = {path: every[path] for path in every if path.startswith(OURS) or path in LISTS}
    return ours, {path: every[path] for path in every.keys() - ours.keys()}


def numbered(ours: Mapping[str, bytes], number: int) -> Files:
    """A release with this number, of what a bundle brings itself."""
    files: Files = {path: content for path, content in ours.items() if path not in LISTS}
    for name in LISTS:
        reported = json.loads(ours[name])
        listed = {path: ours[path] for path in reported["files"] if path in ours}
        files[name] = json.dumps({**reported, "release": number, "files": hashes(listed)}).encode()
    return files


def place(files: Files, folder: Path) -> None:
    """Write files, and the folders that they need."""
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(as_bytes(content))


def place_signed(archive: Path, to: Path) -> None:
    """Move an archive with its signature."""
    shutil.move(f"{archive}.minisig", f"{to}.minisig")
    shutil.move(archive, to)
