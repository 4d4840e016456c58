"""Retained messages beside the status: what is new of them, and what a broker lets through.

A broker may close the connection at a publication that it forbids, as AWS IoT Core does, instead of
refusing it. What was under way then is not published again: each attempt would cost a connection,
and readings would wait.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping

from paho.mqtt.reasoncodes import ReasonCode

from onnxlet.edge.net.mqtt_link import Link
from onnxlet.function import request_log

SECONDS = 60.0  # between two looks at what there is to publish
HEAD_BYTES = 1000  # of a packet beside its topic and payload
Wanted = Callable[[], Mapping[str, bytes]]
REMEDY = "Allow this user to publish there, or set ONNXLET_WATCH=off, and start the service again."


class Announcer:
    """Publishes retained messages of one connection: all at its start, then those that change."""

    def __init__(self, link: Link, wanted: Wanted, rights: Rights) -> None:
        self._link = link  # open
        self._wanted = wanted  # gives the messages by topic, as they should be now
        self._rights = rights  # of the process, which outlast the connection
        self._published: dict[str, bytes] = {}
        self._under_way: dict[int, str] = {}  # topics by packet id
        self._next = 0.0

    def publish(self) -> None:
        """Publish what has changed, but not too often.

        LinkLost is raised where the connection is gone.
        """
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + SECONDS
        wanted = {topic: payload for topic, payload in self._wanted().items() if payload}
        gone = dict.fromkeys(self._published.keys() - wanted, b"")  # takes a retained message away
        for topic, payload in {**gone, **wanted}.items():
            size = len(topic.encode()) + len(payload) + HEAD_BYTES
            changed = self._published.get(topic) != payload and size <= self._link.largest
            if changed and self._rights.may(topic):
                properties = {"ContentType": "application/json"} if payload else {}
                self._under_way[self._link.publish(topic, payload, properties, True)] = topic
        self._published = wanted

    def acknowledged(self, number: int, code: ReasonCode) -> None:
        """The broker has one of these messages, or refuses it: then no further ones are sent.

        The packet id of another's message is passed over.
        """
        topic = self._under_way.pop(number, None)
        if topic is None:
            return
        self._rights.acknowledged(topic, code)
        if code.is_failure:
            self._next = float("inf")

    def lost(self) -> None:
        """The connection is lost; acknowledgements may have come just before that."""
        for number, code in self._link.published:
            self.acknowledged(number, code)
        self._rights.lost(list(dict.fromkeys(self._under_way.values())))


class Rights:
    """The state of topics, by what became of publications to them."""

    def __init__(self, log: request_log.Log) -> None:
        self._log = log  # gets a line when drift, or some of it, is given up
        self._acknowledged: set[str] = set()
        self._given_up: set[str] = set()
        self._off = False
        self._refused = False

    def may(self, topic: str) -> bool:
        """Whether to publish to a topic."""
        return not self._off and topic not in self._given_up

    def acknowledged(self, topic: str, code: ReasonCode) -> None:
        """The broker has answered a publication, be it with a refusal; the first one is logged."""
        self._acknowledged.add(topic)
        if code.is_failure and not self._refused:
            self._refused = True
            self._say(f"drift is not published, the broker says: {code}")

    def lost(self, under_way: Collection[str]) -> None:
        """The connection was lost with publications to these topics under way, in their order.

        Topics that were ever acknowledged go on: their losses are ordinary ones.
        """
        doubtful = [topic for topic in under_way if topic not in self._acknowledged]
        if not doubtful or self._off:
            return
        self._given_up.update(doubtful)
        self._off = not self._acknowledged
        what = "drift" if self._off else f"drift by {len(doubtful)} of its topics"
        self._say(
            f"{what} is not published any more: the connection was lost before the broker had "
            f"acknowledged the first message to {doubtful[0]}. {REMEDY}"
        )

    def _say(self, error: str) -> None:
        self._log({"event": "mqtt", "state": "unwanted", "error": error})
