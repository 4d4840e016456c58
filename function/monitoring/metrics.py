"""`GET /metrics`: answered where a meter was given to `create_app`, as device servers do.

Lambda has none: instances come and go, and nobody could scrape them. There the log line of each
request bears the same figures.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from onnxlet.folders import typed
from onnxlet.function.errors import NotServed
from onnxlet.function.messages import Reply, Request

if TYPE_CHECKING:
    from onnxlet.function.serving.service import Service

PATH = "/metrics"


class Meter(Protocol):
    """Counts requests, and shows the figures: a device's server has one."""

    def count(self, entry: Mapping[str, Any]) -> None:
        """Count one request by its line in the log."""

    def expose(self, service: Service, accept: str) -> Reply:
        """All figures, in a form that the client's Accept header names."""


def answer(service: Service, request: Request) -> Reply:
    """All figures.

    Raises:
        NotServed: nothing is counted here.
    """
    if service.meter is None:
        raise NotServed(
            "no metrics are kept here",
            f"{typed('edge', 'serve')} keeps them; on Lambda the log lines have the figures.",
        )
    return service.meter.expose(service, request.header("Accept"))
