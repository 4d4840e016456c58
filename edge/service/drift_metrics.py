"""The metrics of drift, for `/metrics`; imported by the first scrape that has some."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from onnxlet.edge.service.drift_digest import Digest

OF_A_TEST = ("model", "column", "output", "measure", "statistic")


def metrics(digests: Sequence[Digest]) -> Iterator[Metric]:
    """prometheus-client's types; nothing where no model is counted.

    Labels are bounded: a model has at most 200 columns and outputs with four tests each, and 50
    reasons. There is one digest a model.
    """
    if digests:
        yield from _totals(digests)
        yield from _tests(digests)
        yield from _performance(digests)


def _totals(digests: Sequence[Digest]) -> Iterator[Metric]:
    rows = CounterMetricFamily("onnxlet_drift_rows", "Rows counted.", labels=["model"])
    window = GaugeMetricFamily(
        "onnxlet_drift_window_rows", "Recent rows that are compared.", labels=["model"]
    )
    alarms = GaugeMetricFamily("onnxlet_drift_alarms", "Tests that alarm.", labels=["model"])
    refused = CounterMetricFamily(
        "onnxlet_drift_refused", "Rows and requests without an answer.", labels=["model", "reason"]
    )
    for each in digests:
        model = [each.short["model"]]
        rows.add_metric(model, each.short["rows"])
        window.add_metric(model, each.short["window"])
        alarms.add_metric(model, each.short["alarm_count"])
        for reason, count in each.refused.items():
            refused.add_metric([*model, reason], count)
    yield from (rows, window, alarms, refused)


def _tests(digests: Sequence[Digest]) -> Iterator[Metric]:
    value = GaugeMetricFamily(
        "onnxlet_drift_value", "A statistic of the recent rows.", labels=OF_A_TEST
    )
    threshold = GaugeMetricFamily(
        "onnxlet_drift_threshold", "That it passes by chance only.", labels=OF_A_TEST
    )
    alarmed = GaugeMetricFamily(
        "onnxlet_drift_alarmed", "1 for each test that alarms.", labels=OF_A_TEST
    )
    for each in digests:
        for test in each.tests:
            place = (test.column, test.output, test.measure, test.statistic)
            labels = [each.short["model"], *place]
            value.add_metric(labels, test.value)
            threshold.add_metric(labels, test.threshold)
            if test.alarmed:
                alarmed.add_metric(labels, 1)
    yield from (value, threshold, alarmed)


def _performance(digests: Sequence[Digest]) -> Iterator[Metric]:
    for kind, text in (
        ("estimated", "Performance expected on the recent rows, without labels."),
        ("held_out", "Performance on the held-out rows of the build."),
        ("realised", "Performance on the rows whose truth has come."),
    ):
        family = GaugeMetricFamily(f"onnxlet_{kind}_performance", text, labels=["model", "metric"])
        for each in digests:
            for name, value in each.performance[kind].items():
                family.add_metric([each.short["model"], name], value)
        yield family
