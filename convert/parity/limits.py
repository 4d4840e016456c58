"""Magnitudes at which a model's arithmetic gives out.

Far beyond all numbers that a model has seen, squares overflow and differences cancel, and what is
left differs from one order of summation to the next. Where a conversion differs only on such
numbers, the columns get bounds that leave them out: the function refuses them with 422, and the
certificate says so. It does not answer something else.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

from onnxlet.convert.evidence.evidence import Evidence
from onnxlet.convert.parity.comparison import Comparison
from onnxlet.convert.parity.rounding import MOST_FORGIVEN
from onnxlet.function.arrays import EXACT, LARGEST_INTEGER
from onnxlet.function.inputs.columns import Column

FAR = 1e3  # times the largest magnitude of the held-out rows


def narrowed(
    columns: Sequence[Column],
    evidence: Evidence,
    comparison: Comparison,
    kinds: Sequence[Sequence[int]] = (),
    narrow: Collection[int] = (),
) -> list[Column] | None:
    """The columns with bounds that leave out the rows that differ by a number far beyond.

    Where most columns of numbers get bounds, all of them do: what gives out is the arithmetic, and
    which of its columns a row has shown that in is chance. So do all columns of a kind of which
    only some were tried. At `narrow` positions are whole numbers of few bits, which give out soon:
    100 * 3 in int8. None is returned where more rows differ on usual numbers than may depend on
    rounding.
    """
    usual = _usual(columns, evidence)
    reach = {p: _reach(columns[p], size, p in narrow) for p, size in usual.items()}
    limits: dict[int, float] = {}  # times the reach
    near = 0
    for row in comparison.wrong:
        far = {
            position: abs(cell) / reach[position]
            for position, cell in enumerate(evidence.rows[row])
            if position in usual and type(cell) in (int, float) and abs(cell) > reach[position]
        }
        if far:
            position = max(far, key=far.__getitem__)
            limits[position] = min(limits.get(position, math.inf), far[position])
        near += not far
    if near > MOST_FORGIVEN:
        return None
    for kind in [*kinds, *([list(usual)] if 2 * len(limits) > len(usual) else [])]:
        if found := [limits[position] for position in kind if position in limits]:
            limits = dict.fromkeys(usual.keys() & kind, min(found)) | limits
    return [
        _bounded(column, _below(limits[position] * reach[position], reach[position]))
        if position in limits
        else column
        for position, column in enumerate(columns)
    ]  # fmt: skip


def _reach(column: Column, usual: float, narrow: bool) -> float:
    """The magnitude beyond which a number is far: float64 has whole ones one by one to EXACT."""
    far = usual if narrow else FAR * usual
    return min(far, EXACT) if column.type == "int64" and usual <= EXACT else far


def limited(
    columns: Sequence[Column], narrower: Sequence[Column]
) -> dict[str, tuple[float | None, float | None]]:
    """By name, the bounds of the columns that got tighter ones."""
    return {
        after.name: (after.minimum, after.maximum)
        for before, after in zip(columns, narrower, strict=True)
        if before != after
    }


def _usual(columns: Sequence[Column], evidence: Evidence) -> dict[int, float]:
    """The largest finite magnitude of each column of numbers among the held-out rows."""
    usual = {}
    for position, column in enumerate(columns):
        if column.required and column.type not in ("string", "bool") and not column.categories:
            cells = (row[position] for row in evidence.rows[: evidence.held_out])
            sizes = [abs(cell) for cell in cells if cell is not None and math.isfinite(cell)]
            usual[position] = max([1.0, *sizes])
    return usual


def _below(limit: float, far: float) -> float:
    """The power of ten halfway from the limit to what counts as far, and not below that."""
    exponent = (math.log10(min(limit, 1e308)) + math.log10(far)) / 2
    return max(10.0 ** math.floor(exponent), far)


def _bounded(column: Column, bound: float) -> Column:
    number: float = min(int(bound), LARGEST_INTEGER) if column.type == "int64" else bound
    low = -number if column.minimum is None else max(column.minimum, -number)
    high = number if column.maximum is None else min(column.maximum, number)
    return column._replace(minimum=low, maximum=high, infinite=False)
