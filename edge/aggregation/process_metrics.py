"""What the processes of a service use, as one process would say it; imported by a scrape."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from onnxlet.edge.aggregation.counters import States

SECONDS = "process_cpu_seconds"
START = "process_start_time_seconds"


def metrics(states: States) -> Iterator[Metric]:
    """The names that `ProcessCollector` has; none where there is no /proc.

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
        if name == SECONDS:
            total = sum(each["seconds"] for each in workers) + sum(found)
            yield CounterMetricFamily(name, texts[name], total)
        else:
            value = min(found) if name == START else sum(found)
            yield GaugeMetricFamily(name, texts[name], value)
    yield GaugeMetricFamily("onnxlet_workers", "Processes that answer.", len(workers))
    ended = sum(each["ended"] for each in workers)
    yield CounterMetricFamily("onnxlet_workers_ended", "Those that have died.", ended)
