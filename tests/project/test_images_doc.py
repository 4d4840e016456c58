"""docs/how-to/images.md: its requests are answered as shown, its limits are the code's."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from onnxlet.function.inputs import images
from onnxlet.function.settings import MAX_PIXELS
from tests.conftest import ROOT, app_of
from tests.function.image_models import add_model

HOW_TO = (ROOT / "docs" / "how-to" / "images.md").read_text()
PAIRS = re.findall(r"^```http\n(.*?)^```\n\n```json\n(.*?)^```", HOW_TO, re.M | re.S)


@pytest.mark.parametrize(("request_text", "shown"), PAIRS)
def test_a_request_is_answered_as_shown(tmp_path: Path, request_text: str, shown: str) -> None:
    add_model(tmp_path, "photos")
    client = app_of(tmp_path).test_client()
    head, _, body = request_text.partition("\n\n")
    path = head.split()[1]
    answer = client.post(path, data=body, content_type="application/json")
    assert answer.json == json.loads(shown)


def test_the_limits_are_the_codes() -> None:
    assert f"`ONNXLET_MAX_PIXELS`, {MAX_PIXELS:,}" in HOW_TO
    assert f"| {images.LONGEST_SIDE:,} pixels |" in HOW_TO
    assert f"| {images.MOST_SCANS} |" in HOW_TO
