"""One connection's readings, answered one after another, as long as it lasts."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import NamedTuple

from paho.mqtt.client import MQTTMessage
from paho.mqtt.reasoncodes import ReasonCode

from onnxlet.edge.mqtt.backlog import Backlog
from onnxlet.edge.mqtt.readings import STATUS, Answer, answer_to
from onnxlet.edge.net.mqtt_link import Link
from onnxlet.edge.settings.mqtt import MqttOptions
from onnxlet.function import request_log
from onnxlet.function.messages import Failure
from onnxlet.function.protocols import native

IDLE_SECONDS = 0.5
STATUS_SECONDS = 60.0
RECEIVED_AT_ONCE = 500  # packets, between two answers
ENDING_SECONDS = 5.0
HEAD_BYTES = 1000  # of a packet beside its topic, payload and correlation data

Respond = Callable[[MQTTMessage], tuple[int, str, bytes]]


class Counts(NamedTuple):
    """What became of readings in this process.

    Attributes:
        answered: with a prediction.
        refused: with a problem.
        unwanted: whose answer the broker did not take.
    """

    answered: int = 0
    refused: int = 0
    unwanted: int = 0


class Session:
    """Answers what comes by one connection.

    Args:
        link: open and subscribed.
        options: as they are set.
        respond: answers a reading.
        backlog: readings that wait, of the connection before, too.
        counts: of the connection before.
        log: told what the broker does not take.
    """

    def __init__(
        self,
        link: Link,
        options: MqttOptions,
        respond: Respond,
        backlog: Backlog,
        counts: Counts,
        log: request_log.Log = request_log.write,
    ) -> None:
        self.counts = counts
        self._link = link
        self._options = options
        self._respond = respond
        self._backlog = backlog
        self._log = log
        self._under_way: dict[int, MQTTMessage | None] = {}  # publications not yet acknowledged
        self._status: tuple[float, bytes] = (0.0, b"")

    def run(self, goes_on: Callable[[], bool]) -> None:
        """Answer as long as it goes on.

        Raises:
            LinkLost: the connection is gone.
        """
        while goes_on():
            self._tell()
            busy = len(self._backlog) and len(self._under_way) < self._options.backlog
            self._receive(0 if busy else IDLE_SECONDS)
            if busy:
                self._answer(self._backlog.next())
        self._end()

    def _receive(self, seconds: float) -> None:
        """Take in all that has come, so that of a flood the newest is kept, not the oldest."""
        self._link.loop(seconds)
        for _ in range(RECEIVED_AT_ONCE):
            if not self._settle():
                break
            self._link.loop(0)

    def _settle(self) -> bool:
        """Take in readings, and the broker's word on answers; whether there was any."""
        some = bool(self._link.messages or self._link.published)
        while self._link.messages:
            self._backlog.add(self._link.messages.popleft())
        while self._link.published:
            number, code = self._link.published.popleft()
            message = self._under_way.pop(number, None)
            if code.is_failure:
                self._unwanted(code)
            if message is not None and message.qos:
                self._link.acknowledge(message)
        return some

    def _answer(self, message: MQTTMessage) -> None:
        status, media_type, body = self._respond(message)
        counts = self.counts
        if status == 200:
            self.counts = counts._replace(answered=counts.answered + 1)
        else:
            self.counts = counts._replace(refused=counts.refused + 1)
        answer = self._answer_to(message, status, media_type, body)
        size = len(answer.payload) + len(answer.topic.encode()) + HEAD_BYTES
        size += len(answer.properties.get("CorrelationData", b""))
        if size > self._link.largest:
            too_large = native.refuse(
                Failure(413, "RequestTooLarge", f"the answer has {len(body)} bytes, and the broker "
                        f"takes packets of {self._link.largest}", "Send fewer rows at once.")
            )  # fmt: skip
            answer = self._answer_to(message, 413, too_large.media_type, too_large.body)
        self._under_way[self._publish(answer)] = message

    def _answer_to(self, message: MQTTMessage, status: int, media_type: str, body: bytes) -> Answer:
        usual, readings = self._options.answers, self._options.readings
        allowed = (f"{usual}/#", *self._options.responses)  # itself is among them
        return answer_to(message, status, media_type, body, usual, readings, allowed)

    def _publish(self, answer: Answer) -> int:
        return self._link.publish(answer.topic, answer.payload, answer.properties)

    def _unwanted(self, code: ReasonCode) -> None:
        """The broker gives an answer to nobody: the reading would fare no better again."""
        if not self.counts.unwanted:
            self._log({"event": "mqtt", "state": "unwanted", "error": f"the broker says: {code}"})
        self.counts = self.counts._replace(unwanted=self.counts.unwanted + 1)

    def _tell(self) -> None:
        """Publish how it goes, as often as that is news, and not too often."""
        told, before = self._status
        now = time.monotonic()
        if before and now - told < STATUS_SECONDS:
            return
        news = status_message("online", self.counts, self._backlog.dropped)
        if news != before:
            self._tell_state(news)
        self._status = (now, news)

    def _tell_state(self, payload: bytes) -> None:
        topic = status_topic(self._options)
        number = self._link.publish(topic, payload, {"ContentType": "application/json"}, True)
        self._under_way[number] = None

    def _end(self) -> None:
        """Wait for what is under way; what is not answered comes again."""
        self._tell_state(status_message("offline", self.counts, self._backlog.dropped))
        end = time.monotonic() + ENDING_SECONDS
        while self._under_way and time.monotonic() < end:
            self._link.loop(0.1)
            self._settle()


def status_topic(options: MqttOptions) -> str:
    """Where it is told, retained, whether readings are answered."""
    return f"{options.answers}/{STATUS}"


def status_message(state: str, counts: Counts, dropped: int) -> bytes:
    """What is told."""
    return json.dumps({"state": state, **counts._asdict(), "dropped": dropped}).encode()
