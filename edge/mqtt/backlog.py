"""Readings that wait to be answered, as many as there is room for."""

from __future__ import annotations

from collections import deque

from paho.mqtt.client import MQTTMessage


class Backlog:
    """Readings in the order in which they came.

    The broker keeps readings with QoS 1 as long as they are not acknowledged, and gives out no more
    than fit here. Those with QoS 0 come whenever they are published: where there are too many, the
    oldest of them are given up.

    Args:
        room: for readings of each kind.

    Attributes:
        dropped: how many were given up.
    """

    def __init__(self, room: int) -> None:
        self.dropped = 0
        self._room = room
        self._waiting: deque[MQTTMessage] = deque()
        self._fleeting = 0  # those with QoS 0

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, message: MQTTMessage) -> None:
        """A reading has come."""
        self._waiting.append(message)
        self._fleeting += message.qos == 0
        if self._fleeting > self._room:
            oldest = next(place for place, each in enumerate(self._waiting) if each.qos == 0)
            del self._waiting[oldest]
            self._fleeting -= 1
            self.dropped += 1

    def next(self) -> MQTTMessage:
        """Take the oldest one."""
        message = self._waiting.popleft()
        self._fleeting -= message.qos == 0
        return message

    def forget_what_comes_again(self) -> None:
        """The connection is gone: the broker sends again what it keeps."""
        self._waiting = deque(each for each in self._waiting if each.qos == 0)
