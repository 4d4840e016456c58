"""Of more rows than memory takes, a sample in which each row is as likely as any other."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

MOST_ROWS = 1_000_000
MOST_CELLS = 200_000_000  # 1.6 GB of float64, of which training holds a few


def most_rows(columns: int) -> int:
    """Rows of a table of so many columns that are read."""
    return max(1, min(MOST_ROWS, MOST_CELLS // max(columns, 1)))


def sampled(parts: Iterator[pd.DataFrame], most: int, seed: int) -> tuple[list[pd.DataFrame], int]:
    """Parts of a table, as they are or with rows left out, in their order.

    Each row draws a number; those with the least numbers stay. What does not is let go as soon as
    twice as many rows are held.

    Args:
        parts: in order.
        most: rows that may stay.
        seed: of the numbers that are drawn; how the table is cut into parts makes no difference.

    Returns:
        The parts, and how many rows came.
    """
    random = np.random.default_rng(seed)
    kept: list[tuple[pd.DataFrame, np.ndarray]] = []
    came = held = 0
    bound = np.inf
    for part in parts:
        draws = random.random(len(part))
        came += len(part)
        stays = draws < bound
        kept.append((part, draws) if stays.all() else (part[stays], draws[stays]))
        held += len(kept[-1][1])
        if held > 2 * most:
            kept, bound = _least(kept, most)
            held = sum(len(draws) for _, draws in kept)
    if held > most:
        kept, _ = _least(kept, most)
    return [part for part, _ in kept], came


def _least(
    kept: list[tuple[pd.DataFrame, np.ndarray]], most: int
) -> tuple[list[tuple[pd.DataFrame, np.ndarray]], float]:
    """The rows with the least numbers, and the greatest of these."""
    every = np.concatenate([draws for _, draws in kept])
    bound = float(np.partition(every, most - 1)[most - 1])
    return [(part[draws <= bound], draws[draws <= bound]) for part, draws in kept], bound
