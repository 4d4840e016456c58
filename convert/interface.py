"""What scripts and notebooks import: `from onnxlet import build, train, verify`."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from onnxlet.convert.about import described
from onnxlet.convert.build import build as build_directory
from onnxlet.convert.directory.golden import verify as verify_directory
from onnxlet.convert.directory.model_directory import check_name, check_version
from onnxlet.convert.errors import Refusal
from onnxlet.convert.imported.import_onnx import import_lines
from onnxlet.convert.parity.certificate import certificate_lines
from onnxlet.convert.progress import Report
from onnxlet.convert.reference.inputs import read_inputs
from onnxlet.convert.reference.row_forms import no_table
from onnxlet.convert.sources.source import Source
from onnxlet.function import json_text
from onnxlet.function.arrays import Array
from onnxlet.function.errors import InvalidRows, OnnxletError, Problem
from onnxlet.function.messages import Prediction, PredictRequest
from onnxlet.function.models.model import Model, load_model
from onnxlet.function.protocols import native
from onnxlet.function.serving.predict import predict

ROWS_HINT = "Give a DataFrame, or a list of rows; one row is X.iloc[[0]], or a list of one."


@dataclass(frozen=True, repr=False)
class ProvenModel:
    """A model directory that answers as scikit-learn does. Notebooks show its certificate.

    Attributes:
        directory: of the version, `models/NAME/VERSION`; absolute, since notebooks change folders
            before the first prediction loads it.
        name: the model's.
        version: its number.
        manifest: what the directory says of itself.
    """

    directory: Path
    name: str
    version: int
    manifest: dict[str, Any]

    def predict(self, rows: Any) -> Array:
        """The predictions that an endpoint would send for these rows.

        Args:
            rows: a DataFrame with the model's columns, in any order; or an array, or lists, of
                their values in order; or a list of objects by column name.

        Returns:
            One entry per row, as scikit-learn's `predict` or `transform` has them: NaN and
            infinity, for which JSON has null, too. Floats are float64, texts are objects.

        Raises:
            InvalidRows: naming each row and column that is against the signature.
        """
        prediction, _ = self._answered(rows)
        answers = prediction.outputs["prediction"]
        return answers.astype(np.float64) if answers.dtype == np.float32 else answers

    def answer(
        self, rows: Any, *, coverage: float | None = None, unusual: bool = False
    ) -> dict[str, Any]:
        """The whole answer that an endpoint would send: probabilities, too, where there are any.

        Args:
            rows: as `predict` takes them.
            coverage: of intervals or sets, which are added.
            unusual: mark rows that are unlike the training rows.

        Raises:
            InvalidRows: naming each row and column that is against the signature.
            NotCalibrated: the build has nothing for the coverage, or to compare rows with.
        """
        answered = self._answered(rows, coverage=coverage, unusual=unusual)
        answer: dict[str, Any] = json_text.loads(native.encode(*answered).body)
        return answer

    def _answered(self, rows: Any, **options: Any) -> tuple[Prediction, PredictRequest]:
        try:
            columns = self._loaded.signature.columns
            images = any(column.image for column in columns)
            instances = _instances(rows, len(columns), images)
            request = native.from_object({"instances": instances, **options})
            return predict(self._loaded, request), request
        except OnnxletError as error:
            raise error.with_traceback(None) from None

    @cached_property
    def _loaded(self) -> Model:
        return load_model(self.directory)

    def __repr__(self) -> str:
        as_lines = import_lines if "origin" in self.manifest else certificate_lines
        lines = as_lines(self.name, self.version, self.manifest)
        return "\n".join([*lines, f"  directory   {self.directory}"])

    def _repr_html_(self) -> str:
        title, *lines = repr(self).splitlines()
        rows = "".join(
            f"<tr><th style='text-align: left'>{escape(label)}</th>"
            f"<td style='text-align: left'>{escape(text)}</td></tr>"
            for label, text in _cells(lines)
        )
        return f"<table><caption>{escape(title)}</caption><tbody>{rows}</tbody></table>"


def build(
    model: Any,
    X_test: Any,
    y_test: Any = None,
    X_train: Any = None,
    *,
    name: str,
    models: str | Path = "models",
    keep_background: int | None = None,
    breaking: bool = False,
    without: Sequence[str] = (),
    with_report: bool = False,
    positive: Any = None,
    sensitive: Sequence[str] = (),
    unit: str | None = None,
    describe: str | Path | None = None,
    report: Report = print,
) -> ProvenModel:
    """Convert a fitted estimator, prove that its answers stay the same, and write a version.

    Args:
        model: the estimator or pipeline, fitted.
        X_test: held-out rows, in the form that it was fitted on.
        y_test: what they should be answered with; it is scored then.
        X_train: the training rows: statistics and further evidence come from them.
        name: the model's, as clients will call it.
        models: the folder of model directories.
        keep_background: explain from so many training rows, which go with the model; without it
            from made-up ones.
        breaking: clients of the version that is served need not go on with this one.
        without: outputs to leave out, such as `std`, where they can't be met.
        with_report: write report.html, report.md and report.json beside it; needs y_test.
        positive: of two labels the one that recall and the like are of; without it the one that
            says yes, such as ja, True or 1, or the second.
        sensitive: columns by whose groups such a report compares.
        unit: of what is predicted, such as "EUR".
        describe: a file of TOML with units and descriptions of the target and of columns.
        report: called with a line of progress at a time.

    Raises:
        Refusal: no conversion answers as scikit-learn does; the message says why and what to do.
        WrongUse: the name can't be one, the folder is none, or `describe` is not to be had.
    """
    source = Source(model, X_test, y_test, X_train, without=tuple(without), positive=positive)
    try:
        check_name(name, "name")
        source = described(source, None if describe is None else Path(describe), unit)
        # As `onnxlet build` sets before NumPy is imported: more threads change last digits.
        with threadpool_limits(1, user_api="blas"):
            groups = sensitive if with_report or sensitive else None
            built = build_directory(
                source, name, Path(models), report, keep_background, breaking, groups
            )
    except OnnxletError as error:  # in a notebook what led there is in nobody's way
        raise error.with_traceback(None) from None
    return ProvenModel(built.directory.absolute(), name, built.version, built.manifest)


def train(
    data: Any,
    target: str,
    *,
    name: str,
    models: str | Path = "models",
    keep_background: int | None = None,
    breaking: bool = False,
    report: Report = print,
    **options: Any,
) -> ProvenModel:
    """Search for a model of a table, fit it, prove it, and write a version with its report.

    Args:
        data: path or address of a table, CSV or Parquet, or of a folder of images in a folder for
            each label; or a frame, in which images may be bytes, paths, arrays or Pillow's.
        target: the column to predict.
        name: the model's, as clients will call it.
        models: the folder of model directories.
        keep_background: explain from so many training rows, which go with the model; without it
            from made-up ones.
        breaking: clients of the version that is served need not go on with this one.
        report: called with a line of progress at a time.
        options: those of `convert.train.preparing.Options`: seconds, metric, positive (of two
            labels the one that recall and the like are of), sensitive, group, time, split,
            refit, task, columns (kinds by name), seed, trials, small, test, augment,
            scheduler, sheet (of a workbook, or cells of it), decimal and images_from (the folder
            outside of which no text in `data` opens an image; without it the table's own, or the
            working directory for a frame), unit (of the target) and describe (a file of units and
            descriptions).

    Raises:
        Refusal: there is nothing to learn from, or nothing that could be served.
        WrongUse: the table can't be read, or an option names what is not in it.
    """
    from onnxlet.convert.train.preparing import Options
    from onnxlet.convert.train.refit import ModelDestination
    from onnxlet.convert.train.training import train as train_directory

    try:
        given = os.fspath(data) if isinstance(data, str | Path) else data
        to = ModelDestination(name, Path(models), keep_background, breaking)
        with threadpool_limits(1, user_api="blas"):
            trained = train_directory(given, target, Options(**options), to, report)
    except OnnxletError as error:
        raise error.with_traceback(None) from None
    built = trained.built
    return ProvenModel(built.directory.absolute(), name, built.version, built.manifest)


def verify(directory: str | Path) -> ProvenModel:
    """Check a model directory's hashes and replay its golden rows.

    Args:
        directory: of one version, `models/NAME/VERSION`.

    Raises:
        ModelError: there is no such version, a file is altered or missing, or an answer is not
            scikit-learn's.
        WrongUse: it is the folder of a model, or of several.
    """
    try:
        check_version(Path(directory))
        model, _ = verify_directory(Path(directory).resolve())
    except OnnxletError as error:
        raise error.with_traceback(None) from None
    return ProvenModel(Path(directory).absolute(), model.name, model.version, dict(model.manifest))


def _instances(rows: Any, width: int, images: bool) -> list[Any]:
    """Rows as JSON holds them: objects by name of a DataFrame's, lists of an array's."""
    listed = isinstance(rows, list | tuple) and not any(isinstance(row, str) for row in rows)
    if listed and (not images or not rows or isinstance(rows[0], dict | list)):
        return [_plain(row) for row in rows]
    try:
        if (
            width > 1
            and np.ndim(rows) == 1
            and hasattr(rows, "dtype")
            and rows.dtype.kind in "biuf"
        ):
            raise no_table(rows, "rows")
        inputs, data = read_inputs(rows, "rows", images=images)
    except Refusal as refusal:  # a build's error: over HTTP such rows are against the signature
        raise InvalidRows([Problem(None, None, refusal.message)], hint=ROWS_HINT) from None
    cells = inputs.rows(data)
    if not inputs.frame:
        return cells
    names = [column.name for column in inputs.columns]
    return [dict(zip(names, row, strict=True)) for row in cells]


def _plain(value: Any) -> Any:
    """A row or a cell of it without NumPy's types."""
    if isinstance(value, dict):
        return {name: _plain(cell) for name, cell in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(cell) for cell in value]
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def _cells(lines: list[str]) -> Iterator[tuple[str, str]]:
    """The lines of a certificate as what stands on their left and right."""
    for line in lines:
        parts = re.split(r" {2,}|: | (?=off by )", line.strip(), maxsplit=1)
        further = line.startswith(" " * 6)  # the line before goes on
        yield ("", line.strip()) if further or len(parts) == 1 else (parts[0], parts[1])
