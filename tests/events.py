"""Lambda events as their senders make them; every part can be set."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl, quote_plus

CONTEXT = SimpleNamespace(aws_request_id="3f5c1f2e-1111-2222-3333-444455556666")


def _body(body: bytes | None, binary: bool) -> str | None:
    if body is None:
        return None
    return base64.b64encode(body).decode() if binary else body.decode()


def make_v2_event(
    *,
    method: str = "GET",
    path: str = "/",
    query: str = "",
    headers: Mapping[str, str] | None = None,
    cookies: list[str] | None = None,
    body: bytes | None = None,
    binary: bool = False,
    stage: str = "$default",
) -> dict[str, Any]:
    """An HTTP API's or a function URL's event."""
    raw_path = path if stage == "$default" else f"/{stage}{path}"
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": raw_path,
        "rawQueryString": query,
        "headers": {"host": "abc.execute-api.eu-west-1.amazonaws.com", **(headers or {})},
        "requestContext": {
            "accountId": "123456789012",
            "domainName": "abc.execute-api.eu-west-1.amazonaws.com",
            "http": {
                "method": method,
                "path": raw_path,
                "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.1",
            },
            "requestId": "id",
            "stage": stage,
        },
        "isBase64Encoded": binary,
    }
    if cookies is not None:
        event["cookies"] = cookies
    if body is not None:
        event["body"] = _body(body, binary)
    return event


def make_v1_event(
    *,
    method: str = "GET",
    path: str = "/",
    query: str = "",
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    binary: bool = False,
    stage: str = "dev",
) -> dict[str, Any]:
    """A REST API's event: its path is without the stage, its query decoded."""
    parameters = parse_qsl(query, keep_blank_values=True)
    sent = {"Host": "abc.execute-api.eu-west-1.amazonaws.com", **(headers or {})}
    return {
        "resource": "/{proxy+}",
        "path": path,
        "httpMethod": method,
        "headers": sent,
        "multiValueHeaders": {name: [value] for name, value in sent.items()},
        "queryStringParameters": dict(parameters) or None,
        "multiValueQueryStringParameters": {k: [v] for k, v in parameters} or None,
        "pathParameters": {"proxy": path.lstrip("/")},
        "stageVariables": None,
        "requestContext": {
            "path": f"/{stage}{path}",
            "stage": stage,
            "authorizer": None,
            "identity": {"sourceIp": "192.0.2.1"},
            "httpMethod": method,
        },
        "body": _body(body, binary),
        "isBase64Encoded": binary,
    }


def make_sqs_event(bodies: list[str], *, groups: list[str] | None = None) -> dict[str, Any]:
    """A batch of an SQS queue: a FIFO one where its messages have groups."""
    kind = "requests.fifo" if groups else "requests"
    return {
        "Records": [
            {
                "messageId": f"message-{number}",
                "receiptHandle": "handle",
                "body": body,
                "attributes": {"ApproximateReceiveCount": "1"}
                | ({"MessageGroupId": groups[number]} if groups else {}),
                "messageAttributes": {},
                "md5OfBody": "d41d8cd98f00b204e9800998ecf8427e",
                "eventSource": "aws:sqs",
                "eventSourceARN": f"arn:aws:sqs:eu-west-1:123456789012:{kind}",
                "awsRegion": "eu-west-1",
            }
            for number, body in enumerate(bodies)
        ]
    }


def make_s3_event(
    key: str, etag: str = "", *, bucket: str = "in", name: str = "ObjectCreated:Put"
) -> dict[str, Any]:
    """A bucket's own, of one object."""
    about = {"key": quote_plus(key), "size": 1, "eTag": etag, "sequencer": "0055AED6DCD90281E5"}
    return {
        "Records": [
            {
                "eventVersion": "2.3",
                "eventSource": "aws:s3",
                "awsRegion": "eu-west-1",
                "eventTime": "2026-01-01T00:00:00.000Z",
                "eventName": name,
                "s3": {
                    "s3SchemaVersion": "1.0",
                    "configurationId": "scores",
                    "bucket": {"name": bucket, "arn": f"arn:aws:s3:::{bucket}"},
                    "object": about if etag else {k: v for k, v in about.items() if k != "eTag"},
                },
            }
        ]
    }


def make_bridge_event(key: str, etag: str = "", *, bucket: str = "in") -> dict[str, Any]:
    """EventBridge's, of one object in S3: its key is as it is."""
    return {
        **make_schedule_event(),
        "detail-type": "Object Created",
        "source": "aws.s3",
        "resources": [f"arn:aws:s3:::{bucket}"],
        "detail": {
            "version": "0",
            "bucket": {"name": bucket},
            "object": {"key": key, "size": 1, "etag": etag, "sequencer": "0055AED6DCD90281E5"},
            "reason": "PutObject",
        },
    }


def make_schedule_event() -> dict[str, Any]:
    """An EventBridge rule's, by the clock."""
    return {
        "version": "0",
        "id": "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa",
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": "123456789012",
        "time": "2026-01-01T00:00:00Z",
        "region": "eu-west-1",
        "resources": ["arn:aws:events:eu-west-1:123456789012:rule/warm"],
        "detail": {},
    }


def make_alb_event(
    *,
    method: str = "GET",
    path: str = "/",
    query: str = "",
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    binary: bool = False,
) -> dict[str, Any]:
    """A load balancer's event: its query is as it was sent."""
    parameters = (part.partition("=") for part in query.split("&") if part)
    return {
        "requestContext": {"elb": {"targetGroupArn": "arn:aws:elasticloadbalancing:eu-west-1:1:t"}},
        "httpMethod": method,
        "path": path,
        "queryStringParameters": {name: value for name, _, value in parameters},
        "headers": {"host": "lb.example.com", **(headers or {})},
        "body": _body(body, binary) or "",
        "isBase64Encoded": binary,
    }
