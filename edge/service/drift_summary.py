"""A drift report in short: what stands in one MQTT message, and in a device's status."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MOST_ALARMS = 5
LONGEST_NAME = 200  # characters of a column's name, or an output's
# What performance is measured by, in the order of a report.
METRICS = ("accuracy", "precision", "recall", "f1", "roc_auc", "mean_absolute_error")


def summary(report: Mapping[str, Any]) -> dict[str, Any]:
    """What a report of `GET /models/N/drift` says of the model as a whole, in at most 5 kB of JSON.

    `alarms` has the clearest MOST_ALARMS, `alarm_count` says how many there are; `refused` is the
    number of rows and requests without an answer.
    """
    found = {key: report[key] for key in ("model", "version", "since", "rows", "window")}
    found["refused"] = sum(report["refused"].values())
    found["alarm_count"] = len(report["alarms"])
    found["alarms"] = [_alarm(each) for each in report["alarms"][:MOST_ALARMS]]
    estimated = report["estimated"]
    found["estimated"] = estimated and {
        **performance(estimated),
        "held_out": performance(estimated["held_out"]),
        "doubtful": [name[:LONGEST_NAME] for name in estimated["doubtful"][:MOST_ALARMS]],
    }
    found["realised"] = report["realised"] and {
        "rows": report["realised"]["rows"],
        **performance(report["realised"]),
    }
    return found


def performance(figures: Mapping[str, Any]) -> dict[str, float | None]:
    """The metrics among some figures; None where one is not defined."""
    return {name: _short(figures[name]) for name in METRICS if name in figures}


def main_metric(figures: Mapping[str, Any]) -> str | None:
    """The metric that says most about a model: accuracy, or the error; None where there is none."""
    return next((name for name in ("accuracy", "mean_absolute_error") if name in figures), None)


def _alarm(alarm: Mapping[str, Any]) -> dict[str, Any]:
    names = {key: alarm[key][:LONGEST_NAME] for key in ("column", "output") if key in alarm}
    return {**alarm, **names} | {key: _short(alarm[key]) for key in ("value", "threshold")}


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.5g}")
