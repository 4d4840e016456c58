"""S3, and what speaks its protocol, by PyArrow: keys from the environment, as everywhere."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

from onnxlet.convert.errors import shortened
from onnxlet.function.errors import WrongUse

SECONDS = 10.0  # that a connection may take to begin
TRIES = 5


def file_system(path: str) -> Any:
    """The file system in which a bucket is; the path is for messages.

    `AWS_ENDPOINT_URL_S3` or `AWS_ENDPOINT_URL` names another server than Amazon's; keys and the
    region are where the AWS SDK looks for them.

    Raises:
        WrongUse: the settings can't be used.
    """
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or ""
    try:
        return _opened(endpoint, region)
    except (OSError, ValueError) as error:
        raise WrongUse(
            f"s3://{path}: S3 can't be reached: {shortened(error)}",
            "Are AWS_ENDPOINT_URL and AWS_REGION what they should be?",
        ) from error


@cache  # to start AWS's SDK takes half a second
def _opened(endpoint: str, region: str) -> Any:
    from pyarrow.fs import AwsStandardS3RetryStrategy, S3FileSystem

    options: dict[str, Any] = {"region": region} if region else {}
    if endpoint:
        scheme, _, host = endpoint.rstrip("/").rpartition("://")
        options |= {"scheme": scheme or "https", "endpoint_override": host}
        options.setdefault("region", "us-east-1")
    retry = AwsStandardS3RetryStrategy(max_attempts=TRIES)
    return S3FileSystem(connect_timeout=SECONDS, retry_strategy=retry, **options)
