"""The log on Lambda: the same lines, with the first of each instance marked, and metrics in them.

CloudWatch reads metrics out of log lines that name them (its Embedded Metric Format):
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

import time
from typing import Any

from onnxlet.function import request_log

METRICS = (
    ("ms", "Milliseconds"),
    ("rows", "Count"),
    ("errors", "Count"),
    ("cold_starts", "Count"),
    ("init_ms", "Milliseconds"),
)
# Of rows that were counted against a model's reference: over several models they mean nothing.
OF_MODELS = (
    ("watched_rows", "Count"),
    ("expected_accuracy", "None"),
    ("expected_absolute_error", "None"),
)


class LambdaLog:
    """Writes the lines of one instance, with metrics of this namespace; None leaves them out."""

    def __init__(self, namespace: str | None) -> None:
        self._namespace = namespace
        self._first: dict[str, Any] = {}

    def ready(self, init_ms: float) -> None:
        """Mark the next line as this instance's first; importing and loading took `init_ms`."""
        self._first = {"cold": True, "init_ms": round(init_ms, 3)}

    def restored(self) -> None:
        """Mark the next line as a first one again: this instance came out of a snapshot."""
        self._first = {"cold": True, "restored": True}

    def write(self, entry: dict[str, Any]) -> None:
        """Write one line, with metrics where they are asked for.

        The first line, and one with what was counted, is written although few are: the next one
        does not say it again.
        """
        cold, self._first = self._first, {}
        always = bool(cold) or "watched" in entry
        line = {**entry, **cold}
        if self._namespace:
            line |= {"errors": int("error" in line), "cold_starts": int(bool(cold))}
            line |= _watched(line.get("watched"))
            line["_aws"] = _directive(line, self._namespace)
        request_log.write(line, always)


def _watched(delta: dict[str, Any] | None) -> dict[str, float]:
    """The metrics of what was counted, by name."""
    if delta is None:
        return {}
    expected = delta.get("expected", {})
    found = {
        "watched_rows": delta["rows"],
        "expected_accuracy": expected.get("accuracy"),
        "expected_absolute_error": expected.get("mean_absolute_error"),
    }
    return {name: value for name, value in found.items() if value is not None}


def _directive(line: dict[str, Any], namespace: str) -> dict[str, Any]:
    """Says to CloudWatch which members of a line are metrics, and by what to sum them up."""
    by_model = [["model"]] if "model" in line else []
    directives = [_metrics(line, namespace, METRICS, [[], *by_model])]
    if "watched" in line:
        directives.append(_metrics(line, namespace, OF_MODELS, by_model))
    return {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": directives}


def _metrics(
    line: dict[str, Any],
    namespace: str,
    known: tuple[tuple[str, str], ...],
    dimensions: list[list[str]],
) -> dict[str, Any]:
    metrics = [{"Name": name, "Unit": unit} for name, unit in known if name in line]
    return {"Namespace": namespace, "Dimensions": dimensions, "Metrics": metrics}
