"""The readings of one connection, answered one after another until it is lost."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass

from paho.mqtt.client import MQTTMessage

from onnxlet.edge.mqtt.announcer import Announcer, Rights, status_topic
from onnxlet.edge.mqtt.readings import answer_to
from onnxlet.edge.net.mqtt_link import HEAD_BYTES, Link
from onnxlet.edge.settings.device import MqttOptions
from onnxlet.function import request_log
from onnxlet.function.messages import Failure
from onnxlet.function.protocols import native

IDLE_SECONDS = 0.5
STATUS_SECONDS = 60.0
MOST_RECEIVED = 500  # packets between two answers
ENDING_SECONDS = 5.0  # to wait for acknowledgements at the end
Respond = Callable[[MQTTMessage], tuple[int, str, bytes]]


class Backlog:
    """Readings in order of arrival.

    The broker keeps readings with QoS 1 until they are acknowledged, and sends no more than fit
    here (Receive Maximum). Those with QoS 0 arrive whenever they are published: where there are too
    many, the oldest of them are dropped.
    """

    def __init__(self, room: int) -> None:
        self.dropped = 0  # the number of readings dropped
        self._room = room  # readings of each QoS
        self._waiting: deque[MQTTMessage] = deque()
        self._fleeting = 0  # readings with QoS 0

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, message: MQTTMessage) -> None:
        """Add a reading that has arrived."""
        self._waiting.append(message)
        self._fleeting += message.qos == 0
        if self._fleeting > self._room:
            oldest = next(index for index, each in enumerate(self._waiting) if each.qos == 0)
            del self._waiting[oldest]
            self._fleeting -= 1
            self.dropped += 1

    def next(self) -> MQTTMessage:
        """Remove and return the oldest one."""
        message = self._waiting.popleft()
        self._fleeting -= message.qos == 0
        return message

    def forget_what_comes_again(self) -> None:
        """Drop readings with QoS 1 after a lost connection: the broker sends them again."""
        self._waiting = deque(each for each in self._waiting if each.qos == 0)


@dataclass
class Counts:
    """Numbers of readings in this process, by what became of them."""

    answered: int = 0  # with a prediction
    refused: int = 0  # with a problem
    unwanted: int = 0  # answered, but the broker refused the answer


class Session:
    """Answers the readings of one connection; the announcer publishes retained messages."""

    def __init__(
        self,
        link: Link,
        options: MqttOptions,
        respond: Respond,
        backlog: Backlog,
        counts: Counts,
        log: request_log.Log = request_log.write,
        announcer: Announcer | None = None,
    ) -> None:
        self.counts = counts  # of earlier connections and this one
        self._link = link  # open and subscribed
        self._options = options
        self._respond = respond  # answers a reading
        self._backlog = backlog  # readings that wait, including those of earlier connections
        self._log = log  # gets a line when the broker refuses an answer
        self._announcer = announcer or Announcer(link, dict, Rights(log))
        # By packet id, unacknowledged publications, each with the reading that it answers.
        self._under_way: dict[int, MQTTMessage | None] = {}
        self._status: tuple[float, bytes] = (0.0, b"")

    def run(self, goes_on: Callable[[], bool]) -> None:
        """Answer readings until `goes_on` returns False.

        LinkLost is raised where the connection is gone.
        """
        while goes_on():
            self._publish_status()
            if None not in self._under_way.values():  # the status got through, so the link works
                self._announcer.publish()
            busy = len(self._backlog) and len(self._under_way) < self._options.backlog
            self._receive(0 if busy else IDLE_SECONDS)
            if busy:
                self._answer(self._backlog.next())
        self._end()

    def _receive(self, seconds: float) -> None:
        """Receive what has arrived before the next answer: a flood drops the oldest readings."""
        self._link.loop(seconds)
        for _ in range(MOST_RECEIVED):
            if not self._settle():
                break
            self._link.loop(0)

    def _settle(self) -> bool:
        """Handle received readings and acknowledgements; return whether there were any."""
        some = bool(self._link.messages or self._link.published)
        while self._link.messages:
            self._backlog.add(self._link.messages.popleft())
        while self._link.published:
            number, code = self._link.published.popleft()
            if number not in self._under_way:
                self._announcer.acknowledged(number, code)
                continue
            message = self._under_way.pop(number)
            if code.is_failure:  # answering again would not help
                if not self.counts.unwanted:
                    error = f"the broker says: {code}"
                    self._log({"event": "mqtt", "state": "unwanted", "error": error})
                self.counts.unwanted += 1
            if message is not None and message.qos:
                self._link.acknowledge(message)
        return some

    def _answer(self, message: MQTTMessage) -> None:
        status, media_type, body = self._respond(message)
        if status == 200:
            self.counts.answered += 1
        else:
            self.counts.refused += 1
        answer = answer_to(message, status, media_type, body, self._options)
        size = len(answer.payload) + len(answer.topic.encode()) + HEAD_BYTES
        size += len(answer.properties.get("CorrelationData", b""))
        if size > self._link.largest:
            too_large = native.refuse(
                Failure(413, "RequestTooLarge", f"the answer has {len(body)} bytes, and the broker "
                        f"takes packets of {self._link.largest}", "Send fewer rows at once.")
            )  # fmt: skip
            answer = answer_to(message, 413, too_large.media_type, too_large.body, self._options)
        self._under_way[self._link.publish(*answer)] = message

    def _publish_status(self) -> None:
        """Publish the status when it has changed, but not too often."""
        published, before = self._status
        now = time.monotonic()
        if before and now - published < STATUS_SECONDS:
            return
        news = status_message("online", self.counts, self._backlog.dropped)
        if news != before:
            self._publish_state(news)
        self._status = (now, news)

    def _publish_state(self, payload: bytes) -> None:
        topic = status_topic(self._options)
        number = self._link.publish(topic, payload, {"ContentType": "application/json"}, True)
        self._under_way[number] = None

    def _end(self) -> None:
        """Wait for acknowledgements; the broker sends unanswered readings again."""
        self._publish_state(status_message("offline", self.counts, self._backlog.dropped))
        end = time.monotonic() + ENDING_SECONDS
        while self._under_way and time.monotonic() < end:
            self._link.loop(0.1)
            self._settle()


def status_message(state: str, counts: Counts, dropped: int) -> bytes:
    """The payload of a status message."""
    return json.dumps({"state": state, **asdict(counts), "dropped": dropped}).encode()
