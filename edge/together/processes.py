"""What the processes of a service use, as one process would say it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from onnxlet.edge.together.counts import States

if TYPE_CHECKING:
    from prometheus_client.core import Metric

SECONDS = "process_cpu_seconds"
START = "process_start_time_seconds"


class Processes:
    """A collector of prometheus-client: sums over the workers and their supervisor.

    A worker's processor time is what it has said itself, so that a sum never falls when one ends.
    Memory that they share is in each one's resident memory.

    Args:
        states: of all workers.
        supervisor: its process.
    """

    def __init__(self, states: States, supervisor: int | None = None) -> None:
        self._workers = [state["process"] for state in states]
        self._supervisor = os.getppid() if supervisor is None else supervisor

    def collect(self) -> Iterator[Metric]:
        """The names that `ProcessCollector` has; none where there is no /proc."""
        from prometheus_client import CollectorRegistry, ProcessCollector
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        values: dict[str, list[float]] = {}
        texts: dict[str, str] = {}
        pids = [self._supervisor, *(each["pid"] for each in self._workers)]
        for pid in pids:
            collector = ProcessCollector(pid=partial(int, pid), registry=CollectorRegistry())
            for family in collector.collect():
                texts[family.name] = family.documentation
                if family.name != SECONDS or pid == self._supervisor:
                    values.setdefault(family.name, []).append(family.samples[0].value)
        for name, found in values.items():
            if name == SECONDS:
                total = sum(each["seconds"] for each in self._workers) + sum(found)
                yield CounterMetricFamily(name, texts[name], total)
            else:
                value = min(found) if name == START else sum(found)
                yield GaugeMetricFamily(name, texts[name], value)
        yield GaugeMetricFamily("onnxlet_workers", "Processes that answer.", len(self._workers))
        ended = sum(each["ended"] for each in self._workers)
        yield CounterMetricFamily("onnxlet_workers_ended", "Those that have died.", ended)
