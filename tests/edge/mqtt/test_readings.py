"""A reading's id, its answer's topic, what waits, and settings that would go round in circles."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, cast

import pytest
from paho.mqtt.client import MQTT_ERR_SUCCESS, Client, MQTTMessage
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from onnxlet.edge.mqtt.announcer import client_id
from onnxlet.edge.mqtt.readings import answer_to, may_answer_to, request_id
from onnxlet.edge.mqtt.service import MqttService, check, link_of
from onnxlet.edge.mqtt.session import Backlog, Counts, Session
from onnxlet.edge.net.mqtt_link import Link
from onnxlet.edge.settings.device import DeviceSettings, MqttOptions
from onnxlet.function.errors import SettingsError
from tests.edge.forward.endpoint import wait_until
from tests.project.commands import free_port

P = "ONNXLET_DEVICE_"
WHOLE = MqttOptions("mqtts://b", readings="readings/#", answers="answers")


def reading(payload: bytes = b"{}", qos: int = 1, number: int = 1, **reported: Any) -> MQTTMessage:
    message = MQTTMessage(number, b"readings/a")
    message.payload, message.qos = payload, qos
    message.properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call] # paho's own
    for name, value in reported.items():
        setattr(message.properties, name, value)
    return message


def test_a_reading_that_comes_again_has_the_same_id() -> None:
    assert request_id(reading()) == request_id(reading())
    different = {
        request_id(each)
        for each in (
            reading(), reading(b"[]"), reading(number=2), reading(CorrelationData=b"1"),
            reading(ResponseTopic="1"), reading(b"{}1"),
        )
    }  # fmt: skip
    assert len(different) == 6
    assert all(len(each) == 32 for each in different)


def test_an_id_of_its_own_is_taken_where_it_is_a_plain_one() -> None:
    own = reading(UserProperty=[("x", "y"), ("request-id", "pump-7/12")])
    assert request_id(own) == "pump-7/12"
    assert len(request_id(reading(UserProperty=[("request-id", "no plain one")]))) == 32


def test_readings_that_never_come_again_have_new_ids() -> None:
    assert request_id(reading(qos=0)) != request_id(reading(qos=0))


@pytest.mark.parametrize(
    ("topic", "readings", "may"),
    [
        ("answers/1", "readings/#", True),
        ("readings/1", "readings/#", False),
        ("readings", "readings/#", False),
        ("readings/1", "$share/group/readings/+", False),
        ("readings/1/2", "readings/+", True),
        ("", "readings", False),
        ("a/#", "readings", False),
        ("+", "readings", False),
        ("$SYS/x", "readings", False),
        ("x" * 65_536, "readings", False),
    ],
)
def test_where_answers_may_go(topic: str, readings: str, may: bool) -> None:
    assert may_answer_to(topic, readings) is may
    options = MqttOptions(answers="usual", readings=readings, responses=("#",))
    answer = answer_to(reading(ResponseTopic=topic), 200, "t", b"", options)
    assert answer.topic == (topic if may else "usual")


@pytest.mark.parametrize(
    ("wish", "topic"),
    [
        ("answers", "answers"),
        ("answers/7", "answers/7"),
        ("answers/status", "answers"),
        ("valves/1/open", "answers"),
        ("answersx", "answers"),
        ("mine/7", "mine/7"),
        ("mine/7/8", "answers"),
    ],
)
def test_a_reading_names_no_topic_that_is_not_let(wish: str, topic: str) -> None:
    """Its sender may have no right to publish there, and this device may."""
    link = Published()
    options = WHOLE._replace(responses=("mine/+",))
    session = Session(
        cast(Link, link), options, lambda message: (200, "t", b"{}"), Backlog(5), Counts()
    )
    session._answer(reading(ResponseTopic=wish))
    assert link.topics == [topic]


class Published:
    """Stands where a link does."""

    largest = 10_000

    def __init__(self) -> None:
        self.topics: list[str] = []

    def publish(self, topic: str, *more: Any) -> int:
        self.topics.append(topic)
        return 1


def test_the_answer_has_the_reading_s_id_and_correlation() -> None:
    answer = answer_to(
        reading(CorrelationData=b"\0\xff"), 422, "application/problem+json", b"{}", MqttOptions()
    )
    assert answer.properties == {
        "ContentType": "application/problem+json",
        "UserProperty": [("request-id", request_id(reading(CorrelationData=b"\0\xff"))),
                         ("status", "422")],
        "CorrelationData": b"\0\xff",
    }  # fmt: skip


def test_of_too_many_the_oldest_that_nobody_keeps_is_dropped() -> None:
    backlog = Backlog(2)
    for number, qos in enumerate((0, 1, 0, 1, 0, 0)):
        backlog.add(reading(number=number, qos=qos))

    assert backlog.dropped == 2
    assert [backlog.next().mid for _ in range(len(backlog))] == [1, 3, 4, 5]


def test_what_the_broker_sends_again_is_forgotten() -> None:
    backlog = Backlog(5)
    for number, qos in enumerate((0, 1, 0)):
        backlog.add(reading(number=number, qos=qos))
    backlog.forget_what_comes_again()

    assert [backlog.next().mid for _ in range(len(backlog))] == [0, 2]
    assert backlog.dropped == 0


def test_everything_that_is_set() -> None:
    environ = {
        f"{P}MQTT_{name}": value
        for name, value in {
            "URL": "mqtts://broker.example:8884", "USER": "u", "PASSWORD": "p w", "CA": "/ca.pem",
            "CLIENT": "pump-7", "READINGS": "plant/+/readings", "ANSWERS": "plant/answers",
            "MODEL": "shop", "BACKLOG": "7", "RESPONSES": "a/+/b, c/#",
        }.items()
    }  # fmt: skip
    assert DeviceSettings.from_environ(environ).mqtt == MqttOptions(
        "mqtts://broker.example:8884", "u", "p w", Path("/ca.pem"), "pump-7", "plant/+/readings",
        "plant/answers", "shop", 7, ("a/+/b", "c/#"),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MQTT_URL", "mqtt://broker.example"),
        ("MQTT_URL", "mqtts://user@broker.example"),
        ("MQTT_URL", "mqtts://broker.example:99999"),
        ("MQTT_ANSWERS", "a/#"),
        ("MQTT_BACKLOG", "0"),
        ("MQTT_URL", "mqtt://localhost/"),
        ("MQTT_READINGS", "readings/#/x"),
        ("MQTT_READINGS", "read ings+"),
        ("MQTT_READINGS", "$share/group/a#"),
        ("MQTT_RESPONSES", "a/#/b"),
        ("MQTT_RESPONSES", "a,b+/c"),
        ("MQTT_RESPONSES", "$SYS/#"),
        ("FORWARD_URL", "http://example.com/"),
        ("FORWARD_URL", "https://example.com:65536/"),
        ("FORWARD_URL", "mqtts://example.com"),
        ("FORWARD_URL", "mqtts://example.com/a/#"),
        ("FORWARD_URL", "https://example.com/ä"),
        ("FORWARD_INPUTS", "some"),
        ("FORWARD_MAX_MB", "0"),
        ("FORWARD_DURABLE", "true"),
        ("QUEUE", "queue.db"),
    ],
)
def test_settings_that_cannot_be_used(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"{P}{name}: expected "):
        DeviceSettings.from_environ({P + name: value})


@pytest.mark.parametrize(
    "url",
    ["https://example.com", "https://[2001:db8::1]:8443/a?b=c", "http://127.0.0.1:80/", "mqtts://h/t",
     "http://localhost/", "mqtt://[::1]/a/b", "mqtts://h:8884/ä/b"],
)  # fmt: skip
def test_addresses_that_can(url: str) -> None:
    assert DeviceSettings.from_environ({f"{P}FORWARD_URL": url}).forward.url == url


@pytest.mark.parametrize(
    "readings", ["#", "+", "a", "a/+/b/#", "/", "a b,c/+", "$share/group/a/#", "$SYS/#", "+/#"]
)
def test_filters_that_can(readings: str) -> None:
    assert DeviceSettings.from_environ({f"{P}MQTT_READINGS": readings}).mqtt.readings == readings
    assert Client._filter_wildcard_len_check(readings.encode()) == MQTT_ERR_SUCCESS


def test_all_missing_settings_are_reported_together() -> None:
    with pytest.raises(SettingsError) as caught:
        check(MqttOptions())
    assert [part.split(":")[0] for part in caught.value.message.split("; ")] == [
        f"{P}MQTT_URL", f"{P}MQTT_READINGS", f"{P}MQTT_ANSWERS"
    ]  # fmt: skip


@pytest.mark.parametrize("readings", ["answers", "answers/#", "#", "+/status"])
def test_answers_may_not_be_readings(readings: str) -> None:
    check(WHOLE)
    with pytest.raises(SettingsError, match="would be read as readings"):
        check(WHOLE._replace(readings=readings))


def test_certificates_and_addresses_that_are_not_there() -> None:
    with pytest.raises(SettingsError, match="ONNXLET_DEVICE_MQTT_CA: /none can't be read"):
        link_of(WHOLE._replace(ca=Path("/none")))
    with pytest.raises(SettingsError, match="ONNXLET_DEVICE_MQTT_URL"):
        link_of(WHOLE._replace(url="mqtts://[1.2]"))


def test_with_the_connection_goes_what_the_broker_sends_again() -> None:
    """Answered from here it would be answered twice, and acknowledge whatever has its number."""
    lines: list[dict[str, Any]] = []
    nobody = WHOLE._replace(url=f"mqtt://127.0.0.1:{free_port()}")
    serving = MqttService(nobody, lambda message: (200, "", b""), 1000, lines.append)
    for qos in (0, 1, 0):
        serving._backlog.add(reading(qos=qos))
    running = threading.Thread(target=serving.run)
    running.start()
    wait_until(lambda: bool(lines) and len(serving._backlog) == 2)
    serving.stopping.set()
    running.join(60)

    assert [line["state"] for line in lines] == ["lost"]


def test_each_machine_has_a_name_of_its_own(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_text("1234\n")
    other.write_text("5678\n")

    assert client_id(WHOLE, one) == client_id(WHOLE, one) != client_id(WHOLE, other)
    assert "1234" not in client_id(WHOLE, one)
    assert client_id(WHOLE._replace(client="pump-7"), one) == "pump-7"
    assert client_id(WHOLE, tmp_path / "none").startswith("onnxlet-")
