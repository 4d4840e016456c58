"""What each column adds to each answer, as `POST /models/N/explain` has it, as one Arrow column."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from onnxlet.convert.record_batches.answers import by_class, names_of, of_classes, with_nulls
from onnxlet.function.arrays import Array
from onnxlet.function.errors import InvalidRows, Problem, RequestError, WrongUse
from onnxlet.function.explanation import additive
from onnxlet.function.explanation.background import Background, background
from onnxlet.function.explanation.explain import (
    MOST_CONTRIBUTIONS,
    Explained,
    ExplainOptions,
    explain,
)
from onnxlet.function.explanation.route import MOST_ROWS
from onnxlet.function.explanation.target import (
    MOST_OUTPUTS,
    ExplainedOutput,
    check_explained,
    target,
)
from onnxlet.function.inputs.batches import LeftOut
from onnxlet.function.inputs.validation import CheckedBatch
from onnxlet.function.models.model import Model

COLUMN = "explanation"


class Contributions:
    """Explains the rows of tables by a model that answers them.

    `field` is of the column that it answers: a struct by column name, in each a number; or a struct
    of numbers by class; or, where the numbers bear no names, a list. `about` says what is
    explained, and the value that contributions start from. A model without explanations by column
    raises WrongUse.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        self._rows: Background | None = None
        try:
            base = self._start(model)
        except RequestError as error:
            raise WrongUse(error.message, error.hint) from None
        if len(base) > MOST_OUTPUTS:
            raise WrongUse(
                f"{len(base)} numbers for each row: at most {MOST_OUTPUTS} are explained"
            )
        self._names = names_of(self._target.classes)
        columns = model.signature.columns
        kind = pa.struct([(column.name, self._type()) for column in columns])
        self.field = pa.field(COLUMN, kind)
        self.about = {"output": self._target.output, "base_value": self._target.form(base.tolist())}
        self._most = max(1, min(MOST_ROWS, MOST_CONTRIBUTIONS // (len(base) * len(columns))))

    def _start(self, model: Model) -> Array:
        """The base value, once it is known what is explained."""
        if additive.wanted(model, ExplainOptions()):
            self._target: ExplainedOutput = additive.target(model)
            return np.array((additive.terms(model) or {})["base"], np.float64)
        check_explained(model, None)
        self._rows = background(model)
        self._target = target(model, None, (self._rows.outputs,))
        return np.asarray(self._target.matrix(self._rows.outputs).mean(axis=0))

    def _type(self) -> Any:
        if self._target.single:
            return pa.float64()
        if self._names is None:
            return pa.list_(pa.float64())
        return by_class(self._names, pa.float64())

    def of(self, table: CheckedBatch) -> tuple[Any, list[Problem]]:
        """The contributions to the answers of a table, null where there are none, and why."""
        parts, problems = list[Any](), list[Problem]()
        for start in range(0, table.rows, self._most):
            arrays = [array[start : start + self._most] for array in table.arrays]
            part, found = self._part(CheckedBatch(len(arrays[0]), arrays))
            parts.append(part)
            problems += [Problem(start + (each.row or 0), COLUMN, each.detail) for each in found]
        return pa.concat_arrays(parts), problems

    def _part(self, table: CheckedBatch) -> tuple[Any, Sequence[Problem]]:
        left_out = LeftOut(range(table.rows))
        while kept := left_out.kept:
            try:
                values = self._values(
                    CheckedBatch(len(kept), [array[kept] for array in table.arrays])
                )
            except InvalidRows as error:
                left_out.leave(error.every)
            else:
                members = [self._numbers(each) for each in np.moveaxis(values, 1, 0)]
                made = pa.StructArray.from_arrays(members, fields=list(self.field.type))
                return with_nulls(made, kept, table.rows), left_out.problems.first
        return pa.nulls(table.rows, self.field.type), left_out.problems.first

    def _values(self, table: CheckedBatch) -> Array:
        """Of shape (rows, columns, numbers)."""
        if self._rows is None:
            return additive.by_column(self._model, self._model.terms(table))
        # The least that HTTP walks: a pair of permutations on each background row.
        found = explain(self._model, self._rows, table, ExplainOptions(usual=2))
        return _by_column(self._model, found, table.rows)

    def _numbers(self, values: Array) -> Any:
        """One column's contributions, of shape (rows, numbers)."""
        if self._target.single:
            return pa.array(values[:, 0].copy())
        if self._names is None:
            return pa.array(list(values), self._type())
        return of_classes(values, self._type())


def _by_column(model: Model, explained: Explained, rows: int) -> Array:
    """The contributions of every column, of shape (rows, columns, numbers); 0 of dropped ones."""
    columns = {column.name: n for n, column in enumerate(model.signature.columns)}
    whole = np.zeros((rows, len(columns), explained.end.shape[1]))
    for function, values in zip(explained.functions, explained.values, strict=True):
        for (block, position), player in function.columns.items():
            column = columns[model.signature.blocks[block].columns[position].name]
            whole[function.numbers, column] = values[:, player]
    return whole
