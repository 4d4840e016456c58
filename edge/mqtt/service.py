"""The MQTT service: answer readings until stopped, reconnecting whenever the broker is lost.

They are answered by the same app as over HTTP: the same limits, log, metrics and errors.
"""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from paho.mqtt.client import MQTTMessage

from onnxlet.edge.forward.forwarder import Forwarder
from onnxlet.edge.forward.sender import pause
from onnxlet.edge.mqtt.announcer import (
    Announcer,
    Rights,
    Summaries,
    client_id,
    messages,
    status_topic,
)
from onnxlet.edge.mqtt.readings import may_answer_to, wsgi_environ
from onnxlet.edge.mqtt.session import Backlog, Counts, Respond, Session
from onnxlet.edge.net.mqtt_link import Address, Link, LinkLost, Will
from onnxlet.edge.predictions.prediction_store import PredictionStore
from onnxlet.edge.service.app import make_app
from onnxlet.edge.service.drift_reports import DriftReports
from onnxlet.edge.settings.device import MqttOptions, checked_link
from onnxlet.folders import documented
from onnxlet.function import request_log
from onnxlet.function.app import SERVICE
from onnxlet.function.errors import SettingsError
from onnxlet.function.settings import Settings

DAY_SECONDS = 86_400
STEADY_SECONDS = 10.0  # a connection that lasted longer resets the backoff
# Of a packet beyond the largest body: up to that, a reading that is too large gets a 413. A larger
# packet is never sent by the broker.
SURPLUS_BYTES = 65_536
TAKEN_OVER = 0x8E  # MQTT 5's reason code where another client comes with the same id


def check(options: MqttOptions) -> None:
    """Refuse incomplete settings, and topics with which answers would be taken for readings.

    SettingsError names all of them.
    """
    faults = [
        f"ONNXLET_DEVICE_{name}: expected {what}, got nothing"
        for name, what, value in (
            ("MQTT_URL", "mqtts://HOST", options.url),
            ("MQTT_READINGS", "the topic that readings come by", options.readings),
            ("MQTT_ANSWERS", "the topic that answers go by", options.answers),
        )
        if not value
    ]
    if not faults:
        faults = [
            f"ONNXLET_DEVICE_MQTT_ANSWERS: answers by '{topic}' would be read as readings, "
            f"by '{options.readings}'"
            for topic in (options.answers, status_topic(options))
            if not may_answer_to(topic, options.readings)
        ]
    if faults:
        hint = documented(
            "docs/reference/settings.md lists the variables.",
            "Set them in the environment; on a device, in /etc/onnxlet/environment.",
        )
        raise SettingsError("; ".join(faults), hint)


def link_of(options: MqttOptions) -> Link:
    """A link that is not open yet.

    SettingsError is raised where the CA certificates can't be read, or the URL has no address.
    """
    will = Will(status_topic(options), json.dumps({"state": "offline"}).encode())
    address = Address(options.url, options.user, options.password, options.ca)
    with checked_link("MQTT", options, "broker"):
        return Link(address, client_id(options), will)


class MqttService:
    """Connects, answers, and connects again."""

    def __init__(
        self,
        options: MqttOptions,
        respond: Respond,
        largest: int,
        log: request_log.Log = request_log.write,
        beat: Callable[[], None] = lambda: None,
        drift: Callable[[], Summaries] = list,
    ) -> None:
        self.stopping = threading.Event()
        self._options = options  # the settings, checked
        self._respond = respond  # answers a reading
        self._largest = largest  # bytes of a reading that is answered
        self._beat = beat  # called at least once a second while this works
        self._drift = drift  # gives a summary of each model that is counted
        self._log = log  # gets a line when the broker is lost, and when it is back
        self._backlog = Backlog(options.backlog)
        self._counts = Counts()
        self._rights = Rights(log)
        self._lost = False

    def run(self) -> None:
        """Serve until `stopping` is set."""
        failures = 0
        while not self.stopping.is_set():
            start = time.monotonic()
            try:
                self._connection()
            except LinkLost as error:
                twin = "; it has this ONNXLET_DEVICE_MQTT_CLIENT" * (error.code == TAKEN_OVER)
                self._log_state({"state": "lost", "error": f"{error}{twin}"})
                self._backlog.forget_what_comes_again()
                failures = 1 if time.monotonic() - start > STEADY_SECONDS else failures + 1
                self._wait(pause(failures, 0.0))

    def _wait(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and not self.stopping.wait(min(left, 1.0)):
            self._beat()

    def _goes_on(self) -> bool:
        self._beat()
        return not self.stopping.is_set()

    def _connection(self) -> None:
        link = link_of(self._options)
        try:
            link.open(
                resume=True,
                SessionExpiryInterval=7 * DAY_SECONDS,
                ReceiveMaximum=self._options.backlog,
                MaximumPacketSize=self._largest + SURPLUS_BYTES,
            )
            link.subscribe(self._options.readings)
            self._log_state({"state": "answering", "readings": self._options.readings})
            self._answer(link)
        finally:
            link.close()

    def _answer(self, link: Link) -> None:
        announcer = Announcer(link, lambda: messages(self._options, self._drift()), self._rights)
        session = Session(
            link, self._options, self._respond, self._backlog, self._counts, self._log, announcer
        )
        try:
            session.run(self._goes_on)
        except LinkLost:
            announcer.lost()
            raise

    def _log_state(self, entry: dict[str, Any]) -> None:
        """Log a state; of a broker that stays away only once."""
        lost = entry["state"] == "lost"
        if not (lost and self._lost):
            self._log({"event": "mqtt", **entry})
        self._lost = lost


class Responder:
    """Answers readings by an app, one at a time.

    The settings have no API keys: the broker decides who may send readings. The model answers those
    that name none. ModelError is raised where it is not served, or a model is broken.
    """

    def __init__(
        self,
        models: Path,
        settings: Settings,
        forward: Forwarder | None,
        model: str,
        keep: PredictionStore | None = None,
    ) -> None:
        settings = settings._replace(default_model=model or settings.default_model)
        self._again = False
        observe = None  # of predictions, which `forward` keeps
        if forward is not None:
            observe = lambda prediction: forward.observe(prediction, self._again)  # noqa: E731
        self._app = make_app(models, observe, forward=forward, settings=settings, keep=keep)
        self._service = self._app.extensions[SERVICE]
        self._drift = DriftReports(with_tests=False)

    def answer(self, message: MQTTMessage) -> tuple[int, str, bytes]:
        """Status, media type and body of the answer, or of the problem, in the native protocol."""
        self._again = message.dup
        begun: list[Any] = []

        def start_response(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
            begun[:] = int(status[:3]), dict(headers)["Content-Type"]

        body = b"".join(self._app(wsgi_environ(message), start_response))
        status, media_type = begun
        return status, media_type, body

    def drift(self) -> list[dict[str, Any]]:
        """What the readings so far say of each model that is counted, in short."""
        return [each.summary for each in self._drift.of(self._service)]


def end_by_signals(stopping: threading.Event) -> None:
    """Have SIGTERM and SIGINT end the service, after the reading that is being answered."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, frame: stopping.set())
