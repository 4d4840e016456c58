"""Data and target at a glance: counts, and nobody's values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.utils.validation import _num_samples

from onnxlet.convert.describe import Described, Descriptions
from onnxlet.convert.reference.inputs import InputColumn
from onnxlet.convert.report.evaluation.errors import MOST_LABELS, few_labels
from onnxlet.convert.report.evaluation.evaluation import Evaluation
from onnxlet.convert.report.evaluation.statistics import edges, histogram
from onnxlet.convert.report.form.findings import Column, Data, TargetBins, TargetLabels
from onnxlet.function.arrays import Array

KINDS = {"bool": "boolean", "string": "text"}
DISTINCT = 50  # texts: a column of fewer is categories
UNSERVED = "it has no form in a request"


def data(case: Evaluation) -> Data:
    """Rows, the target's distribution, and what each column was taken for."""
    measured, served = case.measured, case.measured.served
    test = _num_samples(measured.X_test)
    train = None if measured.X_train is None else _num_samples(measured.X_train)
    return Data(
        rows=measured.rows if measured.rows is not None else test + (train or 0),
        train_rows=train,
        test_rows=test,
        rows_measured=len(case.rows),
        split=measured.split,
        refitted_rows=served.manifest.get("refitted", {}).get("rows") if served else None,
        unrefitted=measured.unrefitted,
        notes=[*measured.notes],
        target=_target(case),
        columns=_described(
            _columns(case) if measured.columns is None else measured.columns,
            measured.descriptions or Descriptions(),
        ),
    )


def _described(columns: Sequence[Column], said: Descriptions) -> list[Column]:
    """With what is said of each."""
    about = [(one, said.columns.get(one.name, Described())) for one in columns]
    return [replace(one, unit=each.unit, description=each.text) for one, each in about]


def _target(case: Evaluation) -> TargetBins | TargetLabels | None:
    if case.outputs > 1:
        return None
    values, trained = case.truth.values, case.trained_truth
    if case.task == "regression":
        found = edges(values if trained is None else trained)
        counts, beyond = histogram(values, found)
        more = None if trained is None else histogram(trained, found)[0]
        return TargetBins(bins=found.tolist(), counts=counts, train_counts=more, beyond=beyond)
    labels, place = few_labels(case.truth.labels, values)

    def counted(indices: Array) -> list[int]:
        made: list[int] = np.bincount(place[indices], minlength=len(labels)).tolist()
        return made

    return TargetLabels(
        labels=labels,
        counts=counted(values),
        train_counts=None if trained is None else counted(trained),
        other=len(case.truth.labels) > MOST_LABELS,
    )


def _columns(case: Evaluation) -> list[Column]:
    used = {column.name for column in case.model.signature.columns if column.required}
    return [
        _column(column, [row[position] for row in case.cells], column.name in used)
        for position, column in enumerate(case.columns)
    ]


def _column(column: InputColumn, cells: list[Any], used: bool) -> Column:
    present = [str(cell) if isinstance(cell, list) else cell for cell in cells if cell is not None]
    distinct = len(set(present))
    kind = KINDS.get(column.type, "number")
    if column.date is not None:
        kind = "date"
    elif column.image:
        kind = "image"
    elif kind == "text" and distinct <= DISTINCT:
        kind = "category"
    return Column(
        name=column.name,
        kind=kind,
        why=UNSERVED if column.unserved else None,
        used=used,
        missing=len(cells) - len(present),
        distinct=distinct,
    )
