"""Data and target at a glance: counts, and nobody's values."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.validation import _num_samples

from onnxlet.convert.reference.inputs import InputColumn
from onnxlet.convert.report.evaluation.bins import edges, histogram
from onnxlet.convert.report.evaluation.errors import MOST_LABELS, few_labels
from onnxlet.convert.report.evaluation.evaluation import Subject, indices_of

KINDS = {"bool": "boolean", "string": "text"}
DISTINCT = 50  # texts: a column of fewer is categories
UNSERVED = "it has no form in a request"


def data(subject: Subject) -> dict[str, Any]:
    """Rows, the target's distribution, and what each column was taken for."""
    measured = subject.measured
    test = _num_samples(measured.X_test)
    train = None if measured.X_train is None else _num_samples(measured.X_train)
    return {
        "rows": measured.rows if measured.rows is not None else test + (train or 0),
        "train_rows": train,
        "test_rows": test,
        "rows_measured": len(subject.rows),
        "split": measured.split,
        "notes": [*measured.notes],
        "target": _target(subject),
        "columns": _columns(subject) if measured.columns is None else list(measured.columns),
    }


def _target(subject: Subject) -> dict[str, Any] | None:
    values, trained = subject.truth.values, subject.trained
    if subject.outputs > 1:
        return None
    if subject.task == "regression":
        trained = None if trained is None else trained.astype(np.float64)
        found = edges(values if trained is None else trained)
        counts, beyond = histogram(values, found)
        more = None if trained is None else histogram(trained, found)[0]
        return {"bins": found.tolist(), "counts": counts, "train_counts": more, "beyond": beyond}
    labels, place = few_labels(subject.truth.labels, values)
    known = set(subject.truth.labels)
    count = len(labels)
    more = None
    if trained is not None:
        seen = trained[[value in known for value in trained.tolist()]]
        more = np.bincount(place[indices_of(seen, subject.truth.labels)], minlength=count).tolist()
    return {
        "labels": labels,
        "counts": np.bincount(place[values], minlength=count).tolist(),
        "train_counts": more,
        "other": len(subject.truth.labels) > MOST_LABELS,
    }


def _columns(subject: Subject) -> list[dict[str, Any]]:
    used = {column.name for column in subject.model.signature.columns if column.required}
    return [
        _column(column, [row[position] for row in subject.cells], column.name in used)
        for position, column in enumerate(subject.columns)
    ]


def _column(column: InputColumn, cells: list[Any], used: bool) -> dict[str, Any]:
    present = [str(cell) if isinstance(cell, list) else cell for cell in cells if cell is not None]
    distinct = len(set(present))
    kind = KINDS.get(column.type, "number")
    if column.date is not None:
        kind = "date"
    elif column.image:
        kind = "image"
    elif kind == "text" and distinct <= DISTINCT:
        kind = "category"
    return {
        "name": column.name,
        "kind": kind,
        "why": UNSERVED if column.unserved else None,
        "used": used,
        "missing": len(cells) - len(present),
        "distinct": distinct,
    }
