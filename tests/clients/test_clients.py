"""Each client's own test against a real server; then what it sent, as Lambda events."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from onnxlet.convert.sources.source import Source
from onnxlet.function.app import create_app
from onnxlet.function.aws.lambda_events import respond
from onnxlet.function.settings import Settings
from tests.clients.tape import Exchange, recording
from tests.conftest import ROOT, ran, running_server
from tests.events import CONTEXT, make_alb_event, make_v1_event, make_v2_event

pytestmark = pytest.mark.clients

HERE = Path(__file__).parent
MODELS = ("house-prices", "iris", "loan-default", "shop")
# MLflow's client can't name a model: it has a server of its own for each.
DEFAULTS: Mapping[str, tuple[str, ...]] = {"mlflow": MODELS}
CLIENTS = [
    (name, default)
    for name in sorted(path.stem.removeprefix("use_") for path in HERE.glob("use_*.py"))
    for default in DEFAULTS.get(name, ("",))
]
COMPRESSED: Mapping[str, set[str]] = {"tritonclient": {"gzip", "deflate"}}
EVENTS: tuple[Callable[..., dict[str, Any]], ...] = (make_v1_event, make_v2_event, make_alb_event)
HOPS = {"connection", "date", "server", "transfer-encoding", "x-request-id", "content-length"}


def rows_of(source: Source) -> list[Any]:
    """Held-out rows as JSON has them."""
    X = source.X_test
    if hasattr(X, "columns"):
        return list(X.astype(object).where(X.notna(), None).to_dict("records"))
    return list(X.tolist())


def given(models: Path, sources: Mapping[str, Source]) -> dict[str, Any]:
    """Rows of every model, and the native answers to them."""
    client = create_app(models, settings=Settings(models)).test_client()
    rows = {name: rows_of(source)[:20] for name, source in sources.items()}
    answers = {
        name: client.post(f"/models/{name}/predict", json={"instances": some}).json
        for name, some in rows.items()
    }
    return {"rows": rows, "answers": answers}


@contextmanager
def serving(models: Path, default: str, socket_port: int, log: Path) -> Iterator[int]:
    """The port of a server with a default model, or of the tests' own."""
    if not default:
        yield socket_port
        return
    with running_server(models, {**os.environ, "ONNXLET_DEFAULT_MODEL": default}, log) as server:
        yield server.port


@pytest.mark.parametrize(("name", "default"), CLIENTS)
def test_a_client(
    name: str,
    default: str,
    models: Path,
    sources: Mapping[str, Source],
    socket_port: int,
    tmp_path: Path,
) -> None:
    serve = serving(models, default, socket_port, tmp_path / "log")
    with serve as port, recording(port) as tape:
        here = {"address": f"127.0.0.1:{tape.port}", "default": default, **given(models, sources)}
        (tmp_path / "given.json").write_text(json.dumps(here))
        python = ROOT / f".venv-clients-{name}" / "bin" / "python"
        command = [str(python), "-m", "pytest", "-c", str(HERE / "clients.ini")]
        done = ran(
            [*command, str(HERE / f"use_{name}.py")],
            env={**os.environ, "ONNXLET_GIVEN": str(tmp_path / "given.json")},
        )
        exchanges = tape.exchanges()

    assert done.returncode == 0, done.stdout + done.stderr
    assert exchanges
    encodings = {exchange.response.headers.get("content-encoding") for exchange in exchanges}
    assert encodings >= COMPRESSED.get(name, set())
    app = create_app(models, settings=Settings(models, default_model=default or None))
    for exchange in exchanges:
        for make in EVENTS:
            assert as_event(app, make, exchange) == parsed(exchange), exchange.request


def as_event(app: Any, make: Callable[..., dict[str, Any]], exchange: Exchange) -> Any:
    """What Lambda answers to the same request."""
    method, path, _ = exchange.request.line.split()
    event = make(
        method=method,
        path=path,
        headers=exchange.request.headers,
        body=exchange.request.body or None,
        binary=True,
    )
    got = respond(app, event, CONTEXT)
    many = {k: ", ".join(v) for k, v in got.get("multiValueHeaders", {}).items()}
    headers = {k.lower(): v for k, v in {**many, **got.get("headers", {})}.items()}
    body = base64.b64decode(got["body"]) if got["isBase64Encoded"] else got["body"].encode()
    return comparable(path, got["statusCode"], headers, body)


def parsed(exchange: Exchange) -> Any:
    """What the server answered."""
    response = exchange.response
    path = exchange.request.line.split()[1]
    return comparable(path, int(response.line.split()[1]), response.headers, response.body)


def comparable(path: str, status: int, headers: Mapping[str, str], body: bytes) -> Any:
    """Without what belongs to the connection; counters count on."""
    kept = {name: value for name, value in headers.items() if name not in HOPS}
    return status, kept, None if path.endswith("/stats") else body
