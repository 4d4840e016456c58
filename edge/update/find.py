"""Find what a source has for this device: one signed archive, or a channel's newest ones.

What a signature offers decides whether this device may take it; the clock is not used.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from onnxlet.edge.update.errors import BROKEN, Refused, Unreachable
from onnxlet.edge.update.fetch import Web, beside, is_file, read_small
from onnxlet.edge.update.history import History
from onnxlet.edge.update.signature import (
    LARGEST_SIGNATURE,
    Keys,
    ReleaseSignature,
    check_signed,
    read_signature,
)
from onnxlet.folders import typed

INDEX_FORMAT = 1
INDEX = "channel.json"
LARGEST_INDEX = 1 << 20  # bytes
KINDS = ("bundle", "models")  # in the order of installation
PRODUCT = "onnxlet"
WORD = "[A-Za-z0-9][A-Za-z0-9._-]{0,99}"
NUMBER = "[1-9][0-9]{0,14}"
FORM = {
    "kind": "bundle|models|index",
    "channel": WORD,
    "name": WORD,
    "arch": WORD,
    "python": WORD,
    "release": NUMBER,
    "sha256": "[0-9a-f]{64}",
    "size": NUMBER,
    "unpacked": NUMBER,
}
ANY = "any"  # models run on every architecture and Python


class Offer(NamedTuple):
    """The content of a trusted comment, which the signature covers."""

    kind: str  # `bundle`, `models`, or the `index` of a channel
    channel: str  # that it is meant for
    name: str  # of the devices that it is meant for
    arch: str  # as `uname -m` prints it, or `any`
    python: str  # major and minor version, or `any`
    release: int  # number; only higher ones are taken
    sha256: str  # of the archive, in hexadecimal
    size: int  # of the archive, in bytes
    unpacked: int  # of the files in it, in bytes

    def __str__(self) -> str:
        return f"{self.kind} release {self.release}"


class Device(NamedTuple):
    """The facts that decide which offers fit a device."""

    channel: str  # whose releases are taken
    name: str  # that its releases are meant for
    arch: str  # of this machine
    python: str  # of this machine
    max_bytes: int  # of an archive
    max_unpacked: int  # bytes of the files in it


def read_offer(comment: str, source: str) -> Offer:
    """Parse a trusted comment: `onnxlet kind=bundle channel=stable …`; messages name its source.

    Refused is raised where it is of another product, or a part is missing, unknown or malformed.
    """
    product, *parts = comment.split(" ")
    found = [part.partition("=")[::2] for part in parts]
    values = dict(found)
    faults = [
        f"{key}: expected {form}, got '{values.get(key, '')[:80]}'"
        for key, form in FORM.items()
        if not re.fullmatch(form, values.get(key, ""))
    ]
    if product != PRODUCT or len(found) != len(FORM) or faults:
        faulty = "; ".join(faults) or f"expected {PRODUCT} and {len(FORM)} parts"
        raise Refused(
            f"{source}: the trusted comment is not of an update: {faulty}",
            f"{typed('convert', 'package --sign KEY')} writes it.",
        )
    numbers: dict[str, Any] = {key: int(values[key]) for key in ("release", "size", "unpacked")}
    return Offer(**{**values, **numbers})


def objections(offer: Offer, device: Device) -> list[str]:
    """All reasons why an offer is not for this device; empty if it is."""
    pairs = [
        ("channel", offer.channel, device.channel, False),
        ("name", offer.name, device.name, False),
        ("architecture", offer.arch, device.arch, offer.kind != "bundle"),
        ("Python", offer.python, device.python, offer.kind != "bundle"),
    ]
    faults = [
        f"it is for {what} {offered}, and this device has {own}"
        for what, offered, own, any_will_do in pairs
        if offered != own and not (any_will_do and offered == ANY)
    ]
    faults += [
        f"{what}: expected at most {most} bytes, got {size}"
        for what, size, most in (
            ("its archive", offer.size, device.max_bytes),
            ("its files", offer.unpacked, device.max_unpacked),
        )
        if size > most
    ]
    return faults


class CandidateRelease(NamedTuple):
    """An archive that this device may take."""

    url: str  # of the archive
    offer: Offer  # what its signature says
    signature: ReleaseSignature  # not yet verified against the archive


def is_archive(source: str) -> bool:
    """Whether a source is one archive, not a channel."""
    return source.partition("?")[0].endswith(".zip")


def find_archive(
    url: str, keys: Keys, device: Device, history: History, web: Web
) -> CandidateRelease | None:
    """Read an archive's signature; None if this very release is installed already.

    Raises Refused where it is not signed, not for this device, older, or failed before; Unreachable
    where it can't be fetched.
    """
    source = beside(url, ".minisig")
    for each in (url, source) if is_file(url) else ():
        if not Path(each).exists():
            raise Unreachable(
                f"{each} is not there",
                f"An archive and its signature lie side by side: copy both, {Path(url).name} and "
                f"{Path(source).name}.",
            )
    signature = read_signature(read_small(source, LARGEST_SIGNATURE, web), keys, source)
    offer = read_offer(signature.comment, source)
    if offer.kind not in KINDS:
        raise Refused(f"{source}: expected a bundle or models, got {offer.kind}")
    faults = objections(offer, device)
    accepted = offer.release == history.highest.get(offer.kind)
    if accepted and not faults and offer.release not in history.broken.get(offer.kind, {}):
        return None
    if stale := _stale(offer, history):
        faults.append(stale)
    if faults:
        again = " To have it all the same: a higher number, or install it by hand." * bool(stale)
        raise Refused(f"{offer}: {'; '.join(faults)}", f"Nothing was fetched or changed.{again}")
    return CandidateRelease(url, offer, signature)


def find_in_channel(
    source: str, keys: Keys, device: Device, identity: str, history: History, web: Web
) -> tuple[list[CandidateRelease], int]:
    """Find the newest bundle and the newest models for this device in a channel.

    Returns the number of the channel's index, too. Raises Refused where the index is not signed, or
    older than one that was read before; Unreachable where it can't be fetched.
    """
    root = source.rstrip("/")
    entries, number = _read_index(f"{root}/{INDEX}", keys, device, history, web)
    best: dict[str, tuple[Offer, str]] = {}
    for offer, file, percent in entries:
        fits = not objections(offer, device) and not _stale(offer, history)
        included = percent > bucket(identity, offer.release)
        known = best.get(offer.kind)
        if fits and included and (known is None or offer.release > known[0].release):
            best[offer.kind] = (offer, file)
    urls = [f"{root}/{best[kind][1]}" for kind in KINDS if kind in best]
    found = [find_archive(url, keys, device, history, web) for url in urls]
    return [each for each in found if each], number


def bucket(identity: str, release: int) -> int:
    """The percentile of this device in a release's staged rollout, 0 to 99."""
    return int(hashlib.sha256(f"{identity} {release}".encode()).hexdigest(), 16) % 100


def _read_index(
    url: str, keys: Keys, device: Device, history: History, web: Web
) -> tuple[list[tuple[Offer, str, float]], int]:
    try:
        content = json.loads(read_small(url, LARGEST_INDEX, web))
        text, signed = content["index"].encode(), content["signature"].encode()
    except BROKEN as error:
        raise Refused(f"{url}: expected a channel's index: {error!r}") from error
    signature = read_signature(signed, keys, url)
    check_signed(signature, hashlib.blake2b(text).digest(), url)
    offer = read_offer(signature.comment, url)
    last = history.highest.get(f"index {device.channel}", 0)
    if (offer.kind, offer.channel) != ("index", device.channel):
        raise Refused(f"{url}: expected channel {device.channel}, got {offer.kind} {offer.channel}")
    if offer.release < last:
        raise Refused(f"{url}: index {offer.release} is older than {last}, which was read before")
    try:
        return list(_entries(json.loads(text), url)), offer.release
    except BROKEN as error:
        raise Refused(
            f"{url}: an index that this release can't read: {error!r}", "Take a newer one by file."
        ) from error


def _entries(index: Any, url: str) -> Iterator[tuple[Offer, str, float]]:
    if index["format"] != INDEX_FORMAT:
        raise ValueError(f"expected format {INDEX_FORMAT}, got {index['format']}")
    for entry in index["releases"]:
        if Path(entry["file"]).name != entry["file"]:
            raise Refused(f"{url}: '{entry['file']}': expected a name beside the index")
        yield read_offer(entry["comment"], url), entry["file"], 0.0 + entry["percent"]


def _stale(offer: Offer, history: History) -> str | None:
    """Why a release that fits this device is not taken; None if it is."""
    highest, broken = history.highest.get(offer.kind, 0), history.broken.get(offer.kind, {})
    if offer.release in broken:
        return f"it was given up here: {broken[offer.release]}"
    if offer.release <= highest:
        return f"expected a number above {highest}, the highest that was accepted here"
    return None
