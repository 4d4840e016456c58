"""The drift of the models that answer readings, as retained messages.

Home Assistant makes entities of them by its discovery, of one message an entity:
https://www.home-assistant.io/integrations/mqtt/
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from onnxlet import __version__
from onnxlet.edge.mqtt.readings import DRIFT, may_answer_to
from onnxlet.edge.mqtt.session import client_id, status_topic
from onnxlet.edge.service.drift_reports import main_metric
from onnxlet.edge.settings.device import MqttOptions

Summaries = Sequence[Mapping[str, Any]]


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
