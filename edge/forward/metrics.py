"""The queue's metrics, for `/metrics`; imported by the first scrape."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from onnxlet.edge.forward.forwarder import Figures


def metrics(figures: Figures) -> Iterator[Metric]:
    """prometheus-client's types; without totals where the database can't be read."""
    dropped = CounterMetricFamily(
        "onnxlet_forward_dropped", "Records that were dropped.", labels=["reason"]
    )
    totals = figures.totals
    for reason, count in {**(totals.dropped if totals else {}), **figures.lost}.items():
        dropped.add_metric([reason], count)
    yield dropped
    yield CounterMetricFamily(
        "onnxlet_forward_late", "Answers that did not wait for the disk.", figures.late
    )
    yield GaugeMetricFamily(
        "onnxlet_forward_keeping", "1 if the disk takes records.", figures.keeping
    )
    if totals is None:
        return
    yield CounterMetricFamily("onnxlet_forward_sent", "Records that have arrived.", totals.sent)
    for name, text, value in (
        ("waiting", "Records that are still to be sent.", totals.waiting),
        ("set_aside", "Records that the other side refused.", totals.aside),
        ("oldest_seconds", "Age of the oldest waiting record.", totals.oldest_seconds),
        ("bytes", "Bytes that the records take on the disk.", totals.bytes),
    ):
        yield GaugeMetricFamily(f"onnxlet_forward_{name}", text, value)
