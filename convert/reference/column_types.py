"""The types of columns, each a line in `TYPES`, and the columns of a test set with their cells.

Cells are as requests carry them, and as scikit-learn is given them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from onnxlet.convert.dates import from_texts, zone_of
from onnxlet.convert.errors import Refusal
from onnxlet.convert.reference.images import FIRST, UNREAD, shows_image
from onnxlet.function.arrays import EXACT, LARGEST_FLOAT32, LARGEST_INTEGER, Array
from onnxlet.function.inputs.columns import Column, ColumnType

Cells = list[Any]  # one row, in signature order, as JSON would hold it
UNSEEN_TEXT = "a value that no training row had"
UNSEEN_NUMBERS = (-987654321, 987654321, 1234567)  # one fits where a logarithm forbids another
INSTEAD = {
    "Decimal": "make floats of them, by .astype(float)",
    "bytes": "make text of them, by .str.decode('utf-8')",
    "timedelta": "make seconds of them, by pd.to_timedelta(column).dt.total_seconds()",
    **dict.fromkeys(("date", "datetime", "Timestamp"), "make dates, by pd.to_datetime(column)"),
    **dict.fromkeys(("dict", "list", "tuple", "ndarray"), "make a column of each part"),
}


class ValueType(NamedTuple):
    """What columns of one type hold."""

    make: Callable[[Any], Any]  # a cell as JSON has it, of a value
    values: tuple[type, ...]  # that are of it among Python objects
    unseen: tuple[Any, ...] = ()  # that no row has; where one is answered, others are, too
    largest: float = 0  # number that there is

    def cell(self, value: Any) -> Any:
        """A cell as JSON has it, of a value or None."""
        return None if value is None else self.make(value)


FLOAT = ValueType(float, (float, np.floating), UNSEEN_NUMBERS, float(np.finfo(np.float64).max))
# In this order: the first of which a value is, is its type.
TYPES: Mapping[str, ValueType] = {
    "bool": ValueType(bool, (bool, np.bool_)),
    "int64": ValueType(int, (int, np.integer), UNSEEN_NUMBERS, 2**63 - 1),
    "float64": FLOAT,
    "float32": FLOAT._replace(values=(), largest=LARGEST_FLOAT32),
    "string": ValueType(str, (str,), (UNSEEN_TEXT,)),
    "date": ValueType(pd.Timestamp.isoformat, ()),
    "image": ValueType(str, ()),
}


def column_entry(column: Column) -> dict[str, Any]:
    """A column in a manifest's signature; its shape is not among the members."""
    kind = "image" if column.image else "date" if column.date else column.type
    entry = {"name": column.name, "type": kind, "nullable": column.nullable}
    further = {
        "format": column.format,
        "zone": column.zone,
        "required": None if column.required else False,
        "absent": column.absent or None,
        "infinite": column.infinite or None,
        "minimum": column.minimum,
        "maximum": column.maximum,
        "categories": None if column.categories is None else list(column.categories),
    }
    return entry | {name: said for name, said in further.items() if said is not None}


def array_entry(name: str, columns: Sequence[Column], shape: list[int]) -> dict[str, Any]:
    """Likewise a bare array with all columns, of one type."""
    members = [column_entry(column) for column in columns]
    kind = {member.pop("type") for member in members}.pop()
    return {"name": name, "type": kind, "shape": shape, "columns": members}


@dataclass(frozen=True)
class InputColumn:
    """One column of the test set."""

    name: str  # as clients say it
    label: Any  # as the DataFrame has it, or the position in an array
    type: ColumnType
    missing: Any = np.nan  # what stands for a gap: NaN, or None where the test set has that
    category: pd.CategoricalDtype | None = None  # which some estimators use
    unserved: str = ""  # why its values have no form in a request; the model may do without them
    wide: bool = False  # float32 is given in float64, where no operation rounds it again
    objects: bool = False  # numbers are given as Python objects, among which a step may put text
    date: Any = None  # pandas' dtype, where the text is dates of ISO 8601 that are given as such
    image: bool = False  # the text is images in base64
    whole: str = "int64"  # NumPy's dtype of whole numbers, which those that fit it are given in
    text: pd.StringDtype | None = None  # pandas' dtype for text, where it has that
    gaps: bool = False  # gaps among whole numbers or booleans: they have one dtype

    @property
    def kind(self) -> str:
        """Its type, as a manifest has it."""
        return "image" if self.image else self.type if self.date is None else "date"

    @property
    def of_arrow(self) -> bool:
        """Its text is held by PyArrow, which has other methods of text than Python."""
        return self.text is not None and self.text.storage == "pyarrow"

    @property
    def zone(self) -> str | None:
        """The time zone in which its dates count; None where they are in no zone."""
        return zone_of(self.date)

    @property
    def splits(self) -> bool:
        """A gap among its cells makes another dtype of them all."""
        return self.type in ("int64", "bool") and self.category is None and not self.gaps

    @property
    def ends(self) -> tuple[int, ...]:
        """The least and the greatest of its whole numbers, where these have fewer than 64 bits."""
        if self.type != "int64" or self.whole == "int64":
            return ()
        return int(np.iinfo(self.whole).min), min(int(np.iinfo(self.whole).max), LARGEST_INTEGER)

    def in_frame(self, cells: Sequence[Any], strict: bool) -> Any:
        """The cells as a DataFrame's column; text in its own dtype where that is `strict`."""
        if self.date is not None:
            return from_texts(cells, self.date)
        if self.category is not None:
            return pd.Series(with_unseen(self.category, cells))
        # Where all are missing, pandas has objects: a frame of them is not taken for text.
        if strict and self.text is not None and any(cell is not None for cell in cells):
            return pd.array(list(cells), dtype=self.text)
        array = self.as_array(cells)  # whose dtype stays: pandas would make text of objects
        return pd.Series(array, dtype=object) if array.dtype == object else array

    def as_array(self, cells: Sequence[Any]) -> Array:
        """The cells as scikit-learn is given them."""
        if self.objects:
            made = replace(self, objects=False).as_array(cells).astype(object)
            made[[cell is None for cell in cells]] = self.missing
            return made
        some_missing = any(cell is None for cell in cells)
        if self.type in ("float64", "float32") or (
            self.type == "int64" and (some_missing or self.gaps)  # as scikit-learn makes of Int64
        ):
            dtype = "float64" if self.type == "int64" else self.type
            wide = np.array([np.nan if c is None else c for c in cells], dtype=np.float64)
            narrow = wide.astype(dtype, copy=False)
            return narrow.astype(np.float64) if self.wide else narrow
        if self.type == "string" or some_missing or self.gaps:
            array = np.empty(len(cells), dtype=object)
            array[:] = [self.missing if cell is None else cell for cell in cells]
            return array
        array = np.array(cells, dtype=self.type)
        return in_dtype(array, self.whole) if self.type == "int64" else array


def in_dtype(array: Array, whole: str) -> Array:
    """Whole numbers in a dtype, if all of them fit it; else in 64 bits, as a frame would."""
    held = array.astype(whole)
    return held if (held == array).all() else array


def with_unseen(dtype: pd.CategoricalDtype, cells: Sequence[Any]) -> pd.Categorical:
    """A categorical in which unseen values become categories; pandas would make gaps of them."""
    known = dtype.categories
    of_text = known.dtype.kind not in "biuf"
    unseen = {c for c in cells if c is not None and c not in known}
    more = [value for value in sorted(unseen, key=str) if of_text == isinstance(value, str)]
    every = known.append(pd.Index(more, dtype=known.dtype if of_text else None)) if more else known
    # Not of the cells: None among whole numbers would make floats of these.
    codes = {value: code for code, value in enumerate(every.tolist())}
    made = [codes.get(cell, -1) for cell in cells]
    return pd.Categorical.from_codes(made, categories=every, ordered=dtype.ordered)


def cells_of(series: pd.Series[Any], kind: str) -> Cells:
    """The cells of a Series as requests carry them, None for a missing one."""
    gaps = series.isna().to_numpy()
    make = TYPES[kind].make
    return [None if m else make(v) for v, m in zip(series.tolist(), gaps, strict=True)]


def missing(values: Iterable[Any]) -> Any:
    """What stands for a missing value among these: None where there is one, else NaN."""
    return None if any(value is None for value in values) else np.nan


def column_type(series: pd.Series[Any], what: str) -> ColumnType:
    """The column type of a Series, by its dtype, or by its values where these are objects.

    Raises Refusal where no request can carry its values.
    """
    if isinstance(series.dtype, pd.CategoricalDtype):
        series = series.cat.categories.to_series()  # a gap beside them is no category
    dtype = series.dtype
    if pd.api.types.is_bool_dtype(dtype):
        return "bool"
    if pd.api.types.is_integer_dtype(dtype):
        return _type_of_whole(series.dropna(), len(series), what)
    if pd.api.types.is_float_dtype(dtype):
        return "float32" if dtype in (np.float32, np.float16) else "float64"
    if dtype.kind == "O" or isinstance(dtype, pd.StringDtype):
        return type_of_values(series, what)
    raise Refusal(
        f"{what}: values of type {dtype} have no form in a request",
        "Turn the column into numbers or text before the pipeline.",
    )


def type_of_values(series: pd.Series[Any], what: str) -> ColumnType:
    """The one type of a column of Python objects.

    Raises Refusal where they are of several types, or of one that no request can carry.
    """
    kinds = {_kind(value): value for value in series[series.notna()]}
    if any(map(shows_image, kinds.values())):
        raise Refusal(f"{what}: {UNREAD}; put onnxlet.Images first", FIRST)
    if len(kinds) == 1 and (other := {*kinds} - {"bool", "int64", "float64", "string"}):
        [kind], [value] = other, kinds.values()
        raise Refusal(
            f"{what}: values of type {kind} have no form in a request, such as {repr(value)[:40]}: "
            f"{INSTEAD.get(kind, 'make text of them, by .astype(str)')}",
            "Fit on a column that holds numbers or text, and give X_test the same.",
        )
    if set(kinds) <= {"string"}:
        return "string"
    if set(kinds) == {"bool"}:
        return "bool"
    if set(kinds) <= {"int64", "float64"}:
        return _type_of_whole(series[[_kind(v) == "int64" for v in series]], len(series), what, -1)
    shown = " and ".join(repr(value)[:40] for value in list(kinds.values())[:2])
    raise Refusal(
        f"{what}: expected values of one type, got {shown}",
        "Give the column one type: numbers, booleans or text.",
    )


def whole_dtype(dtype: Any) -> str:
    """NumPy's dtype of a column's whole numbers; int64 where it holds others, or objects."""
    held = getattr(dtype, "numpy_dtype", getattr(dtype, "subtype", dtype))
    return held.name if isinstance(held, np.dtype) and held.kind in "iu" else "int64"


def _type_of_whole(whole: pd.Series[Any], rows: int, what: str, most: int = EXACT) -> ColumnType:
    """int64; float64 beside gaps or fractions, where some number is larger than the most."""
    ends = [int(whole.min()), int(whole.max())] if len(whole) else []
    if large := [value for value in ends if not -(2**63) <= value < 2**63]:
        raise Refusal(
            f"{what}: {large[0]} does not fit a 64-bit integer, and a request carries none that is "
            "larger: give it as text, or as floats where not every digit counts",
            "Turn the column into text or floats before the pipeline.",
        )
    return "float64" if len(whole) < rows and max(map(abs, ends), default=1) > most else "int64"


def _kind(value: Any) -> str:
    of = (name for name, kind in TYPES.items() if isinstance(value, kind.values))
    return next(of, type(value).__name__)
