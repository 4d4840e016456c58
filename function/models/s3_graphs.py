"""Graphs that are too large for a bundle, fetched from S3 when a function starts.

The manifest comes with the bundle and has the graph's SHA-256: what is fetched is that very graph,
or refused. boto3 is the Lambda runtime's own; it is not in the bundle.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from onnxlet.folders import documented
from onnxlet.function.errors import ModelError

# Below the folder for temporary files: /tmp on Lambda, kept between invocations.
CACHE = f"onnxlet-{os.geteuid()}"
HINT = (
    "Is it there, may this function read it (s3:GetObject), and is /tmp large enough?"
    + documented(" docs/how-to/deploy.md says how graphs get there.")
)


def download(url: str, target: Path) -> None:
    """Fetch an object by its `s3://` URL into a file; raises ModelError where it can't be."""
    parts = urlsplit(url)
    try:
        import boto3
    except ImportError as error:
        raise ModelError(
            f"{url} can't be fetched: there is no boto3 here",
            "Lambda's runtime has it; elsewhere use a bundle that has the graph in it.",
        ) from error
    try:
        boto3.client("s3").download_file(parts.netloc, parts.path.lstrip("/"), str(target))
    except Exception as error:  # botocore's, of many classes; their words name the cause
        raise ModelError(f"{url} can't be fetched: {error}", HINT) from error


def fetch(
    models_url: str,
    key: str,
    sha256: str | None,
    download: Callable[[str, Path], None] = download,
) -> Path:
    """Fetch a graph, unless an earlier start has left it here.

    The URL is `s3://bucket` with a prefix or none, the key below it name, version and a file.
    Raises ModelError where it can't be fetched or stored, or has another SHA-256, in hexadecimal.
    """
    label = f"model {key.rpartition('/')[0]}"
    kept = _own_folder() / key
    if kept.is_file() and _sha256(kept) == sha256:
        return kept
    kept.parent.mkdir(parents=True, exist_ok=True)
    part = kept.with_name(f".{kept.name}.part")  # the next start overwrites a killed one's
    url = f"{models_url.rstrip('/')}/{key}"
    try:
        download(url, part)
        got = _sha256(part)
        if got != sha256:
            raise ModelError(
                f"{label}: {url} is another graph: expected sha256 {sha256}, got {got}",
                "Deploy again, so that the one that was proven is uploaded.",
            )
        part.replace(kept)
    finally:
        with suppress(FileNotFoundError):
            part.unlink()
    return kept


def _own_folder() -> Path:
    """A folder that only this user writes to: else a graph could change after it was checked."""
    folder = Path(tempfile.gettempdir()) / CACHE
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    about = folder.lstat()
    is_ours = stat.S_ISDIR(about.st_mode) and about.st_uid == os.geteuid()
    if not is_ours or about.st_mode & 0o022:
        raise ModelError(
            f"{folder}: expected a folder of this user's own, got {stat.filemode(about.st_mode)} "
            f"of user {about.st_uid}",
            "Set TMPDIR to a folder that nobody else writes to, or remove this one.",
        )
    return folder


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
