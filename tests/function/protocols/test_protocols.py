"""The requests in docs/reference/*protocols.md get the answers that stand below them."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.conftest import ROOT, Client

DOCUMENT = "".join(
    (ROOT / "docs" / "reference" / f"{name}.md").read_text()
    for name in ("protocols", "other-protocols")
)
PAIRS = re.findall(r"^```http\n(.*?)^```\n\n```(json|csv)\n(.*?)^```", DOCUMENT, re.M | re.S)


def close(value: Any, rel: float = 1e-6) -> Any:
    """The same answer, its numbers as far as a document shows them."""
    if isinstance(value, dict):
        return {name: close(member, rel) for name, member in value.items()}
    if isinstance(value, list):
        return [close(member, rel) for member in value]
    return pytest.approx(value, rel=rel, abs=6e-5) if isinstance(value, float) else value


@pytest.mark.parametrize(("request_text", "kind", "answer"), PAIRS)
def test_an_example(client: Client, request_text: str, kind: str, answer: str) -> None:
    head, _, body = request_text.partition("\n\n")
    first, *lines = head.splitlines()
    method, path = first.split()
    headers = dict(line.split(": ", 1) for line in lines)
    media_type = headers.pop("Content-Type", "application/json")
    assert method == "POST"

    got = client.post(path, body.encode(), headers, media_type)

    assert got.status == 200, got.body
    if kind == "csv":
        assert got.body.decode() == answer
    else:
        assert got.json() == close(json.loads(answer))


def test_every_request_of_the_document_is_tried() -> None:
    assert len(PAIRS) == DOCUMENT.count("```http") >= 6
