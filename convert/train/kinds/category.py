"""Columns of categories, and those of two: true and false."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, TargetEncoder

from onnxlet.convert.estimators.category_counts import CategoryCounts
from onnxlet.convert.graph.responses import RELEASE
from onnxlet.convert.reference.diagnosis import ID_NAME
from onnxlet.convert.train.kinds.kind import (
    Kind,
    Part,
    Typed,
    Wanted,
    each_value,
    names,
    unread_notes,
)
from onnxlet.convert.train.kinds.number import NUMBER
from onnxlet.convert.train.kinds.profile import NUMBERS, Content, TableColumn
from onnxlet.convert.train.kinds.text import TEXT

CODE_NAME = re.compile(
    r"(?i:(^|[\W_])(zip|zip_?code|post_?code|postal_?code|area_?code|plz|phone|fips|iban|code)$)"
    r"|[a-z](Code|Zip)$"
)
FEW = 12  # categories: so many become a column each for trees, more are encoded by their target
MOST = 100  # categories of a column that linear models tell apart
YES = frozenset(("true", "yes", "y", "t", "1", "1.0", "on"))
NO = frozenset(("false", "no", "n", "f", "0", "0.0", "off"))
ENCODED = "categories"  # by name, the part of the features that linear models and CatBoost have


class Category(Kind):
    """One of some values, text or numbers: whatever text is neither numbers nor dates nor prose."""

    name = "category"

    def recognised(self, content: Content) -> TableColumn | None:
        """It is a categorical of pandas', whole numbers named like a code, or words."""
        seen = content.profile
        if content.is_category:
            return seen.taken_for(self.name, f"a category of {seen.different}")
        if content.numbers is not None:
            named = ID_NAME.search(seen.name) or CODE_NAME.search(seen.name)
            if not (content.is_whole and named and seen.distinct > 2):
                return None
            return seen.taken_for(self.name, f"{seen.different}, whole numbers named like a code")
        if words := content.words:
            return seen.taken_for(self.name, f"{seen.different}{seen.gaps}{words.odd}")
        return None

    def typed(self, column: pd.Series[Any], form: str | None) -> Typed:
        """Text in objects with NaN for a gap, booleans, or numbers."""
        if isinstance(column.dtype, pd.CategoricalDtype):
            kinds = column.cat.categories.dtype
            column = column.astype(kinds if column.notna().all() else object)
        kind = pd.api.types.infer_dtype(column, skipna=True)
        if kind == "boolean":
            return BOOLEAN.typed(column, form)
        return (NUMBER if kind in NUMBERS else TEXT).typed(column, form)

    def linear(self, columns: Sequence[TableColumn], wanted: Wanted) -> list[Part]:
        """A column for each value, the rare ones together."""
        return [(ENCODED, _one_hot(wanted.rows), names(columns))]

    def trees(self, columns: Sequence[TableColumn], wanted: Wanted) -> list[Part]:
        """A column for each value where these are few, else by their target."""
        categories = [one for one in columns if one.kind == self.name]
        most = 2 if wanted.filled else FEW
        few = [one for one in categories if one.distinct <= most]
        few += [one for one in columns if one not in categories]
        many = names([one for one in categories if one.distinct > most])
        encoder = _codes() if wanted.codes else by_target(wanted.task, wanted.seed)
        return [
            ("few", _one_hot(wanted.rows), names(few)),
            ("many", encoder, many),
            ("counts", CategoryCounts(), many if wanted.counts else []),
        ]

    def native(self, columns: Sequence[TableColumn], wanted: Wanted) -> list[Part]:
        """Whole numbers, which the learner takes for categories."""
        return [(ENCODED, _codes(), names(columns))]

    def width(self, column: TableColumn) -> int:
        """A column for each value."""
        return min(column.distinct, MOST)


CATEGORY = Category()


class Boolean(Kind):
    """True and false, or text that says so."""

    name = "boolean"
    parses = True

    @property
    def encoded_as(self) -> Kind:
        """As categories of two values."""
        return CATEGORY

    def recognised(self, content: Content) -> TableColumn | None:
        """It is booleans; text is taken for them only where the user says so."""
        if content.inferred != "boolean":
            return None
        return content.profile.taken_for(self.name, f"true or false{content.profile.gaps}")

    def typed(self, column: pd.Series[Any], form: str | None) -> Typed:
        """In bool, or where some are missing in objects with NaN."""
        if column.dtype == bool:
            return Typed(column, [])
        made = each_value(column, lambda values: [_truth(value) for value in values])
        notes = unread_notes("booleans", made, column)
        return Typed(made if made.isna().any() else made.astype(bool), notes)


BOOLEAN = Boolean()


def _truth(value: object) -> Any:
    text = str(value).strip().casefold()
    return True if text in YES else False if text in NO else np.nan


def by_target(task: str, seed: int) -> TargetEncoder:
    """Categories as the mean of their target, fitted out of fold."""
    # Of a classifier it looks: a fold by time may have two classes of three.
    kind = "continuous" if task == "regression" else "auto"
    if RELEASE < (1, 9):
        return TargetEncoder(target_type=kind, random_state=seed)
    folds = KFold if task == "regression" else StratifiedKFold
    return TargetEncoder(target_type=kind, cv=folds(5, shuffle=True, random_state=seed))


def _one_hot(rows: int) -> OneHotEncoder:
    least = max(2, min(20, rows // 300))
    return OneHotEncoder(
        handle_unknown="infrequent_if_exist", min_frequency=least, max_categories=MOST
    )


def _codes() -> OrdinalEncoder:
    return OrdinalEncoder(
        dtype=np.int64,
        handle_unknown="use_encoded_value",
        unknown_value=-1,
        encoded_missing_value=-2,
    )
