"""SQS batches: each record answered, reported or left, and its answer sent."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from onnxlet.function import deadline, request_log
from onnxlet.function.app import SERVICE
from onnxlet.function.aws import queue_events
from onnxlet.function.aws.queue_events import answer_batch, is_batch
from onnxlet.function.errors import TookTooLong
from onnxlet.function.serving.service import Service
from tests.conftest import app_of
from tests.events import make_sqs_event
from tests.function.serving.test_predict import SHOP
from tests.function.slow_models import add_slow

GOOD = json.dumps({"instances": [SHOP], "model": "shop"})
BAD = json.dumps({"instances": [{**SHOP, "count": "canary"}], "model": "shop"})
ANSWER = {"model": "shop", "version": 1, "prediction": [True]}


@pytest.fixture(autouse=True)
def calls_are_full(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers wait for others as long as the batch lasts, so that calls are the same each time."""
    monkeypatch.setattr(queue_events, "GATHER_SECONDS", 60)


@pytest.fixture(scope="module")
def service(models: Path) -> Service:
    served: Service = app_of(models).extensions[SERVICE]
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


def test_only_the_record_that_breaks_the_function_fails(models: Path) -> None:
    class Broken(Service):
        def predict(self, call: Any, model: Any, request_id: str, stages: Any) -> Any:
            if request_id == "message-0":
                raise RuntimeError("canary")
            return super().predict(call, model, request_id, stages)

    made = app_of(models).extensions[SERVICE]
    broken = Broken(*made)

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


@pytest.mark.long
def test_a_record_that_computes_for_long_keeps_nobody_waiting(
    service: Service, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_events, "GATHER_SECONDS", 0)
    monkeypatch.setattr(deadline, "_watchdog", None)  # as on Lambda, whatever ran before
    add_slow(models / "iris" / "1", tmp_path / "slow" / "1", turns=10**11)
    add_slow(models / "shop" / "1", tmp_path / "shop" / "1", turns=0)
    slow: Service = app_of(tmp_path).extensions[SERVICE]
    endless = json.dumps({"instances": [[5.1, 3.5, 1.4, 0.2]], "model": "slow"})
    happened: list[str] = []

    class Noting(Queue):
        def send(self, entries: list[dict[str, Any]]) -> list[str]:
            happened.append("sent")
            return super().send(entries)

    def log(entry: dict[str, Any]) -> None:
        happened.append(f"{entry['request_id']} {entry.get('error')}")

    queue, event = Noting(), make_sqs_event([GOOD, GOOD, endless, GOOD])
    # Each part of it is longer than a busy machine stops a process for.
    answer = answer_batch(event["Records"], slow, queue.send, False, log, seconds=10)

    assert failed(answer) == ["message-2"]
    assert sum(map(len, queue.calls)) == 3
    # Twice: within its part of the time, and with all that the others left.
    assert happened.count("message-2 TookTooLong") == 2
    assert happened.index("sent") < happened.index("message-2 TookTooLong")
    assert happened.index("message-3 None") < len(happened) - 1
    assert deadline._watchdog is None


class Late(Service):
    """Takes too long for some records, the first time that it is asked."""

    late: frozenset[str]
    asked: list[str]

    def predict(self, call: Any, model: Any, request_id: str, stages: Any) -> Any:
        self.asked.append(request_id)
        if request_id in self.late and self.asked.count(request_id) == 1:
            raise TookTooLong("no answer within a second")
        return super().predict(call, model, request_id, stages)


@pytest.fixture
def late(service: Service) -> Late:
    made = Late(*service)
    object.__setattr__(made, "late", frozenset(["message-1"]))
    object.__setattr__(made, "asked", [])
    return made


def test_what_took_too_long_is_tried_again_once_the_others_are_answered(late: Late) -> None:
    assert run(late, Queue(), make_sqs_event([GOOD] * 4)) == []
    assert [request_id[-1] for request_id in late.asked] == ["0", "1", "2", "3", "1"]


def test_what_is_behind_it_in_a_fifo_queue_waits_for_it(late: Late) -> None:
    queue = Queue()
    event = make_sqs_event([GOOD, GOOD, GOOD, GOOD, BAD, GOOD], groups=[*"abbabb"])

    assert run(late, queue, event, fifo=True) == ["message-4", "message-5"]
    assert [request_id[-1] for request_id in late.asked] == ["0", "1", "3", "1", "2", "4"]
    sent = [entry["MessageDeduplicationId"][-1] for call in queue.calls for entry in call]
    assert sent == ["0", "3", "1", "2"]


def test_of_records_that_take_as_long_as_each_other_some_are_answered(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    for module in (deadline, queue_events):
        monkeypatch.setattr(module, "time", clock)
    monkeypatch.setattr(queue_events, "RESERVE_SECONDS", 20)

    class Steady(Service):
        def predict(self, call: Any, model: Any, request_id: str, stages: Any) -> Any:
            clock.now += 16.5
            deadline.check()
            return super().predict(call, model, request_id, stages)

    steady = Steady(*service)
    queue, event = Queue(), make_sqs_event([GOOD] * 5)
    # Equal parts of what is left would be 16 seconds.
    answer = answer_batch(event["Records"], steady, queue.send, False, request_log.write, 100)

    assert failed(answer) == ["message-3", "message-4"]


class Clock:
    """Stands for the module `time`: it goes on when a test says so."""

    now = 0.0

    def perf_counter(self) -> float:
        return self.now


def test_when_the_time_is_over_the_rest_is_reported(service: Service) -> None:
    queue, event = Queue(), make_sqs_event([GOOD] * 3)
    answer = answer_batch(event["Records"], service, queue.send, False, request_log.write, 0)

    assert failed(answer) == ["message-0", "message-1", "message-2"]
    assert queue.calls == []


def test_a_queue_of_answers_that_hangs_does_not_take_all_the_time(service: Service) -> None:
    let_go = threading.Event()

    def hang(entries: list[dict[str, Any]]) -> list[str]:
        let_go.wait(30)
        return []

    event = make_sqs_event([GOOD] * 2)
    answer = answer_batch(event["Records"], service, hang, False, request_log.write, seconds=1)
    let_go.set()

    assert failed(answer) == ["message-0", "message-1"]


def test_a_failing_log_leaves_no_deadline_to_the_next_invocation(service: Service) -> None:
    def log(entry: dict[str, Any]) -> None:
        raise ValueError(entry["method"])

    with pytest.raises(ValueError, match="queue"):
        answer_batch(make_sqs_event([GOOD])["Records"], service, Queue().send, False, log, 0.1)

    time.sleep(0.2)
    deadline.check()
