"""Units and descriptions go from a build to all who read of the model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from sklearn.linear_model import LinearRegression, LogisticRegression

from onnxlet import build
from onnxlet.convert.command_line import main
from onnxlet.function.errors import WrongUse
from tests.conftest import app_of, client_of, quiet

X = pd.DataFrame(np.random.default_rng(0).normal(size=(80, 2)), columns=["Area", "Rooms"])
Y = pd.Series(X["Area"] * 2 + X["Rooms"], name="price")
WORDS = """\
target = { text = "What it was sold for" }
[columns]
" Area" = { unit = "m²", text = "Living area" }
"""
SAID = {"unit": "m²", "description": "Living area"}


@pytest.fixture
def words(tmp_path: Path) -> Path:
    path = tmp_path / "words.toml"
    path.write_text(WORDS, "utf-8")
    return path


@pytest.fixture
def client(words: Path, tmp_path: Path) -> Any:
    about: dict[str, Any] = {"models": tmp_path / "models", "report": quiet, "unit": "EUR"}
    build(LinearRegression().fit(X, Y), X, Y, name="m", describe=words, **about)
    return client_of(app_of(tmp_path / "models"))


def test_they_stand_in_the_signature(client: Any) -> None:
    signature = client.get("/models/m").json()["signature"]
    area, rooms = signature["inputs"]
    assert (area["name"], {key: area[key] for key in SAID}) == ("Area", SAID)
    assert SAID.keys().isdisjoint(rooms)
    assert signature["outputs"][0]["unit"] == "EUR"
    assert signature["outputs"][0]["description"] == "What it was sold for"


def test_they_stand_in_the_documents(client: Any) -> None:
    schemas = client.get("/openapi.json").json()["components"]["schemas"]
    row, answer = schemas["m.row"]["properties"], schemas["m.answer"]["properties"]
    assert row["Area"]["description"] == "Living area, in m²"
    assert "description" not in row["Rooms"]
    [one, _] = schemas["m.values"]["prefixItems"]
    assert one["description"] == "Living area, in m²"
    assert "What it was sold for, in EUR" in json.dumps(answer["prediction"], ensure_ascii=False)

    tensors = client.get("/v2/models/m").json()
    assert tensors["inputs"][0]["parameters"] == SAID
    assert "parameters" not in tensors["inputs"][1]
    of_answer = {"unit": "EUR", "description": "What it was sold for"}
    assert tensors["outputs"][0]["parameters"] == of_answer


def test_a_bare_array_and_the_command(tmp_path: Path) -> None:
    (tmp_path / "words.toml").write_text('[columns]\nx1 = { unit = "kg" }\n')
    (tmp_path / "made.py").write_text(
        "import numpy as np\n"
        "from sklearn.linear_model import LinearRegression\n"
        "def model():\n"
        "    X = np.random.default_rng(0).normal(size=(80, 2))\n"
        "    return LinearRegression().fit(X, X[:, 0]), X\n"
    )
    told = ["build", f"{tmp_path}/made.py:model", "--name", "m", "--models", f"{tmp_path}/models"]
    done = CliRunner().invoke(main, [*told, "--describe", f"{tmp_path}/words.toml", "--unit", "t"])
    assert done.exit_code == 0, done.output
    signature = json.loads((tmp_path / "models/m/1/manifest.json").read_text())["signature"]
    assert [each.get("unit") for each in signature["inputs"][0]["columns"]] == [None, "kg"]
    assert signature["outputs"][0]["unit"] == "t"


def test_nothing_said_is_nothing_written(tmp_path: Path, words: Path) -> None:
    model = LinearRegression().fit(X, Y)
    about: dict[str, Any] = {"models": tmp_path, "report": quiet}
    plain = build(model, X, Y, name="m", **about)
    said = build(model, X, Y, name="m", describe=words, **about)
    again = build(model, X, Y, name="m", **about)

    assert (plain.version, said.version, again.version) == (1, 2, 3)
    assert (plain.directory / "manifest.json").read_bytes() == (
        again.directory / "manifest.json"
    ).read_bytes()
    for entry in plain.manifest["signature"]["inputs"]:
        assert SAID.keys().isdisjoint(entry)


def test_what_is_not_there_is_refused(tmp_path: Path, words: Path) -> None:
    with pytest.raises(WrongUse, match="there is no column ' Area'"):
        build(
            LogisticRegression().fit(X[["Rooms"]], Y > 0), X[["Rooms"]],
            name="m", models=tmp_path, describe=words, report=quiet,
        )  # fmt: skip
