"""Drift by MQTT: retained messages over a real broker, and what Home Assistant finds."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import pytest
from jinja2 import Environment
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from onnxlet import __version__
from onnxlet.edge.mqtt import announcer
from onnxlet.edge.mqtt.announcer import Announcer, Rights, messages
from onnxlet.edge.mqtt.session import Backlog, Counts, Session
from onnxlet.edge.net.mqtt_link import Link
from onnxlet.edge.settings.device import MqttOptions
from tests.edge.certificates import Pair
from tests.edge.forward.endpoint import wait_until
from tests.edge.mqtt.broker import USER, Broker, Message, Peer
from tests.edge.mqtt.conftest import Start, set_for
from tests.edge.mqtt.test_mqtt import logged
from tests.edge.mqtt.test_readings import Published, reading
from tests.edge.service.drifting import calm, drifted

WHOLE = MqttOptions("mqtts://b", client="pump", readings="readings/#", answers="answers")
SUMMARY: dict[str, Any] = {
    "model": "iris", "version": 1, "alarm_count": 0, "estimated": {"accuracy": 0.9},
}  # fmt: skip


Run = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def often(models: Path, start: Start) -> Run:
    """Starts the service, whose drift is published often."""

    def run(broker: Broker, **more: str) -> subprocess.Popen[bytes]:
        set_to = set_for(broker, MQTT_MODEL="iris", **more)
        return start("tests.edge.mqtt.often", "mqtt", "--models", str(models), **set_to)

    return run


@pytest.fixture
def peer(broker: Broker) -> Iterator[Peer]:
    peer = Peer(broker, "answers", "answers/status", "answers/drift/+", "ha/#")
    yield peer
    peer.end()


def latest(peer: Peer, topic: str) -> Any:
    found = [each for each in list(peer.messages) if each.topic == topic]
    return found[-1].json() if found and found[-1].payload else None


def test_readings_are_counted_and_their_drift_is_retained(
    often: Run, broker: Broker, peer: Peer
) -> None:
    process = often(broker)
    peer.wait_for_state("online")
    iris = "answers/drift/iris"
    wait_until(lambda: bool(latest(peer, iris)))
    begun = latest(peer, iris)
    assert (begun["rows"], begun["alarms"]) == (0, [])
    peer.publish("readings/a", calm())
    peer.wait_for(1, "answers")
    wait_until(lambda: latest(peer, iris)["rows"] == 750)
    assert latest(peer, iris)["alarm_count"] == 0
    for _ in range(3):
        peer.publish("readings/a", drifted())
    peer.publish("readings/a", [[1, 2, 3, "no number"]])
    wait_until(lambda: latest(peer, iris)["rows"] == 3000 and latest(peer, iris)["refused"] == 1)

    found = latest(peer, iris)
    assert list(found) == [
        "model", "version", "since", "rows", "window", "waiting", "refused", "alarm_count",
        "alarms",
        "unusual", "estimated", "realised",
    ]  # fmt: skip
    assert found["alarm_count"] > 0
    assert "x0" in [each["column"] for each in found["alarms"]]
    assert list(found["estimated"]) == ["accuracy", "precision", "recall", "f1", "roc_auc",
                                        "held_out", "doubtful"]  # fmt: skip
    late = Peer(broker, "answers/drift/+", name="late")
    [retained] = [m for m in late.wait_for(4) if m.topic == iris]
    late.end()
    assert retained.retain
    assert retained.content_type == "application/json"
    assert retained.json() == found
    assert max(len(each.payload) for each in peer.messages if "drift" in each.topic) < 3000
    of_others = [each for each in peer.messages if each.topic == "answers/drift/shop"]
    assert len(of_others) == 1, "what does not change is published once"
    assert not [each for each in peer.messages if each.topic.startswith("ha/")]
    process.terminate()
    assert process.wait(60) == 0
    assert latest(peer, iris) == found


def test_off_there_are_no_such_messages(often: Run, broker: Broker, peer: Peer) -> None:
    process = often(broker, ONNXLET_WATCH="off", MQTT_DISCOVERY="ha")
    peer.wait_for_state("online")
    peer.publish("readings/a", drifted())
    peer.wait_for(1, "answers")
    assert {each.topic for each in peer.messages} == {"answers", "answers/status"}
    process.terminate()
    assert process.wait(60) == 0


def states(templates: Mapping[str, str], message: Any) -> dict[str, str]:
    """What Home Assistant makes of a message: its templates are Jinja's, and None is unknown."""
    render = Environment(autoescape=True).from_string
    return {name: render(text).render(value_json=message) for name, text in templates.items()}


def test_home_assistant_finds_its_entities(often: Run, broker: Broker, peer: Peer) -> None:
    process = often(broker, MQTT_DISCOVERY="ha", MQTT_CLIENT="pump.1")
    wait_until(lambda: len([m for m in list(peer.messages) if m.topic[:3] == "ha/"]) == 12)
    first: list[Message] = [m for m in peer.messages if m.topic[:3] == "ha/"]
    assert all(re.fullmatch(r"ha/(binary_)?sensor/[a-zA-Z0-9_-]+/config", m.topic) for m in first)
    configs = {each.topic: each.json() for each in first}
    unique = {each["unique_id"] for each in configs.values()}
    assert len(unique) == len(configs) == 12
    [drift] = [each for topic, each in configs.items() if "binary" in topic and "iris" in topic]
    device = {"identifiers": ["pump.1"], "name": "pump.1", "manufacturer": "onnxlet"}
    assert drift == {
        "name": "iris drift",
        "unique_id": drift["unique_id"],
        "state_topic": "answers/drift/iris",
        "qos": 1,
        "device_class": "problem",
        "value_template": "{{ 'ON' if value_json.alarm_count else 'OFF' }}",
        "json_attributes_topic": "answers/drift/iris",
        "availability": [{"topic": "answers/status", "value_template": "{{ value_json.state }}"}],
        "device": {**device, "sw_version": __version__},
        "origin": {"name": "onnxlet", "sw_version": __version__},
    }
    names = {each["name"]: each["value_template"] for each in configs.values()}
    assert names["iris expected accuracy"] == "{{ value_json.estimated.accuracy }}"
    assert names["iris rows"] == "{{ value_json.rows }}"
    error = "{{ value_json.estimated.mean_absolute_error }}"
    assert names["house-prices expected mean absolute error"] == error

    wait_until(lambda: bool(latest(peer, "answers/drift/iris")))
    of_iris = {name: each for name, each in names.items() if name.startswith("iris")}
    begun = {"iris drift": "OFF", "iris rows": "0", "iris expected accuracy": "None"}
    assert states(of_iris, latest(peer, "answers/drift/iris")) == begun
    peer.publish("readings/a", drifted())
    wait_until(lambda: latest(peer, "answers/drift/iris")["rows"] == 750)
    message = latest(peer, "answers/drift/iris")
    expected = str(message["estimated"]["accuracy"])
    came = {"iris drift": "ON", "iris rows": "750", "iris expected accuracy": expected}
    assert states(of_iris, message) == came
    assert len([m for m in peer.messages if m.topic[:3] == "ha/"]) == 12
    process.terminate()
    assert process.wait(60) == 0


def test_a_broker_that_refuses_it_gets_no_more_and_readings_are_answered(
    often: Run, tmp_path: Path, pair: Pair
) -> None:
    """As one that lets a device write its answers and its status only."""
    rights = tmp_path / "rights"
    topics = [f"topic readwrite {topic}" for topic in ("readings/#", "answers", "answers/status")]
    rights.write_text("\n".join([f"user {USER}", *topics, ""]))
    rights.chmod(0o600)
    broker = Broker(tmp_path, pair, f"acl_file {rights}")
    broker.start()
    peer = Peer(broker, "answers", "answers/status", "answers/drift/+")
    try:
        process = often(broker)
        wait_until(lambda: any(line["state"] == "unwanted" for line in logged(tmp_path)))
        peer.publish("readings/a", calm())
        peer.wait_for(1, "answers")
        process.terminate()
        assert process.wait(60) == 0
        assert peer.wait_for_state("offline")["unwanted"] == 0
    finally:
        peer.end()
        broker.end()
    [refused] = [line for line in logged(tmp_path) if line["state"] == "unwanted"]
    assert refused["error"] == "drift is not published, the broker says: Not authorized"
    assert not [each for each in peer.messages if "drift" in each.topic]


def test_names_are_escaped_and_stay_apart() -> None:
    options = WHOLE._replace(discovery="homeassistant")
    summaries = [{**SUMMARY, "model": name, "estimated": None} for name in ("a.b", "a_b", "a-b")]
    found = messages(options, summaries)

    discovered = [topic for topic in found if topic.startswith("homeassistant/")]
    assert len(discovered) == 6
    allowed = r"homeassistant/(binary_)?sensor/[a-zA-Z0-9_-]+/config"
    assert all(re.fullmatch(allowed, topic) for topic in discovered)
    assert {json.loads(found[topic])["state_topic"] for topic in discovered} == {
        "answers/drift/a.b", "answers/drift/a_b", "answers/drift/a-b",
    }  # fmt: skip


def test_nothing_that_would_be_read_as_a_reading() -> None:
    assert messages(WHOLE._replace(readings="answers/+/+"), [SUMMARY]) == {}
    assert list(messages(WHOLE, [SUMMARY])) == ["answers/drift/iris"]


@pytest.mark.parametrize(
    ("wish", "topic"),
    [
        ("answers/drift", "answers"),
        ("answers/drift/iris", "answers"),
        ("answers/drifting", "answers/drifting"),
        ("ha/sensor/x/config", "answers"),
        ("hat", "hat"),
    ],
)
def test_no_answer_fakes_it(wish: str, topic: str) -> None:
    link = Published()
    options = WHOLE._replace(responses=("#",), discovery="ha")
    session = Session(
        cast(Link, link), options, lambda message: (200, "t", b"{}"), Backlog(5), Counts()
    )
    session._answer(reading(ResponseTopic=wish))
    assert link.topics == [topic]


class Sent(Published):
    """Stands where a link does, and keeps what is sent."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[tuple[str, bytes, bool]] = []

    def publish(self, topic: str, *more: Any) -> int:
        payload, _, retain = more
        self.sent.append((topic, payload, retain))
        return len(self.sent)


def test_only_what_changes_is_sent_and_what_is_gone_is_taken_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(announcer, "SECONDS", 0.0)
    link, wanted = Sent(), {"a": b"1", "b": b"1"}
    lines: list[dict[str, Any]] = []
    announcing = Announcer(cast(Link, link), lambda: wanted, Rights(lines.append))
    announcing.publish()
    announcing.publish()
    assert link.sent == [("a", b"1", True), ("b", b"1", True)]
    wanted = {"b": b"2", "large": b"x" * link.largest}
    announcing.publish()
    assert link.sent[2:] == [("a", b"", True), ("b", b"2", True)]

    announcing.acknowledged(1, ReasonCode(PacketTypes.PUBACK, "Success"))
    assert lines == []
    for number in (2, 3, 99):
        announcing.acknowledged(number, ReasonCode(PacketTypes.PUBACK, "Not authorized"))
    wanted = {"b": b"3"}
    announcing.publish()
    assert len(link.sent) == 4
    [line] = lines
    assert "Not authorized" in line["error"]


def test_at_most_once_a_minute() -> None:
    assert announcer.SECONDS == 60
    link, looks = Sent(), [0]

    def wanted() -> dict[str, bytes]:
        looks[0] += 1
        return {"a": str(looks[0]).encode()}

    announcing = Announcer(cast(Link, link), wanted, Rights(lambda line: None))
    for _ in range(5):
        announcing.publish()
    assert (looks, link.sent) == ([1], [("a", b"1", True)])
