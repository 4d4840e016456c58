"""Calls of S3 as the function makes them, and what came of each: S3_URL, to be asked by boto3."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

from onnxlet.function.aws.s3_objects import PART, Changed, Objects, S3Location, Upload, code_of

BUCKET = "calls"
SMALL = b"a,b\n1,2\n"
LARGE = bytes(range(256)) * (2 * PART // 256 + 1)


def results(client: Any) -> Iterator[Any]:
    """What comes of each call, one after another.

    Args:
        client: boto3's, or one like it; the bucket is there, and empty.
    """
    objects, place = Objects(client), S3Location(BUCKET, "späte Käufe/1+1 = 2 %41.csv")
    yield objects.about(place), objects.about(place, may_list=True)
    metadata = {"onnxlet-etag": "x" * 900, "Other": "y"}
    upload = Upload(objects, place, "text/csv; charset=utf-8", metadata)
    upload.write(SMALL)
    yield objects.about(place)
    upload.close()
    about = objects.about(place)
    assert about is not None
    etag = about.etag
    yield etag, about.size, about.media_type, dict(about.metadata)
    yield objects.read(place, etag, 0, 3).decode(), objects.read(place, etag, 2, 99)
    yield of(lambda: objects.read(place, "0" * 32, 0, 3))
    yield of(lambda: objects.read(S3Location(BUCKET, "not there"), etag, 0, 3))

    for packed in (False, True):
        upload = Upload(objects, place, "text/csv", {}, packed)
        upload.write(os.urandom(len(LARGE)) if packed else LARGE)
        yield objects.about(place) == about  # there is no half of it
        upload.drop() if packed else upload.close()
        about = objects.about(place)
        assert about is not None
        yield about.size, dict(about.metadata), about.etag.rpartition("-")[2]
    yield objects.read(place, about.etag, PART - 3, 9) == LARGE[PART - 3 : PART + 6]
    listed = getattr(client, "list_multipart_uploads", None)
    yield [] if listed is None else listed(Bucket=BUCKET).get("Uploads", [])
    for _ in range(2):
        objects.delete(place)
        yield objects.about(place)


def of(call: Callable[[], Any]) -> Any:
    """What a call returns, or the name of what it raises."""
    try:
        return call()
    except Changed as error:
        return type(error).__name__
    except Exception as error:
        return code_of(error)


def plain(value: Any) -> str:
    """What JSON has no form for."""
    return value.decode() if isinstance(value, bytes) else str(value)


if __name__ == "__main__":
    import boto3

    made = boto3.client("s3", endpoint_url=sys.argv[1])
    location = {"LocationConstraint": made.meta.region_name}
    made.create_bucket(Bucket=BUCKET, CreateBucketConfiguration=location)
    print(json.dumps(list(results(made)), default=plain))
