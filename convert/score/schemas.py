"""What a file's columns are, and what becomes of them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import pyarrow as pa

from onnxlet.convert.problems import close_to
from onnxlet.convert.record_batches.scorer import AnswerOptions, Scorer, any_types
from onnxlet.convert.score.storage import Storage
from onnxlet.convert.score.tasks import Options, Task
from onnxlet.function.errors import WrongUse
from onnxlet.function.models.model import Model


def answer_options(options: Options) -> AnswerOptions:
    """What is wanted beside predictions."""
    return AnswerOptions(options.coverage, options.explain, options.k)


def check_options(model: Model, options: Options) -> None:
    """Raise WrongUse where a model has not what is wanted beside predictions."""
    Scorer(model, any_types(model), answer_options(options))


def scorer_of(task: Task, model: Model, storage: Storage) -> tuple[Scorer, Any]:
    """What answers a part, and the schema of its file."""
    schema = task.format.schema(partial(storage.open, task.file), task.names)
    return Scorer(model, schema, answer_options(task.options)), schema


def kept_schema(schema: Any, keep: Sequence[str]) -> Any:
    """The columns that are passed through."""
    return pa.schema([schema.field(name) for name in keep])


def side_schema(schema: Any, columns: Sequence[str], counted: str) -> Any:
    """The columns of a side file: where a row stands, why it is there, and its cells.

    Its number counts rows or lines.
    """
    places = [
        pa.field("_file", pa.string()),
        pa.field(f"_{counted}", pa.int64()),
        pa.field("_reason", pa.string()),
    ]
    return pa.schema([*places, *(schema.field(name) for name in columns)])


def faults_of(schema: Any, model: Model, options: Options) -> list[str]:
    """Why a file of this schema can't be answered; empty where it can."""
    faults = []
    twice = sorted({name for name in schema.names if schema.names.count(name) > 1})
    if twice:
        return [f"columns {twice} stand there more than once"]
    try:
        answers = set(Scorer(model, schema, answer_options(options)).schema.names)
    except WrongUse as error:
        faults.append(error.message)
        answers = set()
    for name in options.keep:
        if name not in schema.names:
            faults.append(f"--keep: there is no column '{name}'. {close_to(name, schema.names)}")
        elif name in answers:
            faults.append(f"--keep: the answers have a column '{name}', too")
    return faults
