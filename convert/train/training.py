"""From a table to a model directory and its report."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from onnxlet.convert.build import Built, build
from onnxlet.convert.directory.model_directory import check_folder, check_name
from onnxlet.convert.errors import Refusal
from onnxlet.convert.sources.source import Source
from onnxlet.convert.train.combining import Combined, Weighted, combine
from onnxlet.convert.train.fitting import fit
from onnxlet.convert.train.portfolio import portfolio
from onnxlet.convert.train.preparing import Options, Prepared, Report, look_at_columns, prepare
from onnxlet.convert.train.search import Searched, Trial, search
from onnxlet.function.arrays import Array

FEWEST_SECONDS = 5.0  # for the search, however long the table took to read
FALLING_BACK = 3  # combinations that are tried where one can't be served


@dataclass(frozen=True)
class Trained:
    """What a training has come to.

    Attributes:
        built: the model directory.
        searched: the trials.
        combined: the estimator that was built.
    """

    built: Built
    searched: Searched
    combined: Combined


def train(
    data: str,
    target: str,
    name: str,
    folder: Path,
    options: Options,
    report: Report,
    keep_background: int | None = None,
    breaking: bool = False,
) -> Trained:
    """Search, fit, prove and write the next version of a model.

    Args:
        data: path or address of a table.
        target: the column to predict.
        name: the model's.
        folder: the folder of model directories.
        options: how the search goes.
        report: called with a line of progress at a time.
        keep_background: training rows that explanations start from; None is made-up rows.
        breaking: clients of the version that is served need not go on with this one.

    Raises:
        WrongUse: the table can't be read, or an option names what is not in it.
        Refusal: there is nothing to learn from, or no candidate could be fitted; nothing was
            written.
    """
    check_name(name)
    check_folder(folder, name)
    started = time.monotonic()
    prepared = prepare(look_at_columns(data, target, options, report), options, report)
    task = prepared.columned.target.task
    X, y = prepared.train_part()
    candidates, notes = portfolio(task, prepared.columned.taken, len(y))
    for note in notes:
        report(note)
    searched = search(
        X, y, task, prepared.splits, candidates, prepared.metric,
        seconds=max(options.seconds - (time.monotonic() - started), FEWEST_SECONDS),
        trials=options.trials, seed=options.seed, small=options.small, report=report,
    )  # fmt: skip
    return _built(prepared, searched, name, folder, options, report, keep_background, breaking)


def _built(
    prepared: Prepared,
    searched: Searched,
    name: str,
    folder: Path,
    options: Options,
    report: Report,
    keep_background: int | None,
    breaking: bool,
) -> Trained:
    """The best that can be served: the ensemble, else the trials in it one by one."""
    tried = _in_turn(searched)
    for number, weighted in enumerate(tried):
        report(f"fitting {_named(weighted)} on all {len(prepared.splits.train)} training rows")
        combined = _combined(prepared, weighted, options)
        try:
            built = _build(prepared, searched, weighted, combined, name, folder, options, report,
                           keep_background, breaking)  # fmt: skip
        except Refusal as refusal:
            if number + 1 == len(tried):
                raise
            report(f"note: {_named(weighted)} can't be served: {refusal.message}")
            continue
        return Trained(built, searched, combined)
    raise AssertionError("a search has a trial at least")


def _in_turn(searched: Searched) -> list[Weighted]:
    """What is built: the ensemble; where it is refused, the best single trials."""
    done = [trial for trial, _ in searched.weights]
    alone: list[Weighted] = [[(trial, 1.0)] for trial in done] if len(done) > 1 else []
    return [searched.weights, *alone][:FALLING_BACK]


def _named(weighted: Weighted) -> str:
    return " + ".join(f"{weight:.2f} {trial.candidate.name}" for trial, weight in weighted)


def _combined(prepared: Prepared, weighted: Weighted, options: Options) -> Combined:
    X, y = prepared.train_part()
    task = prepared.columned.target.task
    return combine(weighted, X, y, task, prepared.metric, options.seed)
