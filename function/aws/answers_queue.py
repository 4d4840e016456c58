"""Sends answers into an SQS queue as they come, by a thread beside the one that computes them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import cache
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, NamedTuple

from onnxlet.function import request_log

ENTRIES = 10  # in one call: SQS's limit
BYTES = 1024 * 1024  # in one call, and in one message: SQS's limits
GATHER_SECONDS = 0.05  # that an answer waits for others, which the same call takes
TRY_SECONDS = 5  # for SQS to take a connection, or to answer

Record = dict[str, Any]
Send = Callable[[list[dict[str, Any]]], Sequence[str]]


class Answered(NamedTuple):
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
        self._given: SimpleQueue[Answered | None] = SimpleQueue()
        self._thread = Thread(target=self._run, name="answers", daemon=True)
        self._thread.start()

    def put(self, answered: Answered) -> None:
        """Have an answer sent by the thread, within `GATHER_SECONDS` if that is free."""
        self._given.put(answered)

    def end(self, seconds: float) -> None:
        """Send the remaining answers; give up after so many seconds."""
        self._given.put(None)
        self._thread.join(max(0.0, seconds))

    def _run(self) -> None:
        part: list[Answered] = []
        due = 0.0
        while True:
            wait = max(0.0, due - time.perf_counter()) if part else None
            try:
                each = self._given.get(timeout=wait)
            except Empty:
                self._call(part)
                part = []
                continue
            if each is None:
                self._call(part)
                return
            if part and not _fits(each, part):
                self._call(part)
                part = []
            if not part:
                due = time.perf_counter() + GATHER_SECONDS
            part.append(each)

    def _call(self, part: Sequence[Answered]) -> None:
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


def _fits(each: Answered, part: Sequence[Answered]) -> bool:
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
