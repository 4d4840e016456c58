"""The column in whose order rows are split, as numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from onnxlet.convert.train.columns import Taken
from onnxlet.convert.train.kinds.date import date_form, days, form_of_moments
from onnxlet.convert.train.kinds.number import as_date, as_number
from onnxlet.function.arrays import Array
from onnxlet.function.errors import WrongUse

READ = 0.5  # of the values, at least


def times_of(column: pd.Series[Any], taken: Taken) -> Array:
    """When each row was, float64 (n,): days since 1970, or the column's numbers; NaN for none.

    Dates are read in the one form that the column was found to have: whoever guesses for each
    value by itself reads 03.04. as in March, and has rows of the future among those learnt from.

    Args:
        column: of the table.
        taken: what it is taken for.

    Raises:
        WrongUse: half of its values or more are neither dates of one form nor numbers.
    """
    form = taken.format or _form(column)
    if form is not None:
        times = days(as_date(column, form).column, form)
    else:
        times = as_number(column, None).column.to_numpy(dtype=np.float64, na_value=np.nan)
    known = int(column.notna().sum())
    if not known or np.isfinite(times).sum() < READ * known:
        got = f"a {taken.kind} ({taken.why})" if known else "no value in any row"
        raise WrongUse(
            f"--time '{taken.name}': expected dates of one form, or numbers, got {got}",
            f"If these are dates, say how they are written: --column '{taken.name}=date %d.%m.%Y'.",
        )
    return np.where(np.isfinite(times), times, np.nan)


def _form(column: pd.Series[Any]) -> str | None:
    """The form of dates in a column that is taken for something else; None where it has none."""
    if column.dtype.kind in "iuf":
        return None
    if column.dtype.kind == "M":
        return form_of_moments(column)
    found = date_form([str(value) for value in column.dropna().unique()])
    return found.format if found is not None and found.share >= READ else None
