"""Where tables lie: a folder here, or a prefix in S3; what is written lands whole or not at all."""

from __future__ import annotations

import atexit
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from functools import cache, cached_property
from pathlib import Path
from typing import Any, NamedTuple

from onnxlet.convert.directory.durable import sync
from onnxlet.convert.errors import shortened
from onnxlet.convert.score.errors import cannot_write
from onnxlet.function.errors import WrongUse

S3 = re.compile(r"s3://", re.I)
PART = ".part"  # how the names of files end that are being written; they begin with a dot
HALF_WRITTEN = re.compile(rf"\.\d+-(.*){re.escape(PART)}", re.S)


class StoredFile(NamedTuple):
    """A file in a storage."""

    path: str  # below it, with '/' between folders
    size: int  # bytes
    changed: int  # nanoseconds since 1970


class LocalFolder:
    """A folder on this machine.

    `uri` is as a worker finds it again, an absolute path or an address; `scratch` is a folder here
    in which a file is written before it lands.
    """

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self.root = self.scratch = Path(uri)

    def entries(self) -> Iterator[StoredFile]:
        """Every file below it, links followed once; no hidden link to nothing, as editors make.

        Raises OSError where a folder below it can't be read.
        """
        seen: set[str] = set()
        for folder, below, files in os.walk(self.root, onerror=_raise, followlinks=True):
            real = os.path.realpath(folder)
            if real in seen:
                below.clear()
                continue
            seen.add(real)
            below.sort()
            for name in sorted(files):
                path = Path(folder, name)
                if name.startswith(".") and not path.exists():
                    continue
                found = path.stat()
                inside = path.relative_to(self.root).as_posix()
                yield StoredFile(inside, found.st_size, found.st_mtime_ns)

    def entry(self, path: str) -> StoredFile | None:
        """One file as it is now; None where there is none."""
        try:
            found = (self.root / path).stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        return StoredFile(path, found.st_size, found.st_mtime_ns)

    def open(self, path: str) -> Any:
        """A file of PyArrow's, to read at any position."""
        import pyarrow as pa

        return pa.OSFile(str(self.root / path), "rb")

    def land(self, written: Path, path: str) -> None:
        """Move a file from `scratch` to where it belongs, replacing what is there.

        It is renamed once it is on disk; the folder that it is in is made. NoRoom if that can't be.
        """
        to = self.root / path
        try:
            sync(written)
            to.parent.mkdir(parents=True, exist_ok=True)
            written.rename(to)
            sync(to.parent)
        except OSError as error:
            raise cannot_write(str(to), error) from error

    def remove(self, path: str) -> None:
        """Remove a file, which need not be there, and what it leaves empty below this folder."""
        gone = self.root / path
        gone.unlink(missing_ok=True)
        for folder in gone.parents:
            if folder == self.root:
                return
            with suppress(OSError):  # it is not empty, or not there
                folder.rmdir()


class S3Folder:
    """A prefix in a bucket of S3, or of what speaks its protocol.

    An object is seen once it is whole. A file is written here before it is sent, so that what
    breaks while it is written sends nothing.
    """

    def __init__(self, uri: str) -> None:
        self.uri = uri.rstrip("/")
        self.root = S3.sub("", self.uri)
        self.scratch = _of_this_process()

    @cached_property
    def _files(self) -> Any:
        from onnxlet.convert.tables.rows_file import file_system

        return file_system(self.root)

    def entries(self) -> Iterator[StoredFile]:
        """Every object below it."""
        from pyarrow.fs import FileSelector, FileType

        wanted = FileSelector(self.root, recursive=True, allow_not_found=True)
        for found in self._files.get_file_info(wanted):
            if found.type == FileType.File:
                inside = found.path[len(self.root) :].lstrip("/")
                yield StoredFile(inside, found.size, found.mtime_ns or 0)

    def entry(self, path: str) -> StoredFile | None:
        """One object as it is now."""
        from pyarrow.fs import FileType

        found = self._files.get_file_info(f"{self.root}/{path}")
        if found.type != FileType.File:
            return None
        return StoredFile(path, found.size, found.mtime_ns or 0)

    def open(self, path: str) -> Any:
        """An object to read at any position, by ranges."""
        return self._files.open_input_file(f"{self.root}/{path}")

    def land(self, written: Path, path: str) -> None:
        """Send a file; nothing of it is seen before all is there. NoRoom if it can't be sent."""
        to = f"{self.root}/{path}"
        try:
            with written.open("rb") as file, self._files.open_output_stream(to) as sent:
                shutil.copyfileobj(file, sent, 1 << 22)
        except OSError as error:
            raise cannot_write(f"s3://{to}", error) from error
        written.unlink()

    def remove(self, path: str) -> None:
        """Remove an object, which need not be there."""
        if self.entry(path) is not None:
            self._files.delete_file(f"{self.root}/{path}")


Storage = LocalFolder | S3Folder


@cache
def _of_this_process() -> Path:
    """A folder that is removed when this process ends."""
    folder = tempfile.mkdtemp(prefix="onnxlet-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


def storage_of(uri: str) -> Storage:
    """The storage that an absolute path or an address names."""
    return S3Folder(uri) if S3.match(uri) else LocalFolder(uri)


def split(uri: str) -> tuple[str, str]:
    """A file's folder and its name."""
    folder, _, name = uri.rstrip("/").rpartition("/")
    return folder or "/", name


def absolute(given: str) -> str:
    """What a user names, as any process of this machine finds it."""
    if S3.match(given):
        if not S3.sub("", given).strip("/"):
            raise WrongUse(f"'{given}': expected s3://bucket/prefix, got no bucket")
        return given.rstrip("/")
    if re.match(r"[a-z][a-z0-9+.-]+:/", given, re.I):
        raise WrongUse(
            f"'{given}': expected a path or s3://bucket/prefix, got another kind of address",
            "Copy it here, or to S3.",
        )
    return str(Path(given).absolute())


def writable(path: Path) -> Any:
    """A new file in `scratch`; NoRoom if it can't be made."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("wb")
    except OSError as error:
        raise cannot_write(str(path), error) from error


def half_written(storage: Storage, name: str) -> Path:
    """Where this process writes a file until it is whole."""
    return storage.scratch / f".{os.getpid()}-{name}{PART}"


def tidy(storage: Storage, name: str | None = None) -> None:
    """Remove what a kill left half-written in a storage that no other process writes to.

    In a folder that others write to, too, only what `half_written` was given the name of.
    """
    if isinstance(storage, LocalFolder):
        for path in storage.scratch.glob(f".*{PART}"):
            found = HALF_WRITTEN.fullmatch(path.name)
            if found and name in (None, found[1]):
                path.unlink(missing_ok=True)


def put(storage: Storage, path: str, content: bytes) -> None:
    """Write a small file, whole or not at all: NoRoom if it can't be."""
    written = half_written(storage, path.replace("/", "-"))
    try:
        with writable(written) as file:
            file.write(content)
        storage.land(written, path)
    except OSError as error:
        raise cannot_write(f"{storage.uri}/{path}", error) from error
    finally:
        written.unlink(missing_ok=True)


def read(storage: Storage, path: str) -> bytes:
    """A small file's content; WrongUse if it can't be read."""
    try:
        with storage.open(path) as file:
            content: bytes = file.read()
    except OSError as error:
        raise WrongUse(f"'{storage.uri}/{path}' can't be read: {shortened(error)}") from error
    return content


def _raise(error: OSError) -> None:
    raise error
