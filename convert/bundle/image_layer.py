"""Layers of files, folders and links, in gzipped tars: the same files give the same bytes."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import IO, Any, NamedTuple

from onnxlet.convert.bundle import archive

READABLE = 0o644
RUNNABLE = 0o755
USER = 65532  # of no rights, as other images without a shell have it
TIME = 315_532_800  # 1980-01-01, as in the bundle's zip


class Entry(NamedTuple):
    """What stands at one path."""

    content: archive.Content = b""  # of a file, or where it lies
    mode: int = READABLE  # its rights
    link: str | None = None  # what a link points to; None for a file
    folder: bool = False  # it is one
    owner: int = 0  # the user's number. The group is 0, which some platforms run all users in.

    def read(self) -> bytes:
        """A file's content."""
        return archive.read(self.content)


Entries = dict[str, Entry]  # by path, without a leading slash


def folder(mode: int = RUNNABLE, owner: int = 0) -> Entry:
    """An entry of a folder."""
    return Entry(mode=mode, folder=True, owner=owner)


def link(target: str) -> Entry:
    """An entry of a symbolic link."""
    return Entry(mode=0o777, link=target)


class Layer(NamedTuple):
    """One layer, written."""

    name: str  # what is in it
    file: Path  # the gzipped tar
    digest: str  # SHA-256 of the file, in hexadecimal
    diff: str  # SHA-256 of the tar inside
    size: int  # bytes of the file
    unpacked: int  # bytes of the files in it


class _Hashed(io.RawIOBase):
    """Writes on, and hashes what goes through."""

    def __init__(self, beneath: IO[bytes] | gzip.GzipFile) -> None:
        self._beneath, self.sha256 = beneath, hashlib.sha256()

    def writable(self) -> bool:
        """It is written to."""
        return True

    def write(self, data: Any) -> int:
        """Hash bytes, and write them beneath."""
        self.sha256.update(data)
        return self._beneath.write(data)


def write_layer(
    name: str, entries: Entries, file: Path, progress: Callable[[int], object]
) -> Layer:
    """Write a layer of entries by path; folders above them are added.

    `progress` is called with the bytes of each file that is in.
    """
    every = {**_above(entries), **entries}
    unpacked = 0
    with file.open("wb") as raw:
        outer = _Hashed(raw)
        with gzip.GzipFile("", "wb", archive.LEVEL, outer, mtime=0) as packed:
            inner = _Hashed(packed)
            with tarfile.open(fileobj=inner, mode="w|", format=tarfile.PAX_FORMAT) as tar:
                for path in sorted(every):
                    unpacked += add(tar, path, every[path])
                    progress(archive.size_of(every[path].content))
    sha256 = outer.sha256.hexdigest()
    return Layer(name, file, sha256, inner.sha256.hexdigest(), file.stat().st_size, unpacked)


def add(tar: tarfile.TarFile, path: str, entry: Entry) -> int:
    """Add an entry to a tar; the bytes of its content."""
    info = tarfile.TarInfo(path)
    info.mtime, info.mode, info.uid = TIME, entry.mode, entry.owner
    if entry.folder:
        info.type = tarfile.DIRTYPE
        tar.addfile(info)
    elif entry.link is not None:
        info.type, info.linkname = tarfile.SYMTYPE, entry.link
        tar.addfile(info)
    else:
        info.size = archive.size_of(entry.content)
        with _opened(entry) as content:
            tar.addfile(info, content)
    return info.size


def _opened(entry: Entry) -> IO[bytes]:
    if isinstance(entry.content, bytes):
        return io.BytesIO(entry.content)
    return entry.content.open("rb")


def _above(entries: Entries) -> Entries:
    above = {str(parent) for path in entries for parent in PurePosixPath(path).parents}
    return {path: folder() for path in above - {"."}}
