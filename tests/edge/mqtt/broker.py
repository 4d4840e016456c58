"""Debian's mosquitto on loopback, with TLS and a password, and a client that talks to it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from tests.conftest import lacking
from tests.edge.forward.endpoint import wait_until
from tests.project.commands import free_port

if TYPE_CHECKING:
    from tests.edge.certificates import Pair

USER, PASSWORD = "device", "a word of its own"
PLACES = os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin"


def program(name: str) -> str:
    """Where a program of mosquitto's is; without it the test is skipped, or fails in CI."""
    found = shutil.which(name, path=PLACES)
    if found is None:
        why = f"{name} is not here (Debian: apt-get install mosquitto; macOS: brew install it)"
        lacking(why)
    return found


class Broker:
    """A broker that can be ended and started again, and then still has what it had.

    Attributes:
        port: of TLS.
        url: of it.
        ca: certificates that its own is signed by.
    """

    def __init__(self, folder: Path, pair: Pair, *more: str, address: str = "127.0.0.1") -> None:
        self._program = program("mosquitto")
        self._folder = folder
        self.port = free_port()
        self.url = f"mqtts://localhost:{self.port}"
        self.ca = Path(pair.certificate)
        users = folder / "users"
        command = [program("mosquitto_passwd"), "-b", "-c", str(users), USER, PASSWORD]
        subprocess.run(command, check=True, capture_output=True)
        self._conf = folder / "mosquitto.conf"
        lines = [
            f"listener {self.port} {address}", f"certfile {pair.certificate}",
            f"keyfile {pair.key}", f"password_file {users}", "allow_anonymous false",
            "persistence true", f"persistence_location {folder}/", "autosave_on_changes true",
            "autosave_interval 1",
            "max_queued_messages 100000",  # of a client that gets no time for a while, too
            *more,
        ]  # fmt: skip
        lines += ["user root"] * (os.geteuid() == 0)
        self._conf.write_text("\n".join(lines) + "\n")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self._folder / "broker.log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._program, "-c", str(self._conf)], stdout=log, stderr=log
            )
        wait_until(self._listens)

    def send_signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def end(self, number: int = signal.SIGTERM) -> None:
        if self._process:
            self._process.send_signal(number)
            self._process.wait(120)  # it syncs what it keeps, on a disk that others use, too
            self._process = None

    def save(self) -> None:
        """Have it write to disk what it has: what is not there is lost where it is killed."""
        file = self._folder / "mosquitto.db"
        before = file.stat().st_mtime_ns if file.exists() else 0
        self.send_signal(signal.SIGUSR1)
        wait_until(lambda: file.exists() and file.stat().st_mtime_ns > before)

    def _listens(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self._folder / "broker.log").read_text()
        with socket.socket() as tried:
            return tried.connect_ex(("127.0.0.1", self.port)) == 0


class Message(NamedTuple):
    """What has come."""

    topic: str
    payload: bytes
    retain: bool
    correlation: bytes | None
    content_type: str
    user: dict[str, str]

    def json(self) -> Any:
        return json.loads(self.payload)


def _message(message: MQTTMessage) -> Message:
    properties = message.properties
    return Message(
        message.topic,
        bytes(message.payload),
        message.retain,
        getattr(properties, "CorrelationData", None),
        getattr(properties, "ContentType", ""),
        dict(getattr(properties, "UserProperty", ())),
    )


class Peer:
    """A client that publishes readings, and gets what goes by some topics.

    Attributes:
        messages: that have come.
    """

    def __init__(self, broker: Broker, *topics: str, name: str = "peer") -> None:
        self.messages: list[Message] = []
        self._subscribed = threading.Event()
        self._topics = topics
        self._client = Client(
            CallbackAPIVersion.VERSION2, name, protocol=MQTTProtocolVersion.MQTTv5
        )
        self._client.username_pw_set(USER, PASSWORD)
        self._client.tls_set_context(ssl.create_default_context(cafile=broker.ca))
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = self._connected
        self._client.on_message = lambda c, d, message: self.messages.append(_message(message))
        self._client.on_subscribe = lambda *properties: self._subscribed.set()
        lasting = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call] # paho's own
        lasting.SessionExpiryInterval = 3600
        self._client.connect("localhost", broker.port, clean_start=False, properties=lasting)
        self._client.loop_start()
        assert not topics or self._subscribed.wait(60)

    def _connected(self, *properties: Any) -> None:
        if self._topics:
            self._client.subscribe([(topic, 1) for topic in self._topics])

    @property
    def is_connected(self) -> bool:
        """Whether it has a connection now."""
        return bool(self._client.is_connected())

    def publish(
        self, topic: str, payload: Any, qos: int = 1, wait: bool = True, **properties: Any
    ) -> Any:
        """Publish, and wait until the broker has it."""
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        given = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call] # paho's own
        for name, value in properties.items():
            setattr(given, name, value)
        sent = self._client.publish(topic, body, qos, properties=given)
        if wait:
            sent.wait_for_publish(60)
        return sent

    def wait_for(self, count: int, topic: str = "", seconds: float = 60) -> list[Message]:
        def there() -> list[Message]:
            return [each for each in list(self.messages) if topic in ("", each.topic)]

        wait_until(lambda: len(there()) >= count, seconds)
        return there()

    def wait_for_state(self, state: str) -> dict[str, Any]:
        def states() -> list[dict[str, Any]]:
            return [m.json() for m in list(self.messages) if m.topic.endswith("/status")]

        wait_until(lambda: bool(states()) and states()[-1]["state"] == state)
        return states()[-1]

    def end(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()
