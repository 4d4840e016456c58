"""Unpack a signed archive, each file checked against its hash, and flush it to the disk."""

from __future__ import annotations

import hashlib
import os
import zipfile
import zlib
from pathlib import Path

from onnxlet.edge.device.slots import sync_tree
from onnxlet.edge.update.errors import Refused
from onnxlet.edge.update.offer import Offer
from onnxlet.edge.update.plan import REFUSED_HINT, Entry, Plan, plan

CHUNK = 1 << 18  # bytes


def check_and_unpack(archive: Path, folder: Path, offer: Offer) -> Plan:
    """Unpack into a new folder; what was unpacked is on the disk when this returns.

    Raises Refused where the archive is not what was signed, and the folder may hold a part of it;
    OSError where the disk is full, or fails.
    """
    mask = os.umask(0o022)  # the service's user must read what root unpacks
    try:
        with zipfile.ZipFile(archive) as opened:
            planned = plan(opened, offer)
            folder.mkdir()
            for entry in planned.entries:
                _write(opened, entry, folder / entry.info.filename, offer)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise Refused(f"{offer}: the archive is broken: {error}", REFUSED_HINT) from error
    finally:
        os.umask(mask)
    if offer.kind == "bundle":
        os.sync()  # one sync: thousands of fsyncs take an SD card minutes
    sync_tree(folder)  # raises if the card has failed
    return planned


def _write(archive: zipfile.ZipFile, entry: Entry, target: Path, offer: Offer) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    digest, left = hashlib.sha256(), entry.info.file_size
    with archive.open(entry.info) as source, target.open("xb") as file:
        while chunk := source.read(CHUNK):
            left -= len(chunk)
            if left < 0:
                break
            digest.update(chunk)
            file.write(chunk)
    if left or entry.sha256 not in (None, digest.hexdigest()):
        raise Refused(
            f"{offer}: {entry.info.filename}: not the file that is on its list", REFUSED_HINT
        )
