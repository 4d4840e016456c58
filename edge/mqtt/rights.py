"""What a broker lets this process publish of drift, as far as has been seen over all connections.

A broker may close the connection at a publication that it forbids, as AWS IoT Core does, instead of
refusing it. What was under way then is not published again: each attempt would cost a connection,
and readings would wait.
"""

from __future__ import annotations

from collections.abc import Collection

from paho.mqtt.reasoncodes import ReasonCode

from onnxlet.function import request_log

REMEDY = "Allow this user to publish there, or set ONNXLET_WATCH=off, and start the service again."


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
