"""Frames of numbers with gaps and of categories, of text and of whole numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd


def frame(
    count: int = 300, seed: int = 1, word: str = "ünï", sizes: tuple[int, int] = (0, 9)
) -> pd.DataFrame:
    """Rows with these among their words and sizes."""
    random = np.random.default_rng(seed)
    words = np.array(["red", "green", "blue", "nan", "", word], dtype=object)
    colour = pd.Series(words[random.integers(0, 6, count)], dtype=object)
    return pd.DataFrame(
        {
            "x": np.where(random.random(count) < 0.1, np.nan, random.normal(size=count)),
            "colour": colour.where(random.random(count) > 0.2).astype("category"),
            "n": random.integers(0, 9, count),
            "full": pd.Series(words[random.integers(0, 3, count)], dtype="category"),
            "flag": random.random(count) < 0.5,
            "size": pd.Series(random.integers(*sizes, count)).astype("category"),
        }
    )


def outcome(rows: pd.DataFrame) -> Any:
    """A number that depends on all columns but the flag."""
    return (
        rows["x"].fillna(0) + (rows["colour"] == "red") * 3 - (rows["full"] == "blue")
        + rows["colour"].isna() * 2 + rows["size"].astype(int) % 5 + rows["n"] / 9
    )  # fmt: skip


def unseen(rows: pd.DataFrame) -> pd.DataFrame:
    """The same with a colour that no other row has, and with gaps where there were none."""
    colour = rows["colour"].astype(object).where(rows.index % 3 > 0, "violet")
    full = rows["full"].astype(object).where(rows.index % 4 > 0)
    return rows.assign(colour=colour.astype("category"), full=full.astype("category"))
