"""However a request comes, it is predicted, counted, logged and refused by the same function."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from onnxlet.function import errors
from onnxlet.function.app import SERVICE, create_app
from onnxlet.function.aws import native_events, queue_events
from onnxlet.function.errors import InvalidRows, OnnxletError, Problem, TookTooLong
from onnxlet.function.models.model import Model
from onnxlet.function.serving.service import Service
from onnxlet.function.settings import Settings
from tests.events import make_sqs_event
from tests.function.serving.test_predict import SHOP

CONTEXT = SimpleNamespace(aws_request_id="message-0")
LINE = ("request_id", "status", "error", "model", "version", "rows")
Lines = list[dict[str, Any]]


def by_http(app: Any, body: Any, lines: Lines) -> Any:
    headers = {"X-Request-Id": "message-0"}
    return app.test_client().post("/predict", json=body, headers=headers).get_json()


def by_invocation(app: Any, body: Any, lines: Lines) -> Any:
    return native_events.invoke(app.extensions[SERVICE], body, CONTEXT, lines.append)


def by_queue(app: Any, body: Any, lines: Lines) -> Any:
    sent: list[dict[str, Any]] = []

    def send(entries: list[dict[str, Any]]) -> list[str]:
        sent.extend(entries)
        return []

    records = make_sqs_event([json.dumps(body)])["Records"]
    queue_events.answer_batch(records, app.extensions[SERVICE], send, False, lines.append)
    return json.loads(sent[0]["MessageBody"]) if sent else None


WAYS = {"HTTP": by_http, "invocation": by_invocation, "queue": by_queue}


@pytest.fixture(params=WAYS)
def ask(request: pytest.FixtureRequest, models: Path) -> Callable[[Any], Any]:
    """Sends a body; returns the answer, its line in the log, and what was counted of the model."""
    lines: Lines = []
    app = create_app(models, settings=Settings(models), log=lines.append)
    service: Service = app.extensions[SERVICE]

    def send(body: Any) -> Any:
        answer = WAYS[request.param](app, body, lines)
        *before, line = lines
        assert not before or request.param == "queue"  # which tries again what took too long
        count = service.counts.of("shop", 1)
        assert 0 <= sum(line["stages"].values()) <= line["ms"]
        return answer, {key: line[key] for key in LINE if key in line}, count

    send.way = request.param  # type: ignore[attr-defined] # read by the tests
    return send


def test_what_is_answered_is_counted_and_logged(ask: Callable[[Any], Any]) -> None:
    answer, line, count = ask({"instances": [SHOP, SHOP], "model": "shop"})

    assert (answer["model"], answer["prediction"]) == ("shop", [True, True])
    assert line == {
        "request_id": "message-0",
        "status": 200,
        "model": "shop",
        "version": 1,
        "rows": 2,
    }
    assert (count.answered, count.rows, count.refused) == (1, 2, 0)
    assert set(count.stages_ns) == {"compute_input", "compute_infer", "compute_output"}
    assert all(count.stages_ns.values())


@pytest.mark.parametrize(
    ("body", "status", "error", "chosen"),
    [
        ({"instances": [{**SHOP, "count": "x"}], "model": "shop"}, 422, "InvalidRows", True),
        ({"instances": 3, "model": "shop"}, 400, "MalformedRequest", True),
        ({"instances": [SHOP], "model": "no"}, 404, "UnknownModel", False),
        ({"instances": [SHOP]}, 404, "UnknownModel", False),
    ],
)
def test_what_is_refused_is_counted_and_logged(
    ask: Callable[[Any], Any], body: Any, status: int, error: str, chosen: bool
) -> None:
    answer, line, count = ask(body)

    assert answer is None if ask.way == "queue" else answer["status"] == status  # type: ignore[attr-defined] # of the fixture
    named = {"model": "shop", "version": 1} if chosen else {}
    assert line == {"request_id": "message-0", "status": status, "error": error, **named}
    assert (count.answered, count.rows, count.refused) == (0, 0, int(chosen))
    assert (count.refused_ms > 0) is chosen


def every_class() -> list[type[BaseException]]:
    """Errors of ours, and of other kinds that a model or a front end could raise."""
    ours = [each for each in vars(errors).values() if isinstance(each, type)]
    raised = [each for each in ours if issubclass(each, OnnxletError)]
    return [*raised, RuntimeError, KeyError, MemoryError, RecursionError, UnicodeError, OSError]


@pytest.mark.parametrize("kind", every_class(), ids=lambda kind: kind.__name__)
def test_errors_of_every_class_are_answers(
    ask: Callable[[Any], Any],
    kind: type[Exception],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    made = kind([Problem(0, None, "canary")]) if kind is InvalidRows else kind("canary")

    def broken(*args: Any, **more: Any) -> Any:
        raise made

    monkeypatch.setattr(Model, "run", broken)
    answer, line, count = ask({"instances": [SHOP], "model": "shop"})

    status = getattr(made, "status", 500)
    assert answer is None if ask.way == "queue" else answer["status"] == status  # type: ignore[attr-defined] # of the fixture
    assert line["status"] == status
    tries = 2 if kind is TookTooLong and ask.way == "queue" else 1  # type: ignore[attr-defined] # of the fixture
    assert (count.answered, count.refused) == (0, tries)
    if not isinstance(made, OnnxletError):
        log = capfd.readouterr().err
        assert "canary" not in json.dumps([answer, line]) + log
        assert "in broken" in log  # where it happened
        assert (line["error"], line["model"]) == (kind.__name__, "shop")
        told = "the server failed; its log has the request id"
        assert answer is None or (answer["title"], answer["detail"]) == (
            "Internal Server Error",
            told,
        )
