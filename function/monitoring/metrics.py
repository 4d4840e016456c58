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

    def expose(self, service: Service, accept: str, on_rows: bool) -> Reply:
        """Figures in a form that the client's Accept header names; `on_rows`, also those."""


def answer(service: Service, request: Request) -> Reply:
    """All figures that the request's key may read.

    Raises:
        NotServed: nothing is counted here.
    """
    if service.meter is None:
        raise NotServed(
            "no metrics are kept here",
            f"{typed('edge', 'serve')} keeps them; on Lambda the log lines have the figures.",
        )
    may_read = service.may_read(request.key)
    return service.meter.expose(service, request.header("Accept"), may_read)
