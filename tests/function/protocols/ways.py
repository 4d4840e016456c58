"""Every way to ask for an option of a request, and what each answers, as outputs by name."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from onnxlet.edge.mqtt.service import Responder
from onnxlet.function.app import SERVICE, create_app
from onnxlet.function.aws import native_events, queue_events
from onnxlet.function.protocols.v2.tensors import HEADER
from onnxlet.function.settings import Settings
from tests.conftest import Answer, Client, client_of
from tests.edge.mqtt.test_readings import reading
from tests.events import make_sqs_event
from tests.function.protocols.test_v2 import outputs_of

TARGET = "X-Amzn-SageMaker-Target-Model"
ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"
Outputs = dict[str, Any]


class Asked(NamedTuple):
    """What requests go to."""

    folder: Path
    app: Any
    client: Client


def asking_of(folder: Path) -> Asked:
    """An app that serves a folder, and logs nothing."""
    app = create_app(folder, settings=Settings(folder), log=lambda entry: None)
    return Asked(folder, app, client_of(app))


class Question(NamedTuple):
    """Rows for a model, with an option; `matrix` where it was fitted on an array."""

    model: str
    rows: list[list[Any]]
    columns: Sequence[str]
    option: str
    value: Any
    matrix: bool = False
    more: str = ""  # of a query, for V1 and MLflow

    @property
    def query(self) -> str:
        return f"{self.option}={json.dumps(self.value)}"

    @property
    def body(self) -> dict[str, Any]:
        return {"instances": self.rows, self.option: self.value}

    def inputs(self, **more: Any) -> dict[str, Any]:
        """A body of version 2."""
        about = {"datatype": "FP64"}
        if self.matrix:
            shape = [len(self.rows), len(self.columns)]
            return {
                "inputs": [{"name": "input", "shape": shape, **about, "data": self.rows}],
                **more,
            }
        columns = zip(self.columns, np.transpose(self.rows).tolist(), strict=True)
        shape = [len(self.rows)]
        inputs = [{"name": n, "shape": shape, **about, "data": cells} for n, cells in columns]
        return {"inputs": inputs, **more}


def requests_with(q: Question, option: str, value: Any) -> dict[str, Any]:
    """The body of each protocol that has an option, by its path."""
    return {
        f"/models/{q.model}/predict": {"instances": q.rows, option: value},
        f"/v1/models/{q.model}:predict": {"instances": q.rows, option: value},
        f"/v2/models/{q.model}/infer": q.inputs(parameters={option: value}),
        "/invocations": {"inputs": q.rows, "params": {option: value}},
    }


def form(answer: Answer) -> Any:
    assert answer.status == 200, answer.body
    return answer.json()


def as_csv(rows: Sequence[Sequence[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def by_row(predictions: Any) -> Outputs:
    if not isinstance(predictions[0], dict):
        return {"prediction": predictions}
    assert len({tuple(row) for row in predictions}) == 1
    return {name: [row[name] for row in predictions] for name in predictions[0]}


def by_tensor(answer: Answer) -> Outputs:
    """From JSON or the bytes behind it; of sets, which are booleans there, the labels."""
    found = outputs_of(answer)
    if "set" in found:
        length = int(answer.headers.get(HEADER.lower(), len(answer.body)))
        [about] = [o for o in json.loads(answer.body[:length])["outputs"] if o["name"] == "set"]
        classes = json.loads(about["parameters"]["classes"])
        assert (about["datatype"], about["shape"]) == ("BOOL", [len(found["set"]), len(classes)])
        pairs = (zip(classes, row, strict=True) for row in found["set"])
        found["set"] = [[label for label, inside in row if inside] for row in pairs]
    return found


def query(at: Asked, q: Question) -> Outputs:
    return dict(form(at.client.post(f"/models/{q.model}/predict?{q.query}", q.rows)))


def body(at: Asked, q: Question) -> Outputs:
    return dict(form(at.client.post("/predict", q.body | {"model": q.model})))


def query_and_body(at: Asked, q: Question) -> Outputs:
    text = f"{q.value:.0e}" if isinstance(q.value, float) else json.dumps(q.value)
    path = f"/models/{q.model}/versions/1/predict?{q.option}={text}"
    same = q.value if isinstance(q.value, bool) else float(q.value)
    return dict(form(at.client.post(path, q.body | {q.option: same})))


def in_csv(at: Asked, q: Question) -> Outputs:
    content = as_csv([q.columns, *q.rows])
    return dict(form(at.client.post(f"/models/{q.model}/predict?{q.query}", content, kind="csv")))


def invocation(at: Asked, q: Question) -> Outputs:
    context = SimpleNamespace(aws_request_id="a")
    service, event = at.app.extensions[SERVICE], q.body | {"model": q.model}
    return dict(native_events.invoke(service, event, context, lambda entry: None))


def queue(at: Asked, q: Question) -> Outputs:
    sent: list[dict[str, Any]] = []

    def send(entries: list[dict[str, Any]]) -> list[str]:
        sent.extend(entries)
        return []

    records = make_sqs_event([json.dumps(q.body | {"model": q.model})])["Records"]
    service = at.app.extensions[SERVICE]
    queue_events.answer_batch(records, service, send, False, lambda entry: None)
    return dict(json.loads(sent[0]["MessageBody"]))


def mqtt(at: Asked, q: Question) -> Outputs:
    responder = Responder(at.folder, Settings(at.folder, reload_seconds=0), None, q.model)
    status, _, content = responder.answer(reading(json.dumps(q.body).encode()))
    assert status == 200, content
    return dict(json.loads(content))


def v1(at: Asked, q: Question) -> Outputs:
    return by_row(form(at.client.post(f"/v1/models/{q.model}:predict", q.body))["predictions"])


def v1_columns(at: Asked, q: Question) -> Outputs:
    columns = dict(zip(q.columns, np.transpose(q.rows).tolist(), strict=True))
    inputs = {"inputs": {"input": q.rows} if q.matrix else columns}
    path = f"/v1/models/{q.model}:predict?{q.query}{q.more}"
    outputs = form(at.client.post(path, inputs))["outputs"]
    return dict(outputs)


def mlflow(at: Asked, q: Question) -> Outputs:
    sent = {"dataframe_split": {"data": q.rows}, "params": {q.option: q.value}}
    return by_row(form(at.client.post("/invocations", sent, {TARGET: q.model}))["predictions"])


def mlflow_query(at: Asked, q: Question) -> Outputs:
    path = f"/invocations?{q.query}{q.more}"
    answer = at.client.post(path, {"instances": q.rows}, {TARGET: q.model})
    return by_row(form(answer)["predictions"])


def sagemaker(at: Asked, q: Question) -> Outputs:
    attributes = f"trace=7;{q.query}"
    answer = at.client.post(
        "/invocations", {"instances": q.rows}, {TARGET: q.model, ATTRIBUTES: attributes}
    )
    assert answer.headers[ATTRIBUTES.lower()] == attributes
    return by_row(form(answer)["predictions"])


def sagemaker_csv(at: Asked, q: Question) -> list[list[str]]:
    """The fields of its lines."""
    headers = {TARGET: q.model, ATTRIBUTES: q.query, "Accept": "text/csv"}
    answer = at.client.post("/invocations", as_csv(q.rows), headers, kind="csv")
    assert answer.status == 200, answer.body
    return list(csv.reader(io.StringIO(answer.body.decode())))


def v2(at: Asked, q: Question) -> Outputs:
    sent = q.inputs(parameters={q.option: q.value})
    return by_tensor(at.client.post(f"/v2/models/{q.model}/infer", sent))


def v2_query(at: Asked, q: Question) -> Outputs:
    path = f"/v2/models/{q.model}/infer?{q.query}"
    return by_tensor(at.client.post(path, q.inputs()))


def v2_bytes(at: Asked, q: Question) -> Outputs:
    """Bytes out; and of an array only bytes in: there is no JSON that could have a parameter."""
    path = f"/v2/models/{q.model}/infer"
    if q.matrix:
        content, kind = np.array(q.rows, "<f8").tobytes(), "application/octet-stream"
        answer = at.client.post(f"{path}?{q.query}", content, {HEADER: "0"}, kind=kind)
    else:
        wanted = [{"name": "prediction", "parameters": {"binary_data": True}}]
        sent = q.inputs(parameters={q.option: q.value}, outputs=wanted)
        answer = at.client.post(path, sent)
    assert HEADER.lower() in answer.headers
    return by_tensor(answer)


Way = Callable[[Asked, Question], Outputs]
NATIVE: Mapping[str, Way] = {
    way.__name__: way for way in (query, body, query_and_body, in_csv, invocation, queue, mqtt)
}
OTHERS: Mapping[str, Way] = {
    way.__name__: way
    for way in (v1, v1_columns, mlflow, mlflow_query, sagemaker, v2, v2_query, v2_bytes)
}
WAYS = {**NATIVE, **OTHERS}
