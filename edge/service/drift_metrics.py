"""The metrics of drift, for `/metrics`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from onnxlet.edge.service.drift_summary import METRICS

if TYPE_CHECKING:
    from prometheus_client.core import Metric

OF_A_TEST = ("model", "column", "output", "measure", "statistic")


def metrics(reports: Sequence[Mapping[str, Any]]) -> Iterator[Metric]:
    """prometheus-client's types; nothing where no model is counted.

    Labels are bounded: a model has at most 200 columns and outputs with four tests each, and 50
    reasons.

    Args:
        reports: as `GET /models/N/drift` answers them, one a model.
    """
    if reports:
        yield from _totals(reports)
        yield from _tests(reports)
        yield from _performance(reports)


def _totals(reports: Sequence[Mapping[str, Any]]) -> Iterator[Metric]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    rows = CounterMetricFamily("onnxlet_drift_rows", "Rows counted.", labels=["model"])
    window = GaugeMetricFamily(
        "onnxlet_drift_window_rows", "Recent rows that are compared.", labels=["model"]
    )
    alarms = GaugeMetricFamily("onnxlet_drift_alarms", "Tests that alarm.", labels=["model"])
    refused = CounterMetricFamily(
        "onnxlet_drift_refused", "Rows and requests without an answer.", labels=["model", "reason"]
    )
    for report in reports:
        model = [report["model"]]
        rows.add_metric(model, report["rows"])
        window.add_metric(model, report["window"])
        alarms.add_metric(model, len(report["alarms"]))
        for reason, count in report["refused"].items():
            refused.add_metric([*model, reason], count)
    yield from (rows, window, alarms, refused)


def _tests(reports: Sequence[Mapping[str, Any]]) -> Iterator[Metric]:
    from prometheus_client.core import GaugeMetricFamily

    value = GaugeMetricFamily(
        "onnxlet_drift_value", "A statistic of the recent rows.", labels=OF_A_TEST
    )
    threshold = GaugeMetricFamily(
        "onnxlet_drift_threshold", "That it passes by chance only.", labels=OF_A_TEST
    )
    alarmed = GaugeMetricFamily(
        "onnxlet_drift_alarmed", "1 for each test that alarms.", labels=OF_A_TEST
    )
    for report in reports:
        for entry in (*report["columns"], *report["predictions"]):
            for test in entry["tests"]:
                labels = [report["model"], *_place(entry), entry["measure"], test["statistic"]]
                value.add_metric(labels, test["value"])
                threshold.add_metric(labels, test["threshold"])
                if test["alarmed"]:
                    alarmed.add_metric(labels, 1)
    yield from (value, threshold, alarmed)


def _place(entry: Mapping[str, Any]) -> tuple[str, str]:
    """Column and output, one of them empty: a column may be called as an output is."""
    index = f"[{entry['index']}]" if "index" in entry else ""
    return entry.get("column", ""), f"{entry['output']}{index}" if "output" in entry else ""


def _performance(reports: Sequence[Mapping[str, Any]]) -> Iterator[Metric]:
    from prometheus_client.core import GaugeMetricFamily

    for kind, text in (
        ("estimated", "Performance expected on the recent rows, without labels."),
        ("held_out", "Performance on the held-out rows of the build."),
        ("realised", "Performance on the rows whose truth has come."),
    ):
        family = GaugeMetricFamily(f"onnxlet_{kind}_performance", text, labels=["model", "metric"])
        for report in reports:
            estimated = report["estimated"] or {}
            figures = estimated.get(kind, {}) if kind == "held_out" else report[kind] or {}
            for name in METRICS:
                if figures.get(name) is not None:
                    family.add_metric([report["model"], name], figures[name])
        yield family
