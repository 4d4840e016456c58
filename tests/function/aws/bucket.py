"""S3 in memory, as boto3's client has it; tests/deploy holds it against a server that speaks S3."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

LEAST_PART = 5 * 1024 * 1024  # bytes, of every part but the last


class ClientError(Exception):
    """As botocore raises it."""

    def __init__(self, code: str) -> None:
        super().__init__(f"An error occurred ({code})")
        self.response = {"Error": {"Code": code}}


class Stored(NamedTuple):
    """An object."""

    content: bytes
    etag: str
    media_type: str
    metadata: Mapping[str, str]


class S3:
    """The part of `boto3.client("s3")` that the function uses.

    Args:
        may_list: nothing being there is 404, and not 403.

    Attributes:
        objects: by bucket and key.
        calls: operation and key, in order.
        uploads: that were begun and neither completed nor dropped.
        before: is called with each operation and key.
    """

    def __init__(self, may_list: bool = False) -> None:
        self.objects: dict[tuple[str, str], Stored] = {}
        self.calls: list[tuple[str, str]] = []
        self.uploads: dict[str, tuple[dict[str, Any], dict[int, bytes]]] = {}
        self.before: Callable[[str, str], None] = lambda operation, key: None
        self._may_list = may_list

    def store(self, key: str, content: bytes, bucket: str = "in", **more: Any) -> str:
        """Upload an object as its owner does; returns its ETag."""
        about = {"ContentType": "binary/octet-stream", "Metadata": {}, **more}
        return self._store(bucket, key, content, _md5(content), about)

    def content(self, key: str, bucket: str = "out") -> bytes:
        """What is there."""
        return self.objects[bucket, key].content

    def keys(self, bucket: str = "out") -> list[str]:
        return sorted(key for where, key in self.objects if where == bucket)

    def _store(self, bucket: str, key: str, content: bytes, etag: str, about: Any) -> str:
        metadata = {name.lower(): text for name, text in about["Metadata"].items()}
        assert sum(len(k) + len(v.encode("ascii")) for k, v in metadata.items()) <= 2048
        assert len(key.encode()) <= 1024
        self.objects[bucket, key] = Stored(content, etag, about["ContentType"], metadata)
        return etag

    def _found(self, operation: str, bucket: str, key: str) -> Stored:
        self._called(operation, key)
        if (bucket, key) not in self.objects:
            missing = "404" if operation == "head_object" else "NoSuchKey"
            raise ClientError(missing if self._may_list else "403")
        return self.objects[bucket, key]

    def _called(self, operation: str, key: str) -> None:
        self.before(operation, key)
        self.calls.append((operation, key))

    def head_object(self, *, Bucket: str, Key: str) -> Any:
        found = self._found("head_object", Bucket, Key)
        return {
            "ETag": f'"{found.etag}"',
            "ContentLength": len(found.content),
            "ContentType": found.media_type,
            "Metadata": dict(found.metadata),
        }

    def get_object(self, *, Bucket: str, Key: str, Range: str, IfMatch: str) -> Any:
        found = self._found("get_object", Bucket, Key)
        if IfMatch != f'"{found.etag}"':
            raise ClientError("PreconditionFailed")
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", Range)
        assert asked is not None
        start, end = map(int, asked.groups())
        if start >= len(found.content):
            raise ClientError("InvalidRange")
        return {"Body": io.BytesIO(found.content[start : end + 1])}

    def put_object(self, *, Bucket: str, Key: str, Body: bytes, **about: Any) -> Any:
        self._called("put_object", Key)
        return {"ETag": self._store(Bucket, Key, Body, _md5(Body), about)}

    def create_multipart_upload(self, *, Bucket: str, Key: str, **about: Any) -> Any:
        self._called("create_multipart_upload", Key)
        identity = f"upload-{len(self.calls)}"
        self.uploads[identity] = ({"Bucket": Bucket, "Key": Key, **about}, {})
        return {"UploadId": identity}

    def upload_part(
        self, *, Bucket: str, Key: str, UploadId: str, PartNumber: int, Body: bytes
    ) -> Any:
        self._called("upload_part", Key)
        self.uploads[UploadId][1][PartNumber] = Body
        return {"ETag": _md5(Body)}

    def complete_multipart_upload(
        self, *, Bucket: str, Key: str, UploadId: str, MultipartUpload: Any
    ) -> Any:
        self._called("complete_multipart_upload", Key)
        about, parts = self.uploads.pop(UploadId)
        numbers = [part["PartNumber"] for part in MultipartUpload["Parts"]]
        assert numbers == sorted(parts) == list(range(1, len(parts) + 1))
        for number, given in zip(numbers, MultipartUpload["Parts"], strict=True):
            assert given["ETag"] == _md5(parts[number])
        if any(len(parts[number]) < LEAST_PART for number in numbers[:-1]):
            raise ClientError("EntityTooSmall")
        content = b"".join(parts[number] for number in numbers)
        etag = f"{_md5(content)}-{len(parts)}"
        return {"ETag": self._store(Bucket, Key, content, etag, about)}

    def abort_multipart_upload(self, *, Bucket: str, Key: str, UploadId: str) -> Any:
        self._called("abort_multipart_upload", Key)
        del self.uploads[UploadId]
        return {}

    def delete_object(self, *, Bucket: str, Key: str) -> Any:
        self._called("delete_object", Key)
        self.objects.pop((Bucket, Key), None)
        return {}


def _md5(content: bytes) -> str:
    """As S3 makes an ETag of it."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()
