"""One connection to a broker, from connecting to its loss, driven by one thread.

A lost connection is not reused. Messages in transit when it was lost are sent again: by the broker,
or by the caller, who still has them.
"""

from __future__ import annotations

import time
import weakref
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from paho.mqtt.client import Client, ConnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from onnxlet.edge.net.http_client import describe_error, make_context

CONNECT_SECONDS = 10.0
KEEPALIVE_SECONDS = 30
SUBSCRIBED = 2  # the highest reason code that grants a subscription
QOS = 1
HEAD_BYTES = 1000  # of a packet beside its topic and payload


TOO_LARGE = 0x95  # MQTT 5's reason code of a packet larger than the receiver accepts
# mosquitto sends it for a publication beyond its message_size_limit. The standard, and so paho,
# allow the code for DISCONNECT only: paho would report a malformed packet.
ReasonCode.names[TOO_LARGE]["Packet too large"].append(PacketTypes.PUBACK)


class LinkLost(Exception):
    """The broker can't be reached, refuses, or is gone; the message says which."""

    def __init__(self, why: str, code: int = 0) -> None:
        super().__init__(why)
        self.code = code  # the broker's reason code; 0 if it gave none


class Address(NamedTuple):
    """A broker's address, and the credentials to connect with."""

    url: str  # `mqtts://HOST[:PORT]`, or `mqtt://` without TLS
    user: str  # a name, or empty
    password: str  # the user's
    ca: Path | None  # file of the CA certificates that sign the broker's; None means the system's


class Will(NamedTuple):
    """What the broker publishes, retained, when this client is gone without DISCONNECT."""

    topic: str
    payload: bytes


class Link:
    """A connection. The broker assigns an id where the client's is empty."""

    def __init__(self, address: Address, client: str, will: Will | None = None) -> None:
        self.messages: deque[MQTTMessage] = deque()  # received; the caller takes them from here
        # Acknowledged publications, each with its packet id and reason code; the caller takes them
        # from here.
        self.published: deque[tuple[int, ReasonCode]] = deque()
        self.largest = 2**28  # bytes of a packet that the broker accepts
        self._open = False
        self._granted: list[ReasonCode] | None = None
        self._gone = ""
        self._gone_by = 0
        url = urlsplit(address.url)
        self._host = url.hostname or ""
        self._port = url.port or (8883 if url.scheme == "mqtts" else 1883)
        self._client = Client(
            CallbackAPIVersion.VERSION2, client, protocol=MQTTProtocolVersion.MQTTv5,
            manual_ack=True,
        )  # fmt: skip
        self._client.connect_timeout = CONNECT_SECONDS
        if address.user:
            self._client.username_pw_set(address.user, address.password)
        if url.scheme == "mqtts":
            self._client.tls_set_context(make_context(address.ca))
        if will:
            self._client.will_set(will.topic, will.payload, QOS, retain=True)
        # No circle of references: the client closes its sockets as soon as nobody has this link.
        own = weakref.proxy(self)
        self._client.on_connect = lambda *event: own._connected(*event)
        self._client.on_disconnect = lambda *event: own._disconnected(*event)
        self._client.on_subscribe = lambda *event: own._subscribed(*event)
        published = self.published
        self._client.on_publish = lambda client, data, mid, code, _: published.append((mid, code))
        self._client.on_message = lambda *event: own._received(*event)

    def open(self, *, resume: bool, **properties: int) -> None:
        """Connect with properties of MQTT 5's CONNECT.

        LinkLost is raised where there is no connection. `resume` continues the session that the
        broker keeps for this client.
        """
        wanted = _properties(PacketTypes.CONNECT, properties)
        try:
            self._client.connect(
                self._host, self._port, KEEPALIVE_SECONDS, clean_start=not resume, properties=wanted
            )
        except (OSError, ValueError) as error:
            raise LinkLost(describe_error(error)) from error
        end = time.monotonic() + CONNECT_SECONDS
        while not self._open:
            self._loop_until(end, "the broker does not answer")

    def subscribe(self, topics: str) -> None:
        """Subscribe, and wait until it is granted; only a new one gets retained messages.

        LinkLost is raised where it is not granted.
        """
        how = SubscribeOptions(
            QOS, retainHandling=SubscribeOptions.RETAIN_SEND_IF_NEW_SUB, noLocal=False
        )
        self._client.subscribe(topics, options=how)
        end = time.monotonic() + CONNECT_SECONDS
        while self._granted is None:
            self._loop_until(end, "the broker does not answer to a subscription")
        if any(code.value > SUBSCRIBED for code in self._granted):
            raise LinkLost(f"the broker refuses the subscription to {topics}: {self._granted[0]}")

    def loop(self, seconds: float) -> None:
        """Send and receive, waiting so many seconds for something to arrive.

        LinkLost is raised where the connection is gone.
        """
        code = self._client.loop(seconds)
        if code != MQTTErrorCode.MQTT_ERR_SUCCESS or self._gone:
            raise LinkLost(self._gone or f"the connection is gone: {code.name}", self._gone_by)

    def publish(
        self, topic: str, payload: bytes, properties: Mapping[str, Any], retain: bool = False
    ) -> int:
        """Publish with QoS 1; its packet id, which `published` reports it by.

        Raises ValueError where the topic is invalid, LinkLost where the connection is gone.
        """
        packed = _properties(PacketTypes.PUBLISH, properties)
        info = self._client.publish(topic, payload, QOS, retain, packed)
        if info.rc not in (MQTTErrorCode.MQTT_ERR_SUCCESS, MQTTErrorCode.MQTT_ERR_QUEUE_SIZE):
            raise LinkLost(f"the connection is gone: {MQTTErrorCode(info.rc).name}")
        return info.mid

    def acknowledge(self, message: MQTTMessage) -> None:
        """Acknowledge a message: the broker need not send it again."""
        self._client.ack(message.mid, message.qos)

    def close(self) -> None:
        """Disconnect, if the connection is still there."""
        self._client.disconnect()
        self._client.loop(0)

    def _loop_until(self, end: float, why: str) -> None:
        self.loop(0.2)
        if time.monotonic() > end:
            raise LinkLost(why)

    def _connected(
        self, client: Client, data: Any, flags: ConnectFlags, code: ReasonCode, properties: Any
    ) -> None:
        self._open = not code.is_failure
        self._gone = "" if self._open else f"the broker refuses: {code}"
        self.largest = min(self.largest, getattr(properties, "MaximumPacketSize", self.largest))

    def _disconnected(self, client: Client, data: Any, flags: Any, code: Any, more: Any) -> None:
        self._gone = self._gone or f"the connection is gone: {code}"
        self._gone_by = code.value

    def _subscribed(self, client: Client, data: Any, mid: int, codes: Any, more: Any) -> None:
        self._granted = list(codes)

    def _received(self, client: Client, data: Any, message: MQTTMessage) -> None:
        self.messages.append(message)


def _properties(packet: int, values: Mapping[str, Any]) -> Properties:
    properties = Properties(packet)  # type: ignore[no-untyped-call] # paho's own
    for name, value in values.items():
        setattr(properties, name, value)
    return properties
