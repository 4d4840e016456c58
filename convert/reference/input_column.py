"""One column of a test set, and its cells: as requests carry them, and as scikit-learn has them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from onnxlet.convert.reference.dates import as_texts, zone_of
from onnxlet.function.arrays import LARGEST_INTEGER, Array
from onnxlet.function.inputs.columns import ColumnType

Cells = list[Any]  # one row, in signature order, as JSON would hold it


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


def cells_of(series: pd.Series[Any], kind: ColumnType | Literal["date"]) -> Cells:
    """The cells of a Series as requests carry them, None for a missing one."""
    if kind == "date":
        return as_texts(series)
    missing = series.isna().to_numpy()
    make = {"string": str, "bool": bool, "int64": int}.get(kind, float)
    return [None if m else make(v) for v, m in zip(series.tolist(), missing, strict=True)]


def cell_of(value: Any, kind: ColumnType) -> Any:
    """One value of a dictionary likewise."""
    return None if value is None else {"string": str, "bool": bool}.get(kind, float)(value)
