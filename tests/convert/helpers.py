"""What the tests of `convert` share: proofs by one recipe, and the command as a process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from convert.answers import Answers, Task, task_of
from convert.build import Built, build
from convert.hard_rows import hard_rows
from convert.inputs import Cells, read_inputs
from convert.manifest import serving_part
from convert.parity import Comparison, compare
from convert.probe import probe_columns
from convert.recipes import Converted, Layout, Recipe, convert
from convert.source import Source
from function.model import Model
from function.signature import Array, Column

ROOT = Path(__file__).resolve().parent.parent.parent


def quiet(line: str) -> None:
    """A build's progress, not shown."""


def built(source: Source, folder: Path, name: str = "m") -> Built:
    return build(source, name, folder, quiet)


def probed(source: Source) -> dict[str, Column]:
    """The signature's columns by name."""
    inputs, X = read_inputs(source.X_test)
    task = task_of(source.estimator)
    columns = probe_columns(
        inputs, inputs.rows(X), lambda data: task.answers(source.estimator, data), source.estimator
    )
    return {column.name: column for column in columns}


@dataclass(frozen=True)
class Proof:
    """One conversion, the rows it is judged on, and scikit-learn's answers to them."""

    manifest: dict[str, Any]
    onnx: bytes
    task: Task
    columns: list[Column]
    rows: list[Cells]
    expected: Answers

    @property
    def model(self) -> Model:
        return Model("proof", 1, self.manifest, self.onnx)

    def compare(self, expected: Answers | None = None) -> Comparison:
        return compare(self.model, self.task, self.rows, expected or self.expected)

    def mutated(self, proto: Any) -> Proof:
        return Proof(
            self.manifest,
            proto.SerializeToString(),
            self.task,
            self.columns,
            self.rows,
            self.expected,
        )


def prove(
    source: Source, precision: Any = "float64", layout: Layout = "matrix", hard: bool = False
) -> Proof:
    """Convert by one recipe, and ask scikit-learn about X_test (and rows made hard)."""
    estimator = source.estimator
    task = task_of(estimator)
    inputs, X = read_inputs(source.X_test)
    columns = list(probed(source).values())
    rows = inputs.rows(X)

    def watched(tried: Sequence[Cells]) -> Array:
        answers = task.answers(estimator, inputs.data(tried))
        return answers.get("probabilities", answers["prediction"])

    if hard:
        tried = [*rows, *hard_rows(columns, rows, estimator, watched)]
        every = _answers(task, estimator, inputs.data(tried))
        rows = [r for r in tried if every or _answers(task, estimator, inputs.data([r]))]
    expected = task.answers(estimator, inputs.data(rows))
    graph: Converted = convert(estimator, task, columns, Recipe(precision, layout))
    manifest = serving_part(task, inputs, columns, graph, expected)
    return Proof(manifest, graph.onnx, task, columns, rows, expected)


def _answers(task: Task, estimator: Any, data: Any) -> bool:
    try:
        task.answers(estimator, data)
    except ValueError:  # scikit-learn refuses the row
        return False
    return True


def largest_difference(comparison: Comparison) -> float:
    """Over all outputs; infinite where an answer is wrong or refused."""
    if not comparison.passed:
        return float("inf")
    return max(difference.absolute for difference in comparison.outputs.values())


def command(
    *arguments: str | Path, cwd: Path = ROOT, environ: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """`python -m convert`, to its end."""
    return subprocess.run(
        [sys.executable, "-m", "convert", *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), **(environ or {})},
        capture_output=True,
        text=True,
        timeout=60,
    )
