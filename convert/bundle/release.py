"""What a release is signed as, and archives of only models."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from pathlib import Path

from onnxlet.convert.bundle.archive import sha256_of, write_archive
from onnxlet.convert.bundle.contents import Chosen
from onnxlet.convert.bundle.package import BUNDLE_FORMAT, Files, hashes
from onnxlet.convert.bundle.sign import SigningKey, sign_file

ANY = "any"


def write_models(models: Sequence[Chosen], out: Path, release: int) -> None:
    """Write an archive of only models; the same input gives the same bytes."""
    files: Files = {
        f"models/{model.name}/{model.version}/{file}": model.directory / file
        for model in models
        for file in model.files
    }
    listing = {
        "format": BUNDLE_FORMAT,
        "release": release,
        "models": {model.name: model.version for model in models},
        "files": hashes(files),
    }
    files["models.json"] = json.dumps(listing, indent=1).encode() + b"\n"
    write_archive(out, files, lambda size: None, lambda sizes, whole: None)


def sign_release(
    archive: Path,
    key: SigningKey,
    *,
    kind: str,
    release: int,
    channel: str,
    name: str,
    arch: str = ANY,
    python: str = ANY,
) -> Path:
    """Sign an archive: what it is, for whom, and its number are in the trusted comment.

    Returns the file of the signature, beside the archive.
    """
    with zipfile.ZipFile(archive) as opened:
        unpacked = sum(entry.file_size for entry in opened.infolist())
    comment = comment_for(
        kind=kind,
        channel=channel,
        name=name,
        arch=arch,
        python=python,
        release=release,
        sha256=sha256_of(archive),
        size=archive.stat().st_size,
        unpacked=unpacked,
    )
    return sign_file(archive, comment, key)


def comment_for(**parts: str | int) -> str:
    """A trusted comment, in the form that devices read."""
    return " ".join(["onnxlet", *(f"{name}={value}" for name, value in parts.items())])
