"""Columns of numbers, also of text that holds numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import QuantileTransformer, SplineTransformer

from onnxlet.convert.estimators.pair_arithmetic import PairArithmetic
from onnxlet.convert.problems import counted
from onnxlet.convert.tables.units import NO_VALUE, several_units
from onnxlet.convert.train.kinds.kind import (
    SAID,
    Kind,
    Part,
    Typed,
    Wanted,
    filler,
    imputer,
    names,
    scaled,
    unread_notes,
)
from onnxlet.convert.train.kinds.profile import NUMBERS, SOME_TEXTS, Content, Profile, TableColumn
from onnxlet.convert.train.kinds.written import NumbersRead, as_floats, numbers_in
from onnxlet.function.arrays import Array

SHOWN_FROM = 5  # rows that a value is in, for a message to name it: it is then nobody's own
CURVED = 20  # distinct numbers: with fewer, a column gets no splines
QUANTILES = 100


class Number(Kind):
    """Numbers."""

    name = "number"
    parses = True

    def recognised(self, content: Content) -> TableColumn | None:
        """It is numbers by its type, or text that holds them."""
        held, why = content.numbers_held, None
        if content.numbers is not None:
            why = _why_by_type(content)
        elif held and held.are_all:
            why = _why_by_text(content, held)
        if why is None:
            return None
        unit = held.units.written if held and held.are_all else ""
        return content.profile.taken_for(self.name, why)._replace(unit=unit)

    def as_said(self, seen: Profile, form: str) -> TableColumn:
        """Numbers, perhaps of a unit that stands in the cells."""
        held = None if seen.column.dtype.kind in "iufbM" else numbers_in(_texts(seen))
        unit = held.units.written if held else ""
        return seen.taken_for(self.name, f"a {self.name}, {SAID}")._replace(unit=unit)

    def refusal(self, seen: Profile, form: str) -> tuple[str, str] | None:
        """Few of its values are numbers, or they have several units."""
        found = super().refusal(seen, form)
        said = several_units(_texts(seen).tolist()) if found else ""
        return (
            (said, "Write all of them in one unit, or take it for a category.") if said else found
        )

    def typed(self, column: pd.Series[Any], form: str | None) -> Typed:
        """In int64 where all are whole numbers in a type of those, else in float64."""
        name, kind = str(column.name), column.dtype.kind
        if kind in "iub" and not column.isna().any():
            wide = kind != "u" or not len(column) or column.max() < 2**63
            return Typed(column.astype(np.int64 if wide else np.float64), [])
        if kind not in "iufb":
            if isinstance(column.dtype, pd.CategoricalDtype):
                column = column.astype(object)
            if pd.api.types.infer_dtype(column, skipna=True) not in (*NUMBERS, "boolean"):
                return _read(column)
        values = as_floats(column)
        infinite, notes = np.isinf(values), list[str]()
        if count := int(infinite.sum()):
            notes.append(
                f"'{name}': {counted(count, 'infinite value')} taken as missing, the first in row "
                f"{int(np.argmax(infinite)) + 1:,} of those with a target"
            )
        finite = np.where(infinite, np.nan, values)
        return Typed(pd.Series(finite, index=column.index, name=name), notes)

    def in_order(self, column: pd.Series[Any], form: str | None) -> Array:
        """The numbers."""
        return self.typed(column, form).column.to_numpy(dtype=np.float64)

    def linear(self, columns: Sequence[TableColumn], wanted: Wanted) -> list[Part]:
        """Scaled, and splines of those that have many values."""
        curved = [one for one in columns if one.distinct >= CURVED and wanted.curves]
        return [
            ("numbers", scaled(), names(columns)),
            ("curves", _curves(wanted.rows), names(curved)),
        ]

    def trees(self, columns: Sequence[TableColumn], wanted: Wanted) -> list[Part]:
        """As they are, or without gaps."""
        filled = filler() if wanted.filled else "passthrough"
        pairs = make_pipeline(PairArithmetic(), filler()) if wanted.filled else PairArithmetic()
        return [("numbers", filled, names(columns)), ("pairs", pairs, _paired(columns, wanted))]

    def native(self, columns: Sequence[TableColumn], wanted: Wanted) -> list[Part]:
        """As they are."""
        return [
            ("numbers", "passthrough", names(columns)),
            ("pairs", PairArithmetic(), _paired(columns, wanted)),
        ]

    def width(self, column: TableColumn) -> int:
        """Itself and a mark of gaps."""
        return 2


NUMBER = Number()


def _why_by_type(content: Content) -> str:
    seen, values = content.profile, content.numbers
    finite = values[np.isfinite(values)]
    infinite = int(seen.counts[np.isinf(values)].sum())
    more = f"; {counted(infinite, 'infinite one')} taken as missing" if infinite else ""
    hint = ""
    if content.is_whole and len(finite) and _are_days(finite):
        hint = "; dates as 20261126? 'date %Y%m%d' in --columns takes them apart"
    kind = f"{'whole numbers' if content.is_whole else 'numbers'}, {seen.distinct:,} different"
    if seen.distinct == 2 and len(finite) == 2 and seen.counts.min() >= SHOWN_FROM:
        kind = f"two numbers ({' and '.join(f'{value:g}' for value in sorted(finite))})"
    return f"{kind}{seen.gaps}{more}{hint}"


def _are_days(values: Any) -> bool:
    if not (values.min() >= 17000101 and values.max() <= 22501231 and len(values) > 2):
        return False
    texts = [f"{value:.0f}" for value in values[:SOME_TEXTS]]
    moments = pd.to_datetime(pd.Series(texts), format="%Y%m%d", errors="coerce")
    return bool(moments.notna().all())


def _why_by_text(content: Content, held: NumbersRead) -> str:
    said = f"numbers, {int(held.values.nunique()):,} different"
    if held.said:
        said = f"numbers written as text {held.said}: clients send plain numbers"
    said += f"; {others}" if (others := held.units.others_said) else ""
    said += "; 1,234 taken for 1234" if held.ambiguous else ""
    if held.gaps:
        such = _most_frequent_gap(content.profile)
        said += f"; {counted(held.gaps, 'value')} such as {such} taken as missing"
    if held.unread:
        verb = "is" if held.unread == 1 else "are"
        said += f"; {counted(held.unread, 'value')} that {verb} no number taken as missing"
    return said


def _most_frequent_gap(seen: Profile) -> str:
    """Of the texts that stand for no value."""
    texts = [str(value).strip() for value in seen.uniques]
    none = np.flatnonzero([text.casefold() in NO_VALUE for text in texts])
    most = none[np.argmax(seen.counts[none])]
    return repr(texts[most]) if texts[most] else "blanks"


def _texts(seen: Profile) -> pd.Series[Any]:
    return pd.Series([str(value) for value in seen.uniques], dtype=object)


def _read(column: pd.Series[Any]) -> Typed:
    """Of text that holds numbers."""
    name, known = str(column.name), column.dropna()
    read = numbers_in(known.map(str))
    if read is None:
        nothing = pd.Series(np.full(len(column), np.nan), index=column.index, name=name)
        return Typed(nothing, unread_notes("numbers", nothing, column))
    values = read.values.where(np.isfinite(read.values), np.nan).reindex(column.index)
    notes = list[str]()
    if read.said:
        notes.append(f"'{name}': numbers {read.said} are read; clients send plain numbers")
    if others := read.units.others_said:
        notes.append(f"'{name}': {others}")
    if read.gaps:
        notes.append(
            f"'{name}': {counted(read.gaps, 'value')} such as '?' and blanks taken as missing"
        )
    notes += unread_notes("numbers", values, column, read.unread)
    return Typed(values.rename(name), notes)


def _curves(rows: int) -> Pipeline:
    """Splines over ranks: outliers and lumps leave no interval empty."""
    return make_pipeline(
        imputer(),
        QuantileTransformer(n_quantiles=max(2, min(QUANTILES, rows // 3)), subsample=None),
        SplineTransformer(n_knots=5, include_bias=False, extrapolation="constant"),
    )


def _paired(columns: Sequence[TableColumn], wanted: Wanted) -> list[str]:
    return names(columns) if wanted.pairs and len(columns) > 1 else []
