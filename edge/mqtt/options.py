"""What can be set of MQTT. docs/mqtt.md has the same table."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from edge.forward.options import LOOPBACK, PORT

Get = Callable[[str, str, str], str]  # a variable's end, its pattern, what is expected

URL = rf"mqtts://[^/\s@]+|mqtt://{LOOPBACK}{PORT}"
TOPIC = r"[^#+\s$][^#+]*"


class MqttOptions(NamedTuple):
    """MQTT, as it is set.

    Attributes:
        url: of the broker.
        user: a name, or empty.
        password: that goes with it.
        ca: certificates that the broker's is signed by; None means the system's.
        client: the client's id, by which the broker knows what was not acknowledged.
        readings: topic, or filter of topics, that readings come by.
        answers: topic that answers go by where a reading names no other.
        model: that answers where a reading names none.
        backlog: readings that wait in this process.
    """

    url: str = ""
    user: str = ""
    password: str = ""
    ca: Path | None = None
    client: str = "onnxlet"
    readings: str = ""
    answers: str = ""
    model: str = ""
    backlog: int = 100


NO_MQTT = MqttOptions()


def messaging(get: Get) -> MqttOptions:
    """Read the variables, by a reader that notes what is wrong with them."""
    no = NO_MQTT
    ca = get("MQTT_CA", "/.+", "an absolute path")
    topic = "a topic without + and #"
    return MqttOptions(
        url=get("MQTT_URL", URL, "mqtts://HOST, or mqtt:// to this machine"),
        user=get("MQTT_USER", r"\S+", "a name"),
        password=get("MQTT_PASSWORD", ".+", "a password"),
        ca=Path(ca) if ca else None,
        client=get("MQTT_CLIENT", "[0-9A-Za-z._-]{1,64}", "letters, digits, . _ -") or no.client,
        readings=get("MQTT_READINGS", r"\S.*", "a topic or a filter of topics"),
        answers=get("MQTT_ANSWERS", TOPIC, topic),
        model=get("MQTT_MODEL", "[0-9A-Za-z._-]+", "a model's name"),
        backlog=int(get("MQTT_BACKLOG", "[1-9][0-9]{0,4}", "a number from 1 to 65535") or 100),
    )
