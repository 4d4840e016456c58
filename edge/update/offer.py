"""What a signature offers, and whether this device may take it. The clock is not used."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from onnxlet.edge.update.errors import Refused
from onnxlet.folders import typed

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
        said = "; ".join(faults) or f"expected {PRODUCT} and {len(FORM)} parts"
        raise Refused(
            f"{source}: the trusted comment is not of an update: {said}",
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


def staleness(offer: Offer, highest: int, broken: Mapping[int, str]) -> str | None:
    """Why a release that fits this device is not taken; None if it is.

    The highest of its kind ever accepted here is 0 where none was; broken ones failed here.
    """
    if offer.release in broken:
        return f"it failed here before: {broken[offer.release]}"
    if offer.release <= highest:
        return f"expected a number above {highest}, the highest that was accepted here"
    return None
