"""A model that was proven, as scripts and notebooks hold it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from onnxlet.convert.errors import Refusal
from onnxlet.convert.imported.import_onnx import import_lines, is_imported
from onnxlet.convert.lines_as_html import lines_as_html
from onnxlet.convert.parity.certificate import certificate_lines
from onnxlet.convert.reference.inputs import read_inputs
from onnxlet.convert.reference.row_forms import no_table
from onnxlet.function import json_text
from onnxlet.function.arrays import Array
from onnxlet.function.errors import InvalidRows, OnnxletError, Problem
from onnxlet.function.inputs.columns import Column
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
            instances = _instances(_with_dates_written(rows, columns), len(columns), images)
            request = native.from_object({"instances": instances, **options})
            return predict(self._loaded, request), request
        except OnnxletError as error:
            raise error.with_traceback(None) from None

    @cached_property
    def _loaded(self) -> Model:
        return load_model(self.directory)

    def __repr__(self) -> str:
        as_lines = import_lines if is_imported(self.manifest) else certificate_lines
        lines = as_lines(self.name, self.version, self.manifest)
        return "\n".join([*lines, f"  directory   {self.directory}"])

    def _repr_html_(self) -> str:
        return lines_as_html(repr(self).splitlines())


def _with_dates_written(rows: Any, columns: Sequence[Column]) -> Any:
    """A DataFrame whose true dates are texts where the model takes dates of a form of text."""
    if not isinstance(rows, pd.DataFrame) or not rows.columns.is_unique:
        return rows
    forms = {c.name: c.format for c in columns if c.format is not None and c.name in rows}
    dated = {name: form for name, form in forms.items() if rows[name].dtype.kind == "M"}
    return rows.assign(**{name: rows[name].dt.strftime(form) for name, form in dated.items()})


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
