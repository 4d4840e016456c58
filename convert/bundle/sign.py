"""Signatures in minisign's form, which `minisign -V` and devices verify, and what they are of.

Format: https://jedisct1.github.io/minisign/. Keys are made by `minisign -G`, with a password or
without one (-W).
"""

from __future__ import annotations

import base64
import hashlib
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from onnxlet.convert.directory.durable import whole
from onnxlet.convert.file_hashes import sha256_of
from onnxlet.function.errors import WrongUse

SECRET_BYTES = 2 + 2 + 2 + 32 + 8 + 8 + 104
ENCRYPTED, OPEN = b"Sc", b"\0\0"
MAKE = "minisign -G makes a pair: -s KEY is the secret one, -p KEY.pub the one for devices."
SUFFIX = ".minisig"
PREHASHED = b"ED"
ANY = "any"  # architecture and Python, of what has none


class SigningKey(NamedTuple):
    """A secret key."""

    id: bytes  # eight bytes that signatures name it by
    key: Ed25519PrivateKey  # that signs


def read_secret_key(file: Path, ask: Callable[[], str]) -> SigningKey:
    """Read a secret key that `minisign -G -s` wrote; its password is asked for where it has one.

    WrongUse is raised where it is none, or the password is wrong.
    """
    try:
        raw = base64.b64decode(file.read_text().splitlines()[1], validate=True)
    except OSError as error:
        raise WrongUse(f"--sign: {file} can't be read: {error.strerror}", MAKE) from None
    except (ValueError, IndexError) as error:
        raise WrongUse(f"--sign: {file} is no secret key of minisign: {error}", MAKE) from None
    if len(raw) != SECRET_BYTES or raw[:2] != b"Ed" or raw[2:4] not in (ENCRYPTED, OPEN):
        raise WrongUse(f"--sign: {file} is no secret key of minisign", MAKE)
    secret = raw[54:]
    if raw[2:4] == ENCRYPTED:
        stream = _stretched(
            ask(), raw[6:38], *(int.from_bytes(raw[n : n + 8], "little") for n in (38, 46))
        )
        secret = bytes(a ^ b for a, b in zip(secret, stream, strict=True))
    key_id, seed, public, checksum = secret[:8], secret[8:40], secret[40:72], secret[72:]
    # minisign leaves the checksum of a key without a password empty.
    sums = [hashlib.blake2b(raw[:2] + secret[:72], digest_size=32).digest()]
    sums += [bytes(32)] * (raw[2:4] == OPEN)
    if checksum not in sums:
        raise WrongUse(f"--sign: {file}: wrong password, or the file is damaged")
    key = Ed25519PrivateKey.from_private_bytes(seed)
    if key.public_key().public_bytes_raw() != public:
        raise WrongUse(f"--sign: {file}: its two halves don't belong together")
    return SigningKey(key_id, key)


def _stretched(password: str, salt: bytes, operations: int, memory: int) -> bytes:
    """Bytes of a password, as libsodium's crypto_pwhash_scryptsalsa208sha256 makes them."""
    block, operations = 8, max(operations, 32768)
    cheap = operations < memory // 32
    most = operations // (block * 4) if cheap else memory // (block * 128)
    cost = 2 ** max(1, most.bit_length() - 1)
    parallel = 1 if cheap else min(operations // 4 // cost, 0x3FFFFFFF) // block
    return Scrypt(salt=salt, length=104, n=cost, r=block, p=parallel).derive(password.encode())


def signature_of(content: bytes, comment: str, key: SigningKey) -> bytes:
    """The text of a `.minisig` file."""
    return _signature(hashlib.blake2b(content).digest(), comment, key)


def sign_file(file: Path, comment: str, key: SigningKey) -> Path:
    """Write a file's signature beside it, whole or not at all."""
    with file.open("rb") as opened:
        digest = hashlib.file_digest(opened, "blake2b").digest()
    target = file.with_name(file.name + SUFFIX)
    with whole(target) as part:
        part.write_bytes(_signature(digest, comment, key))
    return target


def _signature(digest: bytes, comment: str, key: SigningKey) -> bytes:
    signature = key.key.sign(digest)
    overall = key.key.sign(signature + comment.encode())
    return (
        "untrusted comment: signature of onnxlet\n"
        f"{_text(PREHASHED + key.id + signature)}\n"
        f"trusted comment: {comment}\n"
        f"{_text(overall)}\n"
    ).encode()


def read_public_key(file: Path) -> tuple[bytes, Ed25519PublicKey]:
    """Read a public key of minisign: its id, and the key. WrongUse is raised where it is none."""
    try:
        raw = base64.b64decode(file.read_text().splitlines()[1], validate=True)
        if len(raw) != 42 or raw[:2] != b"Ed":
            raise ValueError("it has another form")
    except (OSError, ValueError, IndexError) as error:
        raise WrongUse(f"{file} is no public key of minisign: {error}", MAKE) from None
    return raw[2:10], Ed25519PublicKey.from_public_bytes(raw[10:])


def comment_of(
    signature: bytes, digest: bytes, keys: Sequence[tuple[bytes, Ed25519PublicKey]]
) -> str | None:
    """The trusted comment of a `.minisig` file by one of these keys; None where it is not one.

    The digest is the BLAKE2b-512 of what it is to be of; keys come with their ids.
    """
    try:
        _, first, comment, second = signature.decode().splitlines()
        raw, overall = base64.b64decode(first), base64.b64decode(second)
        comment = comment.removeprefix("trusted comment: ")
        key = dict(keys)[raw[2:10]]
        key.verify(raw[10:], digest)
        key.verify(overall, raw[10:] + comment.encode())
    except (ValueError, KeyError, InvalidSignature):
        return None
    return comment


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()


def sign_release(
    archive: Path,
    key: SigningKey,
    *,
    kind: str,
    release: int,
    channel: str,
    name: str,
    arch: str = ANY,
    python: str = ANY,
) -> Path:
    """Sign an archive: what it is, for whom, and its number are in the trusted comment.

    Returns the file of the signature, beside the archive.
    """
    with zipfile.ZipFile(archive) as opened:
        unpacked = sum(entry.file_size for entry in opened.infolist())
    comment = comment_for(
        kind=kind,
        channel=channel,
        name=name,
        arch=arch,
        python=python,
        release=release,
        sha256=sha256_of(archive),
        size=archive.stat().st_size,
        unpacked=unpacked,
    )
    return sign_file(archive, comment, key)


def comment_for(**parts: str | int) -> str:
    """A trusted comment, in the form that devices read."""
    return " ".join(["onnxlet", *(f"{name}={value}" for name, value in parts.items())])
