"""Batches of requests from an SQS queue: each record is a native request, answered into a queue.

A record that can't be answered is reported by its id, so that the queue delivers only that one
again and at last moves it to its dead letters; its line in the log says why. One that takes long
does not keep the others waiting: each has half of the time that is left, answers are sent as they
come, and what took too long is tried once more with all the time that is left. Queues deliver at
least once: an answer has the id of its request, the same at each delivery, and a FIFO queue of
answers takes it once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import cache
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, NamedTuple

from onnxlet.function import deadline, json_text, request_log
from onnxlet.function.aws.native_events import UNKNOWN_SECONDS, answer_logged
from onnxlet.function.errors import MalformedRequest, TookTooLong
from onnxlet.function.messages import Failure, Prediction, PredictRequest
from onnxlet.function.protocols import native
from onnxlet.function.protocols.shared import forms
from onnxlet.function.serving.service import Service

ENTRIES = 10  # in one call: SQS's limit
BYTES = 1024 * 1024  # in one call, and in one message: SQS's limits
GATHER_SECONDS = 0.05  # that an answer waits for others, which the same call takes
TRY_SECONDS = 5  # for SQS to take a connection, or to answer

Record = dict[str, Any]
Send = Callable[[list[dict[str, Any]]], Sequence[str]]


class RecordAnswer(NamedTuple):
    """A record with its answer, to be sent."""

    record: Record  # of the event
    message: dict[str, Any]  # as SQS takes it, but for the `Id` that it has among others in a call

    @property
    def id(self) -> str:
        """The record's `messageId`."""
        return str(self.record["messageId"])

    @property
    def size(self) -> int:
        """Bytes, as SQS counts them: the body, and each attribute's name, type and value."""
        attributes = self.message["MessageAttributes"].items()
        texts = [part for name, value in attributes for part in (name, *value.values())]
        return sum(len(text.encode()) for text in (self.message["MessageBody"], *texts))


def group_of(record: Record) -> str | None:
    """The group of a record from a FIFO queue; None for one of another queue."""
    group = (record.get("attributes") or {}).get("MessageGroupId")
    is_fifo = str(record.get("eventSourceARN", "")).endswith(".fifo")
    return str(group) if is_fifo and group is not None else None


class AnswersQueue:
    """Sends what it is given, several answers in a call where they come close together.

    An answer that was not taken has a line in the log.
    """

    def __init__(self, send: Send, log: request_log.Log) -> None:
        self.taken: set[str] = set()  # ids of the records whose answers are in the queue
        self._send, self._log = send, log
        self._broken_groups: set[str] = set()
        self._given: SimpleQueue[RecordAnswer | None] = SimpleQueue()
        self._thread = Thread(target=self._run, name="answers", daemon=True)
        self._thread.start()

    def put(self, answered: RecordAnswer) -> None:
        """Have an answer sent by the thread, within `GATHER_SECONDS` if that is free."""
        self._given.put(answered)

    def end(self, seconds: float) -> None:
        """Send the remaining answers; give up after so many seconds."""
        self._given.put(None)
        self._thread.join(max(0.0, seconds))

    def _run(self) -> None:
        part, due = list[RecordAnswer](), 0.0
        while True:
            try:
                each = self._given.get(
                    timeout=max(0.0, due - time.perf_counter()) if part else None
                )
            except Empty:
                self._call(part)
                part = []
                continue
            if each is None or not _fits(each, part):
                self._call(part)
                part = []
            if each is None:
                return
            if not part:
                due = time.perf_counter() + GATHER_SECONDS
            part.append(each)

    def _call(self, part: Sequence[RecordAnswer]) -> None:
        """Send some answers; what is behind one of its group that was not taken is not sent."""
        part = [each for each in part if group_of(each.record) not in self._broken_groups]
        if not part:
            return
        entries = [{"Id": str(index), **each.message} for index, each in enumerate(part)]
        try:
            refused = set(self._send(entries))
            why = "NotTaken"
        except Exception as error:  # botocore's, of many classes
            refused, why = {entry["Id"] for entry in entries}, type(error).__name__
        for entry, each in zip(entries, part, strict=True):
            if entry["Id"] not in refused:
                self.taken.add(each.id)
                continue
            if (group := group_of(each.record)) is not None:
                self._broken_groups.add(group)
            self._log({"method": "answer", "request_id": each.id, "status": 502, "error": why})


def _fits(each: RecordAnswer, part: Sequence[RecordAnswer]) -> bool:
    """Whether one call takes this answer, too.

    One of a group in a call, where order counts: SQS may take the second and not the first.
    """
    group = group_of(each.record)
    behind = group is not None and group in [group_of(other.record) for other in part]
    size = sum(other.size for other in part) + each.size
    return len(part) < ENTRIES and size <= BYTES and not behind


@cache
def sender(queue_url: str) -> Send:
    """Sends to a queue by boto3, which is Lambda's own and not in the bundle."""
    import boto3
    from botocore.config import Config

    # A queue that does not answer must not take the time of the whole batch.
    tries = {"total_max_attempts": 2}
    config = Config(connect_timeout=TRY_SECONDS, read_timeout=TRY_SECONDS, retries=tries)
    client = boto3.client("sqs", config=config)

    def send(entries: list[dict[str, Any]]) -> list[str]:
        done = client.send_message_batch(QueueUrl=queue_url, Entries=entries)
        return [entry["Id"] for entry in done.get("Failed", ())]

    return send


SOURCE = "aws:sqs"
ATTRIBUTES = 9  # of a request that its answer bears, too: SQS has ten, and one is its id
RESERVE_SECONDS = 2.0  # kept to send the last answers and to report
RESERVE_SHARE = 0.2  # ... of a short time at most


def is_batch(event: Any) -> bool:
    """Records from SQS, and from nowhere else."""
    records = event.get("Records") if isinstance(event, dict) else None
    if not (isinstance(records, list) and records):
        return False
    return all(
        isinstance(record, dict)
        and record.get("eventSource") == SOURCE
        and isinstance(record.get("messageId"), str)
        for record in records
    )


def answer_batch(
    records: Sequence[Record],
    service: Service,
    send: Send,
    fifo: bool,
    log: request_log.Log,
    seconds: float = UNKNOWN_SECONDS,
) -> dict[str, Any]:
    """Answer each record, send the answers as they come, and report which records failed.

    `fifo` says that answers go to a FIFO queue; `seconds` are left of this invocation. Returns
    `{"batchItemFailures": [{"itemIdentifier": messageId}, ...]}`, in the records' order.
    """
    ends = time.perf_counter() + seconds
    reserve = min(RESERVE_SECONDS, seconds * RESERVE_SHARE)
    answers = AnswersQueue(send, log)
    batch = _Batch(service, answers, fifo, log, ends - reserve)
    with deadline.watched(seconds):
        late = batch.answer(records)
        if late and time.perf_counter() < ends - reserve:  # once more, in the time that is left
            batch.answer(late)
    answers.end(ends - reserve / 4 - time.perf_counter())
    ids = (record["messageId"] for record in records)
    return {"batchItemFailures": [{"itemIdentifier": i} for i in ids if i not in answers.taken]}


class _Batch:
    """What is known while a batch is answered."""

    def __init__(
        self, service: Service, answers: AnswersQueue, fifo: bool, log: request_log.Log, ends: float
    ) -> None:
        self._service, self._answers = service, answers
        self._fifo, self._log = fifo, log
        self._ends = ends  # on the clock of time.perf_counter
        self._broken_groups: set[str | None] = set()

    def answer(self, records: Sequence[Record]) -> list[Record]:
        """Answer records, each within half of the time that is left.

        Returns those that took too long, and what is behind them in a FIFO queue.
        """
        late: list[Record] = []
        for number, record in enumerate(records):
            group = group_of(record)
            # What is behind a failure of its group in a FIFO queue has to stay behind it.
            if group is not None and group in self._broken_groups:
                continue
            if group is not None and group in map(group_of, late):
                late.append(record)
                continue
            now = time.perf_counter()
            # Half of the remaining time, all of it for the last record: equal parts could be just
            # too short for every one of them, and nothing would ever be answered.
            part = (self._ends - now) / min(2, len(records) - number)
            deadline.begin(now, min(part, self._service.settings.max_seconds))
            try:
                answer = self._answer(record)
            finally:  # a failing log, too, must not leave its deadline to the next invocation
                deadline.end()
            if isinstance(answer, Failure) and answer.kind == TookTooLong.__name__:
                late.append(record)
            elif isinstance(answer, Failure) and group is not None:
                self._broken_groups.add(group)
        return late

    def _answer(self, record: Record) -> RecordAnswer | Failure:
        """The answer, which is on its way; or why there is none, which is in the log, too."""
        entry = {"method": "queue", "request_id": record["messageId"]}

        def encode(prediction: Prediction, request: PredictRequest) -> RecordAnswer | Failure:
            body = json_text.dumps(forms.answer(prediction)).decode()
            answered = RecordAnswer(record, _message(record, body, self._fifo))
            if answered.size > BYTES:
                raise MalformedRequest(
                    f"the answer has {answered.size} bytes, a message at most {BYTES}"
                )
            return answered

        answer = answer_logged(
            self._service, self._log, entry, lambda: _decode(record), encode, lambda why: why
        )
        if isinstance(answer, RecordAnswer):
            self._answers.put(answer)
        return answer


def _decode(record: Record) -> PredictRequest:
    deadline.check()
    # What is no text in JSON (half a pair of surrogates) is refused as such.
    body = str(record.get("body") or "").encode("utf-8", "surrogatepass")
    return native.from_object(json_text.loads(body))


def _message(record: Record, body: str, fifo: bool) -> dict[str, Any]:
    attributes = {"request_id": {"DataType": "String", "StringValue": record["messageId"]}}
    for name, value in list((record.get("messageAttributes") or {}).items())[:ATTRIBUTES]:
        if name != "request_id" and value.get("dataType") == "String" and value.get("stringValue"):
            attributes[name] = {"DataType": "String", "StringValue": value["stringValue"]}
    return json_text.without_none(
        {
            "MessageBody": body,
            "MessageAttributes": attributes,
            "MessageGroupId": (group_of(record) or record["messageId"]) if fifo else None,
            "MessageDeduplicationId": record["messageId"] if fifo else None,
        }
    )
