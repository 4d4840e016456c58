"""A device's bundle as the installer meets it: what it asks for, and its files put into a slot.

Standard library alone: it runs out of the zip.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path, PurePosixPath
from zipfile import ZipFile

from onnxlet.edge.device.checks import Needs
from onnxlet.edge.device.slots import empty, sync_tree

LISTS = ("bundle.json", "device.json")
CHUNK = 1 << 18  # bytes
GRAPH = "model.onnx"


class BrokenBundle(Exception):
    """The zip is not what its own lists say."""


def needs_of(slot: Path) -> Needs:
    """What an unpacked bundle asks of a machine; of a checkout, what its own models take."""
    graphs = sum(path.stat().st_size for path in (slot / "models").glob(f"*/*/{GRAPH}"))
    try:
        told = json.loads((slot / "bundle.json").read_bytes())
    except FileNotFoundError:
        return Needs(graphs=graphs)
    unpacked = sum(path.stat().st_size for path in slot.rglob("*") if path.is_file())
    return Needs(told["python"], told["arch"], unpacked, graphs)


def is_same(bundle: ZipFile, slot: Path) -> bool:
    """Whether a slot has this very bundle, each file as it was."""
    try:
        if any((slot / name).read_bytes() != bundle.read(name) for name in LISTS):
            return False
        return all(_sha256(slot / path) == digest for path, digest in _digests(bundle).items())
    except OSError:
        return False


def unpack(bundle: ZipFile, slot: Path) -> None:
    """Put every file of a bundle into a slot, in place of what was there, and onto the card.

    Args:
        bundle: the zip.
        slot: a folder that nothing runs from.

    Raises:
        BrokenBundle: a file is not listed, lacks, lies elsewhere, or has another hash.
        OSError: the card is full, or fails.
    """
    digests = _digests(bundle)
    listed, there = {*digests, *LISTS}, set(bundle.namelist())
    faults = [f"{path}: not on its list" for path in sorted(there - listed)]
    faults += [f"{path}: missing" for path in sorted(listed - there)]
    faults += [f"{path}: not below the bundle" for path in sorted(listed) if not _is_below(path)]
    if faults:
        raise BrokenBundle("; ".join(faults[:5]))
    empty(slot)
    for path in sorted(listed):
        target = slot / path
        target.parent.mkdir(parents=True, exist_ok=True)
        content = bundle.read(path)
        if path in digests and hashlib.sha256(content).hexdigest() != digests[path]:
            raise BrokenBundle(f"{path}: not the file that is on its list")
        target.write_bytes(content)
    os.sync()  # all at once: thousands of single ones take a card minutes
    sync_tree(slot)  # tells of a card that failed


def _digests(bundle: ZipFile) -> dict[str, str]:
    return {
        path: digest
        for name in LISTS
        for path, digest in json.loads(bundle.read(name))["files"].items()
    }


def _is_below(path: str) -> bool:
    pure = PurePosixPath(path)
    return not pure.is_absolute() and ".." not in pure.parts and "\\" not in path


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
