"""Columns of images in a test set: found, and turned into the texts that requests have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from onnxlet.convert.errors import Refusal
from onnxlet.convert.reference.estimators import parts_of
from onnxlet.convert.reference.image_paths import ELSEWHERE, Outside, file_inside
from onnxlet.convert.reference.images import (
    FIRST,
    SHOWN,
    TRIED,
    UNREAD,
    are_images,
    is_image,
    is_missing,
    is_readable,
    is_stack,
    not_read,
    shows_image,
    text_of,
)
from onnxlet.convert.sources.source import Source
from onnxlet.function.arrays import Array
from onnxlet.function.errors import WrongUse
from onnxlet.function.inputs.images import Unreadable


def takes_images(estimator: Any) -> bool:
    """Whether some step of it reads images."""
    return any(hasattr(type(part), "reads_images") for part in parts_of(estimator))


def with_images_beside(source: Source, folder: Path | None = None) -> Source:
    """A source whose table names images by paths, which no step can follow elsewhere.

    The table may be a stranger's, as the estimator may be. Images are read from the folder; None is
    the table's own. Raises WrongUse where a text names a file elsewhere; each by its row and
    column.
    """
    rows = source.X_test
    root = source.data.parent if folder is None and source.data is not None else folder
    is_array = isinstance(rows, np.ndarray) and rows.dtype.kind in "OUS"  # an example's
    if root is None or not (is_array or isinstance(rows, pd.DataFrame)):
        return source
    if not takes_images(source.estimator):
        return source
    made, outside = pd.DataFrame(rows).copy(deep=False), list[str]()
    for position, label in enumerate(made.columns):
        beside = list[Any]()
        for row, cell in enumerate(made.iloc[:, position].tolist()):
            try:
                beside.append((file_inside(cell, root) if isinstance(cell, str) else None) or cell)
            except Outside as error:  # a step would open it, whatever else the column holds
                outside.append(f"row {row} (counted from 0), column '{label}': {error}")
        paths = [cell for cell in beside if isinstance(cell, Path)][:TRIED]
        if not outside and any(map(is_readable, paths)):
            made.isetitem(position, _objects(beside))
    if outside:
        more = f"; and {len(outside) - SHOWN} more" if len(outside) > SHOWN else ""
        raise WrongUse(f"--data: {'; '.join(outside[:SHOWN])}{more}", ELSEWHERE)
    return replace(source, X_test=made.to_numpy(dtype=object) if is_array else made)


def with_texts(X: Any, what: str, given: bool) -> tuple[Any, list[Any]]:
    """A test set whose images are texts in base64, as requests have them.

    `given` says that the estimator reads images. Beside the rows it returns the labels of the
    columns that hold images: names in a DataFrame or a Series, positions in an array.

    Raises Refusal where X as a whole is images and the estimator reads none, or some can't be read.
    """
    whole = is_stack(X) or (isinstance(X, list | tuple) and bool(X) and is_image(X[0]))
    if not given:
        if is_stack(X) or (whole and shows_image(X[0])):
            raise Refusal(f"{what}: {UNREAD}", FIRST)
        return X, []
    if isinstance(X, pd.DataFrame):
        return _frame_with_texts(X, what)
    if isinstance(X, pd.Series):
        if not are_images(X.tolist()):
            return X, []
        texts = _texts(X.tolist(), what)
        return pd.Series(texts, index=X.index, name=X.name, dtype=object), [X.name]
    array = _objects(list(X)) if whole else _array(X)
    return (X, []) if array is None else _array_with_texts(X, array, what)


def _array(X: Any) -> Array | None:
    """Texts and objects in an array of one or two dimensions; None for what holds none."""
    if isinstance(X, list | tuple) and X and isinstance(X[0], str):
        return _objects(X)
    if isinstance(X, list | tuple) and X and isinstance(X[0], list | tuple):
        lengths = {len(row) if isinstance(row, list | tuple) else -1 for row in X}
        if len(lengths) > 1 or not any(isinstance(c, str) or is_image(c) for c in X[0]):
            return None
        array = np.empty((len(X), len(X[0])), dtype=object)
        for row, cells in enumerate(X):
            array[row] = _objects(cells)
        return array
    if isinstance(X, np.ndarray) and X.dtype.kind in "OUS" and X.ndim in (1, 2):
        return X.astype(object)
    return None


def _frame_with_texts(X: pd.DataFrame, what: str) -> tuple[pd.DataFrame, list[Any]]:
    made, found = X.copy(deep=False), []
    for position, label in enumerate(X.columns):
        column = X.iloc[:, position]
        textual = column.dtype == object or isinstance(column.dtype, pd.StringDtype)
        if textual and are_images(column.tolist()):
            made.isetitem(position, _texts(column.tolist(), f"{what}, column '{label}'"))
            found.append(label)
    return made, found


def _array_with_texts(X: Any, array: Array, what: str) -> tuple[Any, list[Any]]:
    found = []
    for position, column in enumerate([array] if array.ndim == 1 else array.T):
        if are_images(column.tolist()):
            where = what if array.ndim == 1 else f"{what}, column {position}"
            column[:] = _texts(column.tolist(), where)
            found.append(position)
    return (array, found) if found else (X, [])


def _texts(cells: Sequence[Any], what: str) -> Array:
    """A column as requests have it, missing values as they are."""
    made: list[Any] = []
    wrong: list[str] = []
    for row, cell in enumerate(cells):
        try:
            made.append(cell if is_missing(cell) else text_of(cell))
        except Unreadable as error:
            wrong.append(f"row {row}: {error}")
    if wrong:
        raise Refusal(
            f"{what}: {not_read(wrong, len(cells))}",
            "Leave such rows out, or mend their files; a relative path is one from the folder "
            "that the command runs in.",
        )
    return _objects(made)


def _objects(cells: Sequence[Any]) -> Array:
    array = np.empty(len(cells), dtype=object)
    for row, cell in enumerate(cells):  # arrays of one shape would be spread out otherwise
        array[row] = cell
    return array
