"""Every kind of request is answered alike, whichever way it comes."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from onnxlet.convert.sources.source import Source
from tests.conftest import Answer, Client, app_of, client_of
from tests.function.serving.test_predict import SHOP
from tests.function.test_refusals import (
    CSVS,
    IN_ANOTHER_ORDER,
    KINDS,
    NO_CSVS,
    PATH,
    SURROGATES,
    VALUES,
)
from tests.homes.asked import LIST, Ask, all_asks

PACKED = gzip.compress(json.dumps({"instances": [LIST]}).encode())
JSON = {"Content-Type": "application/json", "X-Request-Id": "more"}
MORE = [
    Ask("POST", "/models/house-prices/predict", PACKED, {**JSON, "Content-Encoding": "gzip"}),
    Ask("POST", "/models/house-prices/predict", PACKED, {**JSON, "Content-Encoding": "br"}),
    Ask("POST", "/models/house-prices/predict", b"", JSON),
    Ask("POST", "/models/house-prices/predict", "[[\u8272]]".encode("utf-16"), JSON),
    Ask("POST", "/models/caf%C3%A9/predict", b"[]", JSON),
    Ask("POST", "/models/house-prices/predict?coverage=%30.9&nonsense=%FF", b"[]", JSON),
    Ask("DELETE", "/models/shop", None, JSON),
    Ask("GET", "/models/shop", None, {**JSON, "Accept": "text/html"}),
]
# What test_refusals.py and test_predict.py send in this process only.
BODIES: list[bytes] = [
    *(json.dumps({"instances": [{**SHOP, name: cell}]}).encode() for name, cell, _ in VALUES),
    json.dumps({"instances": [{**SHOP, "a" * 100_000: 1}]}).encode(),
    b"\xef\xbb\xbf" + json.dumps({"instances": [SHOP]}).encode(),
    b'{"instances": []}',
]
CSV_BODIES = [*(csv.encode() for csv, _ in CSVS), *NO_CSVS, IN_ANOTHER_ORDER]
MORE += [
    *(Ask("POST", PATH, body, JSON) for body in BODIES),
    *(Ask("POST", path, body, JSON) for path, body, _ in SURROGATES),
    *(Ask("POST", PATH, body, {**JSON, "Content-Type": "text/csv"}) for body in CSV_BODIES),
    *(Ask("POST", PATH, BODIES[-1], {**JSON, "Content-Type": kind}) for kind in KINDS),
    *(Ask("POST", path, BODIES[-1], JSON) for path in ("/models//shop/predict", "/predict")),
    Ask("POST", f"/models/shop/versions/{'9' * 3000}/predict", BODIES[-1], JSON),
]


@pytest.fixture(scope="module")
def asks(sources: Mapping[str, Source], models: Path) -> list[Ask]:
    return [*all_asks(sources, models), *MORE]


@pytest.fixture(scope="module")
def answers(asks: list[Ask], models: Path) -> list[Answer]:
    """Those of an app in this process."""
    send = client_of(app_of(models))._send
    return [send(*ask) for ask in asks]


def told(answer: Answer) -> tuple[int, str | None, str | None, bytes]:
    headers = answer.headers
    return answer.status, headers.get("content-type"), headers.get("x-request-id"), answer.body


@pytest.mark.every_transport
def test_the_same_bytes(client: Client, asks: list[Ask], answers: list[Answer]) -> None:
    differing = [
        f"{ask}: {told(got)} instead of {told(wanted)}"
        for ask, wanted in zip(asks, answers, strict=True)
        if told(got := client._send(*ask)) != told(wanted)
    ]
    assert differing == []


def test_requests_of_every_kind_are_among_them(asks: list[Ask], answers: list[Answer]) -> None:
    assert len(asks) > 60
    assert {answer.status for answer in answers} >= {200, 400, 404, 405, 415, 422}
