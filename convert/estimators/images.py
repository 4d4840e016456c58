"""Images: their pixels as numbers, in a pipeline of scikit-learn's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from onnxlet.convert.reference.images import cells_of, content_of, is_file, not_read
from onnxlet.function.arrays import Array
from onnxlet.function.inputs.images import MODES, RESIZES, Unreadable, pixels

CHANNELS = {"L": ("",), "RGB": ("_red", "_green", "_blue")}
KEPT = 200_000_000  # bytes of texts and their pixels: a build asks about the same ones many times
_decoded: dict[tuple[Any, ...], Array] = {}
_held = [0]  # bytes of them


class Images(TransformerMixin, BaseEstimator):  # type: ignore[misc] # scikit-learn has no types
    """The pixels of images at one size, float64 from 0 to 255: row by row, channels last.

    An image is turned as its EXIF orientation says, transparency becomes white, and its size
    becomes the one that is given, whatever its shape. It is taken as the bytes of a PNG, JPEG,
    WebP, GIF, BMP or TIFF file, as these in base64 or a data: URL, as a path (relative to the
    working directory), as an image of Pillow, or as numbers of uint8. X is one column of them: a
    list, a Series, a DataFrame or array of one column; or an array of uint8, of shape
    (rows, height, width) or (rows, height, width, 1, 3 or 4 channels).

    Args:
        height: of the result, in pixels.
        width: likewise.
        mode: "L" for grey, "RGB" for color.
        resize: one of Pillow's filters: nearest, box, bilinear, hamming, bicubic, lanczos.
    """

    reads_images = True  # which marks the columns of a test set that are such

    def __init__(self, height: int, width: int, mode: str = "L", resize: str = "bilinear") -> None:
        self.height = height
        self.width = width
        self.mode = mode
        self.resize = resize

    def fit(self, X: Any, y: Any = None) -> Images:
        """Check the parameters, and that X is one column; nothing is learnt.

        Images that can't be read are found by `transform`, which has to read them anyway.

        Args:
            X: one column of images.
            y: is ignored.

        Raises:
            ValueError: a parameter is none of those that it may be, or X is no such column.
        """
        self._check()
        cells_of(X)
        self.n_features_in_ = 1
        if isinstance(X, pd.DataFrame):
            self.feature_names_in_ = np.array(X.columns, dtype=object)
        return self

    def _check(self) -> None:
        wrong = [
            f"{name}: expected a whole number of pixels, 1 or more, got {size!r}"
            for name, size in (("height", self.height), ("width", self.width))
            if isinstance(size, bool) or not isinstance(size, int | np.integer) or size < 1
        ]
        wrong += [
            f"{name}: expected one of {', '.join(known)}, got {value!r}"
            for name, value, known in (
                ("mode", self.mode, tuple(MODES)),
                ("resize", self.resize, RESIZES),
            )
            if value not in known
        ]
        if wrong:
            raise ValueError("; ".join(wrong))

    def transform(self, X: Any) -> Array:
        """The pixels, float64 of shape (rows, height times width times channels).

        Raises:
            ValueError: an image can't be read; which rows, and why.
        """
        check_is_fitted(self)
        cells = cells_of(X)
        size = (int(self.height), int(self.width))
        made = np.zeros((len(cells), self.width_out))
        wrong: list[str] = []
        for row, cell in enumerate(cells):
            try:
                made[row] = _pixels(cell, *size, self.mode, self.resize)
            except Unreadable as error:
                wrong.append(f"row {row}: {error}")
        if wrong:
            raise ValueError(not_read(wrong, len(cells)))
        return made

    @property
    def width_out(self) -> int:
        """Numbers of a row."""
        return int(self.height) * int(self.width) * MODES[self.mode]

    def get_feature_names_out(self, input_features: Any = None) -> Array:
        """`column_y_x`, and `column_y_x_red`, `…_green`, `…_blue`."""
        check_is_fitted(self)
        known = getattr(
            self, "feature_names_in_", ["x0"] if input_features is None else input_features
        )
        return np.array(
            [
                f"{known[0]}_{y}_{x}{channel}"
                for y in range(self.height)
                for x in range(self.width)
                for channel in CHANNELS[self.mode]
            ],
            dtype=object,
        )

    def __sklearn_tags__(self) -> Any:
        """It takes images, not tables of numbers."""
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        tags.input_tags.string = True
        tags.requires_fit = True
        return tags


def _pixels(cell: Any, *form: Any) -> Array:
    """One row, uint8; of a text that is no file's name, what was decoded before."""
    if not isinstance(cell, str) or is_file(cell):
        return pixels(content_of(cell), *form).ravel()
    if (key := (cell, *form)) not in _decoded:
        made = pixels(content_of(cell), *form).ravel()
        _held[0] += len(cell) + made.nbytes
        if _held[0] > KEPT:
            _decoded.clear()
            _held[0] = len(cell) + made.nbytes
        _decoded[key] = made
    return _decoded[key]
