"""The base of all proxies: columns of the graph, functions of several, the refusal to trace."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

import numpy as np
from pandas import DataFrame, Series

from onnxlet.convert.graph.converter import DROPPED, Graph, Table, Tensor
from onnxlet.function.arrays import Array

REFUSALS: ContextVar[list[NotTraceable] | None] = ContextVar("refusals", default=None)


class NotTraceable(BaseException):
    """The function does something that has no conversion; the hint says what it can do instead.

    A BaseException, so that an `except Exception` in the function does not hide it.
    """

    def __init__(self, reason: str, hint: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint


def refuse(reason: str, hint: str = "") -> NoReturn:
    """Stop tracing, by NotTraceable; it is recorded, in case the function has a bare `except`."""
    error = NotTraceable(reason, hint)
    known = REFUSALS.get()
    if known is not None:
        known.append(error)
    raise error


def check_options(name: str, given: dict[str, Any], **permitted: Any) -> None:
    """Refuse options of a pandas or NumPy function that would change its values.

    Each option, by name, may have the values that are permitted for it.
    """
    for option, value in given.items():
        allowed = permitted.get(option, ())
        if not any(value is one or (type(value) is type(one) and value == one) for one in allowed):
            hint = "Assign what it returns: X['a'] = X['a'].…" if option == "inplace" else ""
            refuse(f"{name} with {option}={value!r:.40} has no conversion", hint)


EVERY_ROW = slice(None)
Function = Callable[..., Tensor]
ELEMENT, ARRAY, SERIES, FRAME = range(4)  # ranks
# Stand-ins claim to be of these classes (`__class__`), so that isinstance gives the same result.
CLAIMED = (float, int, str, bool, list, np.ndarray, DataFrame, Series)


class StandInType(type):
    """The class of proxies: refuses `type(x) == Series`, which would be false."""

    def __eq__(cls, other: object) -> bool:
        real = getattr(other, "stands_for", other)
        if type(other) is not StandInType and any(real is one for one in CLAIMED):
            refuse("it compares the type of what it is given", "Use isinstance(…), or .isna().")
        return cls is other

    def __hash__(cls) -> int:
        return id(cls)


class ColumnsBase(metaclass=StandInType):
    """Columns of the graph."""

    __slots__ = ("_graph", "_table")
    _graph: Graph
    _table: Table
    _rank: ClassVar[int] = ELEMENT
    _flat: bool = False  # whether it has one dimension

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """Methods of `methods`, and `_like`: other columns in the same form."""


def refusing(reason: str, hint: str = "") -> Callable[..., NoReturn]:
    """A function that refuses, whatever it is given."""
    return lambda *_, **__: refuse(reason, hint)


def methods(kind: type, small: Mapping[str, Callable[..., Any]]) -> None:
    """Give a class its methods that are one expression, by their names."""
    for names, made in small.items():
        made.__qualname__ = f"{kind.__name__}.{names.split()[0]}"  # Python's messages have it
        for name in names.split():
            setattr(kind, name, made)


class RowCount:
    """The proxy for the number of rows, which is unknown before a request; `like` has that many."""

    def __init__(self, like: Tensor) -> None:
        self.like = like

    def refuse(self, *_: Any) -> NoReturn:
        """Refuse to compute with it."""
        refuse("it computes with the number of rows, which is another for each request")

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = (
        __floordiv__
    ) = __mod__ = __lt__ = __le__ = __gt__ = __ge__ = __eq__ = __ne__ = __bool__ = __int__ = (
        __float__
    ) = __index__ = __hash__ = refuse

    def __repr__(self) -> str:
        return "rows"


def elementwise(function: Function, *operands: Any) -> Any:
    """Apply a function of tensors and constants to all columns.

    The function takes tensors of the same number of columns, or of one, and constants. Operands are
    proxies; tensors of one column, which go with every column; constants: one value, or one for
    each column. The result is a proxy of their highest rank.
    """
    form = _highest([operand for operand in operands if isinstance(operand, ColumnsBase)])
    parts = [_part(operand, form) for operand in operands]
    width = max(_width(part) for part in parts)
    if form._rank >= SERIES and width != form._table.width:
        refuse("it computes with a DataFrame, and with values for other columns than it has")
    if any(_width(part) not in (1, width) for part in parts):
        refuse("it computes with different numbers of columns")
    bounds = sorted({0, width}.union(*(_bounds(part) for part in parts if _width(part) > 1)))
    made = [
        _applied(function, [_piece(form._graph, part, start, stop) for part in parts])
        for start, stop in pairwise(bounds)
    ]
    return form._like(Table(tuple(made)))


def _applied(function: Function, pieces: Sequence[Any]) -> Tensor:
    for piece in pieces:
        if isinstance(piece, Tensor) and piece.dtype == DROPPED:
            return replace(piece, labels=())  # what is made of a dropped column is dropped with it
    return replace(function(*pieces), dimensions=2)


def _highest(traced: Sequence[ColumnsBase]) -> ColumnsBase:
    """The operand of the highest rank, whose form the result has."""
    form = max(traced, key=lambda one: one._rank)
    for one in traced:
        if one._flat != form._flat and one._rank > 0:
            refuse(
                "it computes with one column and several, as if the rows were columns",
                "Of DataFrames use df.div(s, axis=0) and so on, of arrays a column x[:, [0]].",
            )
    return form


def _part(operand: Any, form: ColumnsBase) -> Table | Array:
    if isinstance(operand, ColumnsBase):
        known, wanted = operand._table.labels, form._table.labels
        if operand._rank == form._rank == FRAME and known != wanted:
            refuse("it computes with DataFrames whose columns are not the same")
        return operand._table
    return Table((operand,)) if isinstance(operand, Tensor) else _constant(operand, form)


def _constant(operand: Any, form: ColumnsBase) -> Array:
    """One value, or one for each column; those of a Series are found by the columns' names."""
    if type(operand) is RowCount:
        operand.refuse()
    if isinstance(operand, dict) and form._rank == FRAME:
        operand = Series(operand)
    if isinstance(operand, Series) and form._rank == FRAME:
        if set(operand.index) != set(form._table.labels):
            refuse("it computes with a Series whose index is not the columns")
        operand = operand.reindex(list(form._table.labels)).to_numpy()
    if isinstance(operand, DataFrame | Series | dict | set | slice):
        refuse(f"it computes with a {type(operand).__name__} that has a row for each of some rows")
    array: Array = np.asarray(operand)
    if array.ndim == 2 and len(array) == 1 and not form._flat:
        array = array[0]
    if array.ndim and (array.ndim > 1 or (form._flat and array.size != 1) or not array.size):
        refuse("it computes with an array that has an entry for each of some rows")
    return array.reshape(()) if array.size == 1 else array


def _width(part: Table | Array) -> int:
    return part.width if isinstance(part, Table) else max(1, part.size)


def _bounds(part: Table | Array) -> set[int]:
    bounds: set[int] = set()
    start = 0
    tensors = part.tensors if isinstance(part, Table) else ()
    for tensor in tensors:  # text goes column by column: each is cut into tokens by itself
        bounds.update(range(start, start + tensor.width) if tensor.dtype == "string" else [start])
        start += tensor.width
    return bounds


def _piece(graph: Graph, part: Table | Array, start: int, stop: int) -> Any:
    if isinstance(part, Table):
        one = part if part.width == 1 else graph.select(part, range(start, stop))
        return one.tensors[0]
    if part.ndim:
        return part[start:stop]
    return part.tolist() if part.dtype.kind == "O" else part[()]


def select(graph: Graph, table: Table, positions: Sequence[int]) -> Table:
    """Some columns, by position; also columns that the model does without."""
    if all(tensor.dtype != DROPPED for tensor in table.tensors):
        return graph.select(table, positions)
    columns = graph.columns(table)
    return Table(tuple(columns[position] for position in positions))


def whole(graph: Graph, table: Table) -> Tensor:
    """All columns in one tensor, of the dtype that an array of them has; no text and numbers."""
    tensors = promoted(graph, table).tensors
    if len({tensor.dtype for tensor in tensors}) > 1:
        refuse("it computes with text")
    return graph.concat(tensors)


def promoted(graph: Graph, table: Table) -> Table:
    """The columns as an array has them: of one dtype, unless text makes all of them objects."""
    dtypes = {tensor.dtype for tensor in table.tensors}
    if len(dtypes) == 1 or "string" in dtypes or DROPPED in dtypes:
        return table
    kind = "int64" if dtypes <= {"bool", "int64"} else graph.precision
    return Table(tuple(tensor.cast(kind) for tensor in table.tensors))


def is_everything(key: Any) -> bool:
    """Whether a key is `:`, all rows or columns."""
    return isinstance(key, slice) and key == EVERY_ROW


def positions_of(key: Any, width: int) -> list[int]:
    """The positions of columns from the key behind the comma: `x[:, key]`.

    It is refused where it is no slice, position, or mask of constants.
    """
    if isinstance(key, ColumnsBase):
        refuse("it chooses columns by their values")
    every = range(width)
    if isinstance(key, slice):
        return list(every[key])
    given = np.ravel(np.asarray(key))
    if given.dtype.kind == "b" and given.size == width:
        return np.flatnonzero(given).tolist()
    if given.dtype.kind not in "iu":
        refuse(f"it chooses columns by {key!r:.60}")
    return [every[position] for position in given.tolist()]
