"""From a fitted estimator to an ONNX graph: the step that all others prepare or check.

Its inputs can be typed in several ways, which are tried in a fixed order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from operator import itemgetter
from typing import Any, Literal

from onnxlet.convert.converters.registry import converters
from onnxlet.convert.graph import dates
from onnxlet.convert.graph.additive import Additive
from onnxlet.convert.graph.builder import K
from onnxlet.convert.graph.converter import (
    DATE,
    DROPPED,
    Graph,
    Precision,
    Table,
    Tensor,
    labelled,
)
from onnxlet.convert.graph.fallback import fallback
from onnxlet.convert.graph.validation import any_of
from onnxlet.convert.reference.answers import Task
from onnxlet.convert.reference.inputs import Form
from onnxlet.function.arrays import LARGEST_FLOAT32
from onnxlet.function.inputs.columns import Column

TOO_NARROW = "scikit-learn answers numbers beyond"  # begins every float32_refusal
Layout = Literal["matrix", "columns"]


@dataclass(frozen=True)
class Recipe:
    """One way of typing the inputs."""

    precision: Precision  # of all numbers that go in
    layout: Layout  # one matrix, or one for each type of column
    cast: bool = False  # what skl2onnx converts is given float32, all else is computed in float64

    def __str__(self) -> str:
        last = ", skl2onnx's steps in float32" if self.cast else ""
        return f"{self.precision} {self.layout}{last}"


def recipes(columns: Sequence[Column]) -> Iterator[Recipe]:
    """All recipes in the order of trying: the smaller first, and few tensors before many."""
    numbers = [column for column in columns if column.required and column.type != "string"]
    texts = len(numbers) < sum(column.required for column in columns)
    ways: tuple[tuple[Precision, bool], ...] = (
        ("float32", False), ("float64", False), ("float64", True)
    )  # fmt: skip
    for precision, cast in ways:
        if numbers and not texts:
            yield Recipe(precision, "matrix", cast)
        yield Recipe(precision, "columns", cast)


def float32_refusal(columns: Sequence[Column], recipe: Recipe) -> str | None:
    """Why a float32 model could not answer all that scikit-learn answers; None where it could."""
    wide = [
        column.name
        for column in columns
        if column.required
        and column.type == "float64"
        and column.categories is None
        and not _is_single(column)
    ]
    if recipe.precision == "float64" or not wide:
        return None
    some = ", ".join(f"'{name}'" for name in wide[:3]) + (", …" if len(wide) > 3 else "")
    return f"{TOO_NARROW} {3.4e38:g}, the largest of float32, in {some}"


def _is_single(column: Column) -> bool:
    """scikit-learn itself answers no number that float32 can't hold."""
    bounds = (column.minimum, column.maximum)
    return all(bound is not None and abs(bound) <= LARGEST_FLOAT32 for bound in bounds)


WIDE_TENSOR = 1000  # columns; a tensor that is no wider may have any number of rows
LARGEST_TENSOR = 64 * 2**20  # bytes


@dataclass(frozen=True)
class Behaviour:
    """What the reference was seen to do, that the graph does as well."""

    raises: bool = False  # for some rows: an output of the graph marks these
    form: Form = "frame"  # in which it is given its rows
    labels: Mapping[str, Any] = field(default_factory=dict)  # of columns that no text calls
    whole: frozenset[str] = frozenset()  # the outputs that it answers in whole numbers
    categoricals: frozenset[str] = frozenset()  # columns that it is given as pandas' categoricals
    nones: frozenset[str] = frozenset()  # columns of text whose gaps it is given as None
    sparse: frozenset[int] = frozenset()  # ids of estimators inside that are given sparse rows
    of_arrow: frozenset[str] = frozenset()  # columns of text that it is given as PyArrow holds it


PLAIN = Behaviour()


def convert(
    estimator: Any,
    task: Task,
    columns: Sequence[Column],
    recipe: Recipe,
    behaviour: Behaviour = PLAIN,
) -> Converted:
    """Write a fitted estimator as one ONNX graph: inputs, every step, an output for each method.

    Raises Unsupported where some step has no conversion.
    """
    graph = Graph(recipe.precision, converters(), fallback, recipe.cast, behaviour.raises)
    graph.given_sparse, graph.of_arrow = behaviour.sparse, behaviour.of_arrow
    graph.categoricals = behaviour.categoricals
    table = root_table(graph, columns, recipe.layout, behaviour)
    outputs = [
        _output(graph, estimator, table, task, name, method, name in behaviour.whole)
        for name, method in task.methods.items()
    ]
    flags = [any_of(graph.raising)] if graph.raising else []
    terms = graph.additive.get(id(estimator))
    proto = graph.finished([*outputs, *flags, *([terms.scores] if terms else [])])
    return Converted(
        proto.SerializeToString(deterministic=True),
        graph.inputs,
        [tensor.name for tensor in outputs],
        [tensor.dtype for tensor in outputs],
        graph.of_skl2onnx,
        max(1, LARGEST_TENSOR // (8 * graph.widest)) if graph.widest > WIDE_TENSOR else None,
        flags[0].name if flags else None,
        terms,
        graph.k,
    )


@dataclass(frozen=True)
class Converted:
    """An estimator as an ONNX graph."""

    onnx: bytes  # the serialised ModelProto
    # For the manifest: each tensor's name, dtype, columns, and what else it needs.
    inputs: list[dict[str, Any]]
    outputs: list[str]  # names in the graph, in the order of the task's methods
    types: list[str]  # the element type of each of these
    of_skl2onnx: bool = False  # skl2onnx wrote some part of it
    # So many at most are run together, so that no tensor is larger than LARGEST_TENSOR; None where
    # a batch of any size may be.
    rows_at_once: int | None = None
    raising: str | None = None  # an output that marks rows that scikit-learn raises for
    terms: Additive | None = None  # what the score is the sum of, where it is one
    k: K | None = None  # how many nearest it answers, where that is a request's to say


def root_table(
    graph: Graph, columns: Sequence[Column], layout: Layout, behaviour: Behaviour = PLAIN
) -> Table:
    """The graph's inputs as the estimator's columns.

    An input for each type of values, and for each column of images, which the function reads and no
    graph has as text; columns that the model does without are empty. Only pandas' forms and
    dictionaries have names.
    """
    used = [column for column in columns if column.required]
    keys = [(_dtype(graph, c, layout), c.name if c.image else "") for c in used]
    inputs = {
        key: graph.input([c.name for c, k in zip(used, keys, strict=True) if k == key], key[0])
        for key in dict.fromkeys(keys)
    }
    if (narrow := ("float32", "")) in inputs:
        inputs[narrow] = inputs[narrow].cast(graph.precision)
    taken = dict.fromkeys(inputs, 0)
    tensors: list[Tensor] = []
    for key, members in groupby(zip(used, keys, strict=True), key=itemgetter(1)):
        if key[0] == "string":  # one by one: text is cut into tokens by the column
            runs = [[column] for column, _ in members]
        else:
            runs = [[column for column, _ in members]]
        for run in runs:
            tensors.append(_run(inputs[key], taken[key], run, behaviour))
            taken[key] += len(run)
            if run[0].date:
                tensors[-1] = _dates(tensors[-1], run[0])
    dropped = [column for column in columns if not column.required]
    for column in dropped:
        kind = DATE if column.date and column.format is None else _described(column, behaviour)
        label = behaviour.labels.get(column.name, column.name)
        tensors.append(Tensor(graph, "", DROPPED, labels=(label,), types=(kind,)))
    table = Table(tuple(tensors))
    if dropped:
        at = {str(name): position for position, name in enumerate(table.labels)}
        table = graph.select(table, [at[column.name] for column in columns])
    if behaviour.form in ("array", "texts"):
        table = labelled(table, ())
    return replace(table, flat=behaviour.form in ("series", "texts"))


def _dates(text: Tensor, column: Column) -> Tensor:
    """A column of dates; those that scikit-learn is given as text stay text, of a known form."""
    if column.format is not None:
        return replace(text, types=(f"date {column.format}",))
    made = dates.from_text(text, offset=column.zone is not None)
    return made if column.zone is None else dates.in_zone(made, column.zone)


def _run(matrix: Tensor, start: int, columns: Sequence[Column], behaviour: Behaviour) -> Tensor:
    """Some neighbouring columns of an input."""
    tensor = matrix.take(range(start, start + len(columns)))
    return replace(
        tensor,
        labels=tuple(behaviour.labels.get(column.name, column.name) for column in columns),
        types=tuple(_described(column, behaviour) for column in columns),
        column=columns[0].name if matrix.dtype == "string" else None,
    )


def _described(column: Column, behaviour: Behaviour) -> str:
    of_text = column.type == "string" and column.name in behaviour.categoricals
    gap = "?None" if column.name in behaviour.nones else "?"
    return ("category" if of_text else column.type) + gap * column.nullable


def _dtype(graph: Graph, column: Column, layout: Layout) -> str:
    """The type of a column's input; what scikit-learn is given in float32 is rounded first."""
    if column.type == "float32" or (layout == "matrix" and graph.precision == "float32"):
        return "float32"
    if layout == "matrix":
        return graph.precision
    if column.type == "string":
        return "string"
    return "int64" if column.type == "int64" and not column.nullable else graph.precision


def _output(
    graph: Graph, estimator: Any, table: Table, task: Task, name: str, method: str, whole: bool
) -> Tensor:
    """One method's answer; a classifier's labels keep the type that its classes have."""
    if name == "prediction" and task.name == "classification":
        answers = graph.convert(estimator, table)
        if "class_index" in answers:
            return graph.labels(graph.call(estimator, table, "class_index"), task.classes)
    made = graph.call(estimator, table, method)
    if whole and made.dtype in ("float32", "float64"):
        made = made.cast("int64")
    # What no node makes can't be an output: an input, a constant or a date.
    unmade = made.name.startswith(("input_", "constant_", "date_"))
    return graph.op("Identity", made) if unmade else made
