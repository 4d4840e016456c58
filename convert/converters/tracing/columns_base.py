"""What holds columns of the graph, and functions of all columns of several of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, ClassVar, NoReturn

import numpy as np
from pandas import DataFrame, Series

from onnxlet.convert.converters.tracing.refusal import refuse
from onnxlet.convert.graph.graph import DROPPED, Graph, Table, Tensor
from onnxlet.function.arrays import Array

EVERY_ROW = slice(None)
Function = Callable[..., Tensor]


CLAIMED = (float, int, str, bool, list, np.ndarray, DataFrame, Series)


class Kind(type):
    """Of stand-ins: what compares their class with the one that they stand for is misled."""

    def __eq__(cls, other: object) -> bool:
        real = getattr(other, "stands_for", other)
        if type(other) is not Kind and any(real is one for one in CLAIMED):
            refuse("it compares the type of what it is given", "Use isinstance(…), or .isna().")
        return cls is other

    def __hash__(cls) -> int:
        return id(cls)


class Held(metaclass=Kind):
    """Columns of the graph.

    Attributes:
        _rank: of several forms that are computed with each other, the highest is the result's: an
            element's, an array's, a Series' and a DataFrame's.
    """

    __slots__ = ("_graph", "_table")
    _graph: Graph
    _table: Table
    _rank: ClassVar[int] = 0

    @property
    def _flat(self) -> bool:
        """Of one dimension."""
        return False

    @property
    def _is_frame(self) -> bool:
        return self._rank == FRAME

    def _like(self, table: Table) -> Any:
        """The same form, of other columns."""
        raise NotImplementedError


ELEMENT, ARRAY, SERIES, FRAME = range(4)


class Rows:
    """How many rows there are: nobody knows before the request.

    Attributes:
        model: a tensor that has as many.
    """

    def __init__(self, model: Tensor) -> None:
        self.model = model

    def refuse(self, *_: Any) -> NoReturn:
        """Nothing is computed with it."""
        refuse("it computes with the number of rows, which is another for each request")

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = (
        __floordiv__
    ) = __mod__ = __lt__ = __le__ = __gt__ = __ge__ = __eq__ = __ne__ = __bool__ = __int__ = (
        __float__
    ) = __index__ = __hash__ = refuse

    def __repr__(self) -> str:
        return "rows"


def elementwise(function: Function, *operands: Any) -> Any:
    """A function of tensors and constants, over all columns.

    Args:
        function: is given tensors of as many columns, or of one, and constants.
        operands: stand-ins; tensors of one column, for every column; constants: one value, or
            one for each column.
    """
    model = _model([operand for operand in operands if isinstance(operand, Held)])
    parts = [_part(operand, model) for operand in operands]
    width = max(_width(part) for part in parts)
    if model._rank >= SERIES and width != model._table.width:
        refuse("it computes with a DataFrame, and with values for other columns than it has")
    if any(_width(part) not in (1, width) for part in parts):
        refuse("it computes with different numbers of columns")
    bounds = sorted({0, width}.union(*(_bounds(part) for part in parts if _width(part) > 1)))
    made = [
        _applied(function, [_piece(model._graph, part, start, stop) for part in parts])
        for start, stop in pairwise(bounds)
    ]
    return model._like(Table(tuple(made)))


def _applied(function: Function, pieces: Sequence[Any]) -> Tensor:
    for piece in pieces:
        if isinstance(piece, Tensor) and piece.dtype == DROPPED:
            return replace(piece, labels=())  # whoever drops a column drops what is made of it
    return replace(function(*pieces), dimensions=2)


def _model(traced: Sequence[Held]) -> Held:
    model = max(traced, key=lambda one: one._rank)
    for one in traced:
        if one._flat != model._flat and one._rank > 0:
            refuse(
                "it computes with one column and several, as if the rows were columns",
                "Of DataFrames use df.div(s, axis=0) and so on, of arrays a column x[:, [0]].",
            )
    return model


def _part(operand: Any, model: Held) -> Table | Array:
    if isinstance(operand, Held):
        known, wanted = operand._table.labels, model._table.labels
        if operand._is_frame and model._is_frame and known != wanted:
            refuse("it computes with DataFrames whose columns are not the same")
        return operand._table
    return Table((operand,)) if isinstance(operand, Tensor) else _constant(operand, model)


def _constant(operand: Any, model: Held) -> Array:
    """A value, or one for each column; pandas finds the columns by name."""
    if type(operand) is Rows:
        operand.refuse()
    if isinstance(operand, Series) and model._is_frame:
        if set(operand.index) != set(model._table.labels):
            refuse("it computes with a Series whose index are not the columns")
        operand = operand.reindex(list(model._table.labels)).to_numpy()
    if isinstance(operand, DataFrame | Series | dict | set | slice):
        refuse(f"it computes with a {type(operand).__name__} that has a row for each of some rows")
    array: Array = np.asarray(operand)
    if array.ndim == 2 and len(array) == 1 and not model._flat:
        array = array[0]
    if array.ndim and (array.ndim > 1 or (model._flat and array.size != 1) or not array.size):
        refuse("it computes with an array that has an entry for each of some rows")
    return array.reshape(()) if array.size == 1 else array


def _width(part: Table | Array) -> int:
    return part.width if isinstance(part, Table) else max(1, part.size)


def _bounds(part: Table | Array) -> set[int]:
    if not isinstance(part, Table):
        return set()
    bounds: set[int] = set()
    start = 0
    for tensor in part.tensors:  # text goes column by column: each is cut into tokens by itself
        bounds.update(range(start, start + tensor.width) if tensor.dtype == "string" else [start])
        start += tensor.width
    return bounds


def _piece(graph: Graph, part: Table | Array, start: int, stop: int) -> Any:
    if not isinstance(part, Table):
        return (
            part.tolist()
            if part.ndim == 0 and part.dtype.kind == "O"
            else _sliced(part, start, stop)
        )
    if part.width == 1:
        return part.tensors[0]
    tensors = graph.select(part, range(start, stop)).tensors
    return tensors[0]


def _sliced(part: Array, start: int, stop: int) -> Any:
    return part[()] if part.ndim == 0 else part[start:stop]


def columns_of(graph: Graph, table: Table) -> list[Tensor]:
    """The columns one by one; also those that the model does without."""
    return [
        tensor if tensor.width == 1 else tensor.take([place])
        for tensor in table.tensors
        for place in range(tensor.width)
    ]


def select(graph: Graph, table: Table, places: Sequence[int]) -> Table:
    """Some columns, by position; also those that the model does without."""
    if all(tensor.dtype != DROPPED for tensor in table.tensors):
        return graph.select(table, places)
    columns = columns_of(graph, table)
    return Table(tuple(columns[place] for place in places))


def whole(graph: Graph, table: Table) -> Tensor:
    """All columns in one tensor, of the dtype that an array of them has.

    Raises:
        NotFollowed: text and numbers stand side by side.
    """
    tensors = promoted(graph, table).tensors
    if len({tensor.dtype for tensor in tensors}) > 1:
        refuse("it computes with text")
    return graph.concat(tensors)


def promoted(graph: Graph, table: Table) -> Table:
    """As an array has them: of one dtype, unless there is text, which makes objects of all."""
    dtypes = {tensor.dtype for tensor in table.tensors}
    if len(dtypes) == 1 or "string" in dtypes or DROPPED in dtypes:
        return table
    kind = "int64" if dtypes <= {"bool", "int64"} else graph.precision
    return Table(tuple(tensor.cast(kind) for tensor in table.tensors))


def is_everything(key: Any) -> bool:
    """`:`, all rows or columns."""
    return isinstance(key, slice) and key == EVERY_ROW


def places_of(key: Any, width: int) -> list[int]:
    """Columns by position: what stands behind the comma in brackets."""
    if isinstance(key, Held):
        refuse("it chooses columns by their values")
    every = range(width)
    if isinstance(key, slice):
        return list(every[key])
    said = np.ravel(np.asarray(key))
    if said.dtype.kind == "b" and said.size == width:
        return np.flatnonzero(said).tolist()
    if said.dtype.kind not in "iu":
        refuse(f"it chooses columns by {key!r:.60}")
    return [every[place] for place in said.tolist()]
