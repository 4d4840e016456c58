"""One zip: sorted entries, fixed times, so that the same files give the same bytes."""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

TIME = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can say
MODE = 0o100644 << 16  # Lambda runs as another user than the owner, and nothing is a program
UNIX = 3
LEVEL = 9


def write_archive(
    target: Path,
    files: Mapping[str, Path | bytes],
    progress: Callable[[int], object],
    judge: Callable[[Mapping[str, int], int], None],
) -> str:
    """Write a zip, whole or not at all.

    Args:
        target: the file; replaced in one step when the new one is on disk.
        files: by their path in the zip.
        progress: called with the bytes of each file that is in.
        judge: called with the bytes that each file takes in the zip, and with the zip's; where it
            raises, nothing is written.

    Returns:
        The zip's SHA-256, in hexadecimal.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with part.open("xb") as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=LEVEL) as archive:
                for path in sorted(files):
                    content = _content(files[path])
                    archive.writestr(_entry(path), content, compresslevel=LEVEL)
                    progress(len(content))
                sizes = {entry.filename: entry.compress_size for entry in archive.infolist()}
            file.flush()
            os.fsync(file.fileno())
        judge(sizes, part.stat().st_size)
        with part.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        part.replace(target)
    finally:
        with suppress(FileNotFoundError):
            part.unlink()
    return sha256


def _content(source: Path | bytes) -> bytes:
    return source if isinstance(source, bytes) else source.read_bytes()


def _entry(path: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(path, TIME)
    entry.create_system = UNIX
    entry.external_attr = MODE
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry
