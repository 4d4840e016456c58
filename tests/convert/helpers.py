"""What the tests of `convert` share: proofs by one recipe, builds, and the command line."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from click.testing import CliRunner, Result

from onnxlet.convert.build import Built, build
from onnxlet.convert.command_line import main
from onnxlet.convert.evidence.edge_cases import edge_cases
from onnxlet.convert.evidence.evidence import Evidence
from onnxlet.convert.manifest import serving_part
from onnxlet.convert.parity.comparison import Comparison, answering, compare
from onnxlet.convert.parity.rounding import forgive_rounding
from onnxlet.convert.reference.answers import Answers, Task, task_of
from onnxlet.convert.reference.image_columns import takes_images
from onnxlet.convert.reference.inputs import Cells, Inputs, read_inputs
from onnxlet.convert.reference.probing import probe_columns
from onnxlet.convert.reference.reference import Reference
from onnxlet.convert.sources.source import Source
from onnxlet.convert.to_onnx import Converted, Layout, Recipe, convert
from onnxlet.function.app import create_app
from onnxlet.function.arrays import Array
from onnxlet.function.inputs.columns import Column
from onnxlet.function.inputs.validation import validate_rows
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
    """A client of the function that serves a folder of models: its owner's."""
    return create_app(folder, settings=Settings(models=folder, owned=True)).test_client()


def reference_of(source: Source) -> tuple[Reference, list[Cells]]:
    """scikit-learn as a build asks it, and X_test as clients would send it."""
    inputs, X = read_inputs(source.X_test, images=takes_images(source.estimator))
    return Reference(source.estimator, task_of(source.estimator), inputs), inputs.rows(X)


def probed(source: Source) -> dict[str, Column]:
    """The signature's columns by name."""
    reference, rows = reference_of(source)
    return {column.name: column for column in probe_columns(reference, rows)}


@dataclass(frozen=True)
class Proof:
    """One conversion, the rows it is judged on, and scikit-learn's answers to them."""

    reference: Reference
    manifest: dict[str, Any]
    onnx: bytes
    columns: list[Column]
    rows: list[Cells]
    expected: Answers

    @property
    def estimator(self) -> Any:
        return self.reference.estimator

    @property
    def inputs(self) -> Inputs:
        return self.reference.inputs

    @property
    def task(self) -> Task:
        return self.reference.task

    @property
    def model(self) -> Model:
        return Model("proof", 1, self.manifest, self.onnx)

    def run(self) -> Mapping[str, Array]:
        """The function's answers to the rows."""
        model = self.model
        return model.run(validate_rows(self.rows, model.signature))

    def compare(self, expected: Answers | None = None) -> Comparison:
        return compare(answering(self.model), self.task, self.rows, expected or self.expected)

    def forgiven(self) -> Comparison:
        """The comparison, without the rows on which rounding decides."""
        comparison, evidence = self.compare(), Evidence(self.rows, self.expected, len(self.rows))
        forgive_rounding(comparison, answering(self.model), evidence, self.reference)
        return comparison

    def mutated(self, proto: Any) -> Proof:
        return replace(self, onnx=proto.SerializeToString())


def prove(
    source: Source, precision: Any = "float64", layout: Layout = "matrix", edges: bool = False
) -> Proof:
    """Convert by one recipe, and ask scikit-learn about X_test (and about edge cases)."""
    reference, rows = reference_of(source)
    columns = probe_columns(reference, rows)
    if edges:
        tried = [*rows, *edge_cases(columns, rows, reference)]
        found = reference.answered(tried)
        rows = [row for row, is_one in zip(tried, found, strict=True) if is_one]
    task, expected = reference.task, reference.answers(rows)
    graph: Converted = convert(source.estimator, task, columns, Recipe(precision, layout))
    manifest = serving_part(task, reference.inputs, columns, graph, expected)
    return Proof(reference, manifest, graph.onnx, columns, rows, expected)


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
