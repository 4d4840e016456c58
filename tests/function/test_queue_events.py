"""SQS batches: each record answered, reported or left, and its answer sent."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from function import queue_events, request_log
from function.app import SERVICE, create_app
from function.queue_events import answer_batch, is_batch
from function.service import Service
from function.settings import Settings
from tests.events import make_sqs_event
from tests.function.test_predict import SHOP

GOOD = json.dumps({"instances": [SHOP], "model": "shop"})
BAD = json.dumps({"instances": [{**SHOP, "count": "canary"}], "model": "shop"})
ANSWER = {"model": "shop", "version": 1, "prediction": [True]}


@pytest.fixture(scope="module")
def service(models: Path) -> Service:
    served: Service = create_app(models, settings=Settings(models)).extensions[SERVICE]
    return served


class Queue:
    """Takes messages as SQS does, or refuses those of some requests."""

    def __init__(self, refused: Sequence[str] = (), away: bool = False) -> None:
        self.calls: list[list[dict[str, Any]]] = []
        self._refused, self._away = refused, away

    def send(self, entries: list[dict[str, Any]]) -> list[str]:
        if self._away:
            raise ConnectionError("canary")
        self.calls.append(entries)
        ids = [entry["MessageAttributes"]["request_id"]["StringValue"] for entry in entries]
        places = [entry["Id"] for entry in entries]
        assert len(set(places)) == len(places) <= queue_events.ENTRIES
        return [place for place, sent in zip(places, ids, strict=True) if sent in self._refused]


def failed(answer: dict[str, Any]) -> list[str]:
    assert list(answer) == ["batchItemFailures"]
    return [entry["itemIdentifier"] for entry in answer["batchItemFailures"]]


def run(service: Service, queue: Queue, event: dict[str, Any], fifo: bool = False) -> list[str]:
    return failed(answer_batch(event["Records"], service, queue.send, fifo, request_log.write))


def test_each_record_is_answered_by_the_native_answer(service: Service) -> None:
    queue = Queue()

    assert run(service, queue, make_sqs_event([GOOD] * 23)) == []
    assert [len(call) for call in queue.calls] == [10, 10, 3]
    sent = [entry for call in queue.calls for entry in call]
    for number, entry in enumerate(sent):
        body = json.loads(entry["MessageBody"])
        assert {key: body[key] for key in ANSWER} == ANSWER
        assert entry["MessageAttributes"] == {
            "request_id": {"DataType": "String", "StringValue": f"message-{number}"}
        }
        assert "MessageGroupId" not in entry


@pytest.mark.parametrize("bad", [BAD, "", "not json", "[]", '{"instances": 3}', "\ud800", "3"])
def test_a_bad_record_is_reported_and_the_others_are_answered(
    service: Service, bad: str, capfd: pytest.CaptureFixture[str]
) -> None:
    queue = Queue()

    assert run(service, queue, make_sqs_event([GOOD, bad, GOOD])) == ["message-1"]
    assert [len(call) for call in queue.calls] == [2]
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    assert [line["status"] < 300 for line in lines] == [True, False, True]
    assert lines[1]["request_id"] == "message-1"
    assert lines[1]["error"]
    assert "canary" not in json.dumps(lines)


def test_answers_that_are_not_taken_are_failures_of_their_records(
    service: Service, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(service, Queue(refused=["message-2"]), make_sqs_event([GOOD] * 4)) == ["message-2"]
    away = run(service, Queue(away=True), make_sqs_event([GOOD, BAD, GOOD]))
    assert away == ["message-0", "message-1", "message-2"]
    log = capfd.readouterr().err
    assert '"error":"ConnectionError"' in log
    assert "canary" not in log


def test_a_record_that_breaks_the_function_fails_alone(models: Path) -> None:
    class Broken(Service):
        def predict(self, call: Any, request_id: str, *args: Any, **more: Any) -> Any:
            if request_id == "message-0":
                raise RuntimeError("canary")
            return super().predict(call, request_id, *args, **more)

    made = create_app(models, settings=Settings(models)).extensions[SERVICE]
    broken = Broken(made.settings, made.repository)

    assert run(broken, Queue(), make_sqs_event([GOOD, GOOD])) == ["message-0"]


def test_an_answer_is_the_same_at_each_delivery(service: Service) -> None:
    first, second = Queue(), Queue()
    for queue in (first, second):
        run(service, queue, make_sqs_event([GOOD, GOOD]), fifo=True)

    assert first.calls == second.calls
    call = [entry for each in first.calls for entry in each]
    assert [entry["MessageDeduplicationId"] for entry in call] == ["message-0", "message-1"]


def test_what_follows_a_failure_in_its_group_stays_behind_it(service: Service) -> None:
    queue = Queue()
    event = make_sqs_event([GOOD, BAD, GOOD, GOOD], groups=["a", "b", "b", "a"])

    assert run(service, queue, event, fifo=True) == ["message-1", "message-2"]
    assert [entry["MessageGroupId"] for call in queue.calls for entry in call] == ["a", "a"]


def test_attributes_of_the_request_come_along(service: Service) -> None:
    queue = Queue()
    event = make_sqs_event([GOOD])
    event["Records"][0]["messageAttributes"] = {
        "reply": {"dataType": "String", "stringValue": "x"},
        "request_id": {"dataType": "String", "stringValue": "forged"},
        "bytes": {"dataType": "Binary", "binaryValue": "eA=="},
        **{f"a{n}": {"dataType": "String", "stringValue": "y"} for n in range(9)},
    }
    run(service, queue, event)

    sent = queue.calls[0][0]["MessageAttributes"]
    assert sent["reply"]["StringValue"] == "x"
    assert sent["request_id"]["StringValue"] == "message-0"
    assert "bytes" not in sent
    assert len(sent) <= 10


def test_large_answers_go_in_calls_of_their_own(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = Queue()
    monkeypatch.setattr(queue_events, "BYTES", 200)
    assert run(service, queue, make_sqs_event([GOOD] * 3)) == []
    assert [len(call) for call in queue.calls] == [1, 1, 1]

    monkeypatch.setattr(queue_events, "BYTES", 50)
    assert run(service, Queue(), make_sqs_event([GOOD])) == ["message-0"]


def test_attributes_count_as_bytes_too(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    event = make_sqs_event([GOOD] * 3)
    for record in event["Records"]:
        record["messageAttributes"] = {"reply": {"dataType": "String", "stringValue": "é" * 500}}
    queue = Queue()
    monkeypatch.setattr(queue_events, "BYTES", 2500)
    assert run(service, queue, event) == []
    assert [len(call) for call in queue.calls] == [2, 1]

    monkeypatch.setattr(queue_events, "BYTES", 1000)
    assert run(service, Queue(), event) == ["message-0", "message-1", "message-2"]


def test_an_answer_that_is_not_taken_holds_back_what_is_behind_it(service: Service) -> None:
    queue = Queue(refused=["message-0"])
    event = make_sqs_event([GOOD] * 4, groups=["a", "b", "a", "b"])

    assert run(service, queue, event, fifo=True) == ["message-0", "message-2"]
    sent = [entry["MessageDeduplicationId"] for call in queue.calls for entry in call]
    assert sent == ["message-0", "message-1", "message-3"]


@pytest.mark.parametrize(
    "event",
    [
        {"Records": []},
        {"Records": [{"eventSource": "aws:s3", "messageId": "a"}]},
        {"Records": [{"eventSource": "aws:sqs"}]},
        {"Records": ["x"]},
        {"Records": "x"},
        [],
        None,
    ],
)
def test_what_is_no_batch(event: Any) -> None:
    assert not is_batch(event)
    assert is_batch(make_sqs_event(["x"]))
