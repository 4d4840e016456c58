"""Floor division, remainders and powers, with NumPy's and pandas' rounding and signs.

Sources: `numpy/_core/src/npymath/npy_math_internal.h.src` (`npy_floor_divide`, `npy_remainder`),
`pandas/core/ops/missing.py` (division of whole numbers by 0).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from onnxlet.convert.converters.tracing.arithmetic import (
    choose,
    common,
    everywhere,
    floats,
    graph_of,
    tensor_of,
)
from onnxlet.convert.converters.tracing.refusal import refuse
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
