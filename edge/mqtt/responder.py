"""Answer readings by the same app as over HTTP: the same limits, log, metrics and errors."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paho.mqtt.client import MQTTMessage

from onnxlet.edge.forward.forwarder import Forwarder
from onnxlet.edge.mqtt.readings import wsgi_environ
from onnxlet.edge.service.app import make_app
from onnxlet.edge.service.drift_reports import DriftReports
from onnxlet.function.app import SERVICE
from onnxlet.function.messages import Prediction
from onnxlet.function.settings import Settings

if TYPE_CHECKING:
    from onnxlet.edge.predictions.prediction_store import PredictionStore

WSGI = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Responder:
    """Answers readings by an app, one at a time.

    The settings have no API keys: the broker decides who may send readings.
    """

    def __init__(
        self,
        models: Path,
        settings: Settings,
        forward: Forwarder | None,
        model: str,
        keep: PredictionStore | None = None,
    ) -> None:
        self._forward = forward  # keeps predictions, or None
        self._model = model  # that answers readings that name none
        self._again = False
        observe = self._observe if forward else None
        app = make_app(models, observe, forward=forward, settings=settings, keep=keep)
        self._app: WSGI = app
        self._service = app.extensions[SERVICE]
        self._drift = DriftReports(with_tests=False)

    def answer(self, message: MQTTMessage) -> tuple[int, str, bytes]:
        """Status, media type and body of the answer, or of the problem, in the native protocol."""
        self._again = message.dup
        begun: list[Any] = []

        def start_response(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
            begun[:] = int(status[:3]), dict(headers)["Content-Type"]

        body = b"".join(self._app(wsgi_environ(message, self._model), start_response))
        status, media_type = begun
        return status, media_type, body

    def drift(self) -> list[dict[str, Any]]:
        """What the readings so far say of each model that is counted, in short."""
        return [each.summary for each in self._drift.of(self._service)]

    def _observe(self, prediction: Prediction) -> None:
        if self._forward is not None:
            self._forward.observe(prediction, self._again)
