"""What a column's dtype is: `dtype`, `select_dtypes` and `pandas.api.types`.

So far as it is the same in each version of pandas. A column that the model does without has it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from onnxlet.convert.converters.tracing.base import ColumnsBase, refuse
from onnxlet.convert.graph.converter import DATE, DROPPED, Tensor

ASK = "Ask pd.api.types.is_numeric_dtype(X[…]), or name the columns."
DTYPES = {"bool": np.dtype("bool"), "int64": np.dtype("int64")}
OTHERS = ("string", "category", DATE)  # that are neither numbers nor booleans
IS_DTYPE = {  # by pandas' name of the question: the kinds of columns of which it is true
    "is_numeric_dtype": {"bool", "int64", "float"},
    "is_any_real_numeric_dtype": {"int64", "float"},
    "is_bool_dtype": {"bool"},
    "is_integer_dtype": {"int64"},
    "is_float_dtype": {"float"},
    "is_datetime64_any_dtype": {DATE},
    "is_string_dtype": {"string"},
    "is_object_dtype": set[str](),
}
OF_TEXT = ("is_string_dtype", "is_object_dtype")  # of which pandas' dtype for text is another each


def kind_of(tensor: Tensor) -> str:
    """`bool`, `int64` or `float`, else one of OTHERS."""
    kind = tensor.dtype
    if kind in ("string", DROPPED) and tensor.types:
        kind = tensor.types[0].partition("?")[0] or kind
        kind = "string" if kind.startswith(f"{DATE} ") else kind  # text that is read as dates
        kind = "float" if kind == "int64" and "?" in tensor.types[0] else kind  # of a gap
    return kind if kind in ("bool", "int64", *OTHERS) else "float"


def is_number(tensor: Tensor) -> bool:
    """Whether `select_dtypes("number")` takes a column."""
    return kind_of(tensor) not in ("bool", *OTHERS)


def dtype_of(tensor: Tensor) -> np.dtype[Any]:
    """NumPy's dtype; refused for text and dates, since it depends on pandas' version."""
    kind = kind_of(tensor)
    if kind in OTHERS:
        of = "dates" if kind == DATE else "text"
        refuse(f"it asks for the dtype of {of}, which is another in each version of pandas", ASK)
    return DTYPES.get(kind, np.dtype("f8"))


def question(name: str) -> Callable[[Any], bool]:
    """Our version of a function of `pandas.api.types`."""

    def asked(arr_or_dtype: Any) -> bool:
        if not isinstance(arr_or_dtype, ColumnsBase) or not arr_or_dtype._flat:
            refuse(f"it asks {name} of other than one column", "Ask it of X['…'].")
        kind = kind_of(arr_or_dtype._table.tensors[0])
        if kind == "string" and name in OF_TEXT:
            refuse(f"{name} of text is another in each version of pandas", ASK)
        return kind in IS_DTYPE[name]

    return asked
