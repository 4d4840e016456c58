"""Answers readings without a model: a process that starts quickly and is made to be killed.

With `early` it acknowledges each reading as soon as it has come: a fault that the test has to find.
A number of seconds has it notice so soon that a broker is gone.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from paho.mqtt.client import MQTTMessage

from onnxlet.edge.forward import sender
from onnxlet.edge.mqtt import service
from onnxlet.edge.mqtt.readings import request_id
from onnxlet.edge.net import mqtt_link
from onnxlet.edge.settings.device import MqttOptions
from tests.edge.mqtt.broker import PASSWORD, USER

PAUSES = {"early": 0.02}  # by how it answers: so that some are acknowledged and not answered yet


def respond(message: MQTTMessage) -> tuple[int, str, bytes]:
    time.sleep(PAUSES.get(sys.argv[-1], 0.003))
    reported = {"id": request_id(message), "of": json.loads(message.payload)}
    return 200, "application/json", json.dumps(reported).encode()


class Early(mqtt_link.Link):
    """Acknowledges what it has only just got."""

    def _received(self, client: Any, data: Any, message: MQTTMessage) -> None:
        super()._received(client, data, message)
        super().acknowledge(message)

    def acknowledge(self, message: MQTTMessage) -> None:
        pass


def main() -> None:
    url, ca, how = sys.argv[1:]
    if how.isdecimal():
        mqtt_link.KEEPALIVE_SECONDS = int(how)
    sender.FIRST_SECONDS = sender.LONGEST_SECONDS = 0.1
    options = MqttOptions(url, USER, PASSWORD, Path(ca), "answerer", "readings/#", "answers")
    service.check(options)
    if how == "early":
        vars(service)["Link"] = Early  # the fault
    answering = service.MqttService(options, respond, 1_000_000)
    service.end_by_signals(answering.stopping)
    answering.run()


if __name__ == "__main__":
    main()
