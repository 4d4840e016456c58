"""Retained messages: the drift of models that answer readings, and what a broker lets through.

Home Assistant makes entities of them by its discovery, of one message an entity:
https://www.home-assistant.io/integrations/mqtt/

A broker may close the connection at a publication that it forbids, as AWS IoT Core does, instead of
refusing it. What was under way then is not published again: each attempt would cost a connection,
and readings would wait.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from paho.mqtt.reasoncodes import ReasonCode

from onnxlet import __version__
from onnxlet.edge.device.machine import machine_id
from onnxlet.edge.mqtt.readings import DRIFT, STATUS, may_answer_to
from onnxlet.edge.net.mqtt_link import HEAD_BYTES, Link
from onnxlet.edge.service.drift_reports import main_metric
from onnxlet.edge.settings.device import MqttOptions
from onnxlet.function import request_log

SECONDS = 60.0  # between two looks at what there is to publish
MACHINE_ID = Path("/etc/machine-id")
Wanted = Callable[[], Mapping[str, bytes]]
Summaries = Sequence[Mapping[str, Any]]
REMEDY = "Allow this user to publish there, or set ONNXLET_WATCH=off, and start the service again."


class Announcer:
    """Publishes retained messages of one connection: all at its start, then those that change."""

    def __init__(self, link: Link, wanted: Wanted, rights: Rights) -> None:
        self._link = link  # open
        self._wanted = wanted  # gives the messages by topic, as they should be now
        self._rights = rights  # of the process, which outlast the connection
        self._published: dict[str, bytes] = {}
        self._under_way: dict[int, str] = {}  # topics by packet id
        self._next = 0.0

    def publish(self) -> None:
        """Publish what has changed, but not too often.

        LinkLost is raised where the connection is gone.
        """
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + SECONDS
        wanted = {topic: payload for topic, payload in self._wanted().items() if payload}
        gone = dict.fromkeys(self._published.keys() - wanted, b"")  # takes a retained message away
        for topic, payload in {**gone, **wanted}.items():
            size = len(topic.encode()) + len(payload) + HEAD_BYTES
            changed = self._published.get(topic) != payload and size <= self._link.largest
            if changed and self._rights.may(topic):
                properties = {"ContentType": "application/json"} if payload else {}
                self._under_way[self._link.publish(topic, payload, properties, True)] = topic
        self._published = wanted

    def acknowledged(self, number: int, code: ReasonCode) -> None:
        """The broker has one of these messages, or refuses it: then no further ones are sent.

        The packet id of another's message is passed over.
        """
        topic = self._under_way.pop(number, None)
        if topic is None:
            return
        self._rights.acknowledged(topic, code)
        if code.is_failure:
            self._next = float("inf")

    def lost(self) -> None:
        """The connection is lost; acknowledgements may have come just before that."""
        for number, code in self._link.published:
            self.acknowledged(number, code)
        self._rights.lost(list(dict.fromkeys(self._under_way.values())))


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


def client_id(options: MqttOptions, id_file: Path = MACHINE_ID) -> str:
    """The client's id: the same at each start, and different on each machine."""
    if options.client:
        return options.client
    machine = machine_id(id_file)
    return f"onnxlet-{hashlib.sha256(f'mqtt {machine}'.encode()).hexdigest()[:12]}"


def status_topic(options: MqttOptions) -> str:
    """The topic of the retained status message."""
    return f"{options.answers}/{STATUS}"


def messages(options: MqttOptions, summaries: Summaries) -> dict[str, bytes]:
    """The messages by topic: one a summary, and what Home Assistant finds its entities by.

    A topic by which they would be read as readings is left out.
    """
    found: dict[str, Mapping[str, Any]] = {}
    for summary in summaries:
        topic = f"{options.answers}/{DRIFT}/{summary['model']}"
        # First the entities, so that Home Assistant already waits for the message.
        if options.discovery:
            found |= _entities(options, summary, topic)
        found[topic] = summary
    return {
        topic: json.dumps(content, ensure_ascii=False).encode()
        for topic, content in found.items()
        if may_answer_to(topic, options.readings)
    }


def _entities(
    options: MqttOptions, summary: Mapping[str, Any], topic: str
) -> dict[str, dict[str, Any]]:
    """The messages by topic: one each for alarms, rows, and performance where that is estimated.

    Summaries of the model are published to `topic`.
    """
    model = summary["model"]
    drift = {
        "device_class": "problem",
        "value_template": "{{ 'ON' if value_json.alarm_count else 'OFF' }}",
        "json_attributes_topic": topic,
    }
    rows = {"state_class": "total_increasing", "value_template": "{{ value_json.rows }}"}
    wanted = [("binary_sensor", "drift", "drift", drift), ("sensor", "rows", "rows", rows)]
    if summary["estimated"] and (metric := main_metric(summary["estimated"])):
        expected = {
            "state_class": "measurement",
            "value_template": f"{{{{ value_json.estimated.{metric} }}}}",
        }
        name = f"expected {metric.replace('_', ' ')}"
        wanted.append(("sensor", "expected", name, expected))
    found = {}
    for component, what, name, about in wanted:
        unique = f"{_escaped(client_id(options))}_{_escaped(model)}_{what}"
        shared = {"name": f"{model} {name}", "unique_id": unique, "state_topic": topic, "qos": 1}
        config = {**shared, **about, **_device(options)}
        found[f"{options.discovery}/{component}/{unique}/config"] = config
    return found


def _device(options: MqttOptions) -> dict[str, Any]:
    client = client_id(options)
    # The status is JSON; its `state` is online or offline, which are Home Assistant's own words.
    status = {"topic": status_topic(options), "value_template": "{{ value_json.state }}"}
    device = {"identifiers": [client], "name": client, "manufacturer": "onnxlet"}
    return {
        "availability": [status],
        "device": {**device, "sw_version": __version__},
        "origin": {"name": "onnxlet", "sw_version": __version__},
    }


def _escaped(name: str) -> str:
    """Letters, digits, `_` and `-`: what a topic of discovery may hold; other names stay apart."""
    plain = re.sub("[^a-zA-Z0-9_-]", "_", name)
    return plain if plain == name else f"{plain}_{hashlib.sha256(name.encode()).hexdigest()[:6]}"
