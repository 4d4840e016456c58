"""Scans the models' folder: which versions are there, and which files are still changing."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from onnxlet.function.models.aliases import file_of
from onnxlet.function.models.model import MANIFEST, REPORT
from onnxlet.function.models.repository import NAME, VERSION

Key = tuple[str, int]  # a model's name, and a version
Stamp = tuple[tuple[str, int, int, int], ...]  # of each file its name, bytes, time and inode


def scan_all(folders: Sequence[Path]) -> dict[Key, Stamp]:
    """The versions below several folders; the first one's count, others may be absent.

    Raises OSError where one can't be read.
    """
    found: dict[Key, Stamp] = {}
    for folder in reversed(folders[1:]):  # so that the first folder's version is the one kept
        with suppress(FileNotFoundError):
            found |= scan(folder)
    return found | scan(folders[0])


def scan(folder: Path) -> dict[Key, Stamp]:
    """The versions that are there, and stamps that differ once their files have changed.

    Raises OSError where the folder can't be read.
    """
    found: dict[Key, Stamp] = {}
    with os.scandir(folder) as entries:
        models = [entry for entry in entries if NAME.fullmatch(entry.name)]
    for model in models:
        for version in _entries(model):
            stamp = _stamp(version) if VERSION.fullmatch(version.name) else ()
            if any(file == MANIFEST for file, *_ in stamp):
                found[model.name, int(version.name)] = stamp
    return found


def scan_aliases(folders: Sequence[Path], names: Iterable[str]) -> dict[str, Stamp]:
    """Stamps that differ once the files of these models' aliases have changed."""
    found: dict[str, Stamp] = {}
    for name in names:
        with suppress(OSError):
            if (file := file_of(folders, name)) is not None:
                about = file.stat()
                found[name] = ((str(file), about.st_size, about.st_mtime_ns, about.st_ino),)
    return found


def _entries(directory: os.DirEntry[str]) -> list[os.DirEntry[str]]:
    """What is in a directory; nothing where it is none, can't be read, or vanishes meanwhile."""
    with suppress(OSError), os.scandir(directory) as entries:
        return list(entries)
    return []


def _stamp(directory: os.DirEntry[str]) -> Stamp:
    files = []
    for entry in _entries(directory):
        if entry.name.lstrip(".").startswith(REPORT):
            continue  # written again beside the model, which stays as it is
        with suppress(OSError):
            about = entry.stat()
            files.append((entry.name, about.st_size, about.st_mtime_ns, about.st_ino))
    return tuple(sorted(files))


class FolderScan:
    """The last two scans of folders; raises OSError where one can't be read."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = folders
        self.now = self._before = scan_all(folders)
        self._aliases = self._aliases_before = scan_aliases(folders, self.there())

    def again(self) -> None:
        """Scan once more; raises OSError where a folder can't be read."""
        self.now, self._before = scan_all(self._folders), self.now
        self._aliases_before = self._aliases
        self._aliases = scan_aliases(self._folders, self.there())

    def there(self) -> dict[str, list[int]]:
        """The versions of each model, lowest first: those that either scan has found."""
        versions: dict[str, list[int]] = {}
        for name, number in sorted(self.now.keys() | self._before.keys()):
            versions.setdefault(name, []).append(number)
        return versions

    def is_steady(self, key: Key) -> bool:
        """Whether none of its files has changed between the two."""
        return key in self.now and self.now[key] == self._before.get(key)

    def are_aliases_steady(self, name: str) -> bool:
        """Whether the file of a model's aliases has not changed between the two, or is away."""
        return self._aliases.get(name) == self._aliases_before.get(name)
