"""Limits, safe headers, cross-origin requests, and what no request may reach; in every protocol."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from onnxlet.function import deadline
from onnxlet.function.app import SERVICE, create_app
from onnxlet.function.errors import CAME, SAME_HEAD, SHED
from onnxlet.function.settings import Settings
from tests.conftest import Answer, Client, app_of, client_of
from tests.function.every_protocol import ERRORS, request
from tests.function.serving.test_predict import SHOP
from tests.function.slow_models import add_slow

pytestmark = pytest.mark.every_transport

MakeClient = Callable[..., Client]
SAFE = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
DEEP = b"[" * 1025 + b"]" * 1025
FLOWER = [5.1, 3.5, 1.4, 0.2]


def told(protocol: str, answer: Answer) -> str:
    return str(answer.json()[ERRORS[protocol]])


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v2/health/live", 200),
        ("GET", "/models", 200),
        ("GET", "/nope", 404),
        ("GET", "/v2/nope", 404),
        ("GET", "/predict", 405),
        ("POST", "/predict", 400),
        ("POST", "/v2/models/shop/infer", 400),
        ("HEAD", "/models", 200),
        ("HEAD", "/nope", 404),
        ("OPTIONS", "/models", 200),
    ],
)
def test_safe_headers_on_every_answer(client: Client, method: str, path: str, status: int) -> None:
    answer = client.request(method, path)

    assert answer.status == status
    assert {name: answer.headers.get(name) for name in SAFE} == SAFE
    assert not any(character.isdigit() for character in answer.headers.get("server", ""))
    assert (method == "HEAD") <= (answer.body == b"")


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS"])
@pytest.mark.parametrize("path", ["/predict", "/v1/models/shop:predict", "/v2/models/shop/infer"])
def test_head_and_options_of_a_prediction(client: Client, method: str, path: str) -> None:
    answer = client.request(method, path)

    by_name = method == "HEAD" and path.startswith("/v1")  # GET reads it as a model's name
    assert answer.status == (404 if by_name else 405 if method == "HEAD" else 200)
    assert by_name or "POST" in answer.headers["allow"]
    assert answer.body == b""


@pytest.mark.parametrize("protocol", ERRORS)
def test_too_deep_json_is_refused_with_the_limit(flask_client: MakeClient, protocol: str) -> None:
    path, _, kind = request(protocol, "shop", SHOP)
    if protocol == "csv":
        return
    for body in (DEEP, DEEP.replace(b"[]", b"[NaN]"), b'{"instances": %s}' % DEEP):
        answer = flask_client(default_model="shop").post(path, body, kind=kind)
        assert answer.status == 400
        assert "at most 1024 levels" in told(protocol, answer)


@pytest.fixture
def slow(models: Path, tmp_path: Path) -> Path:
    """A folder with a model whose answer takes minutes."""
    add_slow(models / "iris" / "1", tmp_path / "iris" / "1", turns=10**9)
    return tmp_path


@pytest.fixture
def watchdog() -> Any:
    dog = deadline.watch(0.2)
    yield dog
    dog.stop()


def short_lived(models: Path) -> Client:
    return client_of(app_of(models, max_seconds=0.2))


TENSOR = {"name": "input", "shape": [1, 4], "datatype": "FP64", "data": FLOWER}
ENDLESS = {
    "native": ("/predict", {"instances": [FLOWER]}),
    "native, null for errors": ("/predict?on_error=null", {"instances": [FLOWER]}),
    "native, explain": ("/models/iris/explain", {"instances": [FLOWER]}),
    "v1": ("/v1/models/iris:predict", {"instances": [FLOWER]}),
    "v2": ("/v2/models/iris/infer", {"inputs": [TENSOR]}),
    "mlflow": ("/invocations", {"inputs": [FLOWER]}),
}


@pytest.mark.parametrize("kind", ENDLESS)
@pytest.mark.usefixtures("watchdog")
def test_a_run_that_takes_too_long_is_ended(slow: Path, kind: str) -> None:
    path, body = ENDLESS[kind]

    answer = short_lived(slow).post(path, body)

    assert answer.status == 503
    assert "no answer within 0.2 seconds" in told(kind.partition(",")[0], answer)
    assert "retry-after" not in answer.headers  # the same request would take as long again


@pytest.mark.usefixtures("watchdog")
def test_the_next_run_has_all_its_time_again(slow: Path, models: Path) -> None:
    add_slow(models / "iris" / "1", slow / "iris" / "2", turns=10)
    # Of its own, and long: what an answer takes on a busy machine is not told here.
    patient = app_of(slow, max_seconds=60).test_client()
    assert short_lived(slow).post("/models/iris/versions/1/predict", [FLOWER]).status == 503
    for _ in range(3):
        assert patient.post("/predict", json=[FLOWER]).status_code == 200


def test_without_a_watchdog_time_is_checked_between_runs(models: Path) -> None:
    app = app_of(models, max_seconds=0)

    answer = app.test_client().post("/models/iris/predict", json=[FLOWER])

    assert answer.status_code == 503
    assert answer.get_json()["hint"] == "Send fewer rows at once."


def test_a_thread_has_no_deadline_after_its_request(models: Path) -> None:
    app = app_of(models, max_seconds=0)
    app.test_client().post("/models/iris/predict", json=[FLOWER])

    deadline.check()


@pytest.mark.parametrize("protocol", ERRORS)
def test_what_is_too_much_is_shed_in_each_protocols_form(models: Path, protocol: str) -> None:
    path, body, kind = request(protocol, "shop", SHOP)
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    client = app_of(models).test_client()

    got = client.post(path, data=content, content_type=kind, environ_overrides={SHED: True})

    assert got.status_code == 503
    assert got.headers["Retry-After"] == "1"
    assert "more requests are in flight" in got.get_json()[ERRORS[protocol]]
    assert client.get("/v2/health/live", environ_overrides={SHED: True}).status_code == 200


def test_what_has_waited_for_all_its_time_is_shed(models: Path) -> None:
    client = app_of(models, max_seconds=30).test_client()

    for age, status in ((20, 200), (40, 503)):
        came = {CAME: time.perf_counter() - age}
        answer = client.post("/models/iris/predict", json=[FLOWER], environ_overrides=came)
        assert answer.status_code == status
        assert ("Retry-After" in answer.headers) == (status == 503)


def test_a_head_that_came_before_is_let_in_again_and_shed_all_the_same(models: Path) -> None:
    lines: list[dict[str, Any]] = []
    keys = {name: hashlib.sha256(name.encode()).digest() for name in ("ada", "bob")}
    app = create_app(models, settings=Settings(models, api_keys=keys), log=lines.append)
    client, path = app.test_client(), "/models/iris/predict"
    trace = f"00-{'a' * 32}-{'b' * 16}-01"

    def ask(head: dict[str, Any], key: str, **more: Any) -> int:
        headers = {"X-API-Key": key, "Traceparent": trace}
        same = {SAME_HEAD: head, **more}
        return client.post(path, json=[FLOWER], headers=headers, environ_overrides=same).status_code

    ada, bob, nobody = (dict[str, Any]() for _ in range(3))
    assert [ask(ada, "ada") for _ in range(3)] == [200] * 3
    assert [ask(bob, "bob") for _ in range(2)] == [200] * 2
    assert [ask(nobody, "eve") for _ in range(2)] == [401] * 2
    assert nobody == {}
    assert ask(ada, "ada", **{SHED: True}) == 503
    assert ask(ada, "ada", **{CAME: time.perf_counter() - 1e6}) == 503
    assert ask(ada, "ada") == 200

    answered = [line for line in lines if line["status"] == 200]
    assert [line["key"] for line in answered] == ["ada"] * 3 + ["bob"] * 2 + ["ada"]
    assert {line["trace_id"] for line in answered} == {"a" * 32}
    assert len({line["request_id"] for line in answered}) == len(answered)
    assert {line["model"] for line in answered} == {"iris"}


def test_the_bound_of_requests_in_flight(models: Path) -> None:
    """One request waits in `observe`; the second is the limit, the third too many."""
    inside, go_on = threading.Semaphore(0), threading.Event()

    def observe(prediction: Any) -> None:
        inside.release()
        go_on.wait(20)

    app = create_app(models, observe, Settings(models, max_in_flight=2))
    path, statuses = "/models/iris/predict", []

    def ask() -> None:
        statuses.append(app.test_client().post(path, json=[FLOWER]).status_code)

    clients = [threading.Thread(target=ask) for _ in range(2)]
    for each in clients:
        each.start()
        assert inside.acquire(timeout=20)
    shed = app.test_client().post(path, json=[FLOWER])
    health = app.test_client().get("/v2/health/ready")
    metrics = app.test_client().get("/metrics")
    go_on.set()
    for each in clients:
        each.join(20)

    assert (shed.status_code, shed.headers["Retry-After"]) == (503, "1")
    assert (health.status_code, metrics.status_code) == (200, 404)
    assert statuses == [200, 200]
    assert app.test_client().post(path, json=[FLOWER]).status_code == 200
    assert app.extensions[SERVICE].in_flight.count == 0


ORIGIN = "https://app.example"
PREFLIGHT = {
    "Origin": ORIGIN,
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization,content-type",
}
KEYS = {"ci": hashlib.sha256(b"secret").digest()}


def cross_origin(answer: Any) -> dict[str, str]:
    return {k: v for k, v in answer.headers.items() if k.startswith("Access-Control-")}


def test_cross_origin_requests_are_off_by_default(models: Path) -> None:
    client = app_of(models).test_client()

    for answer in (
        client.options("/models/shop/predict", headers=PREFLIGHT),
        client.get("/models", headers={"Origin": ORIGIN}),
    ):
        assert cross_origin(answer) == {}
        assert "Vary" not in answer.headers


@pytest.mark.parametrize("path", ["/predict", "/v2/models/shop/infer", "/v1/models/shop:predict"])
def test_a_preflight_of_a_set_origin(models: Path, path: str) -> None:
    client = app_of(models, cors_origins=frozenset({ORIGIN}), api_keys=KEYS).test_client()

    answer = client.options(path, headers=PREFLIGHT)

    assert answer.status_code == 204
    assert answer.data == b""
    assert answer.headers["Vary"] == "Origin"
    headers = cross_origin(answer)
    assert headers["Access-Control-Allow-Origin"] == ORIGIN
    assert headers["Access-Control-Allow-Methods"] == "GET, POST"
    allowed = headers["Access-Control-Allow-Headers"].lower()
    assert {"authorization", "x-api-key", "content-type"} <= set(allowed.split(", "))


@pytest.mark.parametrize(
    "origin", ["https://app.example.evil.test", "http://app.example", "null", "https://APP.example"]
)
def test_other_origins_get_no_leave(models: Path, origin: str) -> None:
    client = app_of(models, cors_origins=frozenset({ORIGIN})).test_client()

    for answer in (
        client.options("/predict", headers={**PREFLIGHT, "Origin": origin}),
        client.get("/models", headers={"Origin": origin}),
        client.get("/models"),
    ):
        assert "Access-Control-Allow-Origin" not in answer.headers
        assert answer.headers["Vary"] == "Origin"


def test_answers_and_errors_to_a_set_origin(models: Path) -> None:
    client = app_of(models, cors_origins=frozenset({ORIGIN}), api_keys=KEYS).test_client()

    for headers, status in (({}, 401), ({"X-API-Key": "secret"}, 200)):
        answer = client.get("/models", headers={"Origin": ORIGIN, **headers})
        assert answer.status_code == status
        assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
        assert "X-Request-Id" in answer.headers["Access-Control-Expose-Headers"]
        assert "Access-Control-Allow-Credentials" not in answer.headers


def test_all_that_an_answer_varies_by_is_one_header(models: Path) -> None:
    client = app_of(models, cors_origins=frozenset({ORIGIN})).test_client()
    headers = {"Origin": ORIGIN, "Accept-Encoding": "gzip"}

    answer = client.post("/models/iris/predict", json=[FLOWER] * 1000, headers=headers)

    assert answer.headers["Content-Encoding"] == "gzip"
    assert answer.headers.getlist("Vary") == ["Accept-Encoding, Origin"]


OUTSIDE = [
    "../outside",
    "..%2Foutside",
    "%2e%2e/outside",
    "%2e%2e%2foutside",
    "..%5coutside",
    "....//outside",
    "/etc",
    "%2Fetc%2Fpasswd",
    "shop%00",
    "shop/../../outside",
    "file:%2F%2F%2Fetc%2Fpasswd",
    "http:%2F%2F127.0.0.1%2F",
    ".",
    "..",
    "~root",
    "shop\udcff",
]


@pytest.fixture
def beside(models: Path, tmp_path: Path) -> Path:
    """A folder of models, with a model that answers beside it."""
    import shutil

    shutil.copytree(models / "shop", tmp_path / "models" / "shop")
    shutil.copytree(models / "shop", tmp_path / "outside")
    return tmp_path / "models"


@pytest.mark.parametrize("name", OUTSIDE)
@pytest.mark.parametrize(
    "path",
    [
        "/models/{}",
        "/models/{}/predict",
        "/models/shop/versions/{}/predict",
        "/models/{}/versions/1/predict",
        "/v1/models/{}:predict",
        "/v2/models/{}",
        "/v2/models/{}/infer",
        "/v2/models/shop/versions/{}/infer",
        "/{}",
    ],
)
def test_no_path_leads_out_of_the_models_folder(beside: Path, path: str, name: str) -> None:
    client = app_of(beside).test_client()

    for method in ("GET", "POST"):
        target = path.format(name.encode("utf-8", "surrogateescape").decode("latin-1"))
        answer = client.open(target, method=method, json={"instances": [SHOP]})
        assert answer.status_code in (400, 404, 405, 308), answer.data


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "shop\x00", "file:///etc", "shop/1"])
def test_no_body_leads_out_of_the_models_folder(beside: Path, name: str) -> None:
    client = app_of(beside).test_client()

    answer = client.post("/predict", json={"instances": [SHOP], "model": name})

    assert answer.status_code == 404
    assert answer.get_json()["detail"].startswith("no model '")


HEADERS = {
    "X-Original-URL": "/models/../../outside/predict",
    "X-Rewrite-URL": "/metrics",
    "X-Forwarded-Prefix": "/../outside",
    "X-HTTP-Method-Override": "DELETE",
    "X-Amzn-SageMaker-Target-Model": "../outside",
    "X-Sendfile": "/etc/passwd",
    "Range": "bytes=0-1",
    "Host": "127.0.0.1:22",
    "Expect": "x",
}


def test_no_header_leads_anywhere(beside: Path) -> None:
    client = app_of(beside).test_client()
    plain = client.post("/predict", json={"instances": [SHOP]})

    answer = client.post("/predict", json={"instances": [SHOP]}, headers=HEADERS)

    assert (answer.status_code, answer.data) == (200, plain.data)


@pytest.mark.parametrize(
    "path",
    [
        "/v2/systemsharedmemory/region/x/register",
        "/v2/systemsharedmemory/status",
        "/v2/cudasharedmemory/region/x/register",
        "/v2/repository/models/shop/load",
        "/v2/repository/models/..%2Foutside/load",
        "/v2/repository/models/shop/unload",
        "/v2/trace/setting",
        "/v2/logging",
        "/static/../app.py",
        "/static/x",
    ],
)
def test_what_would_load_or_map_is_not_there(beside: Path, path: str) -> None:
    client = app_of(beside).test_client()
    body = {"key": "/etc/passwd", "byte_size": 64, "offset": 0, "log_file": "/tmp/x"}  # noqa: S108

    assert client.post(path, json=body).status_code in (400, 404, 405)
