"""A reading as a WSGI request, and its answer as a message. No I/O."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Sequence
from typing import Any, NamedTuple

from paho.mqtt.client import MQTTMessage, topic_matches_sub

from onnxlet.edge.settings.device import MqttOptions
from onnxlet.function.request_log import REQUEST_ID

JSON = "application/json"
LONGEST_TOPIC = 65535
# Below the topic of answers: this service's state, and its models'; no answer may fake them.
STATUS, DRIFT = "status", "drift"


class Reply(NamedTuple):
    """A message to publish."""

    topic: str  # to publish to
    payload: bytes  # JSON
    properties: dict[str, Any]  # of MQTT 5


def request_id(message: MQTTMessage) -> str:
    """The reading's id: its own, or one that is the same when the broker sends it again.

    A reading with QoS 1 that has no id gets a hash of its content and its packet id, which the
    broker keeps until the reading is acknowledged. One with QoS 0 is never sent again.
    """
    own: str = dict(getattr(message.properties, "UserProperty", ())).get("request-id", "")
    if REQUEST_ID.fullmatch(own):
        return own
    if message.qos == 0:
        return os.urandom(16).hex()
    properties = message.properties
    parts = [
        str(message.mid).encode(),
        message.topic.encode(),
        str(getattr(properties, "ResponseTopic", "")).encode(),
        bytes(getattr(properties, "CorrelationData", b"")),
        bytes(message.payload),
    ]
    digests = b"".join(hashlib.sha256(part).digest() for part in parts)
    return hashlib.sha256(digests).hexdigest()[:32]


def wsgi_environ(message: MQTTMessage) -> dict[str, Any]:
    """The reading as a native request in WSGI's form: the model is the one that it names."""
    return {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/predict",
        "QUERY_STRING": "",
        "SERVER_NAME": "mqtt",
        "SERVER_PORT": "0",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "CONTENT_TYPE": JSON,
        "CONTENT_LENGTH": str(len(message.payload)),
        "HTTP_X_REQUEST_ID": request_id(message),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(message.payload),
        "wsgi.errors": None,
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }


def answer_to(
    message: MQTTMessage, status: int, media_type: str, body: bytes, options: MqttOptions
) -> Reply:
    """The answer, to the topic that the reading names, with its correlation data.

    It goes to the usual topic of answers where the reading names none, or one that the filter of
    readings matches, that no filter of the allowed ones does, or that is the service's own.
    """
    usual = options.answers
    allowed = (f"{usual}/#", *options.responses)  # this filter matches `usual`, too
    own = [f"{usual}/{STATUS}", f"{usual}/{DRIFT}/#"]
    if options.discovery:
        own.append(f"{options.discovery}/#")
    requested = str(getattr(message.properties, "ResponseTopic", ""))
    properties: dict[str, Any] = {
        "ContentType": media_type,
        "UserProperty": [("request-id", request_id(message)), ("status", str(status))],
    }
    correlation = getattr(message.properties, "CorrelationData", None)
    if correlation is not None:
        properties["CorrelationData"] = correlation
    named = (
        may_answer_to(requested, options.readings)
        and _matches(allowed, requested)
        and not _matches(own, requested)
    )
    return Reply(requested if named else usual, body, properties)


def _matches(filters: Sequence[str], topic: str) -> bool:
    return any(topic_matches_sub(each, topic) for each in filters)


def may_answer_to(topic: str, readings: str) -> bool:
    """Whether a message to this topic would not be taken for a reading."""
    if not topic or len(topic.encode()) > LONGEST_TOPIC or set("#+\0") & set(topic):
        return False
    if readings.startswith("$share/"):  # of a shared subscription, $share/GROUP/FILTER
        readings = readings.split("/", 2)[2]
    return topic[0] != "$" and not topic_matches_sub(readings, topic)
