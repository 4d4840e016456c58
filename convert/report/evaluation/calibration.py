"""Whether probabilities are what they say: of rows given 0.7, seven in ten should be so."""

from __future__ import annotations

from typing import Any

import numpy as np

from onnxlet.convert.report.evaluation.bins import equal_bins
from onnxlet.convert.report.evaluation.evaluation import Subject
from onnxlet.convert.report.evaluation.intervals import wilson
from onnxlet.convert.report.evaluation.measures import squared_errors

DIGITS = 3  # of a bin's edges: they are somebody's probabilities


def calibration(subject: Subject) -> dict[str, Any] | None:
    """Bins of equally many rows: what they were given, and what was so.

    Of two classes the positive one's probability; of more the predicted one's. The error is the
    expected calibration error: the bins' distances, weighted by their rows.
    """
    answered, truth = subject.answered, subject.truth
    if answered.probabilities is None or not len(truth.labels) >= 2:
        return None
    if subject.task == "binary":
        given, so = answered.probabilities[:, truth.positive], truth.is_positive
    else:
        given = answered.probabilities[np.arange(len(truth.values)), answered.prediction]
        so = truth.values == answered.prediction
    bins = equal_bins(given)
    found = [_bin(given[bins == number], so[bins == number]) for number in range(bins.max() + 1)]
    off = [each["rows"] * abs(each["observed"] - each["predicted"]) for each in found]
    return {
        "of": "positive" if subject.task == "binary" else "top",
        "rows": len(given),
        "bins": found,
        "error": sum(off) / len(given),
        "brier": float(squared_errors(truth, answered).mean()),
    }


def _bin(given: Any, so: Any) -> dict[str, Any]:
    rows, hits = len(given), int(so.sum())
    low, high = wilson(hits, rows)
    return {
        "low": round(float(given.min()), DIGITS),
        "high": round(float(given.max()), DIGITS),
        "rows": rows,
        "predicted": float(given.mean()),
        "observed": hits / rows,
        "observed_low": low,
        "observed_high": high,
    }
