"""The ways of typing a model's inputs that are tried, in a fixed order, and each one's graph."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from operator import itemgetter
from typing import Any, Literal

from onnxlet.convert.converters.registry import converters
from onnxlet.convert.graph.fallback import fallback
from onnxlet.convert.graph.graph import DROPPED, Graph, Precision, Table, Tensor
from onnxlet.convert.graph.validation import either
from onnxlet.convert.reference.answers import Task
from onnxlet.function.arrays import LARGEST_FLOAT32
from onnxlet.function.inputs.signature import Column

TOO_NARROW = "scikit-learn answers numbers beyond"  # begins what speaks against a float32 recipe
WIDE = 1000  # columns; a tensor that is no wider is no matter, however many rows there are
AT_ONCE = 64 * 2**20  # bytes of a tensor
Layout = Literal["matrix", "columns"]


@dataclass(frozen=True)
class Recipe:
    """One way of typing the inputs.

    Attributes:
        precision: of all numbers that go in.
        layout: one matrix, or one for each type of column.
        cast: what skl2onnx converts is given float32, all else is computed in float64.
    """

    precision: Precision
    layout: Layout
    cast: bool = False

    def __str__(self) -> str:
        last = ", skl2onnx's steps in float32" if self.cast else ""
        return f"{self.precision} {self.layout}{last}"


@dataclass(frozen=True)
class Converted:
    """A converted model.

    Attributes:
        onnx: the serialised ModelProto.
        inputs: for the manifest: each tensor's name, dtype, columns, and what else it needs.
        outputs: names in the graph, in the order of the task's methods.
        types: the element type of each of these.
        of_skl2onnx: skl2onnx wrote some part of it.
        rows_at_once: so many at most are run together, so that no tensor is larger than
            AT_ONCE; None where a batch of any size may be.
        raising: an output that tells of rows that scikit-learn raises for, if there is one.
    """

    onnx: bytes
    inputs: list[dict[str, Any]]
    outputs: list[str]
    types: list[str]
    of_skl2onnx: bool = False
    rows_at_once: int | None = None
    raising: str | None = None


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


def why_too_narrow(columns: Sequence[Column], recipe: Recipe) -> str | None:
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


def convert(
    estimator: Any,
    task: Task,
    columns: Sequence[Column],
    recipe: Recipe,
    watches: bool = False,
    series: bool = False,
) -> Converted:
    """Convert by one recipe.

    Args:
        estimator: scikit-learn's.
        task: what it is asked for.
        columns: of the signature.
        recipe: the way of typing.
        watches: whether the graph tells of rows that scikit-learn raises for.
        series: whether the one column comes as a Series.

    Raises:
        Unsupported: some step has no conversion.
    """
    graph = Graph(recipe.precision, converters(), fallback, recipe.cast, watches)
    table = replace(root_table(graph, columns, recipe.layout), flat=series)
    outputs = [
        _output(graph, estimator, table, task, name, method)
        for name, method in task.methods.items()
    ]
    flags = [either(graph.raising)] if graph.raising else []
    proto = graph.finished([*outputs, *flags])
    return Converted(
        proto.SerializeToString(deterministic=True),
        graph.inputs,
        [tensor.name for tensor in outputs],
        [tensor.dtype for tensor in outputs],
        graph.of_skl2onnx,
        max(1, AT_ONCE // (8 * graph.widest)) if graph.widest > WIDE else None,
        flags[0].name if flags else None,
    )


def root_table(graph: Graph, columns: Sequence[Column], layout: Layout) -> Table:
    """The inputs of the graph; columns that the model does without come last, and empty."""
    used = [column for column in columns if column.required]
    dtypes = [_dtype(graph, column, layout) for column in used]
    inputs = {
        dtype: graph.input([c.name for c, d in zip(used, dtypes, strict=True) if d == dtype], dtype)
        for dtype in dict.fromkeys(dtypes)
    }
    if "float32" in inputs:
        inputs["float32"] = inputs["float32"].cast(graph.precision)
    taken = dict.fromkeys(inputs, 0)
    tensors: list[Tensor] = []
    for dtype, members in groupby(zip(used, dtypes, strict=True), key=itemgetter(1)):
        if dtype == "string":  # one by one: text is cut into tokens by the column
            runs = [[column] for column, _ in members]
        else:
            runs = [[column for column, _ in members]]
        for run in runs:
            tensors.append(_run(inputs[dtype], taken[dtype], run))
            taken[dtype] += len(run)
    dropped = [column.name for column in columns if not column.required]
    return Table((*tensors, *(Tensor(graph, "", DROPPED, labels=(name,)) for name in dropped)))


def _run(matrix: Tensor, start: int, columns: Sequence[Column]) -> Tensor:
    """Some neighbouring columns of an input."""
    tensor = matrix.take(range(start, start + len(columns)))
    return replace(
        tensor,
        labels=tuple(column.name for column in columns),
        types=tuple(column.type + ("?" if column.nullable else "") for column in columns),
        column=columns[0].name if matrix.dtype == "string" else None,
    )


def _dtype(graph: Graph, column: Column, layout: Layout) -> str:
    """Of the tensor that has it; where scikit-learn is given float32, numbers are rounded first."""
    if column.type == "float32" or (layout == "matrix" and graph.precision == "float32"):
        return "float32"
    if layout == "matrix":
        return graph.precision
    if column.type == "string":
        return "string"
    return "int64" if column.type == "int64" and not column.nullable else graph.precision


def _output(
    graph: Graph, estimator: Any, table: Table, task: Task, name: str, method: str
) -> Tensor:
    if name == "prediction" and task.name == "classification":
        answers = graph.answers(estimator, table)
        if "places" in answers:
            return graph.labels(graph.ask(estimator, table, "places"), task.classes)
    made = graph.ask(estimator, table, method)
    return made if _is_made(made) else graph.op("Identity", made)


def _is_made(tensor: Tensor) -> bool:
    """An output of the graph can't be one of its inputs or constants."""
    return not tensor.name.startswith(("input_", "constant_"))
