"""Signatures in minisign's form: who signed which bytes, and under which trusted comment.

Format: https://jedisct1.github.io/minisign/ (Ed25519 of a file's BLAKE2b-512, and a second,
global signature of that signature together with the trusted comment). The global signature is
checked before anything is fetched, so that the comment can be relied on by then.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from onnxlet.edge.update.errors import Refused
from onnxlet.edge.update.keys import MOST_KEYS, decoded, raw_key
from onnxlet.folders import typed

LARGEST_SIGNATURE = 4096  # bytes of a signature's or a key's file
PREHASHED = b"ED"  # the algorithm of a signature
TRUSTED = "trusted comment: "
SIGN = f"Sign it: {typed('convert', 'package --sign KEY')}."

Keys = Mapping[bytes, Ed25519PublicKey]  # by key id, of eight bytes


class ReleaseSignature(NamedTuple):
    """A signature whose trusted comment is verified; the signed bytes are not yet."""

    comment: str  # the trusted comment
    key: Ed25519PublicKey  # that made it
    signature: bytes  # of the BLAKE2b-512 of the signed bytes


def read_keys(folder: Path) -> Keys:
    """Read the public keys that updates are signed by, `*.pub`.

    Refused is raised where there is none, there are more than two, or one can't be read.
    """
    files = sorted(folder.glob("*.pub"))
    if not 1 <= len(files) <= MOST_KEYS:
        raise Refused(
            f"{folder}: expected one or two public keys NAME.pub, got {len(files)}",
            "With that of the key that signs: sudo onnxlet install --key NAME.pub.",
        )
    return dict(map(_read_key, files))


def _read_key(file: Path) -> tuple[bytes, Ed25519PublicKey]:
    try:
        lines = file.read_text().splitlines()
    except (OSError, ValueError) as error:
        raise Refused(f"{file} can't be read: {error}", "Put the public key there again.") from None
    raw = raw_key(lines[1] if len(lines) > 1 else "")
    if not raw:
        raise Refused(f"{file}: expected a public key of minisign", "minisign -G makes a pair.")
    return raw[2:10], Ed25519PublicKey.from_public_bytes(raw[10:])


def read_signature(content: bytes, keys: Keys, source: str) -> ReleaseSignature:
    """Read a `.minisig` file and verify its trusted comment; messages name its source.

    Refused is raised where it is no signature, by another key, or its comment was altered.
    """
    lines = content.decode("utf-8", "replace").splitlines()
    raw, overall = (decoded(lines[n] if len(lines) > n else "") for n in (1, 3))
    if len(raw) != 74 or len(overall) != 64 or not lines[2].startswith(TRUSTED):
        raise Refused(f"{source}: expected a signature of minisign", SIGN)
    if raw[:2] != PREHASHED:
        raise Refused(f"{source}: expected a prehashed signature (ED), got {raw[:2]!r}", SIGN)
    if (key := keys.get(raw[2:10])) is None:
        trusted = ", ".join(_hexadecimal(each) for each in keys)
        raise Refused(
            f"{source}: signed by key {_hexadecimal(raw[2:10])}, and trusted are {trusted}",
            "If that key is yours: sudo onnxlet install --key NAME.pub.",
        )
    comment = lines[2].removeprefix(TRUSTED)
    try:
        key.verify(overall, raw[10:] + comment.encode())
    except InvalidSignature:
        raise Refused(f"{source}: its trusted comment was altered", SIGN) from None
    return ReleaseSignature(comment, key, raw[10:])


def check_signed(signature: ReleaseSignature, blake2b: bytes, source: str) -> None:
    """Verify the signature of bytes by their BLAKE2b-512.

    Refused is raised where others were signed.
    """
    try:
        signature.key.verify(signature.signature, blake2b)
    except InvalidSignature:
        raise Refused(f"{source}: not the bytes that were signed", "Fetch it again.") from None


def _hexadecimal(key_id: bytes) -> str:
    return f"{int.from_bytes(key_id, 'little'):016X}"  # as minisign prints it
