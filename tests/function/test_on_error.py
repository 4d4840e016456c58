"""`?on_error=null`: the good rows of a batch are answered, and the others' problems listed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures

from onnxlet.convert.sources.source import Source
from onnxlet.function.app import create_app
from onnxlet.function.protocols import native
from tests.conftest import Client, client_of
from tests.function.serving.test_predict import HOUSE, LOAN, SHOP
from tests.kept_builds import kept_builds

NULL = "?on_error=null"


@pytest.fixture(scope="module")
def odd_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models with several outputs, and one that raises for numbers that it takes one by one."""
    random = np.random.default_rng(0)
    X = random.normal(size=(120, 3))
    words = np.array(["low", "mid", "high"])[(X[:, 1] > 0) * 1 + (X[:, 2] > 1)]
    labels = np.column_stack([words, np.where(X[:, 0] > 0, "yes", "no")])
    several = RandomForestClassifier(3, max_depth=3, random_state=0).fit(X, labels)
    numbers = LinearRegression().fit(X, X[:, :2] * 2)
    products = make_pipeline(PolynomialFeatures(interaction_only=True), LogisticRegression())
    products.fit(X, X[:, 0] * X[:, 1] > 0)
    fitted = {"several": several, "numbers": numbers, "products": products}
    sources = {name: Source(model, X[:40]) for name, model in fitted.items()}
    return kept_builds(sources, tmp_path_factory.mktemp("odd"))


@pytest.fixture
def odd_client(odd_models: Path) -> Client:
    return client_of(create_app(odd_models))


def test_a_bad_row_does_not_lose_the_others(client: Client) -> None:
    path = "/models/loan-default/predict"
    rows = [LOAN, {**LOAN, "Age": "old", "Tim": 1}, {**LOAN, "Job": None}, 7]

    answer = client.post(path + NULL, {"instances": rows})

    good = client.post(path, {"instances": [rows[0], rows[2]]}).json()
    assert answer.status == 200, answer.body
    assert answer.json() == {
        "model": "loan-default",
        "version": 1,
        "prediction": [good["prediction"][0], None, good["prediction"][1], None],
        "classes": ["bad", "good"],
        "probabilities": [good["probabilities"][0], None, good["probabilities"][1], None],
        "errors": [
            {"row": 1, "column": "Tim", "detail": "unknown column; did you mean 'Time'?"},
            {"row": 1, "column": "Age", "detail": "expected a whole number, got 'old'"},
            {
                "row": 3,
                "column": None,
                "detail": "expected an object by column name or a list of 13 values, got 7",
            },
        ],
        "error_count": 3,
    }


def test_the_digits_are_those_of_a_batch_without_problems(client: Client) -> None:
    path = "/models/loan-default/predict"
    alone = client.post(path, [LOAN]).body
    shares = alone.partition(b'"probabilities":[')[2].partition(b"]")[0]

    answer = client.post(path + NULL, [LOAN, 7])

    assert shares
    assert shares in answer.body


def test_csv_rows(client: Client) -> None:
    csv = "Preis (€),count,new,色\n12.5,4,true,红\n1,2\n12.5,x,true,红\n"

    answer = client.post("/models/shop/predict" + NULL, csv.encode(), kind="csv")

    good = client.post("/models/shop/predict", [SHOP]).json()
    assert answer.status == 200, answer.body
    assert answer.json() == {
        **good,
        "prediction": [*good["prediction"], None, None],
        "probabilities": [*good["probabilities"], None, None],
        "errors": [
            {"row": 1, "column": None, "detail": "expected 4 fields, got 2"},
            {"row": 2, "column": "count", "detail": "expected a whole number, got 'x'"},
        ],
        "error_count": 2,
    }


def test_no_row_is_good(client: Client) -> None:
    answer = client.post("/models/house-prices/predict" + NULL, [1, None])

    detail = "expected an object by column name or a list of 10 values, got"
    assert answer.status == 200, answer.body
    assert answer.json() == {
        "model": "house-prices",
        "version": 1,
        "prediction": [None, None],
        "errors": [
            {"row": 0, "column": None, "detail": f"{detail} 1"},
            {"row": 1, "column": None, "detail": f"{detail} null"},
        ],
        "error_count": 2,
    }


def test_every_row_is_good(client: Client) -> None:
    path = "/models/house-prices/predict"

    assert client.post(path + NULL, [HOUSE, HOUSE]).body == client.post(path, [HOUSE] * 2).body


def test_refusing_can_be_asked_for(client: Client) -> None:
    answer = client.post("/models/iris/predict?on_error=refuse", [1])

    assert answer.status == 422
    assert answer.json() == client.post("/models/iris/predict", [1]).json()


@pytest.mark.parametrize(
    ("body", "kind", "status", "detail"),
    [
        (b"[]", "json", 422, "no instances: expected at least one row"),
        (b"{", "json", 400, "the body is not JSON: "),
        (b"x0,x0\n1,2\n", "csv", 422, "column 'x0': stands twice in the header"),
        (b"x0,x1\n", "csv", 422, "no instances: expected at least one row below the header"),
        (b"x0;x1\n1;2\n", "csv", 422, "the header names no column of the model"),
    ],
)
def test_a_batch_that_is_wrong_as_a_whole(
    client: Client, body: bytes, kind: str, status: int, detail: str
) -> None:
    answer = client.post("/models/iris/predict" + NULL, body, kind=kind)

    assert answer.status == status
    assert answer.json()["detail"].startswith(detail)


def test_another_wish(client: Client) -> None:
    answer = client.post("/models/iris/predict?on_error=skip", [1])

    assert answer.status == 400
    assert answer.json() == {
        "type": "about:blank",
        "title": "Bad Request",
        "status": 400,
        "detail": "'on_error': expected null or refuse, got 'skip'",
    }


def test_no_more_than_a_thousand_problems_are_listed(flask_client: Any) -> None:
    answer = flask_client().post("/models/iris/predict" + NULL, [[1, 2, 3, 4], *[[]] * 1200])

    form = answer.json()
    assert answer.status == 200, answer.body
    assert form["prediction"][1:] == [None] * 1200
    assert [each["row"] for each in form["errors"]] == list(range(1, 1001))
    assert form["error_count"] == 1200


def test_rows_that_raise_inside_the_model(odd_client: Client) -> None:
    path = "/models/products/predict"
    rows: list[Any] = [[1, 1, 1], [1e200, 1e200, 1], [1, -1, 1], "x", [1, 2, 3]]

    answer = odd_client.post(path + NULL, rows)

    form = answer.json()
    good = odd_client.post(path, [rows[0], rows[2], rows[4]]).json()
    assert answer.status == 200, answer.body
    assert [form["prediction"][row] for row in (0, 2, 4)] == good["prediction"]
    assert [form["probabilities"][row] for row in (0, 2, 4)] == good["probabilities"]
    assert form["prediction"][1] is form["prediction"][3] is form["probabilities"][1] is None
    assert [(each["row"], each["detail"][:26]) for each in form["errors"]] == [
        (1, "scikit-learn raises for th"),
        (3, "expected an object by colu"),
    ]
    assert form["error_count"] == 2


@pytest.mark.parametrize("name", ["several", "numbers"])
def test_several_outputs(odd_client: Client, name: str) -> None:
    path = f"/models/{name}/predict"
    good = odd_client.post(path, [[1, 2, 3], [3, 2, 1]]).json()

    answer = odd_client.post(path + NULL, [[1, 2, 3], [1], [3, 2, 1]])

    form = answer.json()
    assert answer.status == 200, answer.body
    assert form.pop("error_count") == len(form.pop("errors")) == 1
    for output in form.keys() - {"model", "version", "classes"}:
        first, last = good[output]
        good[output] = [first, None, last]
    assert form == good


def test_what_is_observed_has_the_answered_rows(odd_models: Path) -> None:
    seen: list[Any] = []
    client = client_of(create_app(odd_models, seen.append))

    client.post("/models/numbers/predict" + NULL, [[1, 2, 3], [1], [3, 2, 1]])

    [prediction] = seen
    assert (prediction.rows, prediction.table.rows) == (3, 2)
    assert [problem.row for problem in prediction.problems] == [1]
    assert prediction.outputs["prediction"][1] is None
    written = json.loads(native.encode(prediction, native.from_object([])).body)
    assert written["prediction"][0] == pytest.approx([2, 4])
