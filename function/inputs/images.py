"""The front end for images: encoded bytes become the pixels that a graph is fed with.

Training and serving call `pixels`, so that both see the same. Its order is fixed: limits, the first
frame, EXIF orientation, 16 bits to 8, alpha over white, palettes and CMYK to the mode, resize.
"""

from __future__ import annotations

import base64
import binascii
import re
import threading
from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from onnxlet.function import deadline
from onnxlet.function.arrays import MISSING_TEXT, Array, Noted
from onnxlet.function.errors import InvalidRows, Problem
from onnxlet.function.inputs.columns import FORMATS, MAX_PIXELS
from onnxlet.function.inputs.image_files import (
    ORIENTATION,
    Unreadable,
    load_plugins,
    opened,
    plugin_of,
)
from onnxlet.function.inputs.seen import Seen

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = [
    "MODES",
    "RESIZES",
    "ImageFeed",
    "Unreadable",
    "decoded_bytes",
    "picture_size",
    "pixels",
]

BGR = "BGR"  # of a feed: as RGB, with the channels the other way round, as OpenCV has them
MODES = {"L": 1, "RGB": 3}  # and their channels
RESIZES = ("nearest", "box", "bilinear", "hamming", "bicubic", "lanczos")  # Pillow's filters
# What `scale`, `mean` and `std` do, in this order.
OPERATIONS = {"scale": np.multiply, "mean": np.subtract, "std": np.divide}
LARGE = 2_000_000  # pixels: such images are decoded one after another, for memory's sake
_one_large = threading.Lock()
DATA_URL = re.compile(r"data:[^,]{0,200}?(;base64)?,", re.IGNORECASE)
URL = re.compile(r"[a-z][a-z0-9+.-]{1,20}://", re.IGNORECASE)
URL_SAFE = str.maketrans("-_", "+/")


def decoded_bytes(cell: str | bytes) -> bytes:
    """An encoded image out of its text: base64, also of the URL-safe kind, or a `data:` URL.

    Args:
        cell: the text; or the image itself, which is not changed.

    Raises:
        Unreadable: the text is neither.
    """
    if isinstance(cell, bytes):
        return cell
    text = cell
    if head := DATA_URL.match(cell, 0, 210):
        if head[1] is None:
            raise Unreadable("expected a data: URL with base64, got one without")
        text = cell[head.end() :]
    elif URL.match(cell):
        raise Unreadable("expected the image itself in base64, got an address: none is fetched")
    with suppress(ValueError):  # most texts are base64 as it is written at once
        if content := binascii.a2b_base64(text, strict_mode=True):
            return content
    if "-" in text or "_" in text:
        text = text.translate(URL_SAFE)
    try:
        data = text.encode("ascii").translate(None, b"\r\n\t ")
        content = base64.b64decode(data + b"=" * (-len(data) % 4), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        raise Unreadable(
            f"expected {FORMATS} in base64, or as a data: URL, got other text"
        ) from None
    if not content:
        raise Unreadable(f"expected {FORMATS} in base64, or as a data: URL, got an empty text")
    return content


def picture_size(content: bytes, most: int = MAX_PIXELS) -> tuple[int, int]:
    """Width and height in pixels as the image is seen, its EXIF orientation applied.

    Raises:
        Unreadable: it is no image, or a too large one.
    """
    with opened(content, most) as image:
        width, height = image.size
        # Pillow's TIFFs have their sides in the order that is seen already.
        turned = image.format != "TIFF" and image.getexif().get(ORIENTATION) in (5, 6, 7, 8)
        return (height, width) if turned else (width, height)


def pixels(
    content: bytes, height: int, width: int, mode: str, resize: str, most: int = MAX_PIXELS
) -> Array:
    """What a model sees of an encoded image.

    Args:
        content: PNG, JPEG, WebP, GIF (its first frame), BMP or TIFF.
        height: in pixels.
        width: in pixels.
        mode: "L" is grey (ITU-R 601-2's luma, as Pillow has it; of a JPEG what is in its file),
            "RGB" is color.
        resize: the filter, one of `RESIZES`; sides are not kept in proportion.
        most: pixels that the image may have. Memory is at most about 20 bytes for each.

    Returns:
        uint8 of shape (height, width, channels).

    Raises:
        Unreadable: it is no image, a damaged one, or a too large one.
        TookTooLong: the time for the request is over.
    """
    from PIL import Image, ImageOps

    with opened(content, most) as image:
        large = image.size[0] * image.size[1] > LARGE
        if mode == "L" and image.format == "JPEG":
            image.draft("L", None)  # its own luma, a quarter of the time less than by its colors
        with _one_large if large else nullcontext():
            deadline.check()  # others may have taken all the time
            image.load()
            ImageOps.exif_transpose(image, in_place=True)  # nothing to a TIFF, which `load` turns
            plain = _plain(image, mode)
            if plain.size != (width, height):
                plain = plain.resize((width, height), Image.Resampling[resize.upper()])
            return np.array(plain, np.uint8).reshape(height, width, MODES[mode])


def _plain(image: Image, mode: str) -> Image:
    """The image in a mode of `MODES`, without alpha."""
    if image.mode.startswith("I"):
        return _of_16_bits(image).convert(mode)
    if image.mode == "F":
        raise Unreadable("expected 8 or 16 bits in a channel, got floating-point numbers")
    if image.has_transparency_data:
        return _over_white(image, mode)
    if image.mode == mode:
        return image
    # A palette's colors first: what is grey in it is decided color by color.
    return (
        image.convert("RGB").convert(mode) if image.mode in ("P", "CMYK") else image.convert(mode)
    )


def _of_16_bits(image: Image) -> Image:
    """The high bytes; a 32-bit integer counts as the nearest one of 16 bits."""
    from PIL import Image

    numbers = np.asarray(image)
    high = (np.clip(numbers, 0, 0xFFFF) >> 8).astype(np.uint8)
    clear = image.info.get("transparency")  # the one number that is no pixel, of a PNG
    if isinstance(clear, int):
        high[numbers == clear] = 255
    return Image.fromarray(high)


def _over_white(image: Image, mode: str) -> Image:
    """The image on a white ground, as far as it is transparent."""
    from PIL import Image

    layered = image if image.mode in ("RGBA", "LA") else image.convert("RGBA")
    ground = Image.new("RGB" if layered.mode == "RGBA" else "L", image.size, "white")
    ground.paste(layered, mask=layered.getchannel("A"))
    return ground if ground.mode == mode else ground.convert(mode)


def check_cell(cell: str | bytes) -> None:
    """Refuse what is surely no image: by its base64, and by how the file begins.

    Raises:
        Unreadable: it is none.
    """
    plugin_of(decoded_bytes(cell))


class ImageFeed:
    """The pixels of a column's images: one input tensor of the graph.

    Attributes:
        name: of the tensor.
        column: that has the images.
        at: the block that has the images' texts, and the column there.
        noted: brightness and contrast may be asked for; of several feeds of one column only of
            the first.
        size: height and width of what images become, in pixels.
        width: bytes that a row takes as float64, as which most graphs compute.
        most: pixels that an image may have.
    """

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
        self.name, self.at, self.noted, self.most = str(entry["name"]), at, True, MAX_PIXELS
        self.column = str(entry["columns"][0])
        self._dtype = np.dtype(str(entry["dtype"]))
        self.size = (int(image["height"]), int(image["width"]))
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
        self.width = 8 * int(np.prod(self._shape))

    def gather(self, blocks: Sequence[Array], noted: Noted | None = None) -> Array:
        """The tensor.

        Args:
            blocks: the table's arrays.
            noted: takes each row's brightness and contrast, the mean and standard deviation of
                its pixels, by `at`.

        Raises:
            InvalidRows: with every row whose cell is no image that is answered.
            TookTooLong: the time for the request is over.
        """
        block, position = self.at
        found, problems = list[Array](), list[Problem]()
        for row, cell in enumerate(blocks[block][:, position].tolist()):
            deadline.check()
            try:
                found.append(self.pixels(cell))
            except Unreadable as error:
                problems.append(Problem(row, self.column, str(error)))
        if problems:
            raise InvalidRows(problems)
        if noted is not None and self.noted:
            shares = noted.setdefault(self.at, [])
            for each in found:
                shares += [float(each.mean()), float(each.std())]
        return self._tensor(np.stack(found))

    def pixels(self, cell: str | bytes) -> Array:
        """What the graph is fed with of a cell, before scaling: uint8 (height, width, channels).

        Raises:
            Unreadable: it is no image that is answered.
        """
        if isinstance(cell, Seen):
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
    """The tensors of all feeds, by name.

    Args:
        feeds: of a model.
        blocks: some of a table's rows.
        first: the index of the first of these in the table.
        noted: as `ImageFeed.gather` takes it.

    Raises:
        InvalidRows: with every bad image of all columns.
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
