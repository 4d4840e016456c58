"""The native protocol."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from onnxlet.convert.sources.source import Source
from onnxlet.function.settings import Settings
from tests.conftest import Client

HOUSE = {
    "Gr_Liv_Area": 1442,
    "Total_Bsmt_SF": 990.0,
    "Lot_Area": 9430,
    "Lot_Frontage": None,
    "Year_Built": 1973,
    "Full_Bath": 2,
    "Neighborhood": "North_Ames",
    "House_Style": "One_Story",
    "Overall_Cond": "Average",
    "Garage_Type": None,
}
SHOP = {"Preis (€)": 12.5, "count": 4, "new": True, "色": "红"}
LOAN = {
    "Seniority": 5,
    "Time": 48,
    "Age": 36,
    "Expenses": 51,
    "Income": None,
    "Assets": 3000.0,
    "Debt": 0.0,
    "Amount": 1000,
    "Price": 1400,
    "Home": None,
    "Marital": "married",
    "Records": "no",
    "Job": "never seen",
}


def test_regression(client: Client, sources: Mapping[str, Source]) -> None:
    answer = client.post("/models/house-prices/predict", {"instances": [HOUSE]})

    expected = sources["house-prices"].estimator.predict(pd.DataFrame([HOUSE]).fillna(np.nan))
    assert answer.status == 200, answer.body
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {
        "model": "house-prices",
        "version": 1,
        "prediction": [pytest.approx(expected[0], rel=1e-5)],
    }


def test_probabilities_stand_beside_text_labels(
    client: Client, sources: Mapping[str, Source]
) -> None:
    answer = client.post("/models/loan-default/predict", {"instances": [LOAN, LOAN]})

    frame = pd.DataFrame([LOAN, LOAN]).fillna(np.nan)
    expected = sources["loan-default"].estimator.predict_proba(frame)
    assert answer.status == 200, answer.body
    assert answer.json() == {
        "model": "loan-default",
        "version": 1,
        "prediction": ["bad" if row[0] > 0.5 else "good" for row in expected],
        "classes": ["bad", "good"],
        "probabilities": [pytest.approx(row, abs=1e-5) for row in expected.tolist()],
    }


def test_boolean_labels_and_names_in_any_script(client: Client) -> None:
    answer = client.post("/models/shop/predict", {"instances": [SHOP, {**SHOP, "Preis (€)": 1}]})

    assert answer.status == 200, answer.body
    assert answer.json()["prediction"] == [True, False]
    assert answer.json()["classes"] == [False, True]


def test_a_bare_list_of_rows(client: Client, sources: Mapping[str, Source]) -> None:
    rows = sources["iris"].X_test[:7].tolist()

    answer = client.post("/models/iris/predict", rows)

    assert answer.status == 200, answer.body
    labels = sources["iris"].estimator.predict(sources["iris"].X_test[:7]).tolist()
    assert answer.json()["prediction"] == labels


def test_csv_with_a_header(client: Client, sources: Mapping[str, Source]) -> None:
    csv = ",".join(HOUSE) + "\n" + ",".join("" if v is None else str(v) for v in HOUSE.values())

    answer = client.post("/models/house-prices/predict", csv.encode(), kind="text/csv")

    as_json = client.post("/models/house-prices/predict", {"instances": [HOUSE]})
    assert answer.status == 200, answer.body
    assert answer.json() == as_json.json()


def test_all_held_out_rows_are_answered_as_by_scikit_learn(
    client: Client, sources: Mapping[str, Source]
) -> None:
    source = sources["house-prices"]
    rows = source.X_test.astype(object).where(source.X_test.notna(), None).to_dict("records")

    answer = client.post("/models/house-prices/predict", {"instances": rows})

    expected = source.estimator.predict(source.X_test)
    np.testing.assert_allclose(answer.json()["prediction"], expected, rtol=1e-5)


def test_lists_and_objects_get_the_same_answer(
    client: Client, sources: Mapping[str, Source]
) -> None:
    rows = sources["iris"].X_test[:5].tolist()
    objects = [
        dict(zip(("x3", "x1", "x0", "x2"), (r[3], r[1], r[0], r[2]), strict=True)) for r in rows
    ]

    as_lists = client.post("/models/iris/predict", {"instances": rows}).json()
    as_objects = client.post("/models/iris/predict", {"instances": objects}).json()

    assert as_lists == as_objects


def test_a_dropped_column_is_optional_and_ignored(client: Client) -> None:
    without = client.post("/models/shop/predict", {"instances": [SHOP]})
    answers = [
        client.post("/models/shop/predict", {"instances": [{**SHOP, "note": note}]})
        for note in ("a", 17, None, [1])
    ]

    assert without.status == 200, without.body
    assert [answer.json() for answer in answers] == [without.json()] * 4


def test_bare_nan_is_taken_for_missing_and_never_given(client: Client) -> None:
    null = client.post("/models/house-prices/predict", {"instances": [HOUSE]})
    body = b'{"instances": [' + _json(HOUSE).replace(b"null", b"NaN") + b"]}"

    nan = client.post("/models/house-prices/predict", body)

    assert nan.status == 200, nan.body
    assert nan.json() == null.json()


@pytest.mark.every_transport
def test_predictions_under_concurrency_are_those_of_one_thread(
    client: Client, sources: Mapping[str, Source]
) -> None:
    batches = [sources["iris"].X_test[start : start + 5].tolist() for start in range(0, 70, 5)]

    def ask(batch: Any) -> Any:
        return client.post("/models/iris/predict", batch).json()

    alone = [ask(batch) for batch in batches]
    with ThreadPoolExecutor(8) as threads:
        together = list(threads.map(ask, batches * 5))

    assert together == alone * 5


def test_the_models_are_described(client: Client) -> None:
    answer = client.get("/models")

    described = {model["name"]: model for model in answer.json()["models"]}
    assert list(described) == ["house-prices", "iris", "loan-default", "shop"]
    assert client.get("/models/shop").json() == described["shop"]
    shop = described["shop"]
    assert (shop["version"], shop["versions"], shop["task"]) == (1, [1], "classification")
    assert shop["parity"]["differing_rows"] == 0
    assert shop["signature"]["inputs"] == [
        {"name": "Preis (€)", "type": "float64", "nullable": False, "shape": [-1, 1]},
        {"name": "count", "type": "int64", "nullable": False, "shape": [-1, 1]},
        {"name": "new", "type": "bool", "nullable": False, "shape": [-1, 1]},
        {
            "name": "色",
            "type": "string",
            "nullable": False,
            "categories": ["红", "绿", "蓝"],
            "shape": [-1, 1],
        },
        {
            "name": "note",
            "type": "string",
            "nullable": True,
            "required": False,
            "shape": [-1, 1],
        },
    ]
    assert described["iris"]["signature"]["inputs"][0]["shape"] == [-1, 4]


def test_what_a_client_may_ask_for_is_described(client: Client) -> None:
    answer = client.get("/models").json()

    settings = Settings(Path())
    assert answer["limits"] == {
        "rows": settings.max_rows,
        "body_bytes": settings.max_body_bytes,
    }
    paths = client.get("/openapi.json").json()["paths"]
    for model in answer["models"]:
        path = f"/models/{model['name']}/predict"
        body = paths[path]["post"]["requestBody"]["content"]["application/json"]["example"]
        for coverage, status in [(model["coverage"], 200), (model["coverage"] + 2e-6, 409)]:
            assert client.post(f"{path}?coverage={coverage}", body).status == status


def test_golden_rows_never_leave_by_http(client: Client) -> None:
    assert b"golden" not in client.get("/models").body
    assert b"instances" not in client.get("/models").body
    assert b"statistics" not in client.get("/models/loan-default").body


@pytest.mark.every_transport
def test_a_plain_request_id_is_kept_and_an_odd_one_replaced(client: Client) -> None:
    kept = client.get("/v2/health/live", {"X-Request-Id": "abc-123"})
    replaced = client.get("/v2/health/live", {"X-Request-Id": 'a"} {"b'})

    assert kept.headers["x-request-id"] == "abc-123"
    assert replaced.headers["x-request-id"].isalnum() or "-" in replaced.headers["x-request-id"]
    assert '"' not in replaced.headers["x-request-id"]


def _json(value: Any) -> bytes:
    import json

    return json.dumps(value, ensure_ascii=False).encode()
