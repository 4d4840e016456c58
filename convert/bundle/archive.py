"""One zip: sorted entries, fixed times, so that the same files give the same bytes."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

from onnxlet.convert.directory.durable import whole
from onnxlet.convert.file_hashes import sha256_of

Content = Path | bytes  # a file, or what will be in it
TIME = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can say
MODE = 0o100644 << 16  # Lambda runs as another user than the owner, and nothing is a program
UNIX = 3
LEVEL = 9


def write_archive(
    target: Path,
    files: Mapping[str, Content],
    progress: Callable[[int], object],
    judge: Callable[[Mapping[str, int], int], None],
) -> str:
    """Write a zip, whole or not at all; its SHA-256, in hexadecimal.

    `progress` is called with the bytes of each file that is in, `judge` with the bytes that each
    file takes in the zip, and with the zip's: where it raises, nothing is written.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with whole(target) as part:
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED, compresslevel=LEVEL) as archive:
            for path in sorted(files):
                content = read(files[path])
                archive.writestr(_entry(path), content, compresslevel=LEVEL)
                progress(len(content))
            sizes = {entry.filename: entry.compress_size for entry in archive.infolist()}
        judge(sizes, part.stat().st_size)
        return sha256_of(part)


def read(content: Content) -> bytes:
    """The bytes of a file, which may be there already."""
    return content if isinstance(content, bytes) else content.read_bytes()


def size_of(content: Content) -> int:
    """How many bytes these are."""
    return len(content) if isinstance(content, bytes) else content.stat().st_size


def _entry(path: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(path, TIME)
    entry.create_system = UNIX
    entry.external_attr = MODE
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry
