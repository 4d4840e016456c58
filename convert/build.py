"""From a fitted estimator to a model directory that is proven to answer as it does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from convert.answers import Answers, Task, task_of
from convert.errors import Refusal
from convert.evidence import Evidence, no_conversion, shortened, why_not
from convert.golden import choose_golden
from convert.hard_rows import hard_rows
from convert.inputs import Cells, Data, Inputs, read_inputs
from convert.manifest import serving_part, versions
from convert.model_directory import check_folder, check_name, sha256, write_version
from convert.parity import Comparison, certificate, compare
from convert.probe import is_answered, parts_of, probe_columns
from convert.recipes import Graph, Recipe, convert, recipes
from convert.source import Source
from convert.summaries import column_statistics, score
from function import json_text
from function.errors import OnnxletError
from function.golden import replay
from function.model import Model
from function.signature import LARGEST_FLOAT32, Array, Column

HELD_OUT_ROWS = 20_000  # at most so many are compared, evenly spaced

Report = Callable[[str], None]


@dataclass(frozen=True)
class Built:
    """What a build has made.

    Attributes:
        directory: of the version.
        version: its number.
        new: False where the highest version was these very bytes already.
        manifest: as written.
    """

    directory: Path
    version: int
    new: bool
    manifest: dict[str, Any]


def build(source: Source, name: str, folder: Path, report: Report) -> Built:
    """Convert, prove and write the next version of a model.

    Args:
        source: the estimator and its data.
        name: the model's.
        folder: the folder of model directories.
        report: told what is going on, a line at a time.

    Raises:
        WrongUse: the name can't be one.
        Refusal: no conversion answers as scikit-learn does; nothing was written.
    """
    check_name(name)
    check_folder(folder)
    task = task_of(source.estimator)
    source = replace(source, estimator=one_threaded(source.estimator))
    inputs, X = read_inputs(source.X_test)
    report(f"{task.name}: {type(source.estimator).__name__}, {len(X)} held-out rows")
    rows, answers = _held_out_rows(source, task, inputs, X)
    metrics = _metrics(source, task, answers)
    statistics = _statistics(source, inputs, rows)
    columns = probe_columns(
        inputs, rows, lambda data: task.answers(source.estimator, data), source.estimator
    )
    evidence = _evidence(source.estimator, task, inputs, columns, rows)
    report(f"comparing on {evidence.held_out} held-out and {_hard(evidence)} hard rows")
    accepted = _first_equal(source.estimator, task, inputs, columns, evidence, report)
    files = _files(accepted, {"metrics": metrics, "statistics": statistics})
    try:
        version, new = write_version(folder, name, files)
    except OSError as error:
        raise OnnxletError(f"can't write below '{folder}': {error}", "Choose --models.") from error
    manifest = json_text.loads(files["manifest.json"])
    return Built(folder / name / str(version), version, new, manifest)


def one_threaded(estimator: Any) -> Any:
    """A copy that sums in one order: threads would change the last digits from run to run."""
    copy = deepcopy(estimator)
    for part in parts_of(copy):
        if getattr(part, "n_jobs", None) is not None:
            part.n_jobs = 1
    return copy


def _held_out_rows(
    source: Source, task: Task, inputs: Inputs, X: Data
) -> tuple[list[Cells], Answers]:
    """The test set as clients would send it, once scikit-learn agrees that it is the same.

    Returns:
        At most HELD_OUT_ROWS rows, and scikit-learn's answers to all of them.
    """
    if len(X) == 0:
        raise Refusal("X_test has no rows", "Parity is proven on held-out rows: give some.")
    try:
        expected = task.answers(source.estimator, source.X_test)
        got = task.answers(source.estimator, inputs.data(inputs.rows(X)))
    except Exception as error:
        raise Refusal(
            f"the estimator does not answer X_test: {type(error).__name__}: {shortened(error)}",
            "Is it fitted, and has X_test the columns that it was fitted on?",
        ) from error
    for output, array in expected.items():
        if not _same(array, got[output]):
            raise Refusal(
                f"{output}: scikit-learn answers otherwise once X_test holds plain values",
                "A request can't carry categoricals or other special types: encode them in the "
                "pipeline, or fit it on plain columns.",
            )
    rows = inputs.rows(X)
    picks = np.unique(np.linspace(0, len(rows) - 1, min(HELD_OUT_ROWS, len(rows))).astype(int))
    return [rows[place] for place in picks], expected


def _metrics(source: Source, task: Task, answers: Answers) -> dict[str, Any] | None:
    count = len(answers["prediction"])
    if source.y_test is not None and np.shape(source.y_test)[:1] != (count,):
        raise Refusal(
            f"y_test: expected {count} values, as many as X_test has rows, "
            f"got the shape {np.shape(source.y_test)}"
        )
    return score(task, answers, source.y_test)


def _statistics(source: Source, inputs: Inputs, rows: list[Cells]) -> dict[str, Any]:
    if source.X_train is None:
        return column_statistics(inputs.columns, rows, "X_test")
    trained, X = read_inputs(source.X_train)
    names = [column.name for column in inputs.columns]
    if [column.name for column in trained.columns] != names:
        raise Refusal(
            "X_train has other columns than X_test",
            "Return both in the same form, with the same columns in the same order.",
        )
    return column_statistics(trained.columns, trained.rows(X), "X_train")


def _same(a: Array, b: Array) -> bool:
    if a.dtype.kind == "f":
        return bool(np.allclose(a, b, rtol=1e-9, atol=0, equal_nan=True))
    return bool((a == b).all())


def _evidence(
    estimator: Any, task: Task, inputs: Inputs, columns: Sequence[Column], rows: list[Cells]
) -> Evidence:
    def watched(tried: Sequence[Cells]) -> Array:
        answers = task.answers(estimator, inputs.data(tried))
        return answers.get("probabilities", answers.get("score", answers["prediction"]))

    every = [*rows, *hard_rows(columns, rows, estimator, watched)]
    answered: list[Cells] = []
    try:
        expected = task.answers(estimator, inputs.data(every))
        answered = every
    except Exception:  # some row is one that scikit-learn raises for: find which
        ask = partial(task.answers, estimator)
        answered = [row for row in every if is_answered(ask, inputs.data([row]))]
        expected = task.answers(estimator, inputs.data(answered))
    return Evidence(answered, expected, len(rows))


def _hard(evidence: Evidence) -> int:
    return len(evidence.rows) - evidence.held_out


@dataclass(frozen=True)
class Accepted:
    """The conversion that passed parity."""

    graph: Graph
    manifest: dict[str, Any]
    comparison: Comparison
    evidence: Evidence


def _first_equal(
    estimator: Any,
    task: Task,
    inputs: Inputs,
    columns: Sequence[Column],
    evidence: Evidence,
    report: Report,
) -> Accepted:
    failed: list[tuple[str, str]] = []
    for recipe in recipes(estimator, columns, inputs.frame):
        report(f"trying {recipe}")
        typed = _limited(columns, recipe)
        allowed = evidence.where([_fits(row, typed) for row in evidence.rows])
        if allowed.held_out < evidence.held_out:
            failed.append((str(recipe), "held-out rows have numbers beyond float32"))
            continue
        try:
            graph = convert(estimator, task, typed, recipe)
            manifest = serving_part(task, inputs, typed, graph, allowed.expected)
            model = Model("built", 1, manifest, graph.onnx)
            comparison = compare(model, task, allowed.rows, allowed.expected)
        except Exception as error:
            failed.append((str(recipe), f"{type(error).__name__}: {shortened(error)}"))
            continue
        if comparison.passed:
            beyond = len(evidence.rows) - len(allowed.rows)
            parity = certificate(
                comparison, allowed.held_out, _hard(allowed), beyond, str(recipe), failed
            )
            return Accepted(graph, {**manifest, "parity": parity}, comparison, allowed)
        failed.append((str(recipe), why_not(comparison, allowed, columns)))
    raise no_conversion(type(estimator).__name__, failed)


def _limited(columns: Sequence[Column], recipe: Recipe) -> list[Column]:
    """Numbers that go into a float32 tensor must fit it."""
    if recipe.precision == "float64":
        return list(columns)
    return [
        replace(c, largest=LARGEST_FLOAT32) if c.type in ("float64", "float32") else c
        for c in columns
    ]


def _fits(row: Cells, columns: Sequence[Column]) -> bool:
    return not any(
        isinstance(cell, float)
        and column.largest is not None
        and column.largest < abs(cell) < float("inf")
        for cell, column in zip(row, columns, strict=True)
    )


def _files(accepted: Accepted, described: dict[str, Any]) -> dict[str, bytes]:
    """The bytes of a model directory, once the golden rows have gone through JSON."""
    evidence, count = accepted.evidence, accepted.evidence.held_out
    golden = choose_golden(
        evidence.rows[:count],
        {name: array[:count] for name, array in evidence.expected.items()},
        accepted.comparison.tied[:count],
    )
    parts = {"model.onnx": accepted.graph.onnx, "golden.json": json_text.dumps(golden)}
    manifest = {
        **accepted.manifest,
        **described,
        "versions": versions(),
        "files": {file: sha256(content) for file, content in parts.items()},
    }
    faults = replay(Model("built", 1, manifest, parts["model.onnx"]), golden)
    if faults:
        raise Refusal(f"the golden rows are not answered through JSON: {faults[0]}")
    return {**parts, "manifest.json": json_text.dumps(manifest)}
