"""Batches of requests from an SQS queue: each record is a native request, answered into a queue.

A record that can't be answered is reported by its id, so that the queue gives that one alone again
and at last puts it among its dead letters; its line in the log says why. Queues deliver at least
once: an answer bears the id of its request, the same at each delivery, and a FIFO queue of answers
takes it once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any, NamedTuple

from function import json_text, request_log
from function.dialects import native
from function.errors import MalformedRequest, OnnxletError
from function.exchange import failure_of
from function.service import Service, Stages

SOURCE = "aws:sqs"
ENTRIES = 10  # in one call to SQS
BYTES = 1024 * 1024  # in one call, and in one message
ATTRIBUTES = 9  # of a request that its answer bears, too: SQS has ten, and one is its id

Record = dict[str, Any]
Send = Callable[[list[dict[str, Any]]], Sequence[str]]


class Answered(NamedTuple):
    """A record with its answer, to be sent.

    Attributes:
        record: of the event.
        message: as SQS takes it, but for its place among others.
    """

    record: Record
    message: dict[str, Any]

    @property
    def size(self) -> int:
        """Bytes, as SQS counts them: the body, and each attribute's name, type and value."""
        attributes = self.message["MessageAttributes"].items()
        texts = [part for name, value in attributes for part in (name, *value.values())]
        return sum(len(text.encode()) for text in (self.message["MessageBody"], *texts))


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
    records: Sequence[Record], service: Service, send: Send, fifo: bool, log: request_log.Log
) -> dict[str, Any]:
    """Answer each record, send the answers, and tell which records failed.

    Args:
        records: of the event.
        service: answers.
        send: sends messages in one call, and returns the `Id` of each that was not taken.
        fifo: answers go to a FIFO queue.
        log: writes a line for each record.

    Returns:
        `{"batchItemFailures": [{"itemIdentifier": messageId}, ...]}`, in the records' order.
    """
    failed: set[str] = set()
    broken_groups: set[str | None] = set()
    answered = []
    for record in records:
        group = _group(record)
        found = None if group in broken_groups else _answer(record, service, fifo, log)
        if found is not None:
            answered.append(found)
            continue
        failed.add(record["messageId"])
        if group is not None:  # what is behind it in a FIFO queue has to stay behind it
            broken_groups.add(group)
    for part in _calls(answered):
        behind = {each.record["messageId"] for each in part if _group(each.record) in broken_groups}
        refused = _send([e for e in part if e.record["messageId"] not in behind], send, log)
        broken_groups |= {_group(e.record) for e in part if e.record["messageId"] in refused}
        broken_groups.discard(None)
        failed |= behind | refused
    in_order = (record["messageId"] for record in records if record["messageId"] in failed)
    return {"batchItemFailures": [{"itemIdentifier": each} for each in in_order]}


def _group(record: Record) -> str | None:
    """The group of a record from a FIFO queue."""
    group = (record.get("attributes") or {}).get("MessageGroupId")
    is_fifo = str(record.get("eventSourceARN", "")).endswith(".fifo")
    return str(group) if is_fifo and group is not None else None


def _answer(record: Record, service: Service, fifo: bool, log: request_log.Log) -> Answered | None:
    """The native answer; None where there is none, for which the log has the reason."""
    request_id = record["messageId"]
    stages, start = Stages(), time.perf_counter()
    entry: dict[str, Any] = {"method": "queue", "request_id": request_id}
    answered = None
    try:
        # What is no text in JSON (half a pair of surrogates) is refused as such.
        body_bytes = str(record.get("body") or "").encode("utf-8", "surrogatepass")
        call = native.from_object(json_text.loads(body_bytes))
        prediction = service.predict(call, request_id, stages=stages)
        answer = json_text.dumps(native.answer(prediction))
        stages.mark("encode")
        made = Answered(record, _message(record, answer.decode(), fifo))
        if made.size > BYTES:
            raise MalformedRequest(f"the answer has {made.size} bytes, a message at most {BYTES}")
        answered = made
        entry |= {"status": 200, "rows": prediction.rows}
    except OnnxletError as error:
        failure = failure_of(error)
        entry |= {"status": failure.status, "error": failure.kind}
    except Exception as error:  # one record's failure is not the others'
        request_log.fail(error, request_id=request_id)
        entry |= {"status": 500, "error": type(error).__name__}
    if stages.model is not None:
        entry |= {"model": stages.model.name, "version": stages.model.version}
    ms = round((time.perf_counter() - start) * 1e3, 3)
    log({**entry, "ms": ms, "stages": stages})
    return answered


def _calls(answered: Sequence[Answered]) -> Iterator[list[Answered]]:
    """Answers in as few calls as their number and their bytes allow."""
    part: list[Answered] = []
    size = 0
    for each in answered:
        # One of a group in a call, where order counts: SQS may take the second and not the first.
        ahead = _group(each.record) is not None and _group(each.record) in map(
            _group, (other.record for other in part)
        )
        if part and (len(part) == ENTRIES or size + each.size > BYTES or ahead):
            yield part
            part, size = [], 0
        part.append(each)
        size += each.size
    if part:
        yield part


def _send(part: Sequence[Answered], send: Send, log: request_log.Log) -> set[str]:
    """Send some answers; the ids of the records whose answers were not taken."""
    if not part:
        return set()
    entries = [{"Id": str(place), **each.message} for place, each in enumerate(part)]
    try:
        refused = set(send(entries))
        why = "NotTaken"
    except Exception as error:  # botocore's, of many classes
        refused, why = {str(place) for place in range(len(part))}, type(error).__name__
    failed = {part[int(place)].record["messageId"] for place in refused}
    for message_id in sorted(failed):
        log({"method": "answer", "request_id": message_id, "status": 502, "error": why})
    return failed


def _message(record: Record, body: str, fifo: bool) -> dict[str, Any]:
    attributes = {"request_id": {"DataType": "String", "StringValue": record["messageId"]}}
    for name, value in list((record.get("messageAttributes") or {}).items())[:ATTRIBUTES]:
        if name != "request_id" and value.get("dataType") == "String" and value.get("stringValue"):
            attributes[name] = {"DataType": "String", "StringValue": value["stringValue"]}
    message: dict[str, Any] = {"MessageBody": body, "MessageAttributes": attributes}
    if fifo:
        message["MessageGroupId"] = _group(record) or record["messageId"]
        message["MessageDeduplicationId"] = record["messageId"]
    return message


@cache
def sender(queue_url: str) -> Send:
    """Sends to a queue by boto3, which is Lambda's own and not in the bundle."""
    import boto3

    client = boto3.client("sqs")

    def send(entries: list[dict[str, Any]]) -> list[str]:
        done = client.send_message_batch(QueueUrl=queue_url, Entries=entries)
        return [entry["Id"] for entry in done.get("Failed", ())]

    return send
