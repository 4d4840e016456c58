"""NumPy's and SciPy's universal functions on tensors: `UFUNCS`.

`elementary` has the functions that need care with digits, `arithmetic` those that depend on dtypes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special

from onnxlet.convert.converters.tracing import arithmetic
from onnxlet.convert.converters.tracing.arithmetic import (
    choose,
    common,
    everywhere,
    floats,
    graph_of,
    tensor_of,
    truth,
)
from onnxlet.convert.converters.tracing.base import refuse
from onnxlet.convert.graph import elementary
from onnxlet.convert.graph.converter import Tensor

SMALL_POWER = 64  # the largest exponent of whole numbers: 2**64 overflows already


def floor_divide(a: Any, b: Any) -> Tensor:
    """`x // y`, rounded towards minus infinity."""
    x, y = common(a, b)
    return _whole_quotient(x, y)[0] if x.dtype == "int64" else _quotient(x, y)[0]


def remainder(a: Any, b: Any) -> Tensor:
    """`x % y`, with the sign of the divisor."""
    x, y = common(a, b)
    return _whole_quotient(x, y)[1] if x.dtype == "int64" else _quotient(x, y)[1]


def _quotient(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    rest = truncated_remainder(x, y)
    other_sign = _exclusive_or(y < 0.0, rest < 0.0)
    adjusted = ~rest.equals(0.0) & other_sign
    whole = (x - rest) / y - adjusted.cast(x.dtype)
    down = whole.unary("Floor")
    down = down + (whole - down > 0.5).cast(x.dtype)
    return y.equals(0.0).where(x / y, down), adjusted.where(rest + y, rest)


def truncated_remainder(a: Any, b: Any) -> Tensor:
    """C's fmod: with the sign of the dividend."""
    x, y = floats(a, b)
    return x.graph.op("Mod", x, y, width=max(x.width, y.width), fmod=1)


def _whole_quotient(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Quotient and remainder of int64, as NumPy's.

    ONNX Runtime must not divide by 0, nor the least int64 by -1: the processor traps.
    """
    minus = y.equals(-1)
    safe = (y.equals(0) | minus).where(1, y)
    towards_0 = x / safe
    rest = x - towards_0 * safe
    adjusted = ~rest.equals(0) & _exclusive_or(rest < 0, safe < 0)
    down = minus.where(-x, towards_0 - adjusted.cast("int64"))
    return y.equals(0).where(0, down), adjusted.where(rest + safe, rest)


def _exclusive_or(x: Tensor, y: Tensor) -> Tensor:
    """Where exactly one of them is true."""
    return x.graph.op("Xor", x, y, width=max(x.width, y.width))


def by_zero_is_infinite(operation: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Pandas' division of whole numbers: by 0, as if they were floats."""

    def divided(a: Any, b: Any) -> Tensor:
        made = operation(a, b)
        if made.dtype != "int64" or not (isinstance(b, Tensor) or np.any(np.equal(b, 0))):
            return made
        x, y = floats(a, b)
        kind = x.dtype
        return y.equals(0.0).where(operation(x, y), made.cast(kind))

    return divided


def power(a: Any, b: Any) -> Tensor:
    """`x ** y`; NumPy computes 2, 0.5 and -1 by other functions, which round differently."""
    x, y = common(a, b)
    if x.dtype == "int64":
        return _whole_power(x, b)
    if not isinstance(b, Tensor) and np.ndim(b) == 0:
        known: dict[float, Callable[[], Tensor]] = {
            1.0: lambda: x,
            2.0: lambda: x * x,
            0.5: lambda: x.unary("Sqrt"),
            -1.0: lambda: x.unary("Reciprocal"),
        }
        if float(b) in known:
            return known[float(b)]()
    return x**y


def _whole_power(x: Tensor, exponent: Any) -> Tensor:
    if isinstance(exponent, Tensor) or np.ndim(exponent) or not 0 <= exponent <= SMALL_POWER:
        refuse(
            "a power of whole numbers is taken that may be too large for 64 bits",
            "Turn the column into floats before: X['a'].astype(float) ** b.",
        )
    made = tensor_of(graph_of(x), 1)
    for _ in range(int(exponent)):
        made = x * made
    return made if int(exponent) else choose(everywhere(x), 1, 1)


Function = Callable[..., Tensor]


def _unary(operator: str) -> Function:
    return lambda x: x.unary(operator)


def _of_floats(ufunc: Any, function: Function) -> Function:
    """A function of floats; booleans are looked up, since NumPy computes them in float16."""

    def made(*operands: Any) -> Tensor:
        first = operands[0]
        if len(operands) > 1 or first.dtype != "bool":
            return function(*floats(*operands))
        with np.errstate(all="ignore"):
            yes, no = (ufunc(np.bool_(value)) for value in (True, False))
        return choose(first, yes, no)

    return made


def _of_whole(function: Function) -> Function:
    """A function that leaves whole numbers the same."""
    return lambda x: x if x.dtype in ("bool", "int64") else function(*floats(x))


def _reciprocal(x: Tensor) -> Tensor:
    if x.dtype in ("bool", "int64"):
        refuse(
            "np.reciprocal of whole numbers is a whole number, 0 for most",
            "Turn the columns into floats before.",
        )
    return x.unary("Reciprocal")


def _sign(x: Tensor) -> Tensor:
    (number,) = common(x)
    made = number.unary("Sign")
    return made if number.dtype == "int64" else number.isnan().where(number, made)


def _infinite(x: Tensor) -> Tensor:
    return x.unary("Abs").equals(np.inf)


def _arctan2(y: Tensor, x: Tensor) -> Tensor:
    """The angle by quadrants; of two infinities it is that of their signs."""
    endless = _infinite(x) & _infinite(y)
    ratio = endless.where(y.unary("Sign") * x.unary("Sign"), y / x)
    angle = elementary.arctan((x.equals(0.0) & y.equals(0.0)).where(0.0, ratio))
    half = choose(_below(y), -math.pi, math.pi)
    return x.isnan().where(x, _below(x).where(angle + half, angle))


def _below(x: Tensor) -> Tensor:
    """Whether x is negative, also negative zero."""
    return (x < 0.0) | (x.equals(0.0) & (1.0 / x < 0.0))


def _hypotenuse(x: Tensor, y: Tensor) -> Tensor:
    """Scaled by the larger side, so that squares do not overflow."""
    a, b = x.unary("Abs"), y.unary("Abs")
    large, small = a.maximum(b), a.minimum(b)
    plain = large.equals(0.0) | large.equals(np.inf)
    ratio = plain.where(0.0, small / plain.where(1.0, large))
    made = large * (ratio * ratio + 1.0).unary("Sqrt")
    return (a.equals(np.inf) | b.equals(np.inf)).where(np.inf, made)


def _logaddexp(x: Tensor, y: Tensor) -> Tensor:
    difference = -(x - y).unary("Abs")
    made = x.maximum(y) + elementary.log1p(difference.unary("Exp"))
    return x.equals(y).where(x + math.log(2.0), made)


def _copied_sign(x: Tensor, y: Tensor) -> Tensor:
    magnitude = x.unary("Abs")
    return _below(y).where(-magnitude, magnitude)


def _heaviside(x: Tensor, middle: Tensor) -> Tensor:
    made = x.equals(0.0).where(middle, (x > 0.0).cast(x.dtype))
    return x.isnan().where(x, made)


def _logical(operator: str) -> Function:
    """A logical operator of the truth values of numbers."""

    def made(*operands: Any) -> Tensor:
        graph = arithmetic.graph_of(*operands)
        tensors = [truth(arithmetic.tensor_of(graph, operand)) for operand in operands]
        width = max(tensor.width for tensor in tensors)
        return graph.op(operator, *tensors, width=width)

    return made


ELEMENTARY: dict[Any, Function] = {
    np.exp: _unary("Exp"),
    np.log: _unary("Log"),
    np.sqrt: _unary("Sqrt"),
    np.sin: _unary("Sin"),
    np.cos: _unary("Cos"),
    np.tanh: _unary("Tanh"),
    np.rint: _unary("Round"),
    np.tan: lambda x: x.unary("Sin") / x.unary("Cos"),
    np.exp2: lambda x: 2.0**x,
    np.log1p: elementary.log1p,
    np.expm1: elementary.expm1,
    np.log2: elementary.log2,
    np.log10: elementary.log10,
    np.cbrt: elementary.cube_root,
    np.sinh: elementary.sinh,
    np.cosh: elementary.cosh,
    np.arcsin: elementary.arcsin,
    np.arccos: elementary.arccos,
    np.arctan: elementary.arctan,
    np.arcsinh: elementary.arcsinh,
    np.arccosh: elementary.arccosh,
    np.arctanh: elementary.arctanh,
    np.deg2rad: lambda x: x * (math.pi / 180.0),
    np.radians: lambda x: x * (math.pi / 180.0),
    np.rad2deg: lambda x: x * (180.0 / math.pi),
    np.degrees: lambda x: x * (180.0 / math.pi),
    np.fabs: _unary("Abs"),
    np.isnan: lambda x: x.isnan(),
    np.isinf: _infinite,
    np.isfinite: lambda x: ~(x.isnan() | _infinite(x)),
    np.signbit: _below,
    special.expit: elementary.logistic,
    special.logit: elementary.logit,
    special.log1p: elementary.log1p,
    special.expm1: elementary.expm1,
    special.exp2: lambda x: 2.0**x,
    special.exp10: lambda x: 10.0**x,
    special.cbrt: elementary.cube_root,
    special.ndtr: elementary.normal_distribution,
    special.ndtri: elementary.normal_quantile,
    np.arctan2: _arctan2,
    np.hypot: _hypotenuse,
    np.logaddexp: _logaddexp,
    np.copysign: _copied_sign,
    np.heaviside: _heaviside,
    np.float_power: lambda x, y: x**y,
}
UFUNCS: dict[Any, Function] = {
    **{ufunc: _of_floats(ufunc, made) for ufunc, made in ELEMENTARY.items()},
    np.floor: _of_whole(_unary("Floor")),
    np.ceil: _of_whole(_unary("Ceil")),
    np.trunc: _of_whole(elementary.truncated),
    np.absolute: lambda x: x if x.dtype == "bool" else common(x)[0].unary("Abs"),
    np.reciprocal: _reciprocal,
    np.sign: _sign,
    np.square: lambda x: arithmetic.multiply(x, x),
    np.positive: lambda x: x,
    np.conjugate: lambda x: x,
    np.negative: arithmetic.negative,
    np.invert: arithmetic.invert,
    np.add: arithmetic.add,
    np.subtract: arithmetic.subtract,
    np.multiply: arithmetic.multiply,
    np.divide: arithmetic.divide,
    np.floor_divide: floor_divide,
    np.remainder: remainder,
    np.fmod: truncated_remainder,
    np.power: power,
    np.maximum: arithmetic.maximum,
    np.minimum: arithmetic.minimum,
    np.fmax: arithmetic.without_nan(arithmetic.maximum),
    np.fmin: arithmetic.without_nan(arithmetic.minimum),
    np.less: arithmetic.compare("Less"),
    np.less_equal: arithmetic.compare("LessOrEqual"),
    np.greater: arithmetic.compare("Greater"),
    np.greater_equal: arithmetic.compare("GreaterOrEqual"),
    np.equal: arithmetic.equal,
    np.not_equal: arithmetic.not_equal,
    np.logical_and: _logical("And"),
    np.logical_or: _logical("Or"),
    np.logical_xor: _logical("Xor"),
    np.logical_not: _logical("Not"),
    np.bitwise_and: arithmetic.bits("And"),
    np.bitwise_or: arithmetic.bits("Or"),
    np.bitwise_xor: arithmetic.bits("Xor"),
}
REDUCED = {
    np.add: "sum", np.multiply: "prod", np.maximum: "max", np.minimum: "min",
    np.logical_and: "all", np.logical_or: "any",
}  # fmt: skip
