"""Versions of a model as nobody has built them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def altered_manifest(version: Path) -> Iterator[Any]:
    """A version's manifest, which is written as it is at the end."""
    file = version / "manifest.json"
    manifest = json.loads(file.read_bytes())
    yield manifest
    file.write_text(json.dumps(manifest))


def put(version: Path, file: str, content: bytes) -> None:
    """Write another file, and its hash into the manifest."""
    (version / file).write_bytes(content)
    with altered_manifest(version) as manifest:
        manifest["files"][file] = hashlib.sha256(content).hexdigest()
