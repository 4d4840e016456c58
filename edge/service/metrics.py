"""Prometheus metrics of a server: of its one process, or the sums over its workers.

The first scrape imports prometheus-client: a server that nobody scrapes does without it.
"""

from __future__ import annotations

import platform
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from onnxlet.edge.service.drift_reports import DriftReports
from onnxlet.edge.service.tally import Tally
from onnxlet.function.messages import Reply
from onnxlet.function.serving.reload import Reloader

if TYPE_CHECKING:
    from prometheus_client.core import Metric

    from onnxlet.edge.aggregation.counters import Counters, States
    from onnxlet.edge.forward.forwarder import Forwarder
    from onnxlet.function.serving.service import Service

VERSION = re.compile(r";\s*version=([^;]*)")
VERSIONS = ("0.0.1", "0.0.4", "1.0.0")  # of the formats of Prometheus and OpenMetrics
DRIFT_SECONDS = 0.02  # of a scrape, for new reports on drift


class Meter:
    """Counts requests by their lines in the log."""

    def __init__(self, unseen: str = "", forward: Forwarder | None = None) -> None:
        # Knows which versions were refused; None if nothing is reloaded.
        self.reloader: Reloader | None = None
        self.forward = forward  # keeps predictions; None if nothing is kept
        self.drift = DriftReports()  # reports on the models that are served
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
        from prometheus_client import CollectorRegistry, ProcessCollector
        from prometheus_client.exposition import choose_encoder

        registry = CollectorRegistry(auto_describe=False)
        states = self.counts.collect() if self.counts else None
        if states is None:
            ProcessCollector(registry=registry)
        registry.register(Figures(self, service, states, on_rows))
        encode, media_type = choose_encoder(_readable(accept))
        text = encode(registry)
        self.imported()
        return Reply(text, media_type)


def _readable(accept: str) -> str:
    """The formats in an Accept header that this server writes: the library fails at others."""
    formats = [(each, VERSION.search(each)) for each in accept.split(",")]
    return ",".join(each for each, found in formats if found is None or found[1] in VERSIONS)


class Figures:
    """A collector of prometheus-client: counters, and gauges of this moment."""

    def __init__(
        self, meter: Meter, service: Service, states: States | None, on_rows: bool
    ) -> None:
        self._meter = meter  # counts requests
        self._on_rows = on_rows  # those of drift, too
        self._service = service  # has the models
        self._states = states  # the counts of all workers; None where one process serves
        self._tally = meter.tally
        if states is not None and meter.counts:
            self._service = replace(service, watches=meter.counts.moment(states))
            self._tally = Tally()
            for state in states:
                self._tally.add(state["requests"])

    def collect(self) -> Iterator[Metric]:
        """All metrics, for prometheus-client's registry."""
        from prometheus_client.core import GaugeMetricFamily

        yield from self._tally.metrics()
        in_flight = self._service.in_flight
        count = in_flight.count
        if self._states is not None:
            count = sum(state["in_flight"] for state in self._states)
        yield GaugeMetricFamily(
            "onnxlet_requests_in_flight", "Requests being answered, this one too.", count
        )
        yield GaugeMetricFamily(
            "onnxlet_requests_in_flight_limit", "Further ones are shed.", in_flight.limit
        )
        served = GaugeMetricFamily(
            "onnxlet_model_version", "Version that is served.", labels=["model"]
        )
        for model in self._service.repository.models:
            served.add_metric([model.name], model.version)
        yield served
        refused = GaugeMetricFamily(
            "onnxlet_model_refused", "Versions that are broken.", labels=["model", "version"]
        )
        for name, version in dict(self._meter.reloader.refused) if self._meter.reloader else ():
            refused.add_metric([name, str(version)], 1)
        yield refused
        yield GaugeMetricFamily(
            "onnxlet_reload_still_seconds",
            "How long a look at the models' folder has stood still; 0 where none does.",
            self._service.repository.progress.seconds_still(),
        )
        if self._on_rows and (digests := self._meter.drift.of(self._service, DRIFT_SECONDS)):
            from onnxlet.edge.service import drift_metrics

            yield from drift_metrics.metrics(digests)
        if self._meter.forward:
            yield from _forward(self._meter.forward, self._states)
        if self._states is not None:
            from onnxlet.edge.aggregation import process_metrics

            yield from process_metrics.metrics(self._states)
        yield _build()


def _forward(forward: Forwarder, states: States | None) -> Iterator[Metric]:
    from onnxlet.edge.forward.metrics import metrics

    figures = forward.figures()
    if states is not None:
        from onnxlet.edge.aggregation.counters import forwarded

        figures = forwarded(figures, states)
    yield from metrics(figures)


def _build() -> Metric:
    import numpy as np
    import onnxruntime
    from prometheus_client.core import InfoMetricFamily

    about = {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "onnxruntime": onnxruntime.__version__,
    }
    return InfoMetricFamily("onnxlet_build", "What computes here.", about)
