"""The files of a model directory: opened without surprises, and checked by their SHA-256.

A folder may come from anybody. So what stands in it is opened only as a regular file, which no pipe
without a writer holds up, and only where it lies in the model's own folder once all links are
followed: a mount's own links (`..data`) stay inside, and the models' folder or a model's may be a
link of the operator's. Nobody can put a link there between the look and the opening.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from onnxlet.function.errors import ModelError
from onnxlet.function.files import NO_FILE
from onnxlet.function.hashes import sha256

AGAIN = "Copy the version again, or build it again."
OUTSIDE = "it leads out of the model's folder"
COPY = "Put the file itself there: cp -L copies what links lead to."


def check_hash(content: bytes, expected: str | None, label: str) -> None:
    """Raise ModelError where a file is not the one that the manifest has the SHA-256 of."""
    got = sha256(content).hexdigest()
    if got != expected:
        raise ModelError(f"{label} was altered: expected sha256 {expected}, got {got}", AGAIN)


def way_out(error: OSError) -> str:
    """The hint where a file of a version can't be read."""
    if isinstance(error, PermissionError):
        return "Let the user that this runs as read it."
    return COPY if error.strerror == OUTSIDE else AGAIN


def read_within(home: Path, *path: str, most: int = -1) -> bytes:
    """A file in a model's folder `models/NAME`, or its first `most` bytes; -1 is all.

    Raises OSError where it can't be read, is no regular file, or leads out of the folder.
    """
    root = os.path.realpath(home)
    real = os.path.realpath(Path(root, *path))
    if os.path.commonpath([root, real]) != root:
        raise OSError(errno.ELOOP, OUTSIDE)
    at = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in Path(real).relative_to(root).parts:
            outer = at
            at = os.open(
                part, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=at
            )
            os.close(outer)
        if not stat.S_ISREG(os.fstat(at).st_mode):
            raise OSError(errno.EINVAL, NO_FILE)
        with open(at, "rb", closefd=False) as opened:
            return opened.read(most)
    finally:
        os.close(at)


def read_file(directory: Path, file: str, most: int = -1) -> bytes:
    """A file of a version, `models/NAME/VERSION`, or as many bytes of it; -1 is all.

    Raises OSError where it can't be read, is no regular file, or leads out of the model's folder.
    """
    if Path(file).name != file:
        raise OSError(errno.EINVAL, "expected the name of a file")
    return read_within(directory.parent, directory.name, file, most=most)


def read_checked(
    directory: Path, file: str, expected: str | None, label: str, most: int = -1
) -> bytes:
    """A file of a model directory, by the SHA-256 that the manifest has of it.

    Of one that has more than `most` bytes it is that of the first of them; -1 is any. Raises
    ModelError where it is missing, or was altered.
    """
    try:
        content = read_file(directory, file, most)
    except OSError as error:  # its own words have the whole path
        message = f"{label}: {file} can't be read: {error.strerror}"
        raise ModelError(message, way_out(error)) from error
    check_hash(content, expected, f"{label}: {file}")
    return content
