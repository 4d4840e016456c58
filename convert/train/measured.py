"""What the report on a training is made of."""

from __future__ import annotations

from typing import Any

import numpy as np

from onnxlet.convert.report.evaluation.measured import Measured
from onnxlet.convert.report.form.findings import (
    Augmentation,
    AugmentationGain,
    Column,
    EnsembleMember,
    Search,
)
from onnxlet.convert.report.form.findings import Trial as ReportedTrial
from onnxlet.convert.train.ensemble import Combined, Weighted, combine, fitted, named, out_of_fold
from onnxlet.convert.train.fitting import NOISE, copies_of, farthest
from onnxlet.convert.train.kinds.image import IMAGE, form_named
from onnxlet.convert.train.kinds.registry import columns_of
from onnxlet.convert.train.portfolio import WITH_COPIES
from onnxlet.convert.train.preparing import Options, Prepared
from onnxlet.convert.train.refit import errors_of
from onnxlet.convert.train.splits import group_numbers
from onnxlet.convert.train.trials import Searched
from onnxlet.function.arrays import Array
from onnxlet.function.models.model import Model


def measured_training(
    prepared: Prepared,
    searched: Searched,
    chosen: Weighted,
    combined: Combined,
    options: Options,
    model: Model,
    served: Model,
    unrefitted: str | None,
) -> Measured:
    """What is known of a model that was trained, and of its rows.

    `combined` is the estimator of `model`, which has not seen the test rows; `served` has, or is
    the same, and `unrefitted` says why.
    """
    (X, y), (X_test, y_test) = prepared.train_part, prepared.test_part
    table, task = prepared.table, prepared.table.target.task
    groups = None  # rows of one say less than as many without groups
    if options.group is not None:
        numbers = group_numbers(table.frame[options.group].to_numpy())
        groups = numbers[prepared.splits.test]
    return Measured(
        model.name, model, combined.estimator, X_test, y_test,
        origin="train", task=task, target=table.target_name,
        X_train=X, y_train=y,
        fit=lambda X, y: fitted(
            chosen, X, y, task, prepared.metric, options.seed, combined.threshold
        ).estimator,
        baselines=_linear(searched, chosen, prepared, options.seed),
        described=named(chosen),
        groups=groups,
        sensitive=_sensitive(prepared, options, prepared.splits.test),
        sensitive_train=_sensitive(prepared, options, prepared.splits.train),
        earlier_errors=_earlier_errors(prepared, chosen),
        out_of_fold=None if task == "regression" else out_of_fold(chosen),
        metric=prepared.metric.name, threshold=combined.threshold,
        search=_search(searched, chosen, prepared, options),
        columns=[
            Column(
                name=one.name, kind=one.kind, why=one.why, used=one.used,
                missing=one.missing, distinct=one.distinct,
            )
            for one in table.columns
        ],
        descriptions=table.descriptions,
        split=prepared.splits.how, notes=[*table.notes],
        served=served, unrefitted=unrefitted,
        rows=len(table.frame), seed=options.seed,
        places=table.places.at(prepared.splits.test), decimal=table.decimal,
    )  # fmt: skip


def _linear(
    searched: Searched, chosen: Weighted, prepared: Prepared, seed: int
) -> dict[str, Any] | None:
    """The linear candidate, which answers by a threshold of its own.

    None where it is the very model that is served: that is compared with the constant only.
    """
    found = [t for t in searched.trials if t.candidate.family == "linear" and t.state != "failed"]
    if not found:
        return {}
    if [trial.candidate.family for trial, _ in chosen] == ["linear"]:
        return None
    task = prepared.table.target.task
    linear = combine([(found[0], 1.0)], *prepared.train_part, task, prepared.metric, seed)
    return {"linear": linear.estimator}


def _earlier_errors(prepared: Prepared, chosen: Weighted) -> Array | None:
    """How far out-of-fold answers are off, of rows in the order of time; None of others."""
    answers = out_of_fold(chosen)
    if not prepared.splits.by_time or answers is None:
        return None
    y, task = prepared.train_part[1], prepared.table.target.task
    classes = None if task == "regression" else np.unique(y)
    known = np.isfinite(answers if answers.ndim == 1 else answers[:, 0])
    return errors_of(answers[known], y[known], classes)


def _sensitive(prepared: Prepared, options: Options, positions: Array) -> dict[str, Array]:
    frame = prepared.table.frame
    return {name: frame[name].to_numpy()[positions] for name in options.sensitive}


def _search(searched: Searched, chosen: Weighted, prepared: Prepared, options: Options) -> Search:
    return Search(
        seconds=searched.seconds,
        seed=options.seed,
        metric=prepared.metric.name,
        how_ended=searched.how_ended,
        trials=[
            ReportedTrial(
                number=trial.number, name=trial.candidate.name, family=trial.candidate.family,
                score=trial.score, error=trial.error, seconds=trial.seconds, state=trial.state,
            )
            for trial in searched.trials
        ],
        ensemble=[EnsembleMember(name=t.candidate.name, weight=weight) for t, weight in chosen],
        augmentation=_augmentation(searched, chosen, prepared) if options.augment else None,
        plainer=searched.plainer or None,
    )  # fmt: skip


def _augmentation(searched: Searched, chosen: Weighted, prepared: Prepared) -> Augmentation:
    """What copies are, and what the best candidate that was fitted with them gained by them."""
    forms = [form_named(one.format) for one in columns_of(prepared.table.columns, IMAGE)]
    done = {trial.candidate.name: trial for trial in searched.trials if trial.state == "done"}
    pairs = [
        (trial, done[plain])
        for name, trial in done.items()
        if name.endswith(WITH_COPIES) and (plain := name.removesuffix(WITH_COPIES)) in done
    ]
    sign = 1 if prepared.metric.greater_is_better else -1
    best = max(pairs, key=lambda pair: sign * (pair[0].score or 0.0), default=None)
    weight = sum(weight for trial, weight in chosen if trial.candidate.parameters.get("augment"))
    return Augmentation(
        copies=copies_of(len(prepared.splits.train), sum(form.numbers for form in forms)),
        shift=max(max(farthest(form)) for form in forms),
        noise=NOISE,
        compared=None if best is None else AugmentationGain(
            name=best[1].candidate.name, with_=best[0].score, without=best[1].score
        ),
        weight=weight,
    )  # fmt: skip
