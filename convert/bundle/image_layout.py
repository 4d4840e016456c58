"""The file of an image: an OCI image layout in a tar, which is an archive of Docker's, too.

Both name the same blobs. `oci-layout` and `index.json` are what the OCI image specification asks
for; `manifest.json` is what `docker load` reads, and with it the health check, which OCI's
configuration has no field for.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from onnxlet.convert.bundle.image_debian import ARCHITECTURES
from onnxlet.convert.bundle.image_layer import Entry, Layer, add
from onnxlet.convert.bundle.parts import Machine
from onnxlet.convert.directory.model_directory import sha256

CREATED = "1980-01-01T00:00:00Z"
OCI = "application/vnd.oci.image"
SCHEMA = 2
PLATFORM = ("architecture", "os", "variant")
# Where the OCI specification has an image's name, and where containerd looks.
NAMES = ("org.opencontainers.image.ref.name", "io.containerd.image.name")
Json = dict[str, Any]


def image_config(machine: Machine, layers: Sequence[Layer], run: Json) -> bytes:
    """An image's configuration, in the form that OCI and Docker share.

    `Healthcheck` is Docker's only. Layers are given lowest first.
    """
    same = {"created": CREATED, "created_by": "onnxlet"}
    platform: Json = {"architecture": ARCHITECTURES[machine.arch], "os": "linux"}
    if machine.arch == "aarch64":
        platform["variant"] = "v8"
    return _json(
        {
            "created": CREATED,
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
        "oci-layout": Entry(_json({"imageLayoutVersion": "1.0.0"})),
        "index.json": Entry(_json(index)),
        "manifest.json": Entry(_json(docker)),
        _blob(config_digest): Entry(config),
        _blob(digest): Entry(manifest),
        **{_blob(each.digest): Entry(each.file) for each in layers},
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
