"""Which model is meant, proven on this machine before it answers; and what of a file it answers."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from onnxlet.convert.problems import close_to
from onnxlet.convert.record_batches.scorer import AnswerOptions, Scorer, any_types
from onnxlet.convert.score.storage import Storage
from onnxlet.convert.score.tasks import Options, Task
from onnxlet.function.errors import ModelError, WrongUse
from onnxlet.function.models.aliases import file_of, read, serves
from onnxlet.function.models.model import Model
from onnxlet.function.models.repository import NAME, versions_in
from onnxlet.function.serving.golden import load_proven
from onnxlet.function.settings import pins_of


def directory_of(given: str, models: Path) -> Path:
    """The folder of a version: that very one, a model's, whose served version it is, or a name.

    Names are looked for in `models`.

    Raises:
        WrongUse: there is no such model.
        ModelError: its aliases can't be used.
    """
    for path in (Path(given), models / given if NAME.fullmatch(given) else None):
        if path is None:
            continue
        if (path / "manifest.json").is_file():
            return path.absolute()
        if versions := versions_in(path):
            home = path.absolute()
            aliases = read(file_of([home.parent], home.name), versions)
            pin = pins_of(os.environ.get("ONNXLET_SERVE", ""), []).get(home.name)
            return home / str(serves(home.name, versions, aliases, pin))
    there = sorted(path.name for path in models.glob("*") if versions_in(path))
    listed = (
        f" '{models}' has {', '.join(there)}." if there else f" There is no model in '{models}'."
    )
    raise WrongUse(
        f"MODEL: there is no model '{given}'", f"Expected DIR/N/V, DIR/N, or a name.{listed}"
    )


def proven(directory: Path) -> Model:
    """A version whose golden rows are answered here as at build.

    Raises ModelError where a file is missing or altered, or an answer is another one.
    """
    model, _, faults = load_proven(directory)
    if faults:
        raise ModelError(
            f"model {model.name}/{model.version} answers otherwise on this machine: "
            f"{'; '.join(faults[:3])}",
            "onnxlet verify shows the same; its ONNX Runtime differs from the one that built it.",
        )
    return model


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
