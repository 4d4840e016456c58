"""Objects in S3: read by ranges of one version, written whole or not at all, by Lambda's boto3."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

from onnxlet.function import deadline
from onnxlet.function.errors import SettingsError

RANGE = 4 * 1024 * 1024  # bytes that are read in one call
PART = 5 * 1024 * 1024  # bytes that are written in one: the least that S3 takes of most parts
GZIP = 31  # zlib's window bits for gzip's format
MISSING = ("404", "NoSuchKey", "NotFound")
CHANGED = ("412", "PreconditionFailed")
# S3 says of what is not there that it is forbidden, to whom may not list the bucket.
FORBIDDEN = ("403", "AccessDenied", "Forbidden")
TRY_SECONDS = 20  # for S3 to take a connection, or to answer


class Changed(Exception):
    """The object is no longer the one that was asked for: there is a newer one, or none."""


class S3Location(NamedTuple):
    """A bucket and a key, or the beginning of keys."""

    bucket: str
    key: str


def place_of(url: str) -> S3Location:
    """The bucket and the prefix of `s3://BUCKET/PREFIX/`."""
    bucket, _, key = url.removeprefix("s3://").partition("/")
    return S3Location(bucket, key)


class About(NamedTuple):
    """What S3 knows of an object."""

    etag: str  # of its content, without quotes
    size: int  # bytes
    media_type: str  # as it was uploaded; or an empty text
    metadata: Mapping[str, str]  # of its owner, names in lower case


@dataclass(frozen=True)
class Objects:
    """S3, as far as it is needed."""

    client: Any  # boto3's; its errors are raised as they are, but for those that are named below

    def about(self, place: S3Location, may_list: bool = False) -> About | None:
        """What is there; None where nothing is.

        Whoever `may_list` the bucket is not told that what is not there is forbidden.
        """
        try:
            found = self.client.head_object(Bucket=place.bucket, Key=place.key)
        except Exception as error:  # botocore's, of a class that is made when it is needed
            if code_of(error) in (MISSING if may_list else MISSING + FORBIDDEN):
                return None
            raise
        metadata = {name.lower(): text for name, text in found.get("Metadata", {}).items()}
        etag, size = found["ETag"].strip('"'), found["ContentLength"]
        return About(etag, size, found.get("ContentType", ""), metadata)

    def read(self, place: S3Location, etag: str, start: int, size: int) -> bytes:
        """Some bytes of this very version; raises Changed where it is not there any more."""
        end = start + size - 1
        try:
            found = self.client.get_object(
                Bucket=place.bucket,
                Key=place.key,
                Range=f"bytes={start}-{end}",
                IfMatch=f'"{etag}"',
            )
            content: bytes = found["Body"].read()
        except Exception as error:
            if code_of(error) in MISSING + CHANGED:
                raise Changed(place) from error
            raise
        return content

    def delete(self, place: S3Location) -> None:
        """Remove an object, whether it is there or not."""
        self.client.delete_object(Bucket=place.bucket, Key=place.key)


def code_of(error: Exception) -> str:
    """S3's own word for an error; empty where it is none of S3's."""
    answer = getattr(error, "response", None) or {}
    return str(answer.get("Error", {}).get("Code", ""))


def ranges(objects: Objects, place: S3Location, about: About) -> Iterator[bytes]:
    """An object's bytes, `RANGE` of them at a time: of this version, and of no other.

    Raises Changed where there is another version now, TookTooLong where there is no time left.
    """
    for start in range(0, about.size, RANGE):
        deadline.check()
        yield objects.read(place, about.etag, start, min(RANGE, about.size - start))


class Upload:
    """An object that is written in parts, and is there once it is closed.

    `packed` is written as gzip, the same bytes for the same content.
    """

    def __init__(
        self,
        objects: Objects,
        place: S3Location,
        media_type: str,
        metadata: Mapping[str, str],
        packed: bool = False,
    ) -> None:
        self._client = objects.client
        self._where = {"Bucket": place.bucket, "Key": place.key}
        self._about = {"ContentType": media_type, "Metadata": dict(metadata)}
        self._packer = zlib.compressobj(wbits=GZIP) if packed else None
        self._waiting = bytearray()
        self._upload: str | None = None
        self._parts: list[dict[str, Any]] = []

    def write(self, content: bytes) -> None:
        """Add some bytes."""
        self._waiting += content if self._packer is None else self._packer.compress(content)
        while len(self._waiting) >= PART:
            self._send(bytes(self._waiting[:PART]))
            del self._waiting[:PART]

    def close(self) -> None:
        """Have it there, whole."""
        if self._packer is not None:
            self._waiting += self._packer.flush()
        rest = bytes(self._waiting)
        if self._upload is None:
            self._client.put_object(**self._where, **self._about, Body=rest)
            return
        if rest:
            self._send(rest)
        self._client.complete_multipart_upload(
            **self._where, UploadId=self._upload, MultipartUpload={"Parts": self._parts}
        )

    def drop(self) -> None:
        """Forget it: nothing is there, and nothing is paid for."""
        if self._upload is not None:
            # Where that fails, too, a rule of the bucket removes what was sent.
            with suppress(Exception):
                self._client.abort_multipart_upload(**self._where, UploadId=self._upload)

    def _send(self, part: bytes) -> None:
        deadline.check()
        if self._upload is None:
            begun = self._client.create_multipart_upload(**self._where, **self._about)
            self._upload = begun["UploadId"]
        number = len(self._parts) + 1
        sent = self._client.upload_part(
            **self._where, UploadId=self._upload, PartNumber=number, Body=part
        )
        self._parts.append({"ETag": sent["ETag"], "PartNumber": number})


@cache
def of_lambda() -> Objects:
    """S3 by boto3, which is Lambda's own and not in the bundle; else raises SettingsError."""
    try:
        import boto3
    except ImportError as error:
        raise SettingsError(
            "objects in S3 can't be answered: there is no boto3 here",
            "Lambda's runtime has it; elsewhere: onnxlet score MODEL s3://BUCKET/PREFIX OUT.",
        ) from error
    from botocore.config import Config

    tries = {"total_max_attempts": 3, "mode": "standard"}
    config = Config(connect_timeout=TRY_SECONDS, read_timeout=TRY_SECONDS, retries=tries)
    return Objects(boto3.client("s3", config=config))
