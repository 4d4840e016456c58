"""Columns of images in a test set: found, and turned into the texts that requests have.

Paths in rows may be a stranger's: files of one folder are read, and no others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from onnxlet.convert.errors import Refusal
from onnxlet.convert.reference.estimators import parts_of
from onnxlet.convert.reference.images import (
    FIRST,
    SHOWN,
    TRIED,
    UNREAD,
    are_images,
    content_of,
    is_image,
    is_missing,
    is_path,
    is_readable,
    is_stack,
    not_read,
    shows_image,
    text_of,
)
from onnxlet.convert.sources.source import Source
from onnxlet.convert.tables.rows_file import searched_in
from onnxlet.function.arrays import Array
from onnxlet.function.errors import WrongUse
from onnxlet.function.inputs.images import Unreadable

ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff")
PATH_SHOWN = 100  # characters of a path
ELSEWHERE = "--images-from DIR (images_from in Python) names the folder that images are read from."


class Outside(Unreadable):
    """A text names a file outside of the folder that images are read from; it was not opened."""

    def __init__(self, text: str, root: Path | None) -> None:
        where = f"outside of '{root.absolute()}'" if root else "here, and the table elsewhere"
        shown = text[:PATH_SHOWN] + "…" * (len(text) > PATH_SHOWN)
        super().__init__(f"'{shown}' lies {where}: not opened")
        # Its name ends as an image's does.
        self.pictured = text.lower().endswith(ENDINGS)


def images_root(folder: str | Path) -> Path:
    """The folder that an option names; WrongUse where it is none."""
    if not Path(folder).is_dir():
        raise WrongUse(
            f"--images-from: expected a folder, got '{folder}'", searched_in(Path(folder))
        )
    return Path(folder)


def file_inside(text: str, root: Path | None) -> Path | None:
    """The file that a text names, once links are followed; None where it names none.

    A relative path is one from `root`, the folder outside of which nothing is opened; where that is
    None, nothing may be. Raises Outside where it names a file elsewhere, the working directory's
    among them.
    """
    if not is_path(text):
        return None
    try:
        for folder in (root or Path(), Path()):
            if (path := folder / text).is_file():
                real = path.resolve()
                if root is None or not real.is_relative_to(root.resolve()):
                    raise Outside(text, root)
                return real
    except OSError:  # a name that is too long, as base64 is
        pass
    return None


def located(cell: Any, root: Path | None) -> Any:
    """A cell of a table so that no text in it is left that a file could be opened by.

    Of a text, or Parquet's struct of an image, it is the file, or its content where it is an image
    in base64, or why it is neither; another cell is as it is.
    """
    if isinstance(cell, dict) and "bytes" in cell:
        return cell["bytes"] if cell["bytes"] is not None else located(cell.get("path"), root)
    if not isinstance(cell, str):
        return cell
    try:
        return file_inside(cell, root) or content_of(cell)
    except Unreadable as error:
        return error.with_traceback(None)


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
