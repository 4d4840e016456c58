"""`python -m convert publish`: a channel that devices read, in a folder or in S3.

Archives and their signatures are there before the index names them; the index is one file, its
signature in it, and is replaced in one step.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from onnxlet.convert.bundle.sign import (
    ANY,
    SUFFIX,
    SigningKey,
    comment_for,
    comment_of,
    signature_of,
)
from onnxlet.convert.directory.durable import whole
from onnxlet.convert.errors import PackagingFailed
from onnxlet.folders import typed
from onnxlet.function.errors import WrongUse

INDEX_FORMAT = 1
INDEX = "channel.json"
LARGEST_INDEX = 1 << 20  # bytes
KEPT_RELEASES = 10  # releases of each kind, architecture and Python


class Storage(Protocol):
    """Where a channel is laid out."""

    def read(self, name: str) -> bytes | None:
        """The content of a file of the channel; None where it is not there."""

    def write(self, name: str, content: bytes) -> None:
        """Write a file of the channel, whole or not at all."""


class Folder(NamedTuple):
    """A channel in a folder."""

    path: Path

    def read(self, name: str) -> bytes | None:
        """The content of a file of the channel; None where it is not there."""
        file = self.path / name
        return file.read_bytes() if file.is_file() else None

    def write(self, name: str, content: bytes) -> None:
        """Write a file of the channel, whole or not at all."""
        self.path.mkdir(parents=True, exist_ok=True)
        with whole(self.path / name) as part:
            part.write_bytes(content)


class Bucket(NamedTuple):
    """A channel in S3."""

    client: Any  # boto3's
    bucket: str
    prefix: str  # with a slash behind it, or empty

    def read(self, name: str) -> bytes | None:
        """The content of a file of the channel; None where it is not there."""
        try:
            got = self.client.get_object(Bucket=self.bucket, Key=self.prefix + name)
        except self.client.exceptions.NoSuchKey:
            return None
        content: bytes = got["Body"].read(LARGEST_INDEX + 1)  # no device reads a larger one
        return content

    def write(self, name: str, content: bytes) -> None:
        """Write a file of the channel, whole or not at all."""
        self.client.put_object(Bucket=self.bucket, Key=self.prefix + name, Body=content)


class PublishedNumbers(NamedTuple):
    """What was published with a key, in a file beside it: the last index's number by channel.

    An index that is signed may be an earlier one all the same, that somebody has put back.
    """

    file: Path  # of the record
    target: str  # the channel's folder or address

    def number(self, there: int) -> int:
        """The number of the last index that was published; 0 where none was.

        The index that is `there` now decides: one that was begun and is not there counts as never
        written, since its upload failed.
        """
        published, begun = self._read().get(self.target, (0, 0))
        return begun if there >= begun else published

    def begin(self, number: int, there: int) -> str:
        """Have it known that an index is about to be written, before anybody can read it.

        Returns why that is not, where the key's folder can't be written.
        """
        return self._note(self.number(there), number)

    def end(self, number: int) -> None:
        """Have it known that it is written."""
        self._note(number, number)

    def _note(self, published: int, begun: int) -> str:
        facts = {**self._read(), self.target: (published, begun)}
        form = {to: {"published": last, "begun": new} for to, (last, new) in facts.items()}
        try:
            with whole(self.file) as part:
                part.write_text(f"{json.dumps(form, indent=1, sort_keys=True)}\n")
        except OSError as error:
            return f"; its number, {begun}, is not noted in {self.file}: {error.strerror}"
        return ""

    def _read(self) -> dict[str, tuple[int, int]]:
        try:
            facts = json.loads(self.file.read_text())
            return {
                str(target): (int(each["published"]), int(each["begun"]))
                for target, each in facts.items()
            }
        except FileNotFoundError:
            return {}
        except (ValueError, AttributeError, TypeError, KeyError, RecursionError) as error:
            raise PackagingFailed(
                f"{self.file} can't be read: {error}",
                "It has the numbers of the indices that were published. Put it back, or remove it.",
            ) from error


def record_of(key: Path, target: str) -> PublishedNumbers:
    """What was published with a key into DIR or s3://…."""
    whole = target.rstrip("/") if "://" in target else str(Path(target).resolve())
    return PublishedNumbers(key.with_name(f"{key.name}.published"), whole)


def storage_of(target: str) -> Storage:
    """The storage that DIR or s3://… means.

    WrongUse is raised for others, and where there is no boto3.
    """
    if "://" not in target:
        return Folder(Path(target))
    parts = urlsplit(target)
    if parts.scheme != "s3" or not parts.netloc:
        raise WrongUse(f"'{target}': expected a folder or s3://BUCKET/PREFIX")
    try:
        import boto3
    except ImportError as error:
        raise WrongUse(
            f"'{target}': there is no boto3 here", "pip install boto3, or publish into a folder."
        ) from error
    prefix = parts.path.strip("/")
    return Bucket(boto3.client("s3"), parts.netloc, f"{prefix}/" if prefix else "")


def publish(
    archive: Path,
    storage: Storage,
    key: SigningKey,
    percent: float,
    trusted: Sequence[tuple[bytes, Ed25519PublicKey]] = (),
    record: PublishedNumbers | None = None,
    go_on: bool = False,
) -> str:
    """Add a signed archive to a channel, or change how many devices take it.

    Returns what devices learn. The index is signed by `key`, which devices trust; the archive, and
    the index so far, may be signed by `trusted` ones, too. `go_on` allows an index that is earlier
    than the last one of the record. WrongUse is raised where the archive is not signed by these
    keys or is for another channel, PackagingFailed where the index that is there is not by these
    keys, or an earlier one.
    """
    keys = [(key.id, key.key.public_key()), *trusted]
    signature = archive.with_name(archive.name + SUFFIX)
    if not archive.is_file() or not signature.is_file():
        raise WrongUse(
            f"'{archive}': expected an archive with {signature.name} beside it",
            f"{typed('convert', 'package --sign KEY')} makes both.",
        )
    content = archive.read_bytes()
    comment = comment_of(signature.read_bytes(), hashlib.blake2b(content).digest(), keys)
    if comment is None:
        raise WrongUse(
            f"'{archive}' is not what was signed, or was signed by another key",
            "Sign it again, or name the key that it is signed by: --trust OTHER.pub.",
        )
    facts = _facts(comment)
    there, releases = _read_index(storage, facts["channel"], keys)
    last = record.number(there) if record else 0
    if there < last and not go_on:
        raise PackagingFailed(
            f"{INDEX} is number {there}, and number {last} was published with this key: somebody "
            "has put an earlier one back, or taken it away",
            "What was published since is not in it. Put the last one back; or go on from this one, "
            "and publish again what it lacks: --earlier-index.",
        )
    number = max(there, last) + 1
    stem = "-".join(facts[part] for part in ("name", "kind", "release", "arch", "python"))
    entry = {"file": f"{stem}.zip", "percent": percent, "comment": comment}
    storage.write(entry["file"], content)  # type: ignore[arg-type] # a text
    storage.write(f"{stem}.zip{SUFFIX}", signature.read_bytes())
    unnoted = record.begin(number, there) if record else ""
    storage.write(INDEX, _index(number, _merged(releases, entry), facts, key))
    if record:
        record.end(number)
    return (
        f"{facts['kind']} release {facts['release']}: {percent:g} % of channel {facts['channel']}"
        f"{unnoted}"
    )


def _facts(comment: str) -> dict[str, str]:
    return dict(part.split("=", 1) for part in comment.split(" ")[1:])


def _read_index(
    storage: Storage, channel: str, keys: Sequence[tuple[bytes, Ed25519PublicKey]]
) -> tuple[int, list[dict[str, Any]]]:
    """Number and entries of the index that is there; what others wrote is not signed anew."""
    content = storage.read(INDEX)
    if content is None:
        return 0, []
    try:
        facts = json.loads(content)
        text = facts["index"].encode()
        comment = comment_of(facts["signature"].encode(), hashlib.blake2b(text).digest(), keys)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        comment = None
    if comment is None:
        raise PackagingFailed(
            f"{INDEX} is there, and not signed by this key",
            "Name the key that it is signed by (--trust OTHER.pub), or remove it.",
        )
    parts = _facts(comment)
    if parts["channel"] != channel:
        raise WrongUse(f"{INDEX} is of channel {parts['channel']}, and the archive of {channel}")
    releases: list[dict[str, Any]] = json.loads(text)["releases"]
    return int(parts["release"]), releases


def _merged(releases: list[dict[str, Any]], entry: dict[str, Any]) -> list[dict[str, Any]]:
    """The entries with this one in it, the newest first, the oldest left out."""
    every = [each for each in releases if each["file"] != entry["file"]] + [entry]
    every.sort(key=lambda each: -int(_facts(each["comment"])["release"]))
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for each in every:
        facts = _facts(each["comment"])
        groups.setdefault(tuple(facts[k] for k in ("name", "kind", "arch", "python")), []).append(
            each
        )
    return [each for group in groups.values() for each in group[:KEPT_RELEASES]]


def _index(
    number: int, releases: list[dict[str, Any]], facts: dict[str, str], key: SigningKey
) -> bytes:
    text = json.dumps({"format": INDEX_FORMAT, "releases": releases})
    comment = comment_for(
        kind="index",
        channel=facts["channel"],
        name=facts["name"],
        arch=ANY,
        python=ANY,
        release=number,
        sha256=hashlib.sha256(text.encode()).hexdigest(),
        size=len(text.encode()),
        unpacked=len(text.encode()),
    )
    signed = signature_of(text.encode(), comment, key).decode()
    return json.dumps({"index": text, "signature": signed}, indent=1).encode() + b"\n"
