"""Prometheus metrics of a server: of its one process, or the sums over its workers.

The first scrape imports this, and prometheus-client with it.
"""

from __future__ import annotations

import os
import platform
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from importlib.metadata import version
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple, Protocol

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder

from onnxlet.edge.aggregation.counters import Counters, States, forwarded, summed
from onnxlet.edge.aggregation.requests import BOUNDS, ServerCounts
from onnxlet.edge.forward.forwarder import Figures, Forwarder
from onnxlet.edge.reload.reloader import Reloader
from onnxlet.edge.service.drift_reports import Digest, DriftReports
from onnxlet.function.messages import Reply
from onnxlet.function.runtime.sessions import runtime_version
from onnxlet.function.serving.service import Service

if TYPE_CHECKING:
    from onnxlet.edge.tracing.exporter import SpanCounts

VERSION = re.compile(r";\s*version=([^;]*)")
VERSIONS = ("0.0.1", "0.0.4", "1.0.0")  # of the formats of Prometheus and OpenMetrics
DRIFT_SECONDS = 0.02  # of a scrape, for new reports on drift
SECONDS, START = "process_cpu_seconds", "process_start_time_seconds"
OF_A_TEST = ("model", "column", "output", "measure", "statistic")
PERFORMANCE = {
    "estimated": "Performance expected on the recent rows, without labels.",
    "held_out": "Performance on the held-out rows of the build.",
    "realised": "Performance on the rows whose truth has come.",
}

Samples = Iterable[tuple[Sequence[str], float]]  # the labels' values, and the number
Kind = type[CounterMetricFamily] | type[GaugeMetricFamily]
COUNTER: Kind = CounterMetricFamily
GAUGE: Kind = GaugeMetricFamily
# The kind of a metric, its name and text, the names of its labels, and its samples.
Family = tuple[Kind, str, str, Sequence[str], Samples]


class Sources(Protocol):
    """What a meter has; None where there is none in this process."""

    requests: ServerCounts
    counts: Counters | None
    drift: DriftReports
    reloader: Reloader | None
    forward: Forwarder | None
    tracing: SpanCounts | None


def expose(meter: Sources, service: Service, accept: str, on_rows: bool) -> Reply:
    """What `Meter.expose` answers."""
    registry = CollectorRegistry(auto_describe=False)
    states = meter.counts.collect() if meter.counts else None
    if states is None:
        ProcessCollector(registry=registry)
    registry.register(Collector(partial(_all_metrics, meter, service, states, on_rows)))
    encode, media_type = choose_encoder(_readable(accept))
    return Reply(encode(registry), media_type)


def _readable(accept: str) -> str:
    """The formats in an Accept header that this server writes: the library fails at others."""
    formats = [(each, VERSION.search(each)) for each in accept.split(",")]
    return ",".join(each for each, found in formats if found is None or found[1] in VERSIONS)


class Collector(NamedTuple):
    """What prometheus-client's registry takes."""

    collect: Callable[[], Iterator[Metric]]


def _all_metrics(
    meter: Sources, service: Service, states: States | None, on_rows: bool
) -> Iterator[Metric]:
    """Counters, and gauges of this moment; `on_rows`: those of drift, too.

    The states are the counts of all workers; None where one process serves.
    """
    counts, in_flight = meter.requests, service.in_flight
    count = in_flight.count
    if states is not None and meter.counts:
        service = service._replace(watches=meter.counts.moment(states))
        counts = summed(states)
        count = sum(state["in_flight"] for state in states)
    yield from request_metrics(counts)
    served = [([model.name], model.version) for model in service.repository.models]
    refused = dict(meter.reloader.refused) if meter.reloader else {}
    yield from _filled(
        (GAUGE, "onnxlet_requests_in_flight", "Requests being answered, this one too.", (),
         _one(count)),
        (GAUGE, "onnxlet_requests_in_flight_limit", "Further ones are shed.", (),
         _one(in_flight.limit)),
        (GAUGE, "onnxlet_model_version", "Version that is served.", ("model",), served),
        (GAUGE, "onnxlet_model_refused", "Versions that are broken.", ("model", "version"),
         [([name, str(version)], 1) for name, version in refused]),
        (GAUGE, "onnxlet_reload_still_seconds",
         "How long a look at the models' folder has stood still; 0 where none does.", (),
         _one(service.repository.seconds_still())),
    )  # fmt: skip
    if on_rows and (digests := meter.drift.of(service, DRIFT_SECONDS)):
        yield from drift_metrics(digests)
    if meter.forward:
        figures = meter.forward.figures()
        yield from _forward(figures if states is None else forwarded(figures, states))
    if meter.tracing:
        counted = [state["tracing"] for state in states or ()] or [meter.tracing.state()]
        yield from _tracing(counted)
    if states is not None:
        yield from _processes(states)
    about = {
        "python": platform.python_version(),
        "numpy": version("numpy"),
        "onnxruntime": runtime_version(),
    }
    yield InfoMetricFamily("onnxlet_build", "What computes here.", about)


def _filled(*families: Family) -> Iterator[Metric]:
    for kind, name, text, labels, samples in families:
        family = kind(name, text, labels=labels)
        for values, number in samples:
            family.add_metric(values, number)
        yield family


def _one(number: float) -> Samples:
    """The sample of a family without labels."""
    return [((), number)]


def request_metrics(counts: ServerCounts) -> Iterator[Metric]:
    """Of requests, by model."""
    times = HistogramMetricFamily(
        "onnxlet_request_seconds", "Time by stage.", labels=["model", "stage"]
    )
    bounds = [*(str(bound / 1e3) for bound in BOUNDS), "+Inf"]
    found = counts.by_name()
    rows = [([name], each.rows) for name, each in found.items() if each.answered]
    requests, errors = list[tuple[list[str], int]](), list[tuple[list[str], int]]()
    for name, count in found.items():
        requests += [([name, str(status)], n) for status, n in count.requests.items()]
        errors += [([name, kind], n) for kind, n in count.errors.items()]
        for stage, each in count.times.items():
            # Cumulative counts: in Prometheus, a bucket includes the lower ones.
            buckets = list(zip(bounds, map(float, accumulate(each.counts)), strict=True))
            times.add_metric([name, stage], buckets, each.total / 1e3)
    yield from _filled(
        (COUNTER, "onnxlet_requests", "Requests answered.", ("model", "status"), requests),
        (COUNTER, "onnxlet_errors", "Requests refused or failed.", ("model", "error"), errors),
        (COUNTER, "onnxlet_rows", "Rows of answered requests.", ("model",), rows),
    )
    yield times


def drift_metrics(digests: Sequence[Digest]) -> Iterator[Metric]:
    """Of drift, one digest a model.

    Labels are bounded: a model has at most 200 columns and outputs with four tests each, and 50
    reasons.
    """
    models = [([each.short["model"]], each) for each in digests]
    tests = [
        ([*m, test.column, test.output, test.measure, test.statistic], test)
        for m, d in models
        for test in d.tests
    ]
    yield from _filled(
        (COUNTER, "onnxlet_drift_rows", "Rows counted.", ("model",),
         [(m, d.short["rows"]) for m, d in models]),
        (GAUGE, "onnxlet_drift_window_rows", "Recent rows that are compared.", ("model",),
         [(m, d.short["window"]) for m, d in models]),
        (GAUGE, "onnxlet_drift_alarms", "Tests that alarm.", ("model",),
         [(m, d.short["alarm_count"]) for m, d in models]),
        (COUNTER, "onnxlet_drift_refused", "Rows and requests without an answer.",
         ("model", "reason"), [([*m, why], n) for m, d in models for why, n in d.refused.items()]),
        (COUNTER, "onnxlet_drift_compared", "Rows compared with training rows.", ("model",),
         [(m, d.short["unusual"]["compared"]) for m, d in models if d.short["unusual"]]),
        (COUNTER, "onnxlet_drift_unusual", "Of these, rows that are unlike them.", ("model",),
         [(m, d.short["unusual"]["rows"]) for m, d in models if d.short["unusual"]]),
        (GAUGE, "onnxlet_drift_value", "A statistic of the recent rows.", OF_A_TEST,
         [(labels, test.value) for labels, test in tests]),
        (GAUGE, "onnxlet_drift_threshold", "That it passes by chance only.", OF_A_TEST,
         [(labels, test.threshold) for labels, test in tests]),
        (GAUGE, "onnxlet_drift_alarmed", "1 for each test that alarms.", OF_A_TEST,
         [(labels, 1) for labels, test in tests if test.alarmed]),
    )  # fmt: skip
    for kind, text in PERFORMANCE.items():
        found = [
            ([*m, name], value) for m, d in models for name, value in d.performance[kind].items()
        ]
        yield from _filled((GAUGE, f"onnxlet_{kind}_performance", text, ("model", "metric"), found))


def _forward(figures: Figures) -> Iterator[Metric]:
    """Of the queue of predictions; without totals where the database can't be read."""
    totals = figures.totals
    dropped = {**(totals.dropped if totals else {}), **figures.lost}
    samples = [([reason], count) for reason, count in dropped.items()]
    yield from _filled(
        (COUNTER, "onnxlet_forward_dropped", "Records that were dropped.", ("reason",), samples),
        (COUNTER, "onnxlet_forward_late", "Answers that did not wait for the disk.", (),
         _one(figures.late)),
        (GAUGE, "onnxlet_forward_keeping", "1 if the disk takes records.", (),
         _one(figures.keeping)),
    )  # fmt: skip
    if totals is None:
        return
    yield from _filled(
        (COUNTER, "onnxlet_forward_sent", "Records that have arrived.", (), _one(totals.sent)),
        (GAUGE, "onnxlet_forward_waiting", "Records that are still to be sent.", (),
         _one(totals.waiting)),
        (GAUGE, "onnxlet_forward_set_aside", "Records that the other side refused.", (),
         _one(totals.aside)),
        (GAUGE, "onnxlet_forward_oldest_seconds", "Age of the oldest waiting record.", (),
         _one(totals.oldest_seconds)),
        (GAUGE, "onnxlet_forward_bytes", "Bytes that the records take on the disk.", (),
         _one(totals.bytes)),
    )  # fmt: skip


def _tracing(counted: Iterable[Mapping[str, int]]) -> Iterator[Metric]:
    """Of spans, as `SpanCounts` has them in each worker."""
    total = Counter[str]()
    for each in counted:
        total.update(each)
    sent = total.pop("sent")
    dropped = [([reason], number) for reason, number in total.items()]
    yield from _filled(
        (COUNTER, "onnxlet_tracing_sent", "Spans that the collector took.", (), _one(sent)),
        (COUNTER, "onnxlet_tracing_dropped", "Spans that were dropped.", ("reason",), dropped),
    )


def _processes(states: States) -> Iterator[Metric]:
    """What processes use, by the names of `ProcessCollector`; none where there is no /proc.

    They are sums over the workers and their supervisor. A worker's processor time is what it has
    said itself, so that a sum never falls when one ends. Memory that they share is in each one's
    resident memory.
    """
    workers, supervisor = [state["process"] for state in states], os.getppid()
    values: dict[str, list[float]] = {}
    texts: dict[str, str] = {}
    pids = [supervisor, *(each["pid"] for each in workers)]
    for pid in pids:
        collector = ProcessCollector(pid=partial(int, pid), registry=CollectorRegistry())
        for family in collector.collect():
            texts[family.name] = family.documentation
            if family.name != SECONDS or pid == supervisor:
                values.setdefault(family.name, []).append(family.samples[0].value)
    for name, found in values.items():
        value, kind = min(found) if name == START else sum(found), GAUGE
        if name == SECONDS:
            value, kind = value + sum(each["seconds"] for each in workers), COUNTER
        yield from _filled((kind, name, texts[name], (), _one(value)))
    yield from _filled(
        (GAUGE, "onnxlet_workers", "Processes that answer.", (), _one(len(workers))),
        (COUNTER, "onnxlet_workers_ended", "Those that have died.", (),
         _one(sum(each["ended"] for each in workers))),
    )  # fmt: skip
