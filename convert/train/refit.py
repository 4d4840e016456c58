"""The chosen model fitted once more, on the test rows as well, once it was measured on them.

What is promised of answers (scores, intervals, sets, expected performance) stays what the model
before was measured to do, on rows that it had not seen. The model that is served has learned from a
quarter more of the same rows, in the same way: its answers to rows to come are to be as good at
least. Where that can't be expected, or not be shown, the model before is served.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from onnxlet.convert.build import proven
from onnxlet.convert.errors import Refusal
from onnxlet.convert.progress import Report
from onnxlet.convert.sources.source import Source
from onnxlet.convert.train.ensemble import Combined, Weighted, fitted
from onnxlet.convert.train.preparing import Options, Prepared
from onnxlet.convert.train.trials import answers_of
from onnxlet.function import json_text
from onnxlet.function.arrays import Array

WORTH = 0.05  # of all rows: fewer would bring little for a fit on all of so large a table
SURE = 2.0  # standard errors by which answers to test rows may be worse by chance


@dataclass(frozen=True)
class ModelDestination:
    """Where a model goes."""

    name: str  # the model's
    folder: Path  # of model directories
    # Training rows that explanations start from; None is made-up rows.
    keep_background: int | None = None
    breaking: bool = False  # clients of the version that is served need not go on with this one


@dataclass(frozen=True)
class Served:
    """What is served."""

    combined: Combined  # the estimator
    files: dict[str, bytes]  # of the model directory
    # Why it has not learned from the test rows, once it was measured on them; None where it has.
    unrefitted: str | None = None


def model_files(
    prepared: Prepared,
    combined: Combined,
    to: ModelDestination,
    report: Report,
    before: Mapping[str, Any] | None = None,
) -> dict[str, bytes]:
    """The files of a model directory by name, proven as those of `build` are.

    `before` is the manifest of the model as it was measured, where this one was fitted on all rows.
    """
    X_test, y_test = prepared.test_part
    table, learnt = prepared.table, prepared.train_part[1]
    X_train, _ = prepared.train_part if before is None else prepared.all_parts
    source = Source(
        combined.estimator, X_test, y_test, X_train, target=table.target_name,
        left_out=tuple(one.name for one in table.columns if not one.used), decimal=table.decimal,
        units=table.units,
        positive=table.target.positive if len(np.unique(learnt)) == 2 else None,
        descriptions=table.descriptions, by_time=prepared.splits.by_time, before=before,
        origin=table.origin,
    )  # fmt: skip
    return proven(source, to.name, to.folder, report, to.keep_background)


def refitted(
    prepared: Prepared,
    chosen: Weighted,
    before: Served,
    options: Options,
    to: ModelDestination,
    report: Report,
) -> Served:
    """The model fitted on all rows; the one before, where that one's promises would not hold."""
    manifest = json_text.loads(before.files["manifest.json"])
    try:
        again = _fitted_again(prepared, chosen, before.combined, options, report)
        return Served(again, model_files(prepared, again, to, report, manifest))
    except NotRefitted as kept:
        why = str(kept)
    except Refusal as refusal:
        why = f"fitted on all rows it can't be served: {refusal.message}"
    report(f"note: it is not fitted on the test rows as well: {why}")
    return replace(before, unrefitted=why)


class NotRefitted(Exception):
    """Why a model is served as it was measured."""


def _fitted_again(
    prepared: Prepared, chosen: Weighted, before: Combined, options: Options, report: Report
) -> Combined:
    """The trials that were chosen, fitted on all rows, with the threshold that was chosen before.

    Raises NotRefitted where what was measured before would not hold of it.
    """
    (X_test, y_test), task = prepared.test_part, prepared.table.target.task
    if not options.refit:
        raise NotRefitted("as --no-refit asks")
    if options.test is not None:
        raise NotRefitted("rows of --test are for testing only")
    if task != "regression" and not np.isin(y_test, prepared.train_part[1]).all():
        raise NotRefitted("test rows have labels that no training row has")
    X, y = prepared.all_parts
    share = len(y_test) / len(y)
    if share < WORTH and not prepared.splits.by_time:  # the latest are worth it, however few
        raise NotRefitted(f"they are only {share:.1%} of all rows")
    report(f"fitting it on all {len(y)} rows")
    try:
        again = fitted(chosen, X, y, task, prepared.metric, options.seed, before.threshold)
    except Exception as error:  # noqa: BLE001, RUF100 - a learner may raise anything
        raise NotRefitted(f"fitting on all rows raised {type(error).__name__}: {error}") from error
    classes = None if task == "regression" else np.asarray(again.estimator.classes_)
    asked = [answers_of(each.estimator, X_test, classes) for each in (before, again)]
    earlier, later = (errors_of(answers, y_test, classes) for answers in asked)
    if _is_clearly_more(later, earlier):
        raise NotRefitted("it answers the test rows worse for having learned from them")
    return again


def errors_of(answers: Array, y: Array, classes: Array | None) -> Array:
    """How far each answer is off (n,): absolutely, or what the right class lacks of 1.

    Answers are as `answers_of` gives them; classes are their labels in order, None in regression.
    """
    if classes is None:
        return np.asarray(np.abs(answers - y))
    return np.asarray(1.0 - answers[np.arange(len(y)), np.searchsorted(classes, y)])


def _is_clearly_more(these: Array, those: Array) -> bool:
    """Whether errors (n,) on the same rows are larger in the mean, by more than chance."""
    more = these - those
    return bool(more.mean() > SURE * more.std(ddof=1) / np.sqrt(len(more)))
