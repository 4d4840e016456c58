"""A missing text in an answer: null in every protocol, never what stands for it in a graph."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.preprocessing import FunctionTransformer

from onnxlet.convert.sources.source import Source
from tests.convert.helpers import built, served

ROWS = pd.DataFrame(
    {
        "city": ["London", None, "Dubai", "Rome", None, "Oslo"] * 5,
        "street": [None, "High", "Low", None, "Long", "Short"] * 5,
    },
    dtype=object,
)
KEEPS = ColumnTransformer([("kept", "passthrough", ["city", "street"])])
INSTANCES: list[dict[str, Any]] = [{"city": "Rome", "street": None}, {"city": None, "street": None}]
ANSWERS = [["Rome", None], [None, None]]


@pytest.fixture
def client(tmp_path: Path) -> Any:
    built(Source(KEEPS.fit(ROWS), ROWS), tmp_path)
    return served(tmp_path)


def test_json_has_null(client: Any) -> None:
    native = client.post("/predict", json={"instances": INSTANCES})
    assert native.json["prediction"] == ANSWERS
    v1 = client.post("/v1/models/m:predict", json={"instances": INSTANCES})
    assert v1.json["predictions"] == ANSWERS
    invocations = client.post("/invocations", json={"dataframe_records": INSTANCES})
    assert invocations.json["predictions"] == ANSWERS
    schemas = client.get("/openapi.json").json["components"]["schemas"]
    assert '{"type": ["string", "null"]}' in json.dumps(schemas["m.answer"])


def test_csv_has_an_empty_field(client: Any) -> None:
    answer = client.post(
        "/invocations",
        data="city,street\nRome,\n,\n",
        headers={"Content-Type": "text/csv; header=present", "Accept": "text/csv"},
    )
    assert answer.text == "Rome,\n,\n"


def test_v2_has_null_and_no_bytes(client: Any) -> None:
    tensors = [
        {"name": name, "datatype": "BYTES", "shape": [2], "data": [row[name] for row in INSTANCES]}
        for name in ("city", "street")
    ]

    def infer(binary: bool) -> Any:
        outputs = [{"name": "prediction", "parameters": {"binary_data": binary}}]
        body = {"inputs": tensors, "outputs": outputs}
        return client.post("/v2/models/m/infer", json=body)

    [prediction] = infer(False).json["outputs"]
    assert prediction["data"] == ["Rome", None, None, None]
    refused = infer(True)
    assert refused.status_code == 400
    assert "missing text" in refused.json["error"]


def test_whole_texts_stay_what_they_are(tmp_path: Path) -> None:
    filled = ROWS.fillna("none")
    built(Source(FunctionTransformer(validate=False).fit(filled), filled), tmp_path)
    answer = served(tmp_path).post("/predict", json={"instances": filled[:2].to_dict("records")})
    assert answer.json["prediction"] == filled[:2].to_numpy().tolist()
