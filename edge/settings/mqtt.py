"""The settings of MQTT. docs/how-to/mqtt.md has the same table."""

from __future__ import annotations

import hashlib
import platform
from pathlib import Path
from typing import NamedTuple

from onnxlet.edge.settings.forward import HOST, LOOPBACK, Get

URL = rf"mqtts://{HOST}|mqtt://{LOOPBACK}"
TOPIC = r"[^#+\s$][^#+]*"
FILTER = r"(#|(?!\$)([^#+,/]*|\+)(/([^#+,/]*|\+))*(/#)?)"


class MqttOptions(NamedTuple):
    """The settings of MQTT.

    Attributes:
        url: of the broker.
        user: a name, or empty.
        password: the user's.
        ca: file of the CA certificates that sign the broker's; None means the system's.
        client: the client's id, under which the broker keeps unacknowledged messages; empty for
            one derived from the machine's id.
        readings: topic, or filter of topics, that readings are published to.
        answers: topic of answers to readings that name no other.
        model: that answers readings that name none.
        backlog: readings that may wait in this process.
        responses: filters of the topics that a reading may name for its answer, beside `answers`
            and those below it: it is published with this device's rights, not its sender's.
        discovery: prefix of the topics of Home Assistant's discovery; empty where it is off.
    """

    url: str = ""
    user: str = ""
    password: str = ""
    ca: Path | None = None
    client: str = ""
    readings: str = ""
    answers: str = ""
    model: str = ""
    backlog: int = 100
    responses: tuple[str, ...] = ()
    discovery: str = ""


NO_MQTT = MqttOptions()
MACHINE_ID = Path("/etc/machine-id")


def read_mqtt_options(get: Get) -> MqttOptions:
    """Read the variables, by a function that notes their faults."""
    ca = get("MQTT_CA", "/.+", "an absolute path")
    topic = "a topic without + and #"
    responses = get(
        "MQTT_RESPONSES", rf"{FILTER}( *, *{FILTER})*", "filters of topics, with commas between"
    )
    return MqttOptions(
        url=get("MQTT_URL", URL, "mqtts://HOST, or mqtt:// to this machine"),
        user=get("MQTT_USER", r"\S+", "a name"),
        password=get("MQTT_PASSWORD", ".+", "a password"),
        ca=Path(ca) if ca else None,
        client=get("MQTT_CLIENT", "[0-9A-Za-z._-]{1,64}", "letters, digits, . _ -"),
        readings=get("MQTT_READINGS", r"\S.*", "a topic or a filter of topics"),
        answers=get("MQTT_ANSWERS", TOPIC, topic),
        model=get("MQTT_MODEL", "[0-9A-Za-z._-]+", "a model's name"),
        backlog=int(get("MQTT_BACKLOG", "[1-9][0-9]{0,4}", "a number from 1 to 65535") or 100),
        responses=tuple(filter(None, map(str.strip, responses.split(",")))),
        discovery=get("MQTT_DISCOVERY", TOPIC, topic).strip("/"),
    )


def client_id(options: MqttOptions, machine_id: Path = MACHINE_ID) -> str:
    """The client's id: the same at each start, and different on each machine."""
    if options.client:
        return options.client
    try:
        machine = machine_id.read_text().strip()
    except OSError:
        machine = platform.node()
    return f"onnxlet-{hashlib.sha256(f'mqtt {machine}'.encode()).hexdigest()[:12]}"
