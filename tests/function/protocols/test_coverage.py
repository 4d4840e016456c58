"""A coverage is asked for in every protocol, and answered by the same numbers in each."""

from __future__ import annotations

import csv
import io
import json
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest

from onnxlet.edge.mqtt.responder import Responder
from onnxlet.function.app import SERVICE, create_app
from onnxlet.function.aws import native_events, queue_events
from onnxlet.function.messages import PredictRequest
from onnxlet.function.models.model import load_model
from onnxlet.function.protocols.shared.request_options import in_attributes
from onnxlet.function.protocols.v2.tensors import HEADER
from onnxlet.function.serving.predict import predict
from onnxlet.function.settings import Settings
from tests.conftest import Answer, Client, client_of
from tests.edge.mqtt.test_readings import reading
from tests.events import make_sqs_event
from tests.function import calibrated as made

ROWS = made.rows(6, 42).tolist()
MODELS = ("line", "adaptive", "std", "two", "classes")
TARGET = "X-Amzn-SageMaker-Target-Model"
ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"
C = 0.9


class Asked(NamedTuple):
    """What requests go to."""

    folder: Path
    app: Any
    client: Client


class Got(NamedTuple):
    """What an answer says, in whichever form."""

    prediction: Any
    region: Any


@pytest.fixture(scope="module")
def at(calibrated: Path) -> Asked:
    app = create_app(calibrated, settings=Settings(calibrated), log=lambda entry: None)
    return Asked(calibrated, app, client_of(app))


def answered(answer: Answer) -> Any:
    assert answer.status == 200, answer.body
    return answer.json()


def native(form: Mapping[str, Any]) -> Got:
    return Got(form["prediction"], form.get("interval", form.get("set")))


def objects(rows: Any) -> Got:
    region = [row.get("interval", row.get("set")) for row in rows]
    assert {len(row) for row in rows} == {2}
    return Got([row["prediction"] for row in rows], region)


def by_query(at: Asked, model: str) -> Got:
    path = f"/models/{model}/predict?coverage={C}"
    return native(answered(at.client.post(path, ROWS)))


def by_body(at: Asked, model: str) -> Got:
    body = {"instances": ROWS, "model": model, "coverage": C}
    return native(answered(at.client.post("/predict", body)))


def by_query_and_body(at: Asked, model: str) -> Got:
    body = {"instances": ROWS, "coverage": C}
    path = f"/models/{model}/versions/1/predict?coverage=9e-1"
    return native(answered(at.client.post(path, body)))


def as_csv(header: bool = True) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([["x0", "x1", "x2"]] * header + ROWS)
    return text.getvalue().encode()


def by_csv(at: Asked, model: str) -> Got:
    path = f"/models/{model}/predict?coverage={C}"
    return native(answered(at.client.post(path, as_csv(), kind="csv")))


def by_invocation(at: Asked, model: str) -> Got:
    event = {"instances": ROWS, "model": model, "coverage": C}
    context = SimpleNamespace(aws_request_id="a")
    service = at.app.extensions[SERVICE]
    return native(native_events.invoke(service, event, context, lambda entry: None))


def by_queue(at: Asked, model: str) -> Got:
    sent: list[dict[str, Any]] = []

    def send(entries: list[dict[str, Any]]) -> list[str]:
        sent.extend(entries)
        return []

    body = json.dumps({"instances": ROWS, "model": model, "coverage": C})
    records = make_sqs_event([body])["Records"]
    service = at.app.extensions[SERVICE]
    queue_events.answer_batch(records, service, send, False, lambda entry: None)
    return native(json.loads(sent[0]["MessageBody"]))


def by_mqtt(at: Asked, model: str) -> Got:
    responder = Responder(at.folder, Settings(at.folder, reload_seconds=0), None, model)
    body = json.dumps({"instances": ROWS, "coverage": C}).encode()
    status, _, content = responder.answer(reading(body))
    assert status == 200, content
    return native(json.loads(content))


def by_v1(at: Asked, model: str) -> Got:
    body = {"instances": ROWS, "coverage": C}
    return objects(answered(at.client.post(f"/v1/models/{model}:predict", body))["predictions"])


def by_v1_columns(at: Asked, model: str) -> Got:
    path = f"/v1/models/{model}:predict?coverage={C}"
    outputs = answered(at.client.post(path, {"inputs": {"input": ROWS}}))["outputs"]
    assert len(outputs) == 2
    return native(outputs)


def by_mlflow(at: Asked, model: str) -> Got:
    body = {"dataframe_split": {"data": ROWS}, "params": {"coverage": C}}
    return objects(answered(at.client.post("/invocations", body, {TARGET: model}))["predictions"])


def by_mlflow_query(at: Asked, model: str) -> Got:
    path = f"/invocations?coverage={C}"
    form = answered(at.client.post(path, {"instances": ROWS}, {TARGET: model}))
    return objects(form["predictions"])


def by_sagemaker(at: Asked, model: str) -> Got:
    headers = {TARGET: model, ATTRIBUTES: f"trace=7;coverage={C}"}
    answer = at.client.post("/invocations", {"instances": ROWS}, headers)
    assert answer.headers[ATTRIBUTES.lower()] == headers[ATTRIBUTES]
    return objects(answered(answer)["predictions"])


def by_sagemaker_csv(at: Asked, model: str) -> Got:
    headers = {TARGET: model, ATTRIBUTES: f"coverage={C}", "Accept": "text/csv"}
    answer = at.client.post("/invocations", as_csv(False), headers, kind="csv")
    assert answer.status == 200, answer.body
    lines = list(csv.reader(io.StringIO(answer.body.decode())))
    if model == "classes":
        return Got([line[0] for line in lines], [line[1:] for line in lines])
    numbers = [list(map(float, line)) for line in lines]
    if model == "two":
        return Got([n[:2] for n in numbers], [[n[2:4], n[4:]] for n in numbers])
    return Got([n[0] for n in numbers], [n[1:] for n in numbers])


def tensor(**more: Any) -> dict[str, Any]:
    inputs = [{"name": "input", "shape": [len(ROWS), 3], "datatype": "FP64", "data": ROWS}]
    return {"inputs": inputs, **more}


def tensors(outputs: Any) -> Got:
    found = {each["name"]: np.reshape(each["data"], each["shape"]) for each in outputs}
    if "set" not in found:
        return Got(found["prediction"].tolist(), found["interval"].tolist())
    [entry] = [each for each in outputs if each["name"] == "set"]
    classes = json.loads(entry["parameters"]["classes"])
    assert (entry["datatype"], entry["shape"]) == ("BOOL", [len(ROWS), 3])
    sets = [[c for c, inside in zip(classes, row, strict=True) if inside] for row in found["set"]]
    return Got(found["prediction"].tolist(), sets)


def by_v2(at: Asked, model: str) -> Got:
    body = tensor(parameters={"coverage": C})
    return tensors(answered(at.client.post(f"/v2/models/{model}/infer", body))["outputs"])


def by_v2_query(at: Asked, model: str) -> Got:
    path = f"/v2/models/{model}/infer?coverage={C}"
    return tensors(answered(at.client.post(path, tensor()))["outputs"])


def by_v2_names(at: Asked, model: str) -> Got:
    region = "set" if model == "classes" else "interval"
    names = [{"name": region}, {"name": "prediction"}]
    body = tensor(parameters={"coverage": C}, outputs=names)
    outputs = answered(at.client.post(f"/v2/models/{model}/infer", body))["outputs"]
    assert [each["name"] for each in outputs] == [region, "prediction"]
    return tensors(outputs)


def by_v2_bytes(at: Asked, model: str) -> Got:
    """Only bytes in, only bytes out: there is no JSON that could have a parameter."""
    content = np.array(ROWS, "<f8").tobytes()
    path = f"/v2/models/{model}/infer?coverage={C}"
    answer = at.client.post(path, content, {HEADER: "0"}, kind="application/octet-stream")
    assert answer.status == 200, answer.body
    length = int(answer.headers[HEADER.lower()])
    form, tail = json.loads(answer.body[:length]), answer.body[length:]
    for entry in form["outputs"]:
        size = entry["parameters"]["binary_data_size"]
        entry["data"], tail = values(tail[:size], entry["datatype"]), tail[size:]
    assert tail == b""
    return tensors(form["outputs"])


def values(content: bytes, datatype: str) -> Any:
    if datatype != "BYTES":
        return np.frombuffer(content, {"FP64": "<f8", "BOOL": "?"}[datatype])
    texts = []
    while content:
        [size] = struct.unpack_from("<I", content)
        texts.append(content[4 : 4 + size].decode())
        content = content[4 + size :]
    return texts


WAYS: Mapping[str, Callable[[Asked, str], Got]] = {
    name.removeprefix("by_"): way for name, way in list(globals().items()) if name[:3] == "by_"
}


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("way", WAYS)
def test_every_way_has_the_same_answer(at: Asked, way: str, model: str) -> None:
    outputs = predict(load_model(at.folder / model / "1"), PredictRequest(ROWS, coverage=C)).outputs
    region = outputs["set"] if model == "classes" else outputs["interval"]

    got = WAYS[way](at, model)
    assert got == Got(outputs["prediction"].tolist(), region.tolist())


@pytest.mark.parametrize("model", MODELS)
def test_the_native_answer_as_a_whole(at: Asked, model: str) -> None:
    plain = answered(at.client.post(f"/models/{model}/predict", ROWS))
    covered = answered(at.client.post(f"/models/{model}/predict?coverage=0.9", ROWS))

    added = covered.pop("set" if model == "classes" else "interval")
    assert len(added) == len(ROWS)
    assert covered == plain


def test_many_rows_are_written_in_slices(at: Asked) -> None:
    X = made.rows(2500, 3)
    for model in MODELS:
        whole = predict(load_model(at.folder / model / "1"), PredictRequest(X.tolist(), coverage=C))
        name = "set" if model == "classes" else "interval"
        got = answered(at.client.post(f"/models/{model}/predict?coverage={C}", X.tolist()))
        assert got[name] == whole.outputs[name].tolist()


@pytest.mark.parametrize("model", ["line", "two", "classes"])
def test_a_bad_row_has_null(at: Asked, model: str) -> None:
    rows: list[Any] = [ROWS[0], ["x"], ROWS[1]]
    path = f"/models/{model}/predict?coverage=0.9"
    good = native(answered(at.client.post(path, [ROWS[0], ROWS[1]])))
    expected = [good.region[0], None, good.region[1]]

    assert native(answered(at.client.post(f"{path}&on_error=null", rows))).region == expected
    v1 = at.client.post(
        f"/v1/models/{model}:predict?on_error=null", {"instances": rows, "coverage": 0.9}
    )
    first, second, third = answered(v1)["predictions"]
    assert second is None
    assert objects([first, third]).region == good.region
    params = {"coverage": 0.9, "on_error": None}
    body = {"inputs": rows, "params": params}
    predictions = answered(at.client.post("/invocations", body, {TARGET: model}))["predictions"]
    assert predictions == answered(v1)["predictions"]


def test_other_outputs_beside_it(at: Asked) -> None:
    path = "/v1/models/std:predict?outputs="
    body = {"instances": ROWS[:1], "coverage": 0.9}
    whole = answered(at.client.post("/models/std/predict?coverage=0.9", ROWS[:1]))
    row = {name: whole[name][0] for name in ("prediction", "std", "interval")}

    assert answered(at.client.post(path + "all", body)) == {"predictions": [row]}
    some = {"std": row["std"], "interval": row["interval"]}
    assert answered(at.client.post(path + "std", body)) == {"predictions": [some]}
    only = answered(at.client.post(path + "interval", body))
    assert only == {"predictions": [row["interval"]]}
    without = at.client.post(path + "interval", {"instances": ROWS[:1]})
    assert without.status == 400


def test_null_asks_for_none(at: Asked) -> None:
    plain = answered(at.client.post("/models/line/predict", ROWS))
    body = {"instances": ROWS, "coverage": None}
    assert answered(at.client.post("/models/line/predict", body)) == plain
    assert "interval" not in str(answered(at.client.post("/v1/models/line:predict", body)))
    body = tensor(parameters={"coverage": None})
    assert len(answered(at.client.post("/v2/models/line/infer", body))["outputs"]) == 1


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
    native_body = {"instances": ROWS, "coverage": value}
    requests = {
        "/models/line/predict": native_body,
        "/v1/models/line:predict": native_body,
        "/v2/models/line/infer": tensor(parameters={"coverage": value}),
        "/invocations": {"inputs": ROWS, "params": {"coverage": value}},
    }
    for path, body in requests.items():
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
    assert at.client.post("/models/line/predict" + query, as_csv(), kind="csv").status == 400


def test_two_that_differ(at: Asked) -> None:
    said = "'coverage': the request says 0.8 and 0.9"
    native_body = {"instances": ROWS, "coverage": 0.8}
    requests = {
        "/models/line/predict": native_body,
        "/v1/models/line:predict": native_body,
        "/v2/models/line/infer": tensor(parameters={"coverage": 0.8}),
        "/invocations": {"inputs": ROWS, "params": {"coverage": 0.8}},
    }
    for path, body in requests.items():
        answer = at.client.post(f"{path}?coverage=0.9", body, {TARGET: "line"})
        assert (answer.status, said in answer.body.decode()) == (400, True), answer.body
    headers = {TARGET: "line", ATTRIBUTES: "coverage=0.9"}
    for path in ("/invocations", "/invocations?coverage=0.8"):
        body = {"inputs": ROWS, **({} if "?" in path else {"params": {"coverage": 0.8}})}
        answer = at.client.post(path, body, headers)
        assert (answer.status, said in answer.body.decode()) == (400, True), answer.body


@pytest.mark.parametrize("model", ["plain", "few", "clusters", "scores", "many-labels"])
def test_a_model_without_a_table(at: Asked, model: str) -> None:
    body = {"instances": ROWS, "coverage": 0.9}
    answer = at.client.post(f"/models/{model}/predict", body)
    assert answer.status == 409
    assert answer.json()["hint"].startswith("Build it again with y_test")
    others = {
        f"/v1/models/{model}:predict": body,
        f"/v2/models/{model}/infer": tensor(parameters={"coverage": 0.9}),
        "/invocations": {"inputs": ROWS, "params": {"coverage": 0.9}},
    }
    for path, sent in others.items():
        answer = at.client.post(path, sent, {TARGET: model})
        assert (answer.status, "y_test" in answer.body.decode()) == (400, True), answer.body


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
