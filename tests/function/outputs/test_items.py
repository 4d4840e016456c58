"""Items are named by their file, read once and checked."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from onnxlet.function.errors import ModelError
from onnxlet.function.inputs.validation import validate_rows
from onnxlet.function.models.model import Model, load_model
from tests.function import near as made
from tests.function.altered import put


@pytest.fixture
def version(near: Path, tmp_path: Path) -> Path:
    return shutil.copytree(near / "products" / "1", tmp_path / "products" / "1")


def answered(model: Model) -> Any:
    rows = made.ROWS[:1].tolist()
    return model.run(validate_rows(rows, model.signature))["prediction"].tolist()


def test_the_file_is_read_when_it_is_needed_and_once(version: Path) -> None:
    model = load_model(version)
    first = answered(model)
    (version / "items.json").unlink()
    assert answered(model) == first
    with pytest.raises(ModelError, match=r"items\.json can't be read"):
        answered(load_model(version))


def test_an_altered_file_is_refused(version: Path) -> None:
    path = version / "items.json"
    path.write_bytes(path.read_bytes().replace(b"product 1", b"product 2"))
    with pytest.raises(ModelError, match=r"items\.json was altered"):
        answered(load_model(version))


@pytest.mark.parametrize(
    "content",
    [
        b"{}", b"[]", b'{"items": [1, "a"]}', b'{"items": [1.5]}', b"no", b'{"items": 3}',
        b'{"items": []}', b'{"items": "abc"}', b'{"items": {"a": 1}}', b'{"items": [true]}',
    ],
)  # fmt: skip
def test_a_file_without_items(version: Path, content: bytes) -> None:
    put(version, "items.json", content)
    with pytest.raises(ModelError, match=r"products/1: items\.json has no items in it"):
        answered(load_model(version))


def test_a_file_of_another_graph(version: Path) -> None:
    put(version, "items.json", b'{"items": ["a", "b"]}')
    with pytest.raises(ModelError, match=r"has 2 items, and the graph answers position \d+"):
        answered(load_model(version))


def test_numbers_stay_numbers(version: Path) -> None:
    put(version, "items.json", json.dumps({"items": list(range(7, 157))}).encode())
    found = answered(load_model(version))[0]
    assert found == [7 + at for at in made.nearest(made.ROWS[:1], made.K)[0][0].tolist()]
