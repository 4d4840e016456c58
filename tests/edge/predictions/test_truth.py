"""What POST /truth refuses, and what it says then."""

from __future__ import annotations

import json
import string
from collections.abc import Iterator
from pathlib import Path

import pytest

from onnxlet.edge.predictions.answers import HINT, ID_FORM
from onnxlet.edge.predictions.prediction_store import PredictionStore
from onnxlet.edge.service.app import make_app
from onnxlet.function.app import TRUTH
from onnxlet.function.request_log import REQUEST_ID
from onnxlet.function.settings import Settings
from tests.conftest import ROOT, Client, client_of

BODY = json.dumps({"truth": [{"id": "a", "value": 1}]}).encode()
TEXT = (ROOT / "docs" / "how-to" / "truth.md").read_text()
MARKS = ". _ : / + = -"


@pytest.fixture
def client(models: Path, tmp_path: Path) -> Iterator[Client]:
    keep = PredictionStore(tmp_path / "kept.db", 100, 90)
    yield client_of(
        make_app(models, settings=Settings(models, owned=True, reload_seconds=0), keep=keep)
    )
    keep.stop()


@pytest.mark.parametrize(
    ("media_type", "body", "status", "says"),
    [
        ("application/json", BODY, 200, {}),
        ("application/json; charset=utf-8", BODY, 200, {}),
        ("", BODY, 200, {}),
        (
            "application/x-www-form-urlencoded", BODY, 415,
            {
                "detail": "media type 'application/x-www-form-urlencoded' is not read here",
                "hint": "Send Content-Type: application/json.",
            },
        ),
        (
            "text/csv", BODY, 415,
            {
                "detail": "media type 'text/csv' is not read here",
                "hint": "Send Content-Type: application/json.",
            },
        ),
        (
            "application/json; charset=latin-1", BODY, 415,
            {"detail": "charset 'latin-1' is not read here", "hint": "Send UTF-8."},
        ),
        ("application/json", b"", 400, {"detail": "the body is empty", "hint": HINT}),
    ],
)  # fmt: skip
def test_the_media_type_is_read_as_predict_reads_it(
    client: Client, media_type: str, body: bytes, status: int, says: dict[str, str]
) -> None:
    answer = client.post("/truth", body, kind=media_type)

    assert answer.status == status
    assert {name: answer.json().get(name) for name in says} == says


def test_an_id_that_no_answer_can_have_is_refused_with_what_is_allowed(client: Client) -> None:
    answer = client.post("/truth", {"truth": [{"id": "sale 4711", "value": 1}]})

    assert answer.status == 422
    assert answer.json()["detail"] == (
        "entry 0 (id 'sale 4711'): 'id': expected the X-Request-Id that the prediction's answer "
        f"bore, {ID_FORM}"
    )


def test_the_ids_that_are_allowed_are_those_that_are_named() -> None:
    allowed = {chr(code) for code in range(256) if REQUEST_ID.fullmatch(chr(code))}

    assert allowed == {*string.ascii_letters, *string.digits, *MARKS.split()}
    sizes = [size for size in (0, 1, 128, 129) if REQUEST_ID.fullmatch("a" * size)]
    assert sizes == [1, 128]
    assert f"1 to 128 letters of a to z, A to Z, digits and {MARKS}" == ID_FORM
    assert f"1 to 128 letters of a to z and A to Z, digits and `{MARKS}`" in TEXT


def test_the_id_is_the_header_and_a_bad_one_is_replaced(client: Client) -> None:
    """As the document says: neither the header as it was sent, nor a v2 body's `id`."""
    tensor = {"name": "input", "datatype": "FP64", "shape": [1, 4], "data": [5.1, 3.5, 1.4, 0.2]}
    body = {"id": "in-the-body", "inputs": [tensor]}
    answer = client.post("/v2/models/iris/infer", body, {"X-Request-Id": "sale 4711"})
    name = answer.headers["x-request-id"]
    entries = [{"id": each, "value": 0} for each in (name, "in-the-body")]

    assert REQUEST_ID.fullmatch(name)
    assert answer.json()["id"] == "in-the-body"
    assert client.post("/truth", {"truth": entries}).json() == {
        "kept": 1, "joined": 1, "again": 0, "taken": 0, "unknown": 1,
    }  # fmt: skip


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_where_nothing_is_kept_the_404_says_so(models: Path, method: str) -> None:
    client = client_of(make_app(models, settings=Settings(models, owned=True, reload_seconds=0)))
    answer = client.request(method, TRUTH)

    assert answer.status == 404
    assert answer.json()["detail"] == (
        "/truth: answers are not kept here; a server with ONNXLET_KEEP=FILE keeps them"
    )
    assert TRUTH not in client.get("/openapi.json").json()["paths"]


def test_without_a_watch_truths_are_joined_and_no_figures_shown(
    models: Path, tmp_path: Path
) -> None:
    keep = PredictionStore(tmp_path / "kept.db", 100, 90)
    settings = Settings(models, owned=True, reload_seconds=0, watch=False)
    client = client_of(make_app(models, settings=settings, keep=keep))
    row = [5.1, 3.5, 1.4, 0.2]
    client.post("/models/iris/predict", {"instances": [row]}, {"X-Request-Id": "a"})
    joined = client.post("/truth", BODY).json()
    status = client.get("/models/iris/drift").status
    keep.stop()

    assert (joined["joined"], status) == (1, 404)
    assert "With `ONNXLET_WATCH=off`, and of a model without reference statistics, truths" in TEXT
