"""Where things lie on a device, and changes to them that a power cut can't tear.

A device has two slots, `a` and `b`, each with a whole unpacked bundle; `live` is a link to one of
them. What is written comes to the card before what points to it does. Standard library alone:
the installer runs this out of the zip.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

SLOTS = ("a", "b")


class Places(NamedTuple):
    """A device's folders.

    Attributes:
        root: `/`; another folder for an image that is being made, and for tests.
    """

    root: Path = Path("/")

    @property
    def data(self) -> Path:
        """Slots, link, models and state."""
        return self.root / "var/lib/onnxlet"

    @property
    def live(self) -> Path:
        """The link to the slot that serves."""
        return self.data / "live"

    @property
    def back(self) -> Path:
        """A link to the slot that judges the live one, as long as that has not proven itself."""
        return self.data / "back"

    @property
    def models(self) -> Path:
        """Updates of models alone."""
        return self.data / "models"

    @property
    def state(self) -> Path:
        """What the service itself writes; the one folder that it may write to."""
        return self.data / "state"

    @property
    def settings(self) -> Path:
        """The folder of what is set on this device."""
        return self.root / "etc/onnxlet"

    @property
    def environment(self) -> Path:
        """The service's environment variables."""
        return self.settings / "environment"

    @property
    def keys(self) -> Path:
        """Public keys that updates are signed by, each NAME.pub in minisign's form."""
        return self.settings / "keys"

    def slot(self, name: str) -> Path:
        """A slot's folder."""
        return self.data / name


def live_slot(places: Places) -> str | None:
    """The name of the slot that serves; None where there is none yet."""
    try:
        name = str(places.live.readlink())
    except OSError:
        return None
    return name if name in SLOTS and places.slot(name).is_dir() else None


def idle_slot(places: Places) -> str:
    """The name of a slot that does not serve."""
    return next(name for name in SLOTS if name != live_slot(places))


def with_updates(models: Path) -> tuple[Path, Path | None]:
    """A slot's models, and the folder of updates of models alone; other folders have none.

    The slot is taken by its own name, so that a server stays with it when the link is switched.
    """
    real = models.resolve()
    data = real.parent.parent
    if real.parent.name in SLOTS and (data / "live").is_symlink():
        return real, data / "models"
    return models, None


def switch(places: Places, name: str) -> None:
    """Have another slot serve from the next start on: the old one or the new one, never neither."""
    point(places.live, name)


def point(link: Path, name: str) -> None:
    """Have a link lead to a slot: the old one or the new one, never neither."""
    beside = link.with_name(f"{link.name}.new")
    with suppress(FileNotFoundError):
        beside.unlink()
    beside.symlink_to(name)
    beside.replace(link)
    sync_folder(link.parent)


def empty(folder: Path) -> None:
    """Leave an empty folder there, whatever it was."""
    if folder.is_symlink() or folder.is_file():
        folder.unlink()
    elif folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    sync_folder(folder.parent)


def write_durably(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Write a file, whole or not at all, and have it on the card before this returns."""
    beside = path.with_name(f".{path.name}.new")
    with suppress(FileNotFoundError):
        beside.unlink()
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        os.fchmod(file.fileno(), mode)  # whatever the umask is
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Have a folder's entries on the card."""
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def sync_tree(folder: Path) -> None:
    """Have everything below a folder on the card, the folder itself last."""
    for place, _, files in os.walk(folder, topdown=False):
        for name in files:
            opened = os.open(Path(place, name), os.O_RDONLY)
            try:
                os.fsync(opened)
            finally:
                os.close(opened)
        sync_folder(Path(place))
