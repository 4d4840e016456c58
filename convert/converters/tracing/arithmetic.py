"""NumPy's and pandas' arithmetic on tensors, by dtype: bool, int64, numbers, and text.

Operands are tensors of one or as many columns, or constants: a number, a text, or an array with
an entry for each column.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import numpy as np

from onnxlet.convert.converters.tracing.base import refuse
from onnxlet.convert.graph import dates
from onnxlet.convert.graph.categories import is_missing
from onnxlet.convert.graph.converter import DATE, Graph, Tensor
from onnxlet.function.arrays import MISSING_TEXT


def tensor_of(graph: Graph, value: Any) -> Tensor:
    """A constant as a tensor of one row; a tensor as it is."""
    if isinstance(value, Tensor):
        return value
    array = np.asarray(value)
    if array.dtype.kind == "O":
        values = array.ravel().tolist()
        instead = MISSING_TEXT if any(isinstance(one, str) for one in values) else np.nan
        filled = [instead if is_missing(one) else one for one in values]
        array = np.asarray(filled).reshape(array.shape)
    if array.dtype.kind in "US":
        return graph.constant(array.reshape(1, -1).tolist(), "string")
    if array.dtype.kind not in "biuf":
        refuse(f"it computes with {value!r:.60}")
    if array.dtype.kind == "u" and array.max(initial=0) >= 2**63:
        array = array.astype(np.float64)
    kind = {"b": "bool", "f": graph.precision}.get(array.dtype.kind, "int64")
    return graph.constant(array.reshape(1, -1), kind)


def graph_of(*operands: Any) -> Graph:
    """The graph of the tensors among the operands."""
    found = next(operand.graph for operand in operands if isinstance(operand, Tensor))
    return cast("Graph", found)


def _numbers(*operands: Any) -> list[Tensor]:
    graph = graph_of(*operands)
    tensors = [tensor_of(graph, operand) for operand in operands]
    if any(tensor.dtype == "string" for tensor in tensors):
        refuse("it computes with text")
    return tensors


def floats(*operands: Any) -> list[Tensor]:
    """All operands as floats, in the graph's precision."""
    return [as_float(tensor) for tensor in _numbers(*operands)]


def as_float(x: Tensor) -> Tensor:
    """In the graph's precision; a missing flag is NaN."""
    number, gap = x.cast(x.graph.precision), _lacking(x)
    return number if gap is None else gap.where(np.nan, number)


def as_number(x: Tensor) -> Tensor:
    """A bool as a number of type bool, as booleans of inputs are; anything else as it is."""
    if x.dtype != "bool":
        return x
    kind = "bool" if _lacking(x) is None else "bool?"
    return replace(as_float(x), labels=x.labels, types=(kind,) * x.width)


def _lacking(x: Tensor) -> Tensor | None:
    return x.graph.lacking.get(x.name)


def common(*operands: Any, least: str = "int64") -> list[Tensor]:
    """All operands in NumPy's common dtype of numbers, at least `least`."""
    tensors = _numbers(*operands)
    dtypes = {tensor.dtype for tensor in tensors}
    if dtypes <= {"bool"} and least == "bool":
        return tensors
    if dtypes <= {"bool", "int64"} and all(_lacking(x) is None for x in tensors):
        return [tensor.cast("int64") for tensor in tensors]
    return floats(*tensors)


def same_dtype(graph: Graph, *operands: Any) -> list[Tensor]:
    """All operands in one dtype; text may be mixed only with missing values."""
    if any(is_text(operand) for operand in operands):
        return [_text(graph, operand) for operand in operands]
    return common(*(tensor_of(graph, operand) for operand in operands), least="bool")


def is_text(operand: Any) -> bool:
    """Whether an operand, tensor or constant, is text."""
    if isinstance(operand, Tensor):
        return operand.dtype == "string"
    return any(isinstance(value, str) for value in np.ravel(np.asarray(operand, dtype=object)))


def _text(graph: Graph, operand: Any) -> Tensor:
    if not isinstance(operand, Tensor) and not np.ndim(operand) and is_missing(operand):
        return graph.constant(MISSING_TEXT, "string")
    made = tensor_of(graph, operand)
    return made if made.dtype == "string" else refuse("it mixes text and numbers in one column")


def add(a: Any, b: Any) -> Tensor:
    """X + y: `or` of booleans, concatenation of text."""
    if any(is_text(operand) for operand in (a, b)):
        return _joined(a, b)
    x, y = common(a, b, least="bool")
    return x | y if x.dtype == "bool" else x + y


def _joined(a: Any, b: Any) -> Tensor:
    graph = graph_of(a, b)
    x, y = (_text(graph, operand) for operand in (a, b))
    lacking = [o.equals(MISSING_TEXT) for o in (x, y) if not o.name.startswith("constant_")]
    made = graph.op("StringConcat", x, y, width=max(x.width, y.width))
    for one in lacking:
        made = one.where(MISSING_TEXT, made)
    return made


def subtract(a: Any, b: Any) -> Tensor:
    """X - y, of numbers."""
    x, y = common(a, b)
    return x - y


def multiply(a: Any, b: Any) -> Tensor:
    """X * y; `and` of booleans."""
    x, y = common(a, b, least="bool")
    return x & y if x.dtype == "bool" else x * y


def divide(a: Any, b: Any) -> Tensor:
    """X / y, in floats."""
    x, y = floats(a, b)
    return x / y


def negative(x: Any) -> Tensor:
    """`-x`, of numbers."""
    (number,) = common(x)
    return -number


def invert(x: Any) -> Tensor:
    """`not` of booleans, the inverted bits of whole numbers."""
    (found,) = common(x, least="bool")
    if found.dtype == "bool":
        return ~found
    return -found - 1 if found.dtype == "int64" else refuse(NOT_BITS)


NOT_BITS = "&, |, ^ or ~ of numbers that may be fractions has no conversion"
BITS = {"And": "BitwiseAnd", "Or": "BitwiseOr", "Xor": "BitwiseXor"}


def bits(operator: str) -> Callable[..., Tensor]:
    """And, Or, Xor, of booleans or of the bits of whole numbers."""

    def made(a: Any, b: Any) -> Tensor:
        gaps = [one.isnan() for one in (a, b) if _is_flag_or_missing(one)]
        flags = [one.equals(1.0) if _is_flag_or_missing(one) else one for one in (a, b)]
        x, y = common(*flags, least="bool")
        if x.dtype not in ("bool", "int64"):
            refuse(NOT_BITS)
        name = operator if x.dtype == "bool" else BITS[operator]
        found = x.graph.op(name, x, y, width=max(x.width, y.width))
        for gap in gaps:  # pandas: what is missing is false, whatever it is combined with
            found = ~gap & found
        return found

    return made


def _is_flag_or_missing(operand: Any) -> bool:
    return isinstance(operand, Tensor) and set(operand.types) == {"bool?"}


def compare(operator: str) -> Callable[..., Tensor]:
    """Less, LessOrEqual, Greater, GreaterOrEqual; false where an operand is missing."""

    def made(a: Any, b: Any) -> Tensor:
        x, y = common(a, b)
        return x.graph.op(operator, x, y, dtype="bool", width=max(x.width, y.width))

    return made


def equal(a: Any, b: Any) -> Tensor:
    """X == y; a missing value equals nothing."""
    if not any(is_text(operand) for operand in (a, b)):
        x, y = common(a, b, least="bool")
        return x.equals(y)
    graph = graph_of(a, b)
    x, y = (_text(graph, operand) for operand in (a, b))
    return x.equals(y) & ~x.equals(MISSING_TEXT)


def not_equal(a: Any, b: Any) -> Tensor:
    """X != y; a missing value is unequal to everything."""
    return ~equal(a, b)


def truth(x: Any) -> Tensor:
    """`bool(x)`: everything but 0 is true, also NaN."""
    (found,) = common(x, least="bool")
    if found.dtype == "bool":
        return found
    return ~found.equals(0)


def choose(condition: Any, yes: Any, no: Any) -> Tensor:
    """`np.where`."""
    where = truth(condition)
    x, y = same_dtype(graph_of(where), yes, no)
    if x.dtype == "bool":
        return (where & x) | (~where & y)
    width = max(where.width, x.width, y.width)
    return where.graph.op("Where", where, x, y, dtype=x.dtype, width=width)


def with_text_in_gaps(x: Tensor, value: str) -> Tensor:
    """Filled text stays the signature's column: the function fills it before counting."""
    made = choose(x.equals(MISSING_TEXT), value, x)
    pair = (MISSING_TEXT, str(value))
    return replace(made, column=x.column, steps=x.steps, replaced=(*x.replaced, pair))


def everywhere(x: Tensor) -> Tensor:
    """True for every element, NaN too: `x == x` is false for that one."""
    same = x.equals(x)
    return same | ~same


def missing(x: Tensor) -> Tensor:
    """Where a value is missing; whole numbers and most booleans never are."""
    if (gap := _lacking(x)) is not None:
        return gap
    if x.dtype == "string":
        return x.equals(MISSING_TEXT)
    if x.dtype == DATE:
        return dates.parts(x, ["year"]).isnan()
    return x.isnan() if x.dtype not in ("bool", "int64") else ~x.equals(x)


def may_lack(x: Tensor) -> bool:
    """Whether a value may be missing, by its dtype."""
    return x.dtype not in ("bool", "int64") or _lacking(x) is not None


def maximum(a: Any, b: Any) -> Tensor:
    """NaN where either operand is; `or` and `and` of booleans."""
    x, y = common(a, b, least="bool")
    return x | y if x.dtype == "bool" else x.maximum(y)


def minimum(a: Any, b: Any) -> Tensor:
    """NaN where either operand is; `or` and `and` of booleans."""
    x, y = common(a, b, least="bool")
    return x & y if x.dtype == "bool" else x.minimum(y)


def without_nan(operation: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """`np.fmax` and `np.fmin`: where one operand is NaN, the other one."""

    def made(a: Any, b: Any) -> Tensor:
        x, y = common(a, b)
        if x.dtype == "int64":
            return operation(x, y)
        return x.isnan().where(y, y.isnan().where(x, operation(x, y)))

    return made


def clip(x: Any, low: Any, high: Any) -> Tensor:
    """Between bounds, either of which may be None."""
    if low is not None:
        x = maximum(x, low)
    return minimum(x, high) if high is not None else x
