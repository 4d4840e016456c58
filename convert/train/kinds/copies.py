"""Columns that say what another one says already."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import pandas as pd

from onnxlet.convert.train.kinds.numbers_as_text import as_floats
from onnxlet.convert.train.kinds.profile import Profile
from onnxlet.function.arrays import Array

SEEN = 2000  # rows by which numbers are compared first
LINEAR = 1e-5  # of the variance that may be left: rounding leaves less, measuring more
LEAST_OTHER = 5  # rows beside the most frequent value: fewer go together by chance
REPEATED = 5  # rows a value, on average, for two texts to go together by more than chance


def copies(columns: Sequence[Profile]) -> dict[str, str]:
    """Columns, in their order, that are the same as an earlier one or a multiple of it; and how."""
    found: dict[str, str] = {}
    same: dict[bytes, str] = {}
    recoded: dict[bytes, str] = {}
    for seen in columns:
        values, codes = _digest_of_values(seen), hashlib.blake2b(seen.codes.tobytes()).digest()
        if values in same:
            found[seen.name] = f"the same as '{same[values]}' in every row"
        elif _goes_together(seen) and codes in recoded:
            other = recoded[codes]
            found[seen.name] = f"each of its {seen.distinct} values goes with one of '{other}'"
        else:
            same[values] = seen.name
            recoded.setdefault(codes, seen.name)
    rest = [seen for seen in columns if seen.name not in found]
    return found | _multiples([seen for seen in rest if seen.column.dtype.kind in "iuf"])


def _digest_of_values(seen: Profile) -> bytes:
    """Of the values and where they are: numbers are equal as 3 and 3.0 are."""
    uniques = pd.Series(seen.uniques)
    numbers = uniques.dtype.kind in "iufb"
    values = as_floats(uniques) if numbers else uniques.map(str).to_numpy(dtype=object)
    content = values.tobytes() if numbers else "\0".join(values).encode("utf-8", "replace")
    return hashlib.blake2b(seen.codes.tobytes() + content).digest()


def _goes_together(seen: Profile) -> bool:
    others = len(seen.codes) - int(np.max(seen.counts, initial=0))
    return others >= LEAST_OTHER and seen.distinct * REPEATED <= seen.known


def _multiples(columns: Sequence[Profile]) -> dict[str, str]:
    """Numbers that are a multiple of an earlier column's, and a constant."""
    if len(columns) < 2:
        return {}
    some = np.linspace(0, len(columns[0].codes) - 1, SEEN).astype(int)
    head = np.column_stack([_whitened(as_floats(c.column.iloc[some])) for c in columns])
    near = np.abs(head.T @ head) > 1 - LINEAR
    found: dict[str, str] = {}
    for at, seen in enumerate(columns):
        for earlier in np.flatnonzero(near[at, :at]):
            other = columns[int(earlier)]
            if other.name not in found and (why := _linear(seen, other)):
                found[seen.name] = why
                break
    return found


def _whitened(values: Array) -> Array:
    """Of mean 0 and length 1; NaN and infinity count as the mean."""
    good = np.isfinite(values)
    if not good.any():
        return np.zeros_like(values)
    with np.errstate(over="ignore", invalid="ignore"):  # of 1e308 and the like
        centred: Array = np.where(good, values - values[good].mean(), 0.0)
        length = float(np.sqrt((centred**2).sum()))
    return centred / length if 0 < length < np.inf else np.zeros_like(values)


def _linear(seen: Profile, other: Profile) -> str:
    """How a column follows from another one, over all rows; '' where it does not."""
    y, x = as_floats(seen.column), as_floats(other.column)
    if not np.array_equal(np.isfinite(x), np.isfinite(y)) or min(seen.distinct, other.distinct) < 3:
        return ""
    good = np.isfinite(x)
    x, y = x[good], y[good]
    with np.errstate(over="ignore", invalid="ignore"):
        spread = float(x.var()) * float(y.var())
    if not np.isfinite(spread) or spread == 0:
        return ""
    covariance = float(((x - x.mean()) * (y - y.mean())).mean())
    if covariance**2 / spread < 1 - LINEAR:
        return ""
    slope = covariance / float(x.var())
    constant = float(y.mean()) - slope * float(x.mean())
    plus = f" {'+' if constant > 0 else '-'} {abs(constant):.4g}"
    return f"{slope:.4g} times '{other.name}'" + plus * (abs(constant) > 1e-3 * float(y.std()))
