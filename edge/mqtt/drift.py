"""The drift of the models that answer readings, as retained messages."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from onnxlet.edge.mqtt import home_assistant
from onnxlet.edge.mqtt.readings import DRIFT, may_answer_to
from onnxlet.edge.settings.mqtt import MqttOptions

Summaries = Sequence[Mapping[str, Any]]


def messages(options: MqttOptions, summaries: Summaries) -> dict[str, bytes]:
    """The messages by topic: one a model, and what Home Assistant finds its entities by.

    A topic by which they would be read as readings is left out.

    Args:
        options: the settings.
        summaries: as `onnxlet.edge.service.drift_summary.summary` gives them, one a model.
    """
    found: dict[str, Mapping[str, Any]] = {}
    for summary in summaries:
        topic = f"{options.answers}/{DRIFT}/{summary['model']}"
        # First the entities, so that Home Assistant already waits for the message.
        if options.discovery:
            found |= home_assistant.entities(options, summary, topic)
        found[topic] = summary
    return {
        topic: json.dumps(content, ensure_ascii=False).encode()
        for topic, content in found.items()
        if may_answer_to(topic, options.readings)
    }
