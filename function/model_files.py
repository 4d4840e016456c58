"""The files of a model directory, each checked by the SHA-256 that the manifest has of it."""

from __future__ import annotations

import hashlib
from pathlib import Path

from onnxlet.function.errors import ModelError

AGAIN = "Copy the version again, or build it again."


def check_hash(content: bytes, expected: str | None, label: str) -> None:
    """Refuse a file that is not the one that the manifest has the SHA-256 of.

    Raises:
        ModelError: it was altered.
    """
    got = hashlib.sha256(content).hexdigest()
    if got != expected:
        raise ModelError(f"{label} was altered: expected sha256 {expected}, got {got}", AGAIN)


def way_out(error: OSError) -> str:
    """The hint where a file of a version can't be read."""
    denied = isinstance(error, PermissionError)
    return "Let the user that this runs as read it." if denied else AGAIN


def read_checked(directory: Path, file: str, expected: str | None, label: str) -> bytes:
    """A file of a model directory, by the SHA-256 that the manifest has of it.

    Raises:
        ModelError: it is missing, or was altered.
    """
    try:
        content = (directory / file).read_bytes()
    except OSError as error:  # its own words have the whole path
        message = f"{label}: {file} can't be read: {error.strerror}"
        raise ModelError(message, way_out(error)) from error
    check_hash(content, expected, f"{label}: {file}")
    return content
