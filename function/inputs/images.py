"""The front end for images: encoded bytes become the pixels that a graph is fed with.

Training and serving call `pixels`, so that both see the same. Its order is fixed: limits, the first
frame, EXIF orientation, 16 bits to 8, alpha over white, palettes and CMYK to the mode, resize.
"""

from __future__ import annotations

import base64
import binascii
import re
import threading
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING

import numpy as np

from onnxlet.function import deadline
from onnxlet.function.arrays import Array
from onnxlet.function.inputs.columns import FORMATS, MAX_PIXELS
from onnxlet.function.inputs.image_files import ORIENTATION, Unreadable, opened, plugin_of

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["MODES", "RESIZES", "Unreadable", "decoded_bytes", "picture_size", "pixels"]

MODES = {"L": 1, "RGB": 3}  # and their channels
RESIZES = ("nearest", "box", "bilinear", "hamming", "bicubic", "lanczos")  # Pillow's filters
LARGE = 2_000_000  # pixels: such images are decoded one after another, for memory's sake
_one_large = threading.Lock()
DATA_URL = re.compile(r"data:[^,]{0,200}?(;base64)?,", re.IGNORECASE)
URL = re.compile(r"[a-z][a-z0-9+.-]{1,20}://", re.IGNORECASE)
URL_SAFE = str.maketrans("-_", "+/")


def decoded_bytes(cell: str | bytes) -> bytes:
    """An encoded image out of its text: base64, also of the URL-safe kind, or a `data:` URL.

    Bytes are the image itself, and not changed. A text that is neither raises Unreadable.
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

    Raises Unreadable for what is no image, or of more pixels than `most`.
    """
    with opened(content, most) as image:
        width, height = image.size
        # Pillow's TIFFs have their sides in the order that is seen already.
        turned = image.format != "TIFF" and image.getexif().get(ORIENTATION) in (5, 6, 7, 8)
        return (height, width) if turned else (width, height)


def pixels(
    content: bytes, height: int, width: int, mode: str, resize: str, most: int = MAX_PIXELS
) -> Array:
    """What a model sees of an encoded image: uint8 of shape (height, width, channels).

    Of a GIF it is the first frame. The mode "L" is grey (ITU-R 601-2's luma, as Pillow has it; of a
    JPEG what is in its file), "RGB" is color. Sides are not kept in proportion. Memory is at most
    about 20 bytes for each of the image's pixels, which are at most `most`.

    Raises Unreadable where it is no image, a damaged one, or a too large one; TookTooLong where the
    time for the request is over.
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
    """Raise Unreadable for what is surely no image: by its base64, and by how the file begins."""
    plugin_of(decoded_bytes(cell))
