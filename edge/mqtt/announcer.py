"""Retained messages beside the status: what a connection has published of them, and what is new."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from paho.mqtt.reasoncodes import ReasonCode

from onnxlet.edge.mqtt.rights import Rights
from onnxlet.edge.net.mqtt_link import Link

SECONDS = 60.0  # between two looks at what there is to publish
HEAD_BYTES = 1000  # of a packet beside its topic and payload

Wanted = Callable[[], Mapping[str, bytes]]


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
