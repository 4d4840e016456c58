"""docs/how-to/recommend.md: its models are built as shown, and answer as shown."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from onnxlet.convert.build import build
from onnxlet.convert.sources.source import load_source
from onnxlet.function.app import create_app
from onnxlet.function.serving.options import MOST_NEAREST
from onnxlet.function.settings import Settings
from tests.conftest import ROOT, client_of, quiet
from tests.project.test_device_docs import blocks

HOW_TO = (ROOT / "docs" / "how-to" / "recommend.md").read_text()
PAIRS = re.findall(r"^```http\n(.*?)^```\n\n```json\n(.*?)^```", HOW_TO, re.M | re.S)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recommend")
    for code in blocks(HOW_TO, "python"):
        file = folder / code.split()[1]
        file.write_text(code)
        build(load_source(f"{file}:build"), file.stem, folder / "models", quiet)
    return folder / "models"


@pytest.mark.docs
@pytest.mark.parametrize(("request_text", "shown"), PAIRS)
def test_a_request_is_answered_as_shown(built: Path, request_text: str, shown: str) -> None:
    head, _, body = request_text.partition("\n\n")
    client = client_of(create_app(built, settings=Settings(built), log=lambda entry: None))
    answer = client.post(head.split()[1], body.encode())
    wanted = json.loads(shown)
    near = "distances" if "distances" in wanted else "score"
    wanted[near] = [pytest.approx(row, rel=2e-3) for row in wanted[near]]
    assert (answer.status, answer.json()) == (200, wanted)


def test_the_limit_is_that_of_the_code() -> None:
    assert f"from 1 to the number of items, at most {MOST_NEAREST}, or" in HOW_TO
