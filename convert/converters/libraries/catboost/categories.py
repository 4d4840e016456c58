"""Categories as CatBoost sees them: the hash of their text.

Whole numbers are hashed as decimal text, booleans as "1" and "0": `_catboost.pyx`,
`get_id_object_bytes_string_representation`.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass

from onnxlet.convert.converters.libraries.catboost.model_file import ModelFile
from onnxlet.convert.graph.categories import mapped
from onnxlet.convert.graph.converter import Graph, Table, Tensor, Unsupported
from onnxlet.convert.graph.known_values import known_values
from onnxlet.function.inputs.city_hash import hashed

KEEP_IT = (
    "CatBoost itself takes text and whole numbers: give it the column as it comes in, without a "
    "step before."
)


@dataclass(frozen=True)
class Hashes:
    """The hashes of the columns of categories that the model looks at.

    Attributes:
        tensor: int64, of shape (rows, columns), from -2**31 to 2**31 - 1.
        index: of each of these columns, by its number among all columns of categories.
    """

    tensor: Tensor
    index: dict[int, int]

    def equal_to(self, values: Sequence[tuple[int, int]]) -> Tensor:
        """Whether a column's hash is a value, for each pair of these: bool, (rows, pairs)."""
        chosen = self.tensor.take([self.index[column] for column, _ in values])
        return chosen.equals([[value for _, value in values]])


def hashes(graph: Graph, model: ModelFile, table: Table, compared: Set[int]) -> Hashes:
    """The hashes of categories that the trees or the counters look at.

    Args:
        graph: to write to.
        model: the model.
        table: all columns.
        compared: columns of categories that trees split by value.

    Raises:
        Unsupported: a column is neither text nor a whole number that comes in unchanged.
    """
    counted = {
        element.column
        for counter in model.counters
        for element in counter.counted.elements
        if element.kind != "border"
    }
    used = sorted(compared | counted)
    made = {column: _hashed(graph, table, model.categories[column]) for column in used}
    fed = [column for column in used if made[column].name.startswith("input")]
    inputs, order = graph.merged([made[column] for column in fed])
    others = [column for column in used if column not in fed]
    index = dict(zip([*fed, *others], [*order, *range(len(fed), len(used))], strict=True))
    return Hashes(graph.concat([*inputs, *(made[column] for column in others)]), index)


def _hashed(graph: Graph, table: Table, column: int) -> Tensor:
    """The hash of a column: of few values by a table, of others by the function."""
    [tensor] = graph.select(table, [column]).tensors
    if tensor.types in (("bool",), ("bool?",)):
        return (tensor > 0.5).where(
            graph.constant([[hashed("1")]], "int64"), graph.constant([[hashed("0")]], "int64")
        )
    known = known_values(graph, tensor.name)
    if known is not None and tensor.dtype != "string":
        whole = sorted({int(value) for value in known.tolist() if value == value})
        return mapped(graph, tensor.cast("int64"), {n: hashed(str(n)) for n in whole}, 0, "int64")
    try:
        if tensor.dtype in ("string", "int64"):
            return graph.front_end(tensor, {"step": "city_hash"}, dtype="int64")
    except Unsupported:
        pass
    name = f"'{tensor.labels[0]}'" if tensor.labels else str(column)
    raise Unsupported(f"its column {name} of categories is not as it came in", KEEP_IT)
