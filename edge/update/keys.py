"""Public keys in minisign's form, and those that are given to `install`.

Standard library only, and in syntax that Python 3.7 accepts: an invalid key is reported with all
other faults, before anything is unpacked.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

MOST_KEYS = 2  # the current one, and its successor during a key change
COMMENT = "untrusted comment: "
LENGTH, ALGORITHM = 42, b"Ed"  # bytes: the algorithm, eight of a key id, and the key


class PublicKey(NamedTuple):
    """A key to trust."""

    name: str  # of its file
    content: bytes  # of its file, in bytes


def read_keys(arguments: Iterable[str], folder: Path) -> tuple[list[PublicKey], list[str]]:
    """Read the arguments of `--key`, each a file or the key itself: the keys, and the faults.

    The folder has the keys that are trusted already.
    """
    keys: dict[str, PublicKey] = {}
    faults: list[str] = []
    for text in arguments:
        key = _key(_line(text))
        if key is None:
            expected = "minisign's public key, 56 letters and digits, or a file with one"
            is_away = text.endswith(".pub") and not Path(text).exists()
            got = ", got a file that is not there" * is_away
            faults.append(f"--key {text[:80]}: expected {expected}{got}")
        else:
            keys[key.name] = key
    names = {path.name for path in folder.glob("*.pub")} | keys.keys()
    if len(names) > MOST_KEYS:
        faults.append(
            f"{folder}: expected at most {MOST_KEYS} keys, "
            f"got {', '.join(sorted(names))}; remove one"
        )
    return list(keys.values()), faults


def _line(text: str) -> str:
    try:
        lines = Path(text).read_text().splitlines()
    except (OSError, ValueError):
        return text.strip()
    return next((line.strip() for line in lines if line and not line.startswith(COMMENT)), "")


def decoded(line: str) -> bytes:
    """What a line has in base64; empty where it is something else."""
    try:
        return base64.b64decode(line, validate=True)
    except (binascii.Error, ValueError):
        return b""


def raw_key(line: str) -> bytes:
    """The bytes of a public key: algorithm, key id and key; empty where it is none."""
    raw = decoded(line)
    return raw if len(raw) == LENGTH and raw.startswith(ALGORITHM) else b""


def _key(line: str) -> PublicKey | None:
    raw = raw_key(line)
    if not raw:
        return None
    number = raw[2:10][::-1].hex().upper()
    content = f"{COMMENT}minisign public key {number}\n{line}\n"
    return PublicKey(f"{number}.pub", content.encode())
