"""The groups of a sensitive column: texts, with numbers cut at quartiles and tiny groups lumped."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from onnxlet.convert.directory.reference_statistics import FREQUENT_AT_LEAST, LONGEST_CATEGORY
from onnxlet.convert.report.evaluation.bins import rounded
from onnxlet.function.arrays import Array

MANY = 10  # different numbers: more are cut
OTHERS, MISSING = "others", "missing"


def grouped(test: Any, train: Any = None) -> tuple[Array, Array | None]:
    """The group of each test row and, where they are given, of each training row: texts as objects.

    Values of fewer than five test rows are "others".
    """
    parts = [pd.Series(np.asarray(v, dtype=object)) for v in (test, train) if v is not None]
    together = pd.concat(parts, ignore_index=True)
    numbers = pd.to_numeric(together, errors="coerce")
    are_numbers = bool((numbers.notna() | together.isna()).all())
    texts = _cut(numbers) if are_numbers and numbers.nunique() > MANY else _texts(together)
    counts = texts[: len(parts[0])].value_counts()
    kept = [
        g for g in counts.index if counts[g] >= FREQUENT_AT_LEAST and len(g) <= LONGEST_CATEGORY
    ]
    found = texts.where(texts.isin(kept), OTHERS).to_numpy(dtype=object)
    return found[: len(parts[0])], found[len(parts[0]) :] if train is not None else None


def _texts(values: pd.Series[Any]) -> pd.Series[Any]:
    texts = [MISSING if gap else _text(v) for v, gap in zip(values, values.isna(), strict=True)]
    return pd.Series(texts, dtype=object)


def _text(value: Any) -> str:
    whole = isinstance(value, float) and value.is_integer()
    return str(int(value)) if whole else str(value)


def _cut(numbers: pd.Series[Any]) -> pd.Series[Any]:
    """Quarters, named by their rounded ends: "18 to 27"."""
    known = numbers.dropna().to_numpy(dtype=float)
    inner = np.quantile(known, (0, 0.25, 0.5, 0.75, 1))
    inner = np.unique(rounded(inner, inner[-2] - inner[1]))
    names = _names(inner.tolist())
    place = np.searchsorted(inner[1:-1], numbers.to_numpy(dtype=float), side="right")
    texts = [MISSING if gap else names[p] for p, gap in zip(place, numbers.isna(), strict=True)]
    return pd.Series(texts, dtype=object)


def _names(edges: Sequence[float]) -> list[str]:
    """The outer ones are open: the least and the greatest value are one person's."""
    ends = [f"{edge:g}" for edge in edges]
    if len(ends) <= 3:
        return [f"below {ends[1]}", f"{ends[1]} and more"] if len(ends) == 3 else ["all"]
    middle = [f"{low} to {high}" for low, high in pairwise(ends[1:-1])]
    return [f"below {ends[1]}", *middle, f"{ends[-2]} and more"]
