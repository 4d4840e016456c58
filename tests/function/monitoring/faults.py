"""Faults of a table's columns, as pipelines and people make them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

SENTINEL = -1.0
NEW = "never seen before"


class Roles(NamedTuple):
    """Which of a table's columns a fault is made in.

    Attributes:
        number: whose deviation is a fraction of its mean, without gaps.
        gappy: of numbers, of which some are missing.
        other: of numbers, of another distribution than `number`; without gaps.
        flag: of two categories, or of booleans.
        few: of categories, one of them frequent.
        many: of further categories.
    """

    number: str
    gappy: str
    other: str
    flag: str
    few: str
    many: str


Change = Callable[[pd.DataFrame, str, Roles, np.random.Generator], object]


def _by(value: Callable[[pd.Series, np.random.Generator], Any]) -> Change:
    """Other values of the column, of its own ones."""

    def change(X: pd.DataFrame, name: str, roles: Roles, random: np.random.Generator) -> None:
        X[name] = value(X[name], random)

    return change


def _as_numbers(value: Callable[[pd.Series, np.random.Generator], pd.Series]) -> Change:
    """The same of numbers, which stay whole where they are."""

    def rounded(X: pd.Series, random: np.random.Generator) -> pd.Series:
        made = value(X, random)
        return made.round().astype(X.dtype) if X.dtype.kind in "iu" else made

    return _by(rounded)


def _instead(value: Callable[[pd.Series], object], share: float) -> Change:
    """Another value in some of the rows."""

    def change(X: pd.DataFrame, name: str, roles: Roles, random: np.random.Generator) -> None:
        X[name] = X[name].where(random.random(len(X)) >= share, value(X[name]))

    return change


def _swapped(X: pd.DataFrame, name: str, roles: Roles, random: np.random.Generator) -> None:
    other = roles.other if name == roles.number else roles.number
    X[name] = X[other].astype(X[name].dtype)


def _merged(X: pd.Series, random: np.random.Generator) -> pd.Series:
    """The third category is called like the second one."""
    _, second, third = X.value_counts().index[:3]
    return X.replace(third, second)


def _inverted(X: pd.Series, random: np.random.Generator) -> pd.Series:
    first, second = sorted(X.dropna().unique())
    return X.map({first: second, second: first})


def _rounded(X: pd.Series, random: np.random.Generator) -> pd.Series:
    """To tens, hundreds or thousands, whichever is nearest to the deviation."""
    unit = 10 ** round(np.log10(X.std()))
    made: pd.Series = ((X / unit).round() * unit).astype(X.dtype)
    return made


# By what went wrong: the role of the column, and what becomes of it.
FAULTS: dict[str, tuple[str, Change]] = {
    "a number is stuck": ("number", _as_numbers(lambda X, r: X * 0 + X.median())),
    "a number is zero": ("gappy", _by(lambda X, r: 0.0)),
    "another unit": ("gappy", _by(lambda X, r: X / 1000)),
    "months instead of years": ("number", _as_numbers(lambda X, r: X * 12)),
    "a flipped sign": ("number", _as_numbers(lambda X, r: -X)),
    "swapped with another": ("number", _swapped),
    "another swapped in": ("other", _swapped),
    "missing in a fifth": ("gappy", _instead(lambda X: np.nan, 0.2)),
    "never missing": ("gappy", _by(lambda X, r: X.fillna(X.median()))),
    "a new category": ("few", _instead(lambda X: NEW, 0.05)),
    "a category is gone": ("few", _by(_merged)),
    "another spelling": ("few", _by(lambda X, r: X.str.upper())),
    "a space behind": ("many", _by(lambda X, r: X + " ")),
    "one category only": ("many", _by(lambda X, r: X.mode()[0])),
    "a sentinel": ("number", _instead(lambda X: X.dtype.type(SENTINEL), 0.1)),
    "noise": ("number", _as_numbers(lambda X, r: X + r.normal(0, 1.4 * X.std(), len(X)))),
    "cut off": ("gappy", _by(lambda X, r: X.clip(upper=X.median()))),
    "a shift of a third of a deviation": ("number", _as_numbers(lambda X, r: X + X.std() / 3)),
    "an inverted flag": ("flag", _by(_inverted)),
    "a flag that is always set": ("flag", _by(lambda X, r: max(X.dropna()))),
    "more of one category": ("few", _instead(lambda X: X.value_counts().index[2], 0.15)),
    "rounded as far as it deviates": ("number", _by(_rounded)),
}


def break_column(X: pd.DataFrame, fault: str, roles: Roles, random: np.random.Generator) -> str:
    """Make a fault in a table; the name of its column."""
    role, change = FAULTS[fault]
    column: str = getattr(roles, role)
    change(X, column, roles, random)
    return column
