"""A device's bundle as the installer reads it: what it requires, and unpacking it into a slot.

Standard library only: it runs from the zip.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path, PurePosixPath
from zipfile import ZipFile

from onnxlet.edge.device.checks import Needs
from onnxlet.edge.device.slots import LISTS, altered, digests_in, empty, sync_tree

GRAPH = "model.onnx"


class BrokenBundle(Exception):
    """The zip is not what its own lists say."""


def needs_of(slot: Path) -> Needs:
    """What an unpacked bundle requires of a machine; of a checkout, only its models' size."""
    graphs = sum(path.stat().st_size for path in (slot / "models").glob(f"*/*/{GRAPH}"))
    try:
        content = json.loads((slot / "bundle.json").read_bytes())
    except FileNotFoundError:
        return Needs(graphs=graphs)
    unpacked = sum(path.stat().st_size for path in slot.rglob("*") if path.is_file())
    return Needs(content["python"], content["arch"], unpacked, graphs)


def is_same(bundle: ZipFile, slot: Path) -> bool:
    """Whether a slot has this very bundle, with every file unchanged."""
    try:
        if any((slot / name).read_bytes() != bundle.read(name) for name in LISTS):
            return False
        return not altered(slot, digests_in(map(bundle.read, LISTS)))
    except OSError:
        return False


def unpack(bundle: ZipFile, slot: Path) -> None:
    """Unpack a bundle into a slot that nothing runs from, and flush it to the disk.

    What was there is replaced. BrokenBundle is raised where a file is not listed, missing, outside
    the slot, or has another hash; OSError where the disk is full, or fails.
    """
    digests = digests_in(map(bundle.read, LISTS))
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
    os.sync()  # one sync: thousands of fsyncs take an SD card minutes
    sync_tree(slot)  # raises if the card has failed


def _is_below(path: str) -> bool:
    pure = PurePosixPath(path)
    return not pure.is_absolute() and ".." not in pure.parts and "\\" not in path
