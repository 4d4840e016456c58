"""The example of dates that are translated: what it has, built without PyTorch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from onnxlet.convert.examples import dates_translated
from onnxlet.convert.imported.import_onnx import import_onnx
from tests.convert.helpers import quiet
from tests.convert.imported.importing import client_of

ROWS = 200


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("dates")
    given = dates_translated.model(folder)
    for name in ("sample", "expected"):  # a part of them, which is quicker
        lines = Path(given[name]).read_text("utf-8").splitlines(keepends=True)
        Path(given[name]).write_text("".join(lines[: 1 + ROWS]), "utf-8")
    built = import_onnx(name="dates", folder=folder / "models", report=quiet, **given)
    assert built.manifest["parity"]["state"] == "verified"
    return client_of(folder)


def test_every_held_out_date_is_answered_as_pytorch_did(client: Any) -> None:
    dates = dates_translated.held_out()
    got = client.post("/predict", json={"instances": dates[["text"]].to_dict("records")})
    answer = got.get_json()

    assert answer["prediction"] == dates["answered"].tolist()
    scores = dates_translated.scores(lambda rows: answer)
    assert scores["exact"][0] >= 0.99
    assert scores["exact"][1] < 0.1


def test_answers_are_cldrs(client: Any) -> None:
    texts = ["de> Sep 21, 2021", "zh> mardi 1 février 2000", "pl> 2 Ιανουαρίου 1999"]
    got = client.post("/predict", json={"instances": [{"text": text} for text in texts]})
    assert got.get_json()["prediction"] == ["21. September 2021", "2000年2月1日", "2 stycznia 1999"]
    got = client.post("/predict", json=[["de> ৩"]])
    assert got.get_json()["errors"] == [
        {
            "row": 0,
            "column": "text",
            "detail": "expected characters of the model's vocabulary, got '৩'",
        }
    ]
