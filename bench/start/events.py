"""Requests that the bench sends."""

from __future__ import annotations

from typing import Any


def http_event(body: str, path: str, key: str = "") -> dict[str, Any]:
    """An API Gateway HTTP API event, version 2.0."""
    headers = {"content-type": "application/json", "host": "bench", "x-api-key": key}
    return {
        "version": "2.0",
        "rawPath": path,
        "rawQueryString": "",
        "headers": headers,
        "requestContext": {"stage": "$default", "http": {"method": "POST", "path": path}},
        "body": body,
        "isBase64Encoded": False,
    }
