"""Check an archive against what was signed, unpack each file by its hash, flush all to the disk."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from onnxlet.edge.device.slots import LISTS, sync_tree
from onnxlet.edge.update.errors import BROKEN, Refused
from onnxlet.edge.update.find import Offer
from onnxlet.folders import typed

CHUNK = 1 << 18  # bytes
LISTS_FORMAT = 1
KIND_LISTS = {"bundle": LISTS, "models": ("models.json",)}
LARGEST_LIST = 8 << 20  # bytes
MOST_ENTRIES = 50_000
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
SHOWN_FAULTS = 5
REFUSED_HINT = f"Don't use it: {typed('convert', 'package')} makes no such archive."


def check_and_unpack(archive: Path, folder: Path, offer: Offer) -> dict[str, int]:
    """Unpack into a new folder; what was unpacked is on the disk when this returns.

    Returns the versions of its models, by name. Raises Refused where the archive is not what was
    signed, and the folder may hold a part of it; OSError where the disk is full, or fails.
    """
    mask = os.umask(0o022)  # the service's user must read what root unpacks
    try:
        with zipfile.ZipFile(archive) as opened:
            entries, models = plan(opened, offer)
            folder.mkdir()
            for entry in entries:
                _write(opened, entry, folder / entry.info.filename, offer)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise Refused(f"{offer}: the archive is broken: {error}", REFUSED_HINT) from error
    finally:
        os.umask(mask)
    if offer.kind == "bundle":
        os.sync()  # one sync: thousands of fsyncs take an SD card minutes
    sync_tree(folder)  # raises if the card has failed
    return models


def _write(archive: zipfile.ZipFile, entry: ArchiveEntry, target: Path, offer: Offer) -> None:
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


class ArchiveEntry(NamedTuple):
    """A file to unpack."""

    info: zipfile.ZipInfo  # of the zip
    sha256: str | None  # that it must have; None for the lists, which the archive's own hash covers


def plan(archive: zipfile.ZipFile, offer: Offer) -> tuple[list[ArchiveEntry], dict[str, int]]:
    """Compare an archive's directory with its own lists and with what was signed.

    Returns the files to unpack, and its models' versions by name. Refused names the first faults.
    """
    infos = archive.infolist()
    faults = _odd(infos)
    unpacked = sum(info.file_size for info in infos)
    if unpacked != offer.unpacked:
        faults.append(f"expected {offer.unpacked} bytes unpacked, as signed, got {unpacked}")
    _stop(faults, offer)
    lists = {name: _read_list(archive, name, offer) for name in KIND_LISTS[offer.kind]}
    named = {path: digest for each in lists.values() for path, digest in each["files"].items()}
    models: dict[str, int] = lists[KIND_LISTS[offer.kind][0]]["models"]
    there = {info.filename for info in infos}
    faults += [f"{path}: not on its list" for path in sorted(there - named.keys() - lists.keys())]
    faults += [f"{path}: missing" for path in sorted(named.keys() - there)]
    faults += list(_disagreements(lists, offer))
    faults += list(_strays(there - lists.keys(), models, offer.kind))
    _stop(faults, offer)
    return [ArchiveEntry(info, named.get(info.filename)) for info in infos], models


def _odd(infos: list[zipfile.ZipInfo]) -> list[str]:
    """Faults of names and entries, whatever the lists say."""
    if len(infos) > MOST_ENTRIES:
        return [f"expected at most {MOST_ENTRIES} files, got {len(infos)}"]
    names = [info.filename for info in infos]
    faults = [f"{name[:200]!r}: twice" for name in sorted({n for n in names if names.count(n) > 1})]
    folders = {
        "/".join(parts[:n])
        for parts in (name.split("/") for name in names)
        for n in range(1, len(parts))
    }
    faults += [f"{name!r}: a file and a folder" for name in names if name in folders]
    for info in infos:
        kind = stat.S_IFMT(info.external_attr >> 16)
        if info.filename != info.orig_filename or not _is_plain(info.filename):
            faults.append(f"{info.orig_filename[:200]!r}: not a path inside")
        elif kind not in (0, stat.S_IFREG):
            faults.append(f"{info.filename}: a link or device, not a file")
        elif info.flag_bits & 1 or info.compress_type not in METHODS:
            faults.append(f"{info.filename}: encrypted, or compressed otherwise than by deflate")
    return faults


def _is_plain(name: str) -> bool:
    """Whether a path stays below the folder that it is unpacked into."""
    return "\\" not in name and all(
        part not in ("", ".", "..") and part.isprintable() and len(part.encode()) < 256
        for part in name.split("/")
    )


def _read_list(archive: zipfile.ZipFile, name: str, offer: Offer) -> dict[str, Any]:
    try:
        if archive.getinfo(name).file_size > LARGEST_LIST:
            raise ValueError(f"it has more than {LARGEST_LIST} bytes")
        content: dict[str, Any] = json.loads(archive.read(name))
        if content["format"] != LISTS_FORMAT:
            raise ValueError(f"expected format {LISTS_FORMAT}, got {content['format']}")
        if not all(isinstance(digest, str) for digest in content["files"].values()):
            raise TypeError("expected a SHA-256 for each file")
        content["models"] = {str(n): int(v) for n, v in content.get("models", {}).items()}
    except (*BROKEN, zipfile.BadZipFile) as error:
        raise Refused(f"{offer}: {name} can't be read: {error}", REFUSED_HINT) from error
    return content


def _disagreements(lists: Mapping[str, dict[str, Any]], offer: Offer) -> Iterable[str]:
    listed = {key: value for each in lists.values() for key, value in each.items()}
    signed = {"release": offer.release}
    if offer.kind == "bundle":
        signed |= {"python": offer.python, "arch": offer.arch}  # type: ignore[dict-item] # of texts
    for key, value in signed.items():
        if listed.get(key) != value:
            yield f"{key}: expected {value}, as signed, got {listed.get(key)}"


def _strays(names: Iterable[str], models: Mapping[str, int], kind: str) -> Iterable[str]:
    """Files that a model-only archive may not have."""
    if kind == "models":
        starts = tuple(f"models/{name}/{version}/" for name, version in models.items())
        yield from (
            f"{name}: not of a model" for name in sorted(names) if not name.startswith(starts)
        )
        yield from (f"models.json: {n} is no model's name" for n in models if "/" in n)


def _stop(faults: list[str], offer: Offer) -> None:
    if faults:
        more = f" and {len(faults) - SHOWN_FAULTS} more" * (len(faults) > SHOWN_FAULTS)
        raise Refused(f"{offer}: {'; '.join(faults[:SHOWN_FAULTS])}{more}", REFUSED_HINT)
