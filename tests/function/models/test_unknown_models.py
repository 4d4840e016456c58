"""A model or version that is not there is 404 in every protocol, whatever else is wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import Client

BODIES: dict[str, tuple[bytes, dict[str, str]]] = {
    "empty": (b"", {}),
    "no JSON": (b"{", {}),
    "another form": (b'{"instances": 3, "inputs": 4}', {}),
    "no gzip": (b"{}", {"Content-Encoding": "gzip"}),
    "an encoding that is not read": (b"{}", {"Content-Encoding": "br"}),
    "another media type": (b"{}", {"Content-Type": "image/png"}),
    "another charset": (b"{}", {"Content-Type": "application/json; charset=utf-16"}),
    "a header that names a column twice": (b"a,a\n1,2\n", {"Content-Type": "text/csv"}),
}
NATIVE = ["/models/{}/predict", "/models/{}/explain"]
OTHERS = ["/v1/models/{}:predict", "/v2/models/{}/infer"]
VERSIONED = [
    "/models/iris/versions/{}/predict",
    "/models/iris/versions/{}/explain",
    "/v1/models/iris/versions/{}:predict",
    "/v2/models/iris/versions/{}/infer",
]


def paths() -> Iterator[str]:
    yield from (path.format("nope") for path in (*NATIVE, *OTHERS))
    yield from (path.format(version) for path in VERSIONED for version in ("9", "x"))
    yield from (f"/v2/repository/models/nope/{verb}" for verb in ("load", "unload"))


def test_the_model_of_the_path_is_found_before_the_body_is_read(client: Client) -> None:
    got = {
        (path, kind): client.post(path, body, headers).status
        for path in paths()
        for kind, (body, headers) in BODIES.items()
    }

    assert len(got) == 14 * len(BODIES)
    assert {case: status for case, status in got.items() if status != 404} == {}


@pytest.mark.parametrize("kind", BODIES)
def test_the_model_of_a_header_is_found_first_too(client: Client, kind: str) -> None:
    body, headers = BODIES[kind]
    named = {**headers, "X-Amzn-SageMaker-Target-Model": "nope"}

    assert client.post("/invocations", body, named).status == 404
    there = {**headers, "X-Amzn-SageMaker-Target-Model": "iris"}
    assert client.post("/invocations", body, there).status in (400, 415)


@pytest.mark.parametrize(
    "body",
    [
        {"instances": 3},
        {"rows": [[1]]},
        {},
        {"instances": [], "unknown": 1},
    ],
)
@pytest.mark.parametrize("path", ["/predict", "/models/iris/predict"])
def test_the_model_of_the_body_is_found_although_its_rows_can_not_be_read(
    client: Client, body: dict[str, Any], path: str
) -> None:
    got = client.post(path, {**body, "model": "nope"})

    assert got.status == (404 if path == "/predict" else 400), got.body
    assert client.post(path, {**body, "model": "iris"}).status == 400
    assert client.post("/models/iris/explain", {**body, "model": "nope"}).status == 400


def test_an_explanation_s_own_members_come_after_the_model(client: Client) -> None:
    wrong = {"instances": [[1]], "model": "nope", "seconds": "long"}

    assert client.post("/explain", wrong).status == 404
    assert client.post("/explain", {**wrong, "model": "iris"}).status == 400


def test_a_model_that_is_there_is_not_asked_for_more_than_before(client: Client) -> None:
    for kind, (body, headers) in BODIES.items():
        got = client.post("/models/iris/predict", body, headers)
        assert got.status in (400, 415, 422), (kind, got.body)
        assert json.loads(got.body)["status"] == got.status
