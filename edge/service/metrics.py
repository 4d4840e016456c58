"""Prometheus metrics of a server, counted in plain arrays.

The first scrape imports prometheus-client: a server that nobody scrapes does without it.
"""

from __future__ import annotations

import platform
import re
import threading
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from onnxlet.edge.service.drift_reports import DriftReports
from onnxlet.function.messages import Reply
from onnxlet.function.serving.reload import Reloader

if TYPE_CHECKING:
    from prometheus_client.core import Metric

    from onnxlet.edge.forward.forwarder import Forwarder
    from onnxlet.function.serving.service import Service

# Upper bounds of the histogram's buckets, in milliseconds.
BOUNDS = (0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 10_000)
WHOLE = "total"  # stands for all stages together
VERSION = re.compile(r";\s*version=([^;]*)")
VERSIONS = ("0.0.1", "0.0.4", "1.0.0")  # of the formats of Prometheus and OpenMetrics
DRIFT_SECONDS = 0.02  # of a scrape, for new reports on drift
OTHER = "ServerError"  # label of errors that are no client's mistake; the log has their message


class Times:
    """A histogram.

    Attributes:
        counts: by bucket; the last one is above all bounds.
        total: the sum, in milliseconds.
    """

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS) + 1)
        self.total = 0.0


def _add(times: Times, milliseconds: float) -> None:
    times.counts[bisect_left(BOUNDS, milliseconds)] += 1
    times.total += milliseconds


class Meter:
    """Counts requests by their lines in the log.

    Args:
        unseen: the id of requests that this process sends to itself, which are not counted.

    Attributes:
        reloader: knows which versions were refused; None if nothing is reloaded.
        forward: keeps predictions; None if nothing is kept.
        drift: reports on the models that are served.
        imported: called once a scrape has imported its modules, so that later ones are fast.
    """

    def __init__(self, unseen: str = "", forward: Forwarder | None = None) -> None:
        self.reloader: Reloader | None = None
        self.forward = forward
        self.drift = DriftReports()
        self.imported: Callable[[], object] = lambda: None
        self._unseen = unseen
        self._lock = threading.Lock()
        self._requests: Counter[tuple[str, int]] = Counter()
        self._errors: Counter[tuple[str, str]] = Counter()
        self._rows: Counter[str] = Counter()
        self._times: dict[str, dict[str, Times]] = defaultdict(lambda: defaultdict(Times))

    def count(self, entry: Mapping[str, Any]) -> None:
        """Count one request; this takes 2 µs."""
        if self._unseen and entry.get("request_id") == self._unseen:
            return
        model = entry.get("model", "")
        with self._lock:
            self._requests[model, entry["status"]] += 1
            if "rows" in entry:
                self._rows[model] += entry["rows"]
            if "error" in entry:
                kind = entry["error"]
                self._errors[model, kind if kind.isidentifier() else OTHER] += 1
            times = self._times[model]
            _add(times[WHOLE], entry["ms"])
            if "stages" in entry:
                for stage, milliseconds in entry["stages"].items():
                    _add(times[stage], milliseconds)

    def expose(self, service: Service, accept: str) -> Reply:
        """All metrics, in the format that the client accepts: Prometheus' or OpenMetrics'."""
        from prometheus_client import CollectorRegistry, ProcessCollector
        from prometheus_client.exposition import choose_encoder

        registry = CollectorRegistry(auto_describe=False)
        ProcessCollector(registry=registry)
        registry.register(Figures(self, service))
        encode, media_type = choose_encoder(_readable(accept))
        text = encode(registry)
        self.imported()
        return Reply(text, media_type)

    def metrics(self) -> Iterator[Metric]:
        """The counters as prometheus-client's types."""
        from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily

        requests = CounterMetricFamily(
            "onnxlet_requests", "Requests answered.", labels=["model", "status"]
        )
        errors = CounterMetricFamily(
            "onnxlet_errors", "Requests refused or failed.", labels=["model", "error"]
        )
        rows = CounterMetricFamily("onnxlet_rows", "Rows predicted.", labels=["model"])
        times = HistogramMetricFamily(
            "onnxlet_request_seconds", "Time by stage.", labels=["model", "stage"]
        )
        with self._lock:
            for (model, status), count in self._requests.items():
                requests.add_metric([model, str(status)], count)
            for (model, kind), count in self._errors.items():
                errors.add_metric([model, kind], count)
            for model, count in self._rows.items():
                rows.add_metric([model], count)
            for model, stages in self._times.items():
                for stage, each in stages.items():
                    times.add_metric([model, stage], _buckets(each), each.total / 1e3)
        yield from (requests, errors, rows, times)


def _readable(accept: str) -> str:
    """The formats in an Accept header that this server writes: the library fails at others."""
    formats = [(each, VERSION.search(each)) for each in accept.split(",")]
    return ",".join(each for each, found in formats if found is None or found[1] in VERSIONS)


def _buckets(times: Times) -> list[tuple[str, float]]:
    """Cumulative counts: in Prometheus, a bucket includes the lower ones."""
    bounds = [*(str(bound / 1e3) for bound in BOUNDS), "+Inf"]
    return list(zip(bounds, map(float, accumulate(times.counts)), strict=True))


class Figures:
    """A collector of prometheus-client: the meter's counters, and gauges of this moment."""

    def __init__(self, meter: Meter, service: Service) -> None:
        self._meter = meter
        self._service = service

    def collect(self) -> Iterator[Metric]:
        """All metrics, for prometheus-client's registry."""
        from prometheus_client.core import GaugeMetricFamily

        yield from self._meter.metrics()
        in_flight = self._service.in_flight
        yield GaugeMetricFamily(
            "onnxlet_requests_in_flight", "Requests being answered, this one too.", in_flight.count
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
        if digests := self._meter.drift.of(self._service, DRIFT_SECONDS):
            from onnxlet.edge.service import drift_metrics

            yield from drift_metrics.metrics(digests)
        if self._meter.forward:
            from onnxlet.edge.forward.metrics import metrics

            yield from metrics(self._meter.forward.figures())
        yield _build()


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
