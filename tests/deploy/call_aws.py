"""One call of AWS by boto3, which is not in the tests' own environment: SERVICE OPERATION JSON."""

from __future__ import annotations

import base64
import json
import sys
from typing import Any

import boto3


def plain(value: Any) -> Any:
    """What JSON has no form for."""
    content = value.read() if hasattr(value, "read") else value
    return base64.b64encode(content).decode() if isinstance(content, bytes) else str(content)


if __name__ == "__main__":
    service, operation, arguments = sys.argv[1:]
    answer = getattr(boto3.client(service), operation)(**json.loads(arguments))
    answer = answer or {}  # of an upload of a file
    answer.pop("ResponseMetadata", None)
    print(json.dumps(answer, default=plain))
