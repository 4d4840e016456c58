"""A number of nearest is asked for in every protocol, and answered by the same items in each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from onnxlet.function.app import create_app
from onnxlet.function.aws.lambda_events import respond
from onnxlet.function.settings import Settings
from tests.conftest import Client, client_of, through_events
from tests.events import CONTEXT, make_alb_event, make_v1_event, make_v2_event
from tests.function import near as made
from tests.function.protocols.ways import WAYS, Asked, Question, asking_of, form, sagemaker_csv

ROWS = made.ROWS[:5].tolist()


def asking(k: int, model: str = "products") -> Question:
    return Question(model, ROWS, made.COLUMNS, "k", k, more="&outputs=prediction,distances")


def tensors(**more: Any) -> dict[str, Any]:
    return asking(0).inputs(**more)


@pytest.fixture(scope="module")
def at(near: Path) -> Asked:
    return asking_of(near)


def named(k: int) -> list[list[str]]:
    """The labels of the nearest, as they should be."""
    positions, _ = made.nearest(made.ROWS[:5], k)
    return [[made.LABELS[at] for at in row] for row in positions.tolist()]


@pytest.mark.parametrize("k", [1, made.K, 7, 100])
@pytest.mark.parametrize("way", WAYS)
def test_every_protocol_answers_the_k_nearest(at: Asked, way: str, k: int) -> None:
    got = WAYS[way](at, asking(k))

    assert got["prediction"] == named(k)
    assert [len(row) for row in got.get("distances", got["prediction"])] == [k] * len(ROWS)
    assert ("distances" in got) == (way not in ("v1", "mlflow", "sagemaker", "v2_bytes"))


@pytest.mark.parametrize("make", [make_v1_event, make_v2_event, make_alb_event])
@pytest.mark.parametrize("way", WAYS)
def test_every_event_of_lambda_has_it(at: Asked, way: str, make: Any) -> None:
    send = through_events(lambda event: respond(at.app, event, CONTEXT), make)
    assert WAYS[way](at._replace(client=Client(send)), asking(7))["prediction"] == named(7)


@pytest.mark.parametrize("k", [1, made.K, 7, 100])
def test_they_are_fields_of_csv(at: Asked, k: int) -> None:
    assert sagemaker_csv(at, asking(k)) == named(k)


@pytest.mark.parametrize("k", [1, made.K, 7, 100])
def test_a_bad_row_has_null(at: Asked, k: int) -> None:
    path = f"/models/products/predict?k={k}&on_error=null"
    got = form(at.client.post(path, [ROWS[0], ["cheap", 1, 2], *ROWS[1:]]))
    assert got["prediction"].pop(1) is None
    assert got["distances"].pop(1) is None
    assert [len(row) for row in got["distances"]] == [k] * len(ROWS)
    assert got["prediction"] == named(k)


def test_without_k_it_is_the_estimators_own_number(at: Asked) -> None:
    positions, distances = made.nearest(made.ROWS[:5], made.K)
    for name, labels in (
        ("products", made.LABELS),
        ("numbered", range(1000, 1150)),
        ("plain", range(150)),
    ):
        got = form(at.client.post(f"/models/{name}/predict", ROWS))
        found = np.array(got.pop("distances"))
        np.testing.assert_allclose(found, distances, rtol=1e-12)
        named = [[labels[at] for at in row] for row in positions.tolist()]
        assert got == {"model": name, "version": 1, "prediction": named}


@pytest.mark.parametrize(("model", "datatype"), [("numbered", "INT64"), ("products", "BYTES")])
def test_items_are_tensors_of_their_own_type(at: Asked, model: str, datatype: str) -> None:
    outputs = form(at.client.post(f"/v2/models/{model}/infer?k=2", tensors()))["outputs"]
    described = [(each["name"], each["datatype"], each["shape"]) for each in outputs]
    assert described == [("prediction", datatype, [5, 2]), ("distances", "FP64", [5, 2])]


def test_items_equally_near_come_in_the_order_of_the_fit(at: Asked) -> None:
    got = form(at.client.post("/models/products/predict?k=2", made.POINTS[:10].tolist()))
    wanted = [[f"product {n}", f"product {140 + n}"] for n in range(10)]
    assert got["prediction"] == wanted
    assert got["distances"] == [[0.0, 0.0]] * 10


WRONG_IN_BODY = [0, -1, 2.5, "3", True, [3], {"k": 3}, 1e300, 10**30]
WRONG_IN_QUERY = ["0", "-1", "2.5", "three", "", "true", "1e1", "٣", "+3", " 3", "9" * 400]


@pytest.mark.parametrize("value", WRONG_IN_BODY, ids=str)
def test_wrong_in_the_body(at: Asked, value: Any) -> None:
    for path, body in (
        ("/models/products/predict", {"instances": ROWS, "k": value}),
        ("/v1/models/products:predict", {"instances": ROWS, "k": value}),
        ("/v2/models/products/infer", tensors(parameters={"k": value})),
    ):
        answer = at.client.post(path, body)
        many = value in (1e300, 10**30)
        native = path.endswith("predict") and "v1" not in path
        assert answer.status == (409 if many and native else 400), answer.body
        assert "'k': " in answer.body.decode()


@pytest.mark.parametrize("text", WRONG_IN_QUERY)
def test_wrong_in_the_query(at: Asked, text: str) -> None:
    from urllib.parse import quote

    answer = at.client.post(f"/models/products/predict?k={quote(text)}", ROWS)
    assert answer.status == 400, answer.body
    assert answer.json()["detail"].startswith("'k': expected a whole number from 1, got ")


def test_more_than_it_answers(at: Asked) -> None:
    answer = at.client.post("/models/products/predict?k=101", ROWS)
    assert (answer.status, answer.json()) == (
        409,
        {
            "type": "about:blank",
            "title": "Conflict",
            "status": 409,
            "detail": "'k': model 'products' answers at most 100, got 101",
            "hint": "Ask for 1 to 100.",
        },
    )
    answer = at.client.post("/models/films/predict?k=13", [{}])
    assert answer.json()["detail"] == "'k': model 'films' answers at most 12, got 13"


def test_a_model_without_neighbours(at: Asked) -> None:
    answer = at.client.post("/models/line/predict", {"instances": ROWS, "k": 3})
    assert (answer.status, answer.json()["detail"], answer.json()["hint"]) == (
        409,
        "'k': model 'line' answers no list of items: its task is regression",
        "Leave out k.",
    )


def test_two_numbers_in_one_request(at: Asked) -> None:
    answer = at.client.post("/models/products/predict?k=3", {"instances": ROWS, "k": 4})
    assert (answer.status, answer.json()["detail"]) == (400, "'k': the request says 4 and 3")


def test_films_that_are_not_rated(at: Asked) -> None:
    films = [{"Film 1": 5, "Film 4": 4.5}, {}, dict.fromkeys(made.FILMS[:10], 3)]
    got = form(at.client.post("/models/films/predict?k=3", films))
    assert [len(row) for row in got["prediction"]] == [3, 3, 3]
    assert not {"Film 1", "Film 4"} & set(got["prediction"][0])
    assert {*got["prediction"][2][:2]} == {"Film 10", "Film 11"}
    assert got["prediction"][2][2] is None
    assert got["score"][2][2] is None
    assert got["score"][0] == sorted(got["score"][0], reverse=True)


def test_a_rating_off_the_scale(at: Asked) -> None:
    answer = at.client.post("/models/films/predict", [{"Film 1": 50}])
    assert answer.status == 422
    [problem] = answer.json()["errors"]
    assert (problem["row"], problem["column"]) == (0, "Film 1")


def test_what_is_explained_is_how_near_they_are(at: Asked) -> None:
    body = {"instances": ROWS[:1], "classes": [0], "seconds": 1}
    got = form(at.client.post("/models/products/explain", body))
    [entry] = got["explanations"]
    assert got["output"] == "distances"
    total = got["base_value"][0] + sum(each[0] for each in entry["contributions"].values())
    nearest = made.nearest(made.ROWS[:1], 1)[1][0, 0]
    np.testing.assert_allclose([total, entry["answer"][0]], nearest)
    answer = at.client.post("/models/products/explain", {"instances": ROWS, "output": "prediction"})
    assert (answer.status, answer.json()["hint"]) == (
        400,
        "Explain how near they are: distances.",
    )
    for path, more in (("?k=3", {}), ("", {"k": 3})):
        answer = at.client.post(f"/models/products/explain{path}", {"instances": ROWS, **more})
        assert answer.json()["detail"] == "'k': another number of nearest is not explained"


def test_drift_is_counted_by_the_models_own_number(near: Path) -> None:
    app = create_app(near, settings=Settings(near, owned=True), log=lambda entry: None)
    client = client_of(app)
    rows = made.ROWS.tolist()
    for query in ("", "?k=1", "?k=9"):
        assert client.post(f"/models/products/predict{query}", rows * 4).status == 200
    report = client.get("/models/products/drift").json()
    assert report["rows"] == 3 * 4 * len(rows)
    totals = [(each["output"], each["index"], each["total"]) for each in report["predictions"]]
    assert [(output, index) for output, index, _ in totals] == [
        ("distances", index) for index in range(made.K)
    ]
    assert all(total[-1] == 0.0 for _, _, total in totals), "none is missing"


def test_the_document_says_how_many(at: Asked) -> None:
    document = at.client.get("/openapi.json").json()
    for path in ("/models/products/predict", "/v2/models/products/infer"):
        parameters = {each["name"]: each for each in document["paths"][path]["post"]["parameters"]}
        schema = parameters["k"]["schema"]
        assert schema == {"type": "integer", "minimum": 1, "maximum": 100, "default": made.K}
    line = document["paths"]["/models/line/predict"]["post"]["parameters"]
    assert "k" not in [each["name"] for each in line]


def test_what_is_served_is_described(at: Asked) -> None:
    got = at.client.get("/models/films").json()
    assert (got["task"], got["parity"]["k"]) == ("recommendation", [5, 1, 12])
    assert got["signature"]["outputs"][0] == {
        "name": "prediction",
        "type": "string",
        "shape": [-1, 5],
    }
