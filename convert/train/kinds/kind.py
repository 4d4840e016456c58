"""What there is to know of a kind of column; a new one answers what it has other answers to.

Below it are steps that several kinds have in their features.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from onnxlet.convert.problems import counted
from onnxlet.convert.train.kinds.profile import Content, Profile, TableColumn
from onnxlet.function.arrays import Array

SAID = "as --columns says"
Part = tuple[str, Any, Any]  # as a ColumnTransformer has it: name, transformer, columns
WILD = 4.0  # standard deviations beyond which numbers are all alike to linear models
DECIMALS = 6  # of components: sums of products differ in the last digits
COMPONENTS = 30  # to which texts and images are condensed for trees


class Typed(NamedTuple):
    """A column in the type that pipelines are fitted on, and served with."""

    column: pd.Series[Any]
    notes: list[str]  # what became of values of another type


@dataclass(frozen=True)
class Wanted:
    """The features that a learner wants of columns."""

    rows: int  # of training
    task: str = ""
    seed: int = 0  # of folds in which targets are encoded, and of what is drawn
    curves: bool = True  # splines of numbers, too
    seasons: bool = True  # what begins anew in dates, too, not only how many days have gone by
    texts: Sequence[str] = ("words",)  # how text is cut: "words", "characters" or both
    # Gaps get the median and a column that marks them, and all categories but those of two values
    # are encoded by their target: as forests want it.
    filled: bool = False
    counts: bool = False  # how often a category is there, too
    pairs: bool = False  # arithmetic of pairs of number columns, too
    # Categories that are not few by their positions in order, not by their target: trees part them
    # as they like, and learn less of a category that is rare.
    codes: bool = False
    # Of text, which of its most frequent terms it has, instead of a few numbers that all are
    # condensed to.
    terms: bool = False


class Kind:
    """A kind of column."""

    name: str
    used = True  # the model is given such a column
    # How a user says the form of its values, such as 'a date may have its form: "date %d.%m.%Y"';
    # '' where they have none.
    form_said = ""
    is_faint = False  # each of the many numbers that it becomes says little, as a pixel does
    is_looked_up = True  # a value by itself may give the target away
    parses = False  # some values are not of the kind, whatever the user says

    @property
    def encoded_as(self) -> Kind:
        """The kind with whose columns its own are encoded."""
        return self

    def recognised(self, content: Content) -> TableColumn | None:
        """Why a column is of this kind; None where it is of another, or for others to say."""
        return None

    def as_said(self, seen: Profile, form: str) -> TableColumn:
        """A column that the user says is of this kind, perhaps of a form ('' for none)."""
        return seen.taken_for(self.name, f"a {self.name}, {SAID}")

    def refusal(self, seen: Profile, form: str) -> tuple[str, str] | None:
        """Why a column can't be of this kind, and what to do; None where it can."""
        if not self.parses:
            return None
        values = pd.Series(seen.uniques, name=seen.name)
        read = int(self.typed(values, form).column.notna().sum())
        if read * 2 >= seen.distinct:
            return None
        count = f"{read:,} of its {seen.distinct:,} different values are of that kind"
        return count, "Take it for a category."

    def typed(self, column: pd.Series[Any], form: str | None) -> Typed:
        """A column's values in the type that pipelines are fitted on."""
        raise NotImplementedError(self.name)

    def in_order(self, column: pd.Series[Any], form: str | None) -> Array | None:
        """Its values as float64, NaN for a missing one; None where they have no order."""
        return None

    def linear(self, columns: Sequence[TableColumn], wanted: Wanted) -> list[Part]:
        """For linear models, perceptrons and neighbours; of columns of this kind, one or more."""
        return []

    def trees(self, columns: Sequence[TableColumn], wanted: Wanted) -> list[Part]:
        """For trees."""
        return []

    def native(self, columns: Sequence[TableColumn], wanted: Wanted) -> list[Part]:
        """For learners that know categories."""
        return []

    def width(self, column: TableColumn) -> int:
        """About so many columns a linear model has of one."""
        return 0

    def variance(self, column: TableColumn) -> float:
        """About that of these columns together, as a kernel's similarities have it."""
        return self.width(column)


def names(columns: Sequence[TableColumn]) -> list[str]:
    """Of columns, as a ColumnTransformer takes them."""
    return [column.name for column in columns]


def unread_notes(
    what: str, made: pd.Series[Any], column: pd.Series[Any], count: int | None = None
) -> list[str]:
    """What to say of values that are not of a kind: of so many, or all that were lost."""
    lost = (made.isna() & column.notna()).to_numpy()
    count = int(lost.sum()) if count is None else count
    if not count:
        return []
    first, verb = int(np.argmax(lost)) + 1, "is" if count == 1 else "are"
    return [
        f"'{column.name}': {counted(count, 'value')} {verb} no {what}, and taken as missing; the "
        f"first is in row {first:,} of those with a target"
    ]


def each_value(column: pd.Series[Any], make: Callable[[Any], Sequence[Any]]) -> pd.Series[Any]:
    """A column in objects of what is made of its different values; NaN for a missing one."""
    codes, uniques = pd.factorize(column)
    found = np.empty(len(uniques) + 1, dtype=object)
    found[:-1] = make(uniques)
    found[-1] = np.nan  # the code of what is missing is -1
    return pd.Series(found[codes], index=column.index, name=column.name, dtype=object)


def imputer(**settings: bool) -> SimpleImputer:
    """The median for gaps."""
    return SimpleImputer(strategy="median", keep_empty_features=True, **settings)


def filler() -> SimpleImputer:
    """The median for gaps, and a column that marks them."""
    return imputer(add_indicator=True)


def scaled() -> Pipeline:
    """Deviations of the mean, bounded: one wild number decides no answer."""
    bounded = FunctionTransformer(np.clip, kw_args={"a_min": -WILD, "a_max": WILD})
    return make_pipeline(filler(), StandardScaler(), bounded)


def rounded() -> FunctionTransformer:
    """A tree's threshold may be a training row's own value, to the last digit."""
    return FunctionTransformer(np.round, kw_args={"decimals": DECIMALS})
