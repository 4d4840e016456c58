"""Layers of files, folders and links, and the file of an image: the same files give the same bytes.

Layers are gzipped tars. The file is an OCI image layout in a tar, which is an archive of Docker's,
too. Both name the same blobs. `oci-layout` and `index.json` are what the OCI image specification
asks for; `manifest.json` is what `docker load` reads, and with it the health check, which OCI's
configuration has no field for.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
import tarfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import IO, Any, NamedTuple

from onnxlet.convert.bundle import archive
from onnxlet.convert.bundle.parts import ARCHITECTURES, Machine
from onnxlet.convert.directory.model_directory import sha256
from onnxlet.function.errors import WrongUse

READABLE = 0o644
RUNNABLE = 0o755
USER = 65532  # of no rights, as other images without a shell have it
TIME = 315_532_800  # 1980-01-01, as in the bundle's zip


class LayerEntry(NamedTuple):
    """What stands at one path."""

    content: archive.Content = b""  # of a file, or where it lies
    mode: int = READABLE  # its rights
    link: str | None = None  # what a link points to; None for a file
    folder: bool = False  # it is one
    owner: int = 0  # the user's number. The group is 0, which some platforms run all users in.

    def read(self) -> bytes:
        """A file's content."""
        return archive.read(self.content)


Entries = dict[str, LayerEntry]  # by path, without a leading slash


def folder(mode: int = RUNNABLE, owner: int = 0) -> LayerEntry:
    """An entry of a folder."""
    return LayerEntry(mode=mode, folder=True, owner=owner)


def link(target: str) -> LayerEntry:
    """An entry of a symbolic link."""
    return LayerEntry(mode=0o777, link=target)


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
    above = {str(parent) for path in entries for parent in PurePosixPath(path).parents} - {"."}
    every = {path: folder() for path in above} | entries
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


def add(tar: tarfile.TarFile, path: str, entry: LayerEntry) -> int:
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
        held = entry.content
        with io.BytesIO(held) if isinstance(held, bytes) else held.open("rb") as content:
            tar.addfile(info, content)
    return info.size


OCI = "application/vnd.oci.image"
SCHEMA = 2
PLATFORM = ("architecture", "os", "variant")
# Where the OCI specification has an image's name, and where containerd looks.
NAMES = ("org.opencontainers.image.ref.name", "io.containerd.image.name")
Json = dict[str, Any]


def created_at(environ: Mapping[str, str]) -> str:
    """When an image says that it was made: SOURCE_DATE_EPOCH, else as what is in its layers.

    Raises WrongUse where that variable is no number of seconds.
    """
    text = environ.get("SOURCE_DATE_EPOCH", "").strip() or str(TIME)
    if not re.fullmatch("[0-9]{1,11}", text):
        expected = "expected seconds since 1970-01-01 UTC"
        raise WrongUse(f"SOURCE_DATE_EPOCH: {expected}, got '{text[:80]}'", "date +%s shows now's.")
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(int(text)))


def image_config(machine: Machine, layers: Sequence[Layer], run: Json, created: str) -> bytes:
    """An image's configuration, in the form that OCI and Docker share.

    `Healthcheck` is Docker's only. Layers are given lowest first.
    """
    same = {"created": created, "created_by": "onnxlet"}
    platform: Json = {"architecture": ARCHITECTURES[machine.arch], "os": "linux"}
    if machine.arch == "aarch64":
        platform["variant"] = "v8"
    return _json(
        {
            "created": created,
            **platform,
            "config": run,
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{each.diff}" for each in layers]},
            "history": [{**same, "comment": each.name} for each in layers],
        }
    )


def write_layout(
    file: Path, tag: str, config: bytes, layers: Sequence[Layer], notes: dict[str, str]
) -> str:
    """Write the file; the digest of the image's manifest, in hexadecimal.

    The tag is such as `onnxlet:latest`; layers are given lowest first; notes annotate the manifest.
    """
    listed = [_descriptor(f"{OCI}.layer.v1.tar+gzip", each.digest, each.size) for each in layers]
    config_digest = sha256(config)
    manifest = _json(
        {
            "schemaVersion": SCHEMA,
            "mediaType": f"{OCI}.manifest.v1+json",
            "config": _descriptor(f"{OCI}.config.v1+json", config_digest, len(config)),
            "layers": listed,
            "annotations": notes,
        }
    )
    digest = sha256(manifest)
    parsed = json.loads(config)
    whole = _descriptor(f"{OCI}.manifest.v1+json", digest, len(manifest))
    whole["platform"] = {key: parsed[key] for key in PLATFORM if key in parsed}
    whole["annotations"] = dict.fromkeys(NAMES, tag)
    index = {"schemaVersion": SCHEMA, "mediaType": f"{OCI}.index.v1+json", "manifests": [whole]}
    docker = [
        {
            "Config": _blob(config_digest),
            "RepoTags": [tag],
            "Layers": [_blob(each.digest) for each in layers],
        }
    ]
    entries = {
        "oci-layout": LayerEntry(_json({"imageLayoutVersion": "1.0.0"})),
        "index.json": LayerEntry(_json(index)),
        "manifest.json": LayerEntry(_json(docker)),
        _blob(config_digest): LayerEntry(config),
        _blob(digest): LayerEntry(manifest),
        **{_blob(each.digest): LayerEntry(each.file) for each in layers},
    }
    with tarfile.open(file, "w", format=tarfile.PAX_FORMAT) as tar:
        for path, entry in entries.items():
            add(tar, path, entry)
    return digest


def _blob(digest: str) -> str:
    return f"blobs/sha256/{digest}"


def _descriptor(kind: str, digest: str, size: int) -> Json:
    return {"mediaType": kind, "digest": f"sha256:{digest}", "size": size}


def _json(content: Any) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode()
