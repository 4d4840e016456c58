"""What the tests of `convert` share: proofs by one recipe, builds, and the command line."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from click.testing import CliRunner, Result

from onnxlet.convert.build import Built, build
from onnxlet.convert.command_line import main
from onnxlet.convert.evidence.edge_cases import hard_rows
from onnxlet.convert.evidence.evidence import Evidence
from onnxlet.convert.manifest import serving_part
from onnxlet.convert.parity.comparison import Comparison, compare
from onnxlet.convert.parity.rounding import forgive_undecided
from onnxlet.convert.reference.answers import Answers, Task, task_of
from onnxlet.convert.reference.inputs import Cells, Inputs, read_inputs
from onnxlet.convert.reference.probing import is_answered, probe_columns
from onnxlet.convert.sources.source import Source
from onnxlet.convert.to_onnx import Converted, Layout, Recipe, convert
from onnxlet.function.app import create_app
from onnxlet.function.arrays import Array
from onnxlet.function.inputs.signature import Column
from onnxlet.function.inputs.validation import read_table
from onnxlet.function.models.model import Model
from onnxlet.function.settings import Settings

ROOT = Path(__file__).resolve().parent.parent.parent
FILES = {"background.json", "golden.json", "manifest.json", "model.onnx"}


def objects(values: Sequence[Any]) -> pd.Series[Any]:
    """A column of Python objects, which pandas makes nothing else of."""
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return pd.Series(array, dtype=object)


def quiet(line: str) -> None:
    """A build's progress, not shown."""


def built(source: Source, folder: Path, name: str = "m") -> Built:
    return build(source, name, folder, quiet)


def contents(models: Path, name: str = "m") -> dict[str, bytes]:
    """The files of all versions of a model, by version and name."""
    return {f"{p.parent.name}/{p.name}": p.read_bytes() for p in (models / name).glob("*/*")}


def served(folder: Path) -> Any:
    """A client of the function that serves a folder of models."""
    return create_app(folder, settings=Settings(models=folder)).test_client()


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

    estimator: Any
    inputs: Inputs
    manifest: dict[str, Any]
    onnx: bytes
    task: Task
    columns: list[Column]
    rows: list[Cells]
    expected: Answers

    @property
    def model(self) -> Model:
        return Model("proof", 1, self.manifest, self.onnx)

    def run(self) -> dict[str, Array]:
        """The function's answers to the rows."""
        model = self.model
        return model.run(read_table(self.rows, model.signature))

    def compare(self, expected: Answers | None = None) -> Comparison:
        return compare(self.model, self.task, self.rows, expected or self.expected)

    def ask(self, rows: Sequence[Cells]) -> Answers:
        """Scikit-learn's answers."""
        return self.task.answers(self.estimator, self.inputs.data(rows))

    def forgiven(self) -> Comparison:
        """The comparison, without the rows on which rounding decides."""
        comparison, evidence = self.compare(), Evidence(self.rows, self.expected, len(self.rows))
        forgive_undecided(comparison, self.model, self.task, evidence, self.ask, self.estimator)
        return comparison

    def mutated(self, proto: Any) -> Proof:
        return replace(self, onnx=proto.SerializeToString())


def prove(
    source: Source, precision: Any = "float64", layout: Layout = "matrix", hard: bool = False
) -> Proof:
    """Convert by one recipe, and ask scikit-learn about X_test (and rows made hard)."""
    estimator = source.estimator
    task = task_of(estimator)
    inputs, X = read_inputs(source.X_test)
    columns = list(probed(source).values())
    rows = inputs.rows(X)

    def answers(tried: Sequence[Cells]) -> Answers:
        return task.answers(estimator, inputs.data(tried))

    def watched(tried: Sequence[Cells]) -> Array:
        found = answers(tried)
        return found.get("probabilities", found["prediction"])

    if hard:
        tried = [*rows, *hard_rows(columns, rows, estimator, watched)]
        every = is_answered(answers, tried)
        rows = [row for row in tried if every or is_answered(answers, [row])]
    graph: Converted = convert(estimator, task, columns, Recipe(precision, layout))
    manifest = serving_part(task, inputs, columns, graph, answers(rows))
    return Proof(estimator, inputs, manifest, graph.onnx, task, columns, rows, answers(rows))


def largest_difference(comparison: Comparison) -> float:
    """Over all outputs; infinite where an answer is wrong or refused."""
    if not comparison.passed:
        return float("inf")
    return max(difference.absolute for difference in comparison.outputs.values())


def invoked(*arguments: str | Path) -> Result:
    """`python -m convert` in this process and folder."""
    return CliRunner().invoke(main, [*map(str, arguments)], prog_name="python -m convert")


def command(
    *arguments: str | Path,
    cwd: Path = ROOT,
    environ: dict[str, str] | None = None,
    seconds: float = 180,
) -> subprocess.CompletedProcess[str]:
    """`python -m convert` as a process, to its end."""
    return subprocess.run(
        [sys.executable, "-m", "convert", *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), **(environ or {})},
        capture_output=True,
        text=True,
        timeout=seconds,
    )
