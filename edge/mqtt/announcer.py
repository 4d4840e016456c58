"""Retained messages beside the status: what a connection has published of them, and what is new."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from paho.mqtt.reasoncodes import ReasonCode

from onnxlet.edge.net.mqtt_link import Link
from onnxlet.function import request_log

SECONDS = 60.0  # between two looks at what there is to publish
HEAD_BYTES = 1000  # of a packet beside its topic and payload

Wanted = Callable[[], Mapping[str, bytes]]


class Announcer:
    """Publishes the retained messages of one connection: all at its start, then those that change.

    Args:
        link: open.
        wanted: gives the messages by topic, as they should be now.
        log: gets a line when the broker refuses one.
    """

    def __init__(self, link: Link, wanted: Wanted, log: request_log.Log) -> None:
        self._link = link
        self._wanted = wanted
        self._log = log
        self._published: dict[str, bytes] = {}
        self._next = 0.0

    def publish(self) -> None:
        """Publish what has changed, but not too often.

        Raises:
            LinkLost: the connection is gone.
        """
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + SECONDS
        wanted = {topic: payload for topic, payload in self._wanted().items() if payload}
        gone = dict.fromkeys(self._published.keys() - wanted, b"")  # takes a retained message away
        for topic, payload in {**gone, **wanted}.items():
            size = len(topic.encode()) + len(payload) + HEAD_BYTES
            if self._published.get(topic) != payload and size <= self._link.largest:
                properties = {"ContentType": "application/json"} if payload else {}
                self._link.publish(topic, payload, properties, True)
        self._published = wanted

    def acknowledged(self, code: ReasonCode) -> None:
        """The broker has one of these messages, or refuses it: then no further ones are sent."""
        if code.is_failure and self._next < float("inf"):
            self._next = float("inf")
            error = f"drift is not published, the broker says: {code}"
            self._log({"event": "mqtt", "state": "unwanted", "error": error})
