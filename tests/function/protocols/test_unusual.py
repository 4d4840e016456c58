"""Rows unlike the training rows are marked in every protocol, by the same words in each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from onnxlet.function.app import create_app
from onnxlet.function.aws.lambda_events import respond
from onnxlet.function.settings import Settings
from tests.conftest import Client, client_of, through_events
from tests.events import CONTEXT, make_alb_event, make_v1_event, make_v2_event
from tests.function import calibrated as made
from tests.function.protocols.ways import (
    NATIVE,
    TARGET,
    WAYS,
    Asked,
    Question,
    asking_of,
    by_tensor,
    form,
    requests_with,
    sagemaker_csv,
)

USUAL = made.rows(400, 1)  # that the models have their statistics of
ODD = [0.0, -40.0, 1e9]
ROWS = [[0.1, -0.2, 0.3], ODD, [0.0, 0.4, 0.0]]


def asking(model: str = "line", value: Any = True) -> Question:
    return Question(model, ROWS, ("x0", "x1", "x2"), "unusual", value, matrix=True)


def usual(column: int) -> list[float]:
    """Between which numbers nine of ten lie."""
    ordered = np.sort(USUAL[:, column]).tolist()
    return [ordered[int(0.05 * 399)], ordered[int(0.95 * 399)]]


@pytest.fixture(scope="module")
def at(calibrated: Path) -> Asked:
    return asking_of(calibrated)


def check_marked(found: list[Any]) -> None:
    """The middle row is marked, and no other."""
    read: list[Any] = [json.loads(x) if isinstance(x, str) and x else x or None for x in found]
    assert read[0] is read[2] is None
    assert read[1]["columns"] == {
        "x1": {"outside": "below", "usual": usual(1)},
        "x2": {"outside": "above", "usual": usual(2)},
    }
    assert read[1]["column_count"] == 2
    assert read[1]["share"] <= 1


@pytest.mark.parametrize("model", ["line", "two", "classes"])
@pytest.mark.parametrize("way", WAYS)
def test_every_way_has_the_same_words(at: Asked, way: str, model: str) -> None:
    got = WAYS[way](at, asking(model))

    check_marked(got["unusual"])
    plain = form(at.client.post(f"/models/{model}/predict", ROWS))
    assert got["prediction"] == plain["prediction"]
    assert way in NATIVE or way.startswith("v2") or len(got) == 2


@pytest.mark.parametrize("make", [make_v1_event, make_v2_event, make_alb_event])
@pytest.mark.parametrize("way", WAYS)
def test_every_event_of_lambda_has_it(at: Asked, way: str, make: Any) -> None:
    send = through_events(lambda event: respond(at.app, event, CONTEXT), make)
    check_marked(WAYS[way](at._replace(client=Client(send)), asking())["unusual"])


def test_a_field_of_csv(at: Asked) -> None:
    check_marked([line[-1] for line in sagemaker_csv(at, asking())])


@pytest.mark.parametrize("way", sorted(set(WAYS) - {"v1_columns"}))  # that is a list then
def test_false_and_null_ask_for_nothing(at: Asked, way: str) -> None:
    assert "unusual" not in WAYS[way](at, asking(value=False))


@pytest.mark.parametrize("model", ["line", "two", "std"])
def test_an_interval_is_withheld(at: Asked, model: str) -> None:
    covered = form(at.client.post(f"/models/{model}/predict?coverage=0.9", ROWS))
    whole = form(at.client.post(f"/models/{model}/predict?coverage=0.9&unusual=true", ROWS))

    assert whole["interval"] == [covered["interval"][0], None, covered["interval"][2]]
    assert whole["unusual"][1]["withheld"] == "interval"
    sent = asking().inputs(parameters={"coverage": 0.9, "unusual": True})
    tensors = by_tensor(at.client.post(f"/v2/models/{model}/infer", sent))
    nothing = np.full(np.shape(covered["interval"][0]), None).tolist()
    assert tensors["interval"] == [covered["interval"][0], nothing, covered["interval"][2]]
    body = {"instances": ROWS, "coverage": 0.9, "unusual": True}
    rows = form(at.client.post(f"/v1/models/{model}:predict", body))["predictions"]
    assert [row["interval"] for row in rows] == whole["interval"]


def test_a_set_is_withheld(at: Asked) -> None:
    whole = form(at.client.post("/models/classes/predict?coverage=0.9&unusual=true", ROWS))
    assert [labels is None for labels in whole["set"]] == [False, True, False]
    sent = asking().inputs(parameters={"coverage": 0.9, "unusual": True})
    tensors = by_tensor(at.client.post("/v2/models/classes/infer", sent))
    assert tensors["set"] == [whole["set"][0], [], whole["set"][2]]


def test_a_row_that_is_not_answered_is_not_marked(at: Asked) -> None:
    rows: list[Any] = [ROWS[0], ["x"], ODD, ROWS[2]]
    path = "/models/line/predict?unusual=true&coverage=0.9&on_error=null"
    got = form(at.client.post(path, rows))
    check_marked([got["unusual"][n] for n in (0, 2, 3)])
    assert got["unusual"][1] is None
    assert [each is None for each in got["interval"]] == [False, True, True, False]
    none = form(at.client.post(path, [["x"]]))
    assert none["unusual"] == [None]


def test_many_rows_are_marked_as_each_is_by_itself(at: Asked) -> None:
    X = np.random.default_rng(3).standard_t(2, size=(3000, 3)).tolist()
    got = form(at.client.post("/models/line/predict?unusual=true", X))["unusual"]
    some = [n for n, each in enumerate(got) if each is not None]
    assert 50 < len(some) < 2000
    for n in [*some[:60], *range(60)]:
        [one] = form(at.client.post("/models/line/predict?unusual=true", [X[n]]))["unusual"]
        assert one == got[n]


WRONG = [0, 1, "true", "maybe", 1e308, float("nan"), [True], {}, "x" * 100]
WRONG_TEXTS = ["maybe", "1", "True", "", "null", "true,false", "true%20", "x" * 5000]


@pytest.mark.parametrize("value", WRONG, ids=lambda value: str(value)[:9])
def test_neither_true_nor_false_in_a_body(at: Asked, value: Any) -> None:
    for path, body in requests_with(asking(), "unusual", value).items():
        answer = at.client.post(path, body, {TARGET: "line"})
        assert answer.status == 400, (path, answer.body)
        assert "'unusual': expected true or false, got" in answer.body.decode(), path
        assert len(answer.body) < 500


@pytest.mark.parametrize("text", WRONG_TEXTS, ids=lambda text: text[:9])
def test_neither_true_nor_false_in_a_query(at: Asked, text: str) -> None:
    for path, body in requests_with(asking(), "coverage", None).items():
        answer = at.client.post(f"{path}?unusual={text}", body, {TARGET: "line"})
        assert answer.status == 400, (path, answer.body)
        assert "'unusual': expected true or false, got" in answer.body.decode(), path


def test_two_that_differ(at: Asked) -> None:
    for path, body in requests_with(asking(), "unusual", True).items():
        answer = at.client.post(f"{path}?unusual=false", body, {TARGET: "line"})
        said = "'unusual': the request says True and False"
        assert (answer.status, said in answer.body.decode()) == (400, True), answer.body


def test_a_model_that_has_nothing_to_compare_with(at: Asked) -> None:
    for path, body in requests_with(asking("few"), "unusual", True).items():
        answer = at.client.post(path, body, {TARGET: "few"})
        status = 409 if path.startswith("/models/") else 400
        assert (answer.status, "model 'few' was built without" in answer.body.decode()) == (
            status, True,
        ), answer.body  # fmt: skip


@pytest.fixture
def setting(calibrated: Path) -> Any:
    def client(unusual: str) -> Client:
        settings = Settings(calibrated, unusual=unusual)
        return client_of(create_app(calibrated, settings=settings, log=lambda entry: None))

    return client


def test_on_marks_without_being_asked(setting: Any) -> None:
    client = setting("on")
    check_marked(form(client.post("/models/line/predict", ROWS))["unusual"])
    assert "unusual" not in form(client.post("/models/line/predict?unusual=false", ROWS))
    assert "unusual" not in form(client.post("/models/few/predict", ROWS))  # as before
    assert client.post("/models/few/predict?unusual=true", ROWS).status == 409


def test_models_that_have_nothing_to_compare_with_are_named_at_the_start(
    setting: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    setting("off")
    assert capfd.readouterr().err == ""
    setting("on")
    [line] = capfd.readouterr().err.splitlines()
    said = json.loads(line)
    assert (said["event"], said["models"]) == ("uncompared", ["few"])


def test_refuse_is_422(setting: Any) -> None:
    client = setting("refuse")
    answer = client.post("/models/line/predict", ROWS)
    low, high = usual(1)
    about = f"below all training rows: nine of ten have {low} to {high}"
    assert answer.status == 422
    problems = answer.json()["errors"]
    assert problems[0] == {"row": 1, "column": "x1", "detail": about}
    assert [each["column"] for each in problems] == ["x1", "x2"]
    assert form(client.post("/models/line/predict", [ROWS[0]]))["prediction"]
    assert form(client.post("/models/few/predict", ROWS))["prediction"]
    assert client.post("/models/line/predict?unusual=false", ROWS).status == 422


def test_refused_rows_are_null_where_that_is_asked_for(setting: Any) -> None:
    client = setting("refuse")
    rows = [["x"], *ROWS]
    answer = form(client.post("/models/line/predict?on_error=null&unusual=true", rows))
    assert [each is None for each in answer["prediction"]] == [True, False, True, False]
    assert {each["row"] for each in answer["errors"]} == {0, 2}
    assert answer["unusual"] == [None] * 4
    only = form(client.post("/models/line/predict?on_error=null", [ODD]))
    assert only["prediction"] == [None]
