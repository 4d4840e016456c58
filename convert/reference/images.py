"""Images in a test set: the forms in which they are given, and base64 as requests have them."""

from __future__ import annotations

import os
import stat
from base64 import b64encode
from collections.abc import Iterable, Sequence
from io import BytesIO
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import pandas as pd

from onnxlet.function.arrays import Array
from onnxlet.function.inputs.images import Unreadable, decoded_bytes, picture_size

LONGEST_NAME = 300  # characters of a text that is shown as what may be meant as a path
LONGEST_PATH = 4096  # characters; no file of Linux has more
LARGEST_FILE = 2**28  # bytes; no image of as many pixels as may be decoded has more
SHAPES = "(rows, height, width) or (rows, height, width, channels)"
CHANNELS = (1, 3, 4)
FAST = 1  # zlib's level: such a PNG is read a few times, and its pixels are the same
SHOWN = 5  # rows that a message names
UNREAD = "it holds images, and no step of the estimator reads them"
FIRST = (
    "Put onnxlet.Images first: make_pipeline(onnxlet.Images(64, 64), …), or in a ColumnTransformer "
    "('photo', onnxlet.Images(64, 64), ['photo'])."
)
TRIED = 20  # texts of a column that are read to find out whether they are images
ENCODED = (bytes, bytearray, memoryview)
PNG_MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")  # TIFF has others, such as CMYK


def cells_of(X: Any) -> Sequence[Any]:
    """The images of one column, in whatever form they are.

    Raises ValueError where X has several columns, or is none; or its arrays are not of uint8.
    """
    if isinstance(X, pd.DataFrame | pd.Series):
        array = X.to_numpy(dtype=object)
        if isinstance(X, pd.DataFrame) and len(X.columns) != 1:
            got = f"{len(X.columns)}: {', '.join(map(str, X.columns))}"
            raise ValueError(f"expected one column of images, got {got}")
        return array.ravel().tolist()
    if not isinstance(X, np.ndarray):
        if isinstance(X, (str, PurePath, *ENCODED)) or not isinstance(X, Iterable):
            raise ValueError(  # noqa: TRY004 - as scikit-learn does for what is no array
                f"expected a column of images, got one {type(X).__name__}"
            )
        cells = list(X)
        one_each = cells and all(type(c) in (list, tuple) and len(c) == 1 for c in cells)
        return [cell for [cell] in cells] if one_each else cells
    if X.ndim == 1 or X.shape[1:] == (1,):
        return X.ravel().tolist()
    if X.ndim not in (3, 4):
        raise ValueError(
            f"expected one column of images, or {SHAPES}, got shape {X.shape}: Images is the first "
            "step, before all that makes numbers"
        )
    return list(X)


def content_of(cell: Any) -> bytes:
    """The bytes of an image's file; of numbers, and of an image of Pillow, a PNG.

    Raises Unreadable where it is no image, no file, or a file that can't be read; or is such a
    reason.
    """
    if isinstance(cell, Unreadable):
        raise cell
    if isinstance(cell, ENCODED):
        return bytes(cell)
    if isinstance(cell, PurePath):
        return _read(cell)
    if isinstance(cell, str):
        return _read(Path(cell)) if is_file(cell) else _decoded(cell)
    if isinstance(cell, np.ndarray):
        return _png(_image(cell))
    if _is_pillow(cell):
        return _png(cell)
    raise Unreadable(
        "expected the bytes of an image's file, base64, a path, an image of Pillow or an array of "
        f"uint8, got {'a missing value' if is_missing(cell) else type(cell).__name__}"
    )


def text_of(cell: Any) -> str:
    """An image as requests have it: its file in base64. Raises Unreadable as `content_of` does."""
    return b64encode(content_of(cell)).decode()


def are_images(cells: Iterable[Any]) -> bool:
    """Whether a column holds images: nothing else, or texts the first of which are such."""
    present = [cell for cell in cells if not is_missing(cell)]
    texts = [cell for cell in present if isinstance(cell, str)]
    if len(texts) < len(present):
        return all(isinstance(cell, str) or is_image(cell) for cell in present)
    return bool(texts) and all(map(is_readable, texts[:TRIED]))


def is_image(cell: Any) -> bool:
    """Whether it can be nothing else: bytes, a path, numbers of uint8, an image of Pillow."""
    if isinstance(cell, np.ndarray):
        return cell.dtype == np.uint8 and cell.ndim in (2, 3)
    return isinstance(cell, (*ENCODED, PurePath)) or _is_pillow(cell)


def shows_image(cell: Any) -> bool:
    """Whether it is one, and no other bytes."""
    return is_image(cell) and (not isinstance(cell, ENCODED) or is_readable(cell))


def is_stack(X: Any) -> bool:
    """Whether an array is images as a whole, of shape (rows, height, width[, channels])."""
    return (
        isinstance(X, np.ndarray)
        and X.dtype == np.uint8
        and (X.ndim == 3 or (X.ndim == 4 and X.shape[3] in CHANNELS))
    )


def is_readable(cell: Any) -> bool:
    """Whether a cell, such as a text, is an image, or names one's file: by its header."""
    return image_pixels(cell) > 0


def image_pixels(cell: Any) -> int:
    """How many pixels an image's file has; 0 where it can't be read."""
    try:
        width, height = picture_size(content_of(cell))
    except Unreadable:
        return 0
    return width * height


def is_missing(cell: Any) -> bool:
    """Whether there is no image."""
    return cell is None or cell is pd.NA or (isinstance(cell, float) and cell != cell)


def is_path(text: str) -> bool:
    """Whether a text may name a file, by its length and form."""
    return 0 < len(text) <= LONGEST_PATH and not text.startswith("data:") and "\0" not in text


def is_file(text: str) -> bool:
    """Whether a text names one, rather than being an image."""
    try:
        return is_path(text) and Path(text).is_file()
    except OSError:  # a name that is too long
        return False


def _decoded(text: str) -> bytes:
    try:
        return decoded_bytes(text)
    except Unreadable as error:
        if len(text) > LONGEST_NAME:
            raise
        raise Unreadable(f"there is no file '{text}', and as text: {error}") from error


def _read(path: PurePath) -> bytes:
    try:  # a pipe, or a device, would be waited for, or never end
        with open(path, "rb", opener=lambda name, how: os.open(name, how | os.O_NONBLOCK)) as file:
            about = os.fstat(file.fileno())
            if not stat.S_ISREG(about.st_mode) or about.st_size > LARGEST_FILE:
                raise Unreadable(f"'{path}': expected a file of at most {LARGEST_FILE:,} bytes")
            return file.read(LARGEST_FILE)
    except OSError as error:
        raise Unreadable(f"'{path}': {error.strerror}") from error


def _is_pillow(cell: Any) -> bool:
    return any(f"{c.__module__}.{c.__name__}" == "PIL.Image.Image" for c in type(cell).__mro__)


def _image(array: Array) -> Any:
    from PIL import Image  # where there are images

    channels = array.shape[2:]
    if array.dtype != np.uint8:
        raise Unreadable(
            f"expected numbers of uint8, from 0 to 255, got {array.dtype}: shares of 1 are "
            "(255 * X).round().astype('uint8')"
        )
    if array.ndim not in (2, 3) or (channels and channels[0] not in CHANNELS) or not array.size:
        raise Unreadable(
            f"expected shape (height, width) or (height, width, 1, 3 or 4), got {array.shape}"
        )
    flat = array[:, :, 0] if channels == (1,) else array
    return Image.fromarray(np.ascontiguousarray(flat))


def _png(image: Any) -> bytes:
    """With its orientation; as TIFF where PNG has no such colors."""
    buffer = BytesIO()
    exif = image.getexif()
    if image.mode in PNG_MODES:
        image.save(buffer, "PNG", compress_level=FAST, exif=exif)
    else:
        image.save(buffer, "TIFF", exif=exif)
    return buffer.getvalue()


def not_read(wrong: Sequence[str], images: int) -> str:
    """What is said of images that can't be read, the first of them by their rows."""
    more = f"; and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
    return f"{len(wrong)} of {images} images can't be read: {'; '.join(wrong[:SHOWN])}{more}"
