"""A coverage is asked for in every protocol, and answered by the same numbers in each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from onnxlet.function.app import SERVICE
from onnxlet.function.aws import queue_events
from onnxlet.function.messages import PredictRequest
from onnxlet.function.models.model import load_model
from onnxlet.function.protocols.shared.request_options import in_attributes
from onnxlet.function.serving.predict import predict
from tests.events import make_sqs_event
from tests.function import calibrated as made
from tests.function.protocols.ways import (
    ATTRIBUTES,
    NATIVE,
    TARGET,
    WAYS,
    Asked,
    Question,
    as_csv,
    asking_of,
    by_row,
    by_tensor,
    form,
    requests_with,
    sagemaker_csv,
)

ROWS = made.rows(6, 42).tolist()
COLUMNS = ("x0", "x1", "x2")
MODELS = ("line", "adaptive", "std", "two", "classes")
C = 0.9


def asking(model: str, value: Any = C) -> Question:
    return Question(model, ROWS, COLUMNS, "coverage", value, matrix=True)


def tensor(**more: Any) -> dict[str, Any]:
    return asking("").inputs(**more)


def region(outputs: Mapping[str, Any]) -> Any:
    return outputs.get("interval", outputs.get("set"))


@pytest.fixture(scope="module")
def at(calibrated: Path) -> Asked:
    return asking_of(calibrated)


def expected(at: Asked, model: str) -> tuple[Any, Any]:
    """What the model answers, without a protocol: predictions, and intervals or sets."""
    outputs = predict(load_model(at.folder / model / "1"), PredictRequest(ROWS, coverage=C)).outputs
    return outputs["prediction"].tolist(), region(outputs).tolist()


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("way", WAYS)
def test_every_way_has_the_same_answer(at: Asked, way: str, model: str) -> None:
    got = WAYS[way](at, asking(model))

    assert (got["prediction"], region(got)) == expected(at, model)
    assert way in NATIVE or way.startswith("v2") or len(got) == 2


@pytest.mark.parametrize("model", MODELS)
def test_fields_of_csv_follow_one_another(at: Asked, model: str) -> None:
    lines = sagemaker_csv(at, asking(model))

    predictions, regions = expected(at, model)
    if model == "classes":
        assert lines == [[p, *found] for p, found in zip(predictions, regions, strict=True)]
    else:
        flat = zip(map(np.ravel, predictions), map(np.ravel, regions), strict=True)
        numbers = [list(map(float, line)) for line in lines]
        assert numbers == [[*prediction, *ends] for prediction, ends in flat]


@pytest.mark.parametrize("model", MODELS)
def test_the_outputs_of_v2_by_name(at: Asked, model: str) -> None:
    name = "set" if model == "classes" else "interval"
    body = tensor(parameters={"coverage": C}, outputs=[{"name": name}, {"name": "prediction"}])
    got = by_tensor(at.client.post(f"/v2/models/{model}/infer", body))

    assert list(got) == [name, "prediction"]
    assert (got["prediction"], got[name]) == expected(at, model)


@pytest.mark.parametrize("model", MODELS)
def test_the_native_answer_as_a_whole(at: Asked, model: str) -> None:
    plain = form(at.client.post(f"/models/{model}/predict", ROWS))
    covered = form(at.client.post(f"/models/{model}/predict?coverage=0.9", ROWS))

    added = covered.pop("set" if model == "classes" else "interval")
    assert len(added) == len(ROWS)
    assert covered == plain


def test_many_rows_are_written_in_slices(at: Asked) -> None:
    X = made.rows(2500, 3)
    for model in MODELS:
        whole = predict(load_model(at.folder / model / "1"), PredictRequest(X.tolist(), coverage=C))
        name = "set" if model == "classes" else "interval"
        got = form(at.client.post(f"/models/{model}/predict?coverage={C}", X.tolist()))
        assert got[name] == whole.outputs[name].tolist()


@pytest.mark.parametrize("model", ["line", "two", "classes"])
def test_a_bad_row_has_null(at: Asked, model: str) -> None:
    rows: list[Any] = [ROWS[0], ["x"], ROWS[1]]
    path = f"/models/{model}/predict?coverage=0.9"
    first, last = region(form(at.client.post(path, [ROWS[0], ROWS[1]])))

    assert region(form(at.client.post(f"{path}&on_error=null", rows))) == [first, None, last]
    v1 = at.client.post(
        f"/v1/models/{model}:predict?on_error=null", {"instances": rows, "coverage": 0.9}
    )
    one, none, other = form(v1)["predictions"]
    assert none is None
    assert region(by_row([one, other])) == [first, last]
    params = {"coverage": 0.9, "on_error": None}
    body = {"inputs": rows, "params": params}
    predictions = form(at.client.post("/invocations", body, {TARGET: model}))["predictions"]
    assert predictions == form(v1)["predictions"]


def test_other_outputs_beside_it(at: Asked) -> None:
    path = "/v1/models/std:predict?outputs="
    body = {"instances": ROWS[:1], "coverage": 0.9}
    whole = form(at.client.post("/models/std/predict?coverage=0.9", ROWS[:1]))
    row = {name: whole[name][0] for name in ("prediction", "std", "interval")}

    assert form(at.client.post(path + "all", body)) == {"predictions": [row]}
    some = {"std": row["std"], "interval": row["interval"]}
    assert form(at.client.post(path + "std", body)) == {"predictions": [some]}
    only = form(at.client.post(path + "interval", body))
    assert only == {"predictions": [row["interval"]]}
    without = at.client.post(path + "interval", {"instances": ROWS[:1]})
    assert without.status == 400


def test_null_asks_for_none(at: Asked) -> None:
    plain = form(at.client.post("/models/line/predict", ROWS))
    body = {"instances": ROWS, "coverage": None}
    assert form(at.client.post("/models/line/predict", body)) == plain
    assert "interval" not in str(form(at.client.post("/v1/models/line:predict", body)))
    body = tensor(parameters={"coverage": None})
    assert len(form(at.client.post("/v2/models/line/infer", body))["outputs"]) == 1


EXPECTED = "'coverage': expected a number between 0 and 1, such as 0.9, got"
WRONG_VALUES = [0, 1, 1.5, -0.1, "x", "0.9", float("nan"), float("inf"), True, False, [0.9], {}]
WRONG_TEXTS = [
    "0",
    "1",
    "1.5",
    "-0.1",
    "x",
    "nan",
    "inf",
    "true",
    "",
    "0_9",
    "0.9,0.8",
    " 0.9",
    "٠",
]


@pytest.mark.parametrize("value", WRONG_VALUES, ids=str)
def test_no_number_between_0_and_1_in_a_body(at: Asked, value: Any) -> None:
    for path, body in requests_with(asking("line"), "coverage", value).items():
        answer = at.client.post(path, body, {TARGET: "line"})
        assert answer.status == 400, (path, answer.body)
        assert EXPECTED in answer.body.decode(), path


@pytest.mark.parametrize("text", WRONG_TEXTS)
def test_no_number_between_0_and_1_in_a_query(at: Asked, text: str) -> None:
    body = {"instances": ROWS}
    bodies = {
        "/models/line/predict": body,
        "/v1/models/line:predict": body,
        "/v2/models/line/infer": tensor(),
        "/invocations": body,
    }
    query = "?coverage=" + text.replace(" ", "%20")
    for path, sent in bodies.items():
        answer = at.client.post(path + query, sent, {TARGET: "line"})
        assert answer.status == 400, (path, answer.body)
        assert EXPECTED in answer.body.decode(), path
    assert (
        at.client.post("/models/line/predict" + query, as_csv([COLUMNS, *ROWS]), kind="csv").status
        == 400
    )


def test_two_that_differ(at: Asked) -> None:
    said = "'coverage': the request says 0.8 and 0.9"
    for path, body in requests_with(asking("line"), "coverage", 0.8).items():
        answer = at.client.post(f"{path}?coverage=0.9", body, {TARGET: "line"})
        assert (answer.status, said in answer.body.decode()) == (400, True), answer.body
    headers = {TARGET: "line", ATTRIBUTES: "coverage=0.9"}
    for path in ("/invocations", "/invocations?coverage=0.8"):
        body = {"inputs": ROWS, **({} if "?" in path else {"params": {"coverage": 0.8}})}
        answer = at.client.post(path, body, headers)
        assert (answer.status, said in answer.body.decode()) == (400, True), answer.body


@pytest.mark.parametrize("model", ["plain", "few", "clusters", "scores", "many-labels"])
def test_a_model_without_a_table(at: Asked, model: str) -> None:
    for path, body in requests_with(asking(model), "coverage", 0.9).items():
        answer = at.client.post(path, body, {TARGET: model})
        status = 409 if path.startswith("/models/") else 400
        assert (answer.status, "y_test" in answer.body.decode()) == (status, True), answer.body
    native = at.client.post(f"/models/{model}/predict", {"instances": ROWS, "coverage": 0.9})
    assert native.json()["hint"].startswith("Build it again with y_test")


def test_more_than_the_rows_support(at: Asked) -> None:
    answer = at.client.post("/models/line/predict?coverage=0.999", ROWS)
    assert (answer.status, answer.json()) == (
        409,
        {
            "type": "about:blank",
            "title": "Conflict",
            "status": 409,
            "detail": "'coverage': 0.999 needs at least 999 held-out rows, and model 'line' was "
            "built with 400",
            "hint": "Ask for at most 0.997506, or build it again with more rows and their y_test.",
        },
    )
    assert at.client.post("/models/line/predict?coverage=0.997506", ROWS).status == 200


def test_a_model_that_is_not_there_goes_first(at: Asked) -> None:
    for path in ("/predict", "/predict?coverage=2"):
        body = {"instances": ROWS, "model": "none", "coverage": 7 if "?" not in path else 0.5}
        assert at.client.post(path, body).status == 404


def test_explanations_have_no_coverage(at: Asked) -> None:
    for path, body in (
        ("/models/line/explain?coverage=0.9", {"instances": ROWS}),
        ("/models/line/explain", {"instances": ROWS, "coverage": 0.9}),
    ):
        answer = at.client.post(path, body)
        assert answer.status == 400
        assert answer.json()["detail"] == "'coverage': intervals and sets are not explained"


def test_attributes_that_only_look_like_it() -> None:
    assert in_attributes("coverage=0.9") == {"coverage": "0.9"}
    assert in_attributes("a=1, coverage=0.9;b=2") == {"coverage": "0.9"}
    assert in_attributes("discoverage=0.9,ok=3") == {}
    assert in_attributes("coverage=") == {"coverage": ""}
    assert in_attributes("k=3 coverage=0.5;k=4") == {"k": "3", "coverage": "0.5"}


def test_a_failed_record_goes_back_to_the_queue(at: Asked) -> None:
    lines: list[Any] = []
    bodies = [json.dumps({"instances": ROWS, "model": m, "coverage": 0.9}) for m in ("few", "std")]
    records = make_sqs_event(bodies)["Records"]
    got = queue_events.answer_batch(
        records, at.app.extensions[SERVICE], lambda entries: [], False, lines.append
    )
    assert got == {"batchItemFailures": [{"itemIdentifier": records[0]["messageId"]}]}
    assert [line["status"] for line in lines] == [409, 200]
