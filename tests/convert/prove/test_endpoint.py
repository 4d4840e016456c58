"""Endpoints of every protocol, and servers that answer something else."""

from __future__ import annotations

import hashlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder

import onnxlet
from onnxlet.convert.prove import endpoint
from onnxlet.convert.prove.endpoint import Endpoint, Http
from onnxlet.convert.prove.endpoint_forms import Form, lists_by_output
from onnxlet.convert.prove.proof import Proof
from onnxlet.convert.prove.subject import SubjectFailed
from onnxlet.function.app import create_app
from onnxlet.function.errors import OnnxletError, WrongUse
from onnxlet.function.settings import Settings
from tests.conftest import quiet

RANDOM = np.random.default_rng(0)
ROWS = pd.DataFrame({"size": RANDOM.normal(size=80), "town": RANDOM.choice(["Ames", "Ulm"], 80)})
MODEL = make_pipeline(
    make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["town"]), remainder="passthrough"
    ),
    LogisticRegression(),
).fit(ROWS, np.where(ROWS["size"] > 0, "yes", "no"))
TEST = ROWS[:30]
Answer = tuple[int, dict[str, str], bytes]
KEY = "a-key-of-32-characters-0123456789"


@contextmanager
def serving(answer: Callable[[str, bytes, dict[str, str]], Answer]) -> Iterator[str]:
    """A server on a port of its own, and its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, headers, content = answer(self.path, body, dict(self.headers))
            self.send_response(status)
            for name, value in {"Content-Length": str(len(content)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST  # noqa: N815 - http.server's own name

        def log_message(self, *_: object) -> None:
            """Nothing is logged."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """This project's own app, with the model, open to a key."""
    models = tmp_path_factory.mktemp("models")
    onnxlet.build(MODEL, TEST, name="sold", models=models, report=quiet)
    keys = {"k": hashlib.sha256(KEY.encode()).digest()}
    settings = Settings(models=models, owned=True, api_keys=keys)
    client = create_app(models, settings=settings).test_client()

    def answer(path: str, body: bytes, headers: dict[str, str]) -> Answer:
        kept = {name: headers.get(name, "") for name in ("Authorization", "Content-Type")}
        found = client.open(path, method="POST" if body else "GET", data=body, headers=kept)
        return found.status_code, {"Content-Type": found.content_type}, found.data

    with serving(answer) as address:
        yield address


def prove(subject: str, **options: Any) -> Proof:
    return onnxlet.prove(subject, MODEL, TEST, report=quiet, **options)


@pytest.mark.long
@pytest.mark.parametrize(
    "path",
    [
        "",
        "/predict",
        "/models/sold/predict",
        "/v2/models/sold",
        "/v2/models/sold/versions/1/infer",
        "/v1/models/sold:predict",
        "/v1/models/sold:predict?outputs=all",
        "/invocations",
    ],
)
def test_each_protocol_is_asked(served: str, path: str) -> None:
    proof = prove(served + path, key=KEY)

    assert proof.equal, proof
    assert proof.rows["held-out"] == 30
    absent = any("not compared" in note for note in proof.notes)
    assert absent == (path in ("/v1/models/sold:predict", "/invocations"))


def test_another_model_s_endpoint_differs(served: str) -> None:
    other = make_pipeline(MODEL[0], LogisticRegression(C=0.01)).fit(ROWS, ROWS["size"] > 0.2)

    proof = onnxlet.prove(f"{served}/models/sold/predict", other, TEST, key=KEY, report=quiet)

    assert not proof.equal
    assert proof.differing["held-out"] == 30


# Servers that answer something else


def _json(content: object) -> Answer:
    return 200, {"Content-Type": "application/json"}, json.dumps(content).encode()


def _late(*_: object) -> Answer:
    time.sleep(1)
    return _json({"prediction": []})


OTHERS: dict[str, tuple[Callable[..., Answer], str, str]] = {
    "html": (lambda *_: (200, {}, b"<!doctype html>"), "answers HTML where JSON", "/predict"),
    "text": (lambda *_: (200, {}, b"yes"), "answers something else where JSON", "/predict"),
    "late": (_late, "no whole answer within 0.3 s", "--seconds"),
    "fewer rows": (lambda *_: _json({"prediction": []}), "with something else", "for each row"),
    "no key": (lambda *_: (401, {}, b"{}"), "wants a key", "ONNXLET_PROVE_KEY"),
    "not there": (lambda *_: (404, {}, b"{}"), "has nothing there", "/invocations"),
    "elsewhere": (
        lambda *_: (307, {"Location": "http://127.0.0.1:1/"}, b""), "leads elsewhere", "trust",
    ),
    "broken": (lambda *_: (502, {}, b"bad gateway"), "answers with status 502", "log"),
    "refuses all": (lambda *_: (400, {}, b"no"), "answers no held-out row: status 400", "by hand"),
}  # fmt: skip


@pytest.mark.parametrize("name", OTHERS)
def test_what_answers_otherwise_is_said_with_a_way_out(name: str) -> None:
    answer, said, hint = OTHERS[name]
    with serving(answer) as address, pytest.raises(SubjectFailed, match=said) as caught:
        prove(f"{address}/predict", seconds=0.3)

    assert caught.value.exit_code == 1
    assert hint.replace("--", "") in caught.value.hint
    assert KEY not in str(caught.value)


def test_nobody_listens() -> None:
    with serving(lambda *_: _json({})) as address:
        pass
    with pytest.raises(SubjectFailed, match="can't be asked"):
        prove(f"{address}/predict")


@pytest.mark.parametrize(
    "address", ["http://", "http://a:b@127.0.0.1/predict", "http://127.0.0.1:99999/predict"]
)
def test_no_address_is_wrong_use(address: str) -> None:
    with pytest.raises(WrongUse, match="expected http"):
        prove(address)


def test_a_path_of_no_protocol_is_wrong_use() -> None:
    with pytest.raises(WrongUse, match="no protocol is known"):
        prove("http://127.0.0.1:1/anything")


@pytest.mark.long
def test_a_busy_or_small_server_is_asked_again() -> None:
    calls: list[int] = []

    def answer(path: str, body: bytes, headers: dict[str, str]) -> Answer:
        rows = json.loads(body)["instances"]
        calls.append(len(rows))
        if len(rows) > 20:
            return 413, {}, b"too large"
        found = MODEL.predict(pd.DataFrame(rows, columns=["size", "town"]))
        return _json({"prediction": found.tolist()})

    with serving(answer) as address:
        proof = prove(f"{address}/predict")

    assert proof.equal
    assert max(calls) > 20


@pytest.mark.long
def test_rows_that_are_refused_count() -> None:
    def answer(path: str, body: bytes, headers: dict[str, str]) -> Answer:
        rows = json.loads(body)["instances"]
        if any(not isinstance(row, dict) or row["town"] not in ("Ames", "Ulm") for row in rows):
            return 400, {}, b"unknown town"
        found = MODEL.predict(pd.DataFrame(rows, columns=["size", "town"]))
        return _json({"prediction": found.tolist()})

    with serving(answer) as address:
        proof = prove(f"{address}/predict")

    assert not proof.equal
    assert proof.differing["held-out"] == 0 < proof.differing["edge-case"]
    assert any(
        "refused that the estimator answers: status 400: unknown town" in n for n in proof.notes
    )
    assert "categories or texts that no held-out row has in 'town'" in proof.causes[0]


def by_month(X: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({"month": X["when"].dt.month})


def test_dates_of_a_request_are_of_one_form_as_mlflow_reads_them() -> None:
    """By pandas, which takes the first cell's form for that of the column."""
    days = pd.date_range("2024-01-01T06:30", periods=60, freq="8D")
    rows = pd.DataFrame({"when": days})
    model = make_pipeline(FunctionTransformer(by_month), SimpleImputer(), LogisticRegression())
    model.fit(rows, days.month > 6)

    def answer(path: str, body: bytes, headers: dict[str, str]) -> Answer:
        sent = json.loads(body)["dataframe_split"]
        frame = pd.DataFrame(sent["data"], columns=sent["columns"])
        try:
            frame["when"] = pd.to_datetime(frame["when"])
        except ValueError as error:
            return 400, {}, str(error).encode()
        return _json({"predictions": model.predict(frame).tolist()})

    with serving(answer) as address:
        proof = onnxlet.prove(f"{address}/invocations", model, rows[:30], report=quiet)

    assert proof.equal, proof


@pytest.mark.long
def test_rows_that_are_refused_only_beside_others_are_said() -> None:
    def answer(path: str, body: bytes, headers: dict[str, str]) -> Answer:
        rows = [[row["size"], row["town"]] for row in json.loads(body)["instances"]]
        if len({town for _, town in rows}) > 2:
            return 400, {}, b"too many towns"
        found = MODEL.predict(pd.DataFrame(rows, columns=["size", "town"]))
        return _json({"prediction": found.tolist()})

    with serving(answer) as address:
        proof = prove(f"{address}/predict")

    assert not proof.equal
    assert any("refused only beside others: status 400: too many towns" in n for n in proof.notes)


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ([1, 2], {"predictions": [1, 2]}),
        ({"predictions": [1, 2], "model": "m"}, {"predictions": [1, 2]}),
        ({"prediction": [1, 2], "classes": [0, 1]}, {"prediction": [1, 2]}),
        (
            {"predictions": [{"prediction": 1, "score": 2.0}, {"prediction": 3, "score": 4.0}]},
            {"prediction": [1, 3], "score": [2.0, 4.0]},
        ),
        (
            {"outputs": [{"name": "p", "shape": [2, 1], "datatype": "FP64", "data": [1.0, 2.0]}]},
            {"p": [[1.0], [2.0]]},
        ),
        ({"outputs": {"p": [1, 2]}}, {"p": [1, 2]}),
        ({"outputs": [{"name": "p", "shape": [-1], "data": [1, 2]}]}, {}),
        ({"outputs": [{"name": "p", "shape": [3], "data": [1, 2]}, 5]}, {}),
        ({"outputs": [{"name": "p", "shape": [2, 10**6, 0], "data": []}]}, {}),
        ({"outputs": [{"name": "p", "shape": [2, *[1] * 100], "data": [1, 2]}]}, {}),
        ({"outputs": [{"name": "p", "shape": [2.0], "data": [1, 2]}]}, {}),
        ({"outputs": [{"name": "p", "shape": [], "data": [1, 2]}]}, {}),
        ({"outputs": [{"shape": [2], "data": [1, 2]}]}, {}),
        ({"outputs": [{"name": "p", "shape": [2, 1], "data": [[1], [2]]}]}, {"p": [[1], [2]]}),
        ({"predictions": [1]}, {}),
        ("text", {}),
        (None, {}),
    ],
)
def test_outputs_of_answers(answer: object, found: dict[str, list[Any]]) -> None:
    assert lists_by_output(answer, 2) == found


def test_an_object_of_many_outputs_is_not_made_as_often_as_there_are_rows() -> None:
    wide = {"prediction": 1, **dict.fromkeys(map(str, range(3000)), 0)}
    found = lists_by_output({"predictions": [wide, {"prediction": 2}]}, 2)
    assert found["prediction"] == [1, 2]
    assert len(found) == 1000


HEAD, CHUNK = b"HTTP/1.1 200 OK\r\n", b"Transfer-Encoding: chunked\r\n\r\n1;"
DRIPPING = {
    "a head without end": (HEAD + b"X-Slow: ", b"x"),
    "continue again and again": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "a chunk's size": (HEAD + CHUNK, b"x"),
    "and its connection closed": (HEAD + b"Connection: close\r\n" + CHUNK, b"x"),
}


@pytest.mark.parametrize("name", DRIPPING)
def test_what_answers_byte_by_byte_is_given_up_in_time(name: str) -> None:
    (first, drop), over = DRIPPING[name], threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drip() -> None:
            accepted, _ = listener.accept()
            with accepted, suppress(OSError):  # once the other side has given up
                accepted.recv(2**20)
                accepted.sendall(first)
                for _ in range(500):
                    accepted.sendall(drop)
                    if over.wait(0.02):
                        break

        thread = threading.Thread(target=drip)
        thread.start()
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/predict"
        begun = time.monotonic()
        with pytest.raises(SubjectFailed, match=r"no whole answer within 0\.3 s"):
            Http(urlsplit(address), 0.3, None).ask("/predict", {})
        assert time.monotonic() - begun < 5
        over.set()
        thread.join()


@pytest.mark.parametrize("step", ["connect", "request"])
def test_who_is_reached_too_late_is_sent_nothing(
    step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_up, threads = threading.Event(), list[threading.Thread]()

    def late(connection: HTTPConnection, *given: Any) -> None:
        threads.append(threading.current_thread())
        given_up.wait()
        getattr(HTTPConnection, step)(connection, *given)

    monkeypatch.setattr(endpoint, "HTTPConnection", type("Late", (HTTPConnection,), {step: late}))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/predict"
        with pytest.raises(SubjectFailed, match="no whole answer within"):
            Http(urlsplit(address), 0.1, KEY).ask("/predict", {})
        given_up.set()
        threads[0].join()
        listener.setblocking(False)  # all have come that will
        with suppress(BlockingIOError):
            while True:
                with listener.accept()[0] as accepted:
                    assert accepted.recv(2**16) == b""


def test_other_outputs_than_before_are_refused() -> None:
    asked: list[int] = []

    def answer(path: str, body: bytes, headers: dict[str, str]) -> Answer:
        count = len(json.loads(body)["instances"])
        asked.append(count)
        return _json({f"prediction{len(asked)}" if len(asked) > 2 else "prediction": [1] * count})

    with serving(answer) as address:
        form = Form("/predict", [lambda rows: {"instances": rows}])
        made = Endpoint("it", Http(urlsplit(address), 5, None), form, {})
        assert made.outputs([[1.0, "Ulm"]] * 200)["prediction"] == [1] * 200
        with pytest.raises(SubjectFailed, match="other outputs than others"):
            made.outputs([[1.0, "Ulm"]] * 300)


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "value", "alone"),
    [
        ("prediction", [1, [2]], False),
        ("prediction", {"a": 1}, False),
        ("prediction", None, True),
        ("probabilities", 10**400, True),
        ("probabilities", {"a": 1}, False),
        ("score", [True, False], True),
        ("score", 1e308, True),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_odd_values_end_in_a_proof_or_a_refusal(name: str, value: object, alone: bool) -> None:
    plain = {"prediction": "yes", "probabilities": [0.5, 0.5], "score": 0.0}[name]

    def answer(path: str, body: bytes, headers: dict[str, str]) -> Answer:
        count = len(json.loads(body)["instances"])
        answers = {name: [value, *[value if alone else plain] * (count - 1)]}
        return _json(answers | ({} if name == "prediction" else {"prediction": ["yes"] * count}))

    with serving(answer) as address:
        equal = False
        with suppress(OnnxletError):  # and nothing else
            equal = prove(f"{address}/predict").equal
        assert not equal


def test_control_characters_of_an_answer_are_not_shown() -> None:
    body = "no \x1b[31mred\x9b\u202e".encode()
    with (
        serving(lambda *_: (400, {}, body)) as address,
        pytest.raises(SubjectFailed, match="status 400: no \ufffd\\[31mred\ufffd\ufffd") as caught,
    ):
        prove(f"{address}/predict")
    assert str(caught.value).replace("\n", "").isprintable()


def test_errors_are_the_project_s(tmp_path: Path) -> None:
    with pytest.raises(OnnxletError, match=r"there is no"):
        prove(str(tmp_path / "nowhere.onnx"))
