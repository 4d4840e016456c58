"""What counts the requests of an app, and shows what was counted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from onnxlet.edge.service.drift_reports import DriftReports
from onnxlet.edge.service.tally import Tally
from onnxlet.function.messages import Reply
from onnxlet.function.serving.reload import Reloader

if TYPE_CHECKING:
    from onnxlet.edge.aggregation.counters import Counters
    from onnxlet.edge.forward.forwarder import Forwarder
    from onnxlet.function.serving.service import Service


class Meter:
    """Counts requests by their lines in the log, and shows what was counted."""

    def __init__(self, unseen: str = "", forward: Forwarder | None = None) -> None:
        # Knows which versions were refused; None if nothing is reloaded.
        self.reloader: Reloader | None = None
        self.forward = forward  # keeps predictions; None if nothing is kept
        self.drift = DriftReports()  # of the models that are served
        self.counts: Counters | None = None  # those of all workers; None where one process serves
        self.tally = Tally()  # this process's
        # Called once a scrape has imported its modules, so that later ones are fast.
        self.imported: Callable[[], object] = lambda: None
        # The id of requests that this process sends to itself, which are not counted.
        self._unseen = unseen

    def count(self, entry: Mapping[str, Any]) -> None:
        """Count one request; this takes 2 µs."""
        if self._unseen and entry.get("request_id") == self._unseen:
            return
        self.tally.count(entry)

    def expose(self, service: Service, accept: str, on_rows: bool) -> Reply:
        """Metrics in the format that the client accepts: Prometheus' or OpenMetrics'.

        Those of drift are left out where they may not be read: `on_rows`.
        """
        from onnxlet.edge.service.metrics import expose  # a server that nobody scrapes does without

        reply = expose(self, service, accept, on_rows)
        self.imported()
        return reply
