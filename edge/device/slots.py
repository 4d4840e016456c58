"""The folders of a device, and changes to them that survive a power cut at any moment.

A device has two slots, `a` and `b`, each with a whole unpacked bundle; `live` is a link to one of
them. Content reaches the disk before whatever points to it. Standard library only: the installer
runs this from the zip.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

SLOTS = ("a", "b")
LISTS = ("bundle.json", "device.json")  # of the files in a bundle, with their hashes


class DevicePaths:
    """A device's folders; the root is another one for a system image that is being built."""

    def __init__(self, root: Path = Path("/")) -> None:
        self.root = root
        self.data = root / "var/lib/onnxlet"  # of slots, link, models and state
        self.live = self.data / "live"  # the link to the slot that is served
        # A link to the previous slot, whose code judges the live one until that is confirmed.
        self.back = self.data / "back"
        self.models = self.data / "models"  # the folder of model-only updates
        self.state = self.data / "state"  # the only folder that the service may write to
        self.settings = root / "etc/onnxlet"  # the folder of this device's settings
        self.environment = self.settings / "environment"  # the service's environment variables
        self.keys = self.settings / "keys"  # trusted public keys, each NAME.pub in minisign's form

    def slot(self, name: str) -> Path:
        """The folder of the slot of this name."""
        return self.data / name


def live_slot(paths: DevicePaths) -> str | None:
    """The name of the slot that is served; None if there is none yet."""
    try:
        name = str(paths.live.readlink())
    except OSError:
        return None
    return name if name in SLOTS and paths.slot(name).is_dir() else None


def idle_slot(paths: DevicePaths) -> str:
    """The name of a slot that is not served."""
    return next(name for name in SLOTS if name != live_slot(paths))


def with_updates(models: Path) -> tuple[Path, Path | None]:
    """A slot's models, and the folder of model-only updates, which only a slot's models have.

    The slot's path is returned without the link, so that a server stays with its slot when the
    link is switched.
    """
    real = Path(os.path.realpath(models))  # resolve() raises for links in a circle, before 3.13
    data = real.parent.parent
    if real.parent.name in SLOTS and (data / "live").is_symlink():
        return real, data / "models"
    return models, None


def switch(paths: DevicePaths, name: str) -> None:
    """Have another slot served from the next start on, atomically."""
    point(paths.live, name)


def point(link: Path, name: str) -> None:
    """Point a link to a slot, atomically: it never is missing."""
    beside = link.with_name(f"{link.name}.new")
    with suppress(FileNotFoundError):
        beside.unlink()
    beside.symlink_to(name)
    beside.replace(link)
    sync_folder(link.parent)


def empty(folder: Path) -> None:
    """Make an empty folder, and remove what is there."""
    if folder.is_symlink() or folder.is_file():
        folder.unlink()
    elif folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    sync_folder(folder.parent)


def write_durably(
    path: Path, content: bytes, mode: int = 0o644, owner: tuple[int, int] | None = None
) -> None:
    """Write a file, all of it or nothing; it is on the disk when this returns.

    The owner is a user's and a group's number; None is whoever writes it.
    """
    beside = path.with_name(f".{path.name}.new")
    with suppress(FileNotFoundError):
        beside.unlink()
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        if owner is not None:  # which services may not call, the one of updates either
            os.fchown(file.fileno(), *owner)
        os.fchmod(file.fileno(), mode)  # whatever the umask is
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Flush a folder's entries to the disk."""
    _sync(folder, os.O_DIRECTORY)


def _sync(path: Path, flags: int = 0) -> None:
    opened = os.open(path, os.O_RDONLY | flags)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def sync_tree(folder: Path) -> None:
    """Flush everything below a folder to the disk, the folder itself last."""
    for parent, _, files in os.walk(folder, topdown=False):
        for name in files:
            _sync(Path(parent, name))
        sync_folder(Path(parent))


def digests_in(lists: Iterable[bytes]) -> dict[str, str]:
    """The SHA-256 of each file that a bundle's lists name, by path, in hexadecimal."""
    return {path: digest for each in lists for path, digest in json.loads(each)["files"].items()}


def altered(slot: Path, digests: Mapping[str, str]) -> list[str]:
    """The paths of files in a slot that are missing, or have another SHA-256."""
    return [path for path, digest in digests.items() if _sha256(slot / path) != digest]


def _sha256(path: Path) -> str:
    """In hexadecimal; empty where it can't be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""
