"""The tensors of images: a column's pixels as a graph is fed with them, scaled and laid out."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from functools import cache, partial
from typing import Any

import numpy as np

from onnxlet.function.arrays import MISSING_TEXT, Array, Noted
from onnxlet.function.errors import InvalidRows, Problem
from onnxlet.function.inputs.feeds import each_cell
from onnxlet.function.inputs.images import (
    MODES,
    RESIZES,
    Unreadable,
    decoded_bytes,
    load_plugins,
    pixels,
)
from onnxlet.function.inputs.nested import packed
from onnxlet.function.settings import MAX_PIXELS

BGR = "BGR"  # as RGB, with the channels the other way round, as OpenCV has them
# What `scale`, `mean` and `std` do, in this order.
OPERATIONS = {"scale": np.multiply, "mean": np.subtract, "std": np.divide}


class DecodedImage(str):
    """A cell of an image's text, decoded once, and then run many times, as explanations do."""

    pixels: Mapping[str, Array]  # by feed name, uint8 of shape (height, width, channels)

    @classmethod
    def of(cls, image: str | bytes, pixels: Mapping[str, Array]) -> DecodedImage:
        """Such a cell; nothing compares its pixels with its text, and bytes need none."""
        cell = cls("" if isinstance(image, bytes) else image)
        cell.pixels = pixels
        return cell


class ImageFeed:
    """The pixels of a column's images: one input tensor of the graph."""

    def __init__(self, entry: Mapping[str, Any], at: tuple[int, int]) -> None:
        """Read a manifest's graph input.

        Args:
            entry: `name`, `dtype` (uint8 or float32), `columns`, and `image`: `height`, `width`,
                `mode` (or BGR) and `resize`, as `pixels` takes them. Optional are, in the order in
                which they are applied, all in float32: `scale`, that each pixel is multiplied by;
                `mean`, that is subtracted then; `std`, that the difference is divided by (each a
                number, or one for each channel); and `layout`, NCHW or NHWC, without which the
                tensor has the shape (rows, height * width * channels).
            at: the block that has the images' texts, and the column there.

        Raises:
            ImportError: Pillow is missing.
            ValueError: a member is not one of these.
        """
        try:
            load_plugins()
        except ImportError as error:
            raise ImportError(
                f"Pillow is needed for column '{entry['columns'][0]}', which takes images: install "
                "it (pip install pillow), or package the model again"
            ) from error
        image = entry["image"]
        self.name, self.at, self.most = str(entry["name"]), at, MAX_PIXELS  # of an image
        # Brightness and contrast may be asked for; of several feeds of a column only of the first.
        self.noted = True
        self.column = str(entry["columns"][0])  # that has the images
        self._dtype = np.dtype(str(entry["dtype"]))
        self.size = (int(image["height"]), int(image["width"]))  # of what they become, in pixels
        self._resize = str(image["resize"])
        self._backwards = image["mode"] == BGR
        self._mode = "RGB" if self._backwards else str(image["mode"])
        self._layout = image.get("layout")
        known = self._mode in MODES and self._resize in RESIZES
        if not known or self._layout not in (None, "NCHW", "NHWC"):
            raise ValueError(
                f"input '{self.name}': expected what images become, got {image!r:.200}"
            )
        self._numbers = [
            (operation, np.asarray(image[name], np.float32).reshape(-1, 1, 1))
            for name, operation in OPERATIONS.items()
            if image.get(name) is not None
        ]
        self._shape = (*self.size, MODES[self._mode])
        self.width = 8 * int(np.prod(self._shape))  # bytes of a row as float64, as graphs compute

    def gather(self, blocks: Sequence[Array], noted: Noted | None = None) -> Array:
        """The tensor; `noted` takes the mean and standard deviation of each row's pixels, by `at`.

        InvalidRows has every row whose cell is no image that is answered.
        """
        block, position = self.at
        cells = blocks[block][:, position].tolist()
        found = each_cell(cells, self.column, self.pixels, Unreadable)
        if noted is not None and self.noted:
            shares = noted.setdefault(self.at, [])
            for each in found:
                shares += [float(each.mean()), float(each.std())]
        return self._tensor(np.stack(found))

    def pixels(self, cell: str | bytes) -> Array:
        """What the graph is fed with of a cell, before scaling: uint8 (height, width, channels).

        Raises Unreadable where it is no image that is answered.
        """
        if isinstance(cell, DecodedImage):
            return cell.pixels[self.name]
        if cell == MISSING_TEXT:
            raise Unreadable("the image is missing")
        seen = pixels(decoded_bytes(cell), *self.size, self._mode, self._resize, self.most)
        return seen[:, :, ::-1] if self._backwards else seen

    def _tensor(self, every: Array) -> Array:
        """Pixels of shape (rows, height, width, channels) as the graph is fed with them."""
        if not self._numbers and self._layout != "NCHW":
            values = every.astype(self._dtype, copy=False)
        else:  # channels first, since NumPy takes 20 times as long where the last axis is short
            values = every.transpose(0, 3, 1, 2).astype(self._dtype, order="C")
            for operation, number in self._numbers:
                values = operation(values, number)
            if self._layout == "NCHW":
                return values
            values = np.ascontiguousarray(values.transpose(0, 2, 3, 1))
        return values.reshape(len(values), -1) if self._layout is None else values


def gathered(
    feeds: Sequence[ImageFeed], blocks: Sequence[Array], first: int = 0, noted: Noted | None = None
) -> dict[str, Array]:
    """The tensors of all feeds, by name, of rows of a table from the first of these on.

    Raises InvalidRows with every bad image of all columns.
    """
    tensors, problems = dict[str, Array](), dict[Problem, None]()  # in which each is once
    for feed in feeds:
        try:
            tensors[feed.name] = feed.gather(blocks, noted)
        except InvalidRows as error:
            problems |= dict.fromkeys(error.every)
    if problems:
        ordered = sorted(problems, key=lambda problem: problem.row or 0)
        raise InvalidRows([each._replace(row=first + (each.row or 0)) for each in ordered])
    return tensors


def decoded_once(feeds: Sequence[ImageFeed], blocks: Sequence[Array]) -> list[Array]:
    """The blocks of a table, the images of all of a model's feeds decoded: equal ones only once.

    InvalidRows has every row and column whose cell is no image that is answered.
    """
    arrays, problems = list(blocks), list[Problem]()
    for block, position in dict.fromkeys(feed.at for feed in feeds):
        own = [feed for feed in feeds if feed.at == (block, position)]
        arrays[block] = arrays[block].copy()
        cells = arrays[block][:, position].tolist()
        try:
            found = each_cell(cells, own[0].column, cache(partial(_decoded, own)), Unreadable)
            arrays[block][:, position] = packed(found)
        except InvalidRows as error:
            problems += error.every
    if problems:
        raise InvalidRows(sorted(problems, key=lambda problem: problem.row or 0))
    return arrays


def _decoded(feeds: Sequence[ImageFeed], cell: str | bytes) -> DecodedImage:
    return DecodedImage.of(cell, {feed.name: feed.pixels(cell) for feed in feeds})


def as_texts(cells: Array) -> Array:
    """Encoded images in a tensor, as bytes or text, as the text that a column of images has."""
    texts = np.empty(cells.shape, object)
    texts.ravel()[:] = [_as_text(cell) for cell in cells.ravel().tolist()]
    return texts


def _as_text(cell: Any) -> Any:
    """Base64 of bytes; also of those that were read as text, as few files' can be."""
    if isinstance(cell, str):
        if cell.isascii() and "\0" not in cell:
            return cell
        try:
            cell = cell.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            return cell
    return base64.b64encode(cell).decode() if isinstance(cell, bytes) else cell
