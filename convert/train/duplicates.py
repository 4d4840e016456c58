"""Rows that are equal to an earlier one: counted, and kept on one side of a split."""

from __future__ import annotations

import numpy as np
import pandas as pd

from onnxlet.convert.problems import counted
from onnxlet.function.arrays import Array

OWN_SPLIT = 0.5  # of the rows: where more are repeated, that is how the table is


def duplicates_in(rows: pd.DataFrame, y: Array) -> tuple[Array | None, list[str]]:
    """Groups of equal rows, and a note of how many there are."""
    answers, _ = pd.factorize(y)
    mixed = _hashed(rows) * np.uint64(1_000_003) + answers.astype(np.uint64)
    same = "the same as an earlier one in every column"
    return _groups(mixed, ("is", "are"), same, ": kept; with so many, equal rows")


def same_images(hashes: pd.DataFrame) -> tuple[Array | None, list[str]]:
    """Groups of rows with the same images, by their hashes, and a note of how many."""
    same = "the same images as an earlier one"
    return _groups(_hashed(hashes), ("has", "have"), same, "; with so many, they")


def _groups(
    hashes: Array, verbs: tuple[str, str], same: str, many: str
) -> tuple[Array | None, list[str]]:
    groups = np.asarray(pd.factorize(hashes)[0], dtype=np.int64)
    more = len(groups) - len(np.unique(groups))
    if not more:
        return None, []
    said = f"{counted(more, 'row')} of {len(groups):,} {verbs[more > 1]} {same}"
    if more > OWN_SPLIT * len(groups):
        return None, [f"{said}{many} may be in training and in test rows"]
    return groups, [f"{said}: kept, and not apart in training and test rows"]


def _hashed(rows: pd.DataFrame) -> Array:
    """A number of 64 bits for each row, column by column so that little memory is held."""
    total: Array = np.zeros(len(rows), dtype=np.uint64)
    for name in rows.columns:
        try:
            hashes = pd.util.hash_pandas_object(rows[name], index=False)
        except TypeError:  # lists and the like
            hashes = pd.util.hash_pandas_object(rows[name].map(str), index=False)
        total = total * np.uint64(31) + hashes.to_numpy()
    return total
