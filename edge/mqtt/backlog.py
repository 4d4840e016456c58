"""Readings that wait to be answered, up to a limit."""

from __future__ import annotations

from collections import deque

from paho.mqtt.client import MQTTMessage


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
