"""SQL functions of DuckDB that answer rows: `SELECT predict('house-prices', h) FROM houses h`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import compute

from onnxlet.convert.record_batches.scorer import (
    AnswerOptions,
    Scorer,
    any_types,
    reasons,
)
from onnxlet.convert.score.tasks import directory_of, proven
from onnxlet.function.errors import InvalidRows, WrongUse
from onnxlet.function.models.model import Model

PROBLEM = pa.field("problem", pa.string())
ON_ERROR = ("null", "stop")


def register_duckdb(
    connection: Any,
    *models: Any,
    predict: str | None = "predict",
    answer: str | None = "answer",
    on_error: str = "null",
    coverage: float | None = None,
    explain: bool = False,
    k: int | None = None,
    unusual: bool = False,
    folder: str | Path = "models",
) -> None:
    """Give a connection of DuckDB's two functions that answer rows as an endpoint would.

    `predict(model, row)` is the prediction: a value, a label. `answer(model, row)` is a struct of
    all that HTTP answers, such as `probabilities`, and of the `problem` of a row that can't be
    answered. A row is a struct whose fields are found by their names, and others are ignored: the
    alias of a table, or `{'rooms': 3, 'area': x}`. Or each column is an argument, in the order
    of the signature. A function of these names that was registered before is replaced.

    Args:
        connection: of `duckdb.connect()`.
        models: a name in `folder`, the directory of a model or of a version, or what `build` and
            `train` return. SQL calls them by their names, or as NAME/VERSION.
        predict: what the first function is called; None for none.
        answer: what the second is called; None for none.
        on_error: of a row that can't be answered: "null", or "stop" for an error of the query.
        coverage: of prediction intervals or sets, in `answer`; None wants none.
        explain: the contribution of every column to every answer, in `answer`.
        k: how many nearest, from 1; None leaves it to the model.
        unusual: what is unusual of rows unlike the training rows, in `answer`, as JSON.
        folder: of model directories.

    Raises:
        WrongUse: it is no connection, there is no such model, it has not what is wanted, or
            models answer in types that one function can't have.
        ModelError: a model's files are altered, or it answers otherwise on this machine.
    """
    if on_error not in ON_ERROR:
        raise WrongUse(f"on_error: expected 'null' or 'stop', got {on_error!r}")
    if not hasattr(connection, "create_function"):
        got = type(connection).__name__
        raise WrongUse(f"connection: expected what duckdb.connect() returns, got a {got}")
    if not models:
        raise WrongUse("register_duckdb: expected a model at least, got none")
    loaded = [_loaded(each, Path(folder)) for each in models]
    everyone = Models(loaded, AnswerOptions(coverage, explain, k, unusual), on_error == "stop")
    for name, whole in ((predict, False), (answer, True)):
        if name is not None:
            _create(connection, name, everyone.type(whole), everyone.function(whole))


def _loaded(model: Any, folder: Path) -> Model:
    directory = getattr(model, "directory", model)
    return proven(directory_of(str(directory), folder))


def _create(connection: Any, name: str, kind: Any, function: Callable[..., Any]) -> None:
    from duckdb import InvalidInputException

    empty = pa.table({"it": pa.nulls(0, kind)})
    returned = connection.from_arrow(empty).types[0]
    with suppress(InvalidInputException):  # it was not registered before
        connection.remove_function(name)
    connection.create_function(
        name, function, None, returned, type="arrow", null_handling="special"
    )


class Models:
    """Models that answer vectors of DuckDB's, by the name that each row has for them.

    A row that can't be answered is an error where `stop` says so.
    """

    def __init__(self, models: Sequence[Model], wanted: AnswerOptions, stop: bool) -> None:
        self._wanted, self._stop = wanted, stop
        self._models: dict[str, Model] = {}
        for model in sorted(models, key=lambda model: model.version):
            self._models[model.name] = self._models[f"{model.name}/{model.version}"] = model
        self._scorers: dict[tuple[str, Any], Scorer] = {}

    def type(self, whole: bool) -> Any:
        """What the function returns; models that differ in it raise WrongUse."""
        kinds = {name: self._type(model, whole) for name, model in self._models.items()}
        if len(set(kinds.values())) > 1:
            listed = "; ".join(f"'{name}' {kind}" for name, kind in kinds.items() if "/" in name)
            raise WrongUse(
                f"{'answer' if whole else 'predict'}: expected models that answer in the same "
                f"type, got {listed}",
                "Register them one by one, with names of their own for the functions, or leave "
                "answer out: predict='predict_species', answer=None.",
            )
        return next(iter(kinds.values()))

    def _type(self, model: Model, whole: bool) -> Any:
        schema = Scorer(model, any_types(model), self._wanted).schema
        return pa.struct([*schema, PROBLEM]) if whole else schema.field("prediction").type

    def function(self, whole: bool) -> Callable[..., Any]:
        """What DuckDB calls with a vector of each argument.

        It returns structs of the whole answer, or else the prediction.
        """
        kind = self.type(whole)

        # DuckDB takes this for two parameters and more. It drops names (a := 3) of what is more,
        # and refuses them for the two.
        def answered(model: Any, *given: Any) -> Any:
            names, vectors = _array(model), [_array(each) for each in given]
            if not names.null_count and compute.all(compute.equal(names, names[0])).as_py():
                return self._answer(names[0].as_py(), vectors, whole)
            parts = []
            for name in compute.unique(names.drop_null()).to_pylist():
                theirs = compute.equal(names, name)
                made = self._answer(name, [each.filter(theirs) for each in vectors], whole)
                parts.append((np.flatnonzero(theirs.fill_null(False)), made))
            return _in_order(parts, len(names), kind)

        return answered

    def _answer(self, name: str, given: Sequence[Any], whole: bool) -> Any:
        if name not in self._models:
            raise WrongUse(
                f"there is no model '{name}'", f"There is {', '.join(sorted(self._models))}."
            )
        model = self._models[name]
        batch = _batch(model, given)
        scorer = self._scorers.get((name, batch.schema))
        if scorer is None:  # two threads may make it; one is kept
            scorer = self._scorers[name, batch.schema] = Scorer(model, batch.schema, self._wanted)
        answered = scorer.answer(batch)
        if self._stop and answered.problem_count:
            # A vector's row is not a row of the query.
            raise InvalidRows([problem._replace(row=None) for problem in answered.problems])
        if not whole:
            return answered.columns.column("prediction")
        found = answered.by_row()
        why = [reasons(found[n]) if n in found else None for n in range(batch.num_rows)]
        return pa.StructArray.from_arrays(
            [*answered.columns.columns, pa.array(why, pa.string())],
            fields=[*scorer.schema, PROBLEM],
        )


def _array(vector: Any) -> Any:
    # One chunk, as it always is, is not copied so.
    return vector.chunk(0) if vector.num_chunks == 1 else vector.combine_chunks()


def _batch(model: Model, given: Sequence[Any]) -> Any:
    """What DuckDB gave as a record batch with the model's columns.

    Raises WrongUse where it is no row, and not as many columns as the model has.
    """
    columns = [column.name for column in model.signature.columns if column.required]
    if len(given) == 1 and pa.types.is_struct(given[0].type):
        row = given[0]
        names = [field.name for field in row.type]
        kept = [n for n in dict.fromkeys(names) if n in columns and names.count(n) == 1]
        return pa.record_batch(row.flatten(), names=names).select(kept)
    if len(given) != len(columns):
        raise WrongUse(
            f"model '{model.name}': expected a row, or its {len(columns)} columns "
            f"({', '.join(columns)}), got {len(given)} of type "
            f"{', '.join(str(each.type) for each in given)}",
        )
    return pa.record_batch(list(given), names=columns)


def _in_order(parts: Sequence[tuple[Any, Any]], rows: int, kind: Any) -> Any:
    """The answers of several models in the order of their rows; null where there is no model."""
    at = np.full(rows, -1)
    start = 0
    for positions, made in parts:
        at[positions] = start + np.arange(len(positions))
        start += len(made)
    every = pa.chunked_array([made for _, made in parts], kind).combine_chunks()
    return every.take(pa.array(at, mask=at < 0))
