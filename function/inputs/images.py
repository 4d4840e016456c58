"""The front end for images: encoded bytes become the pixels that a graph is fed with.

Training and serving call `pixels`, so that both see the same. Its order is fixed: limits, the first
frame, EXIF orientation, 16 bits to 8, alpha over white, palettes and CMYK to the mode, resize.
"""

from __future__ import annotations

import base64
import binascii
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from importlib import import_module
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np

from onnxlet.function import deadline
from onnxlet.function.arrays import Array
from onnxlet.function.errors import TookTooLong
from onnxlet.function.inputs.columns import FORMATS, Refused
from onnxlet.function.settings import MAX_PIXELS

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFile import ImageFile

LONGEST_SIDE = 20_000  # pixels
# Of a progressive JPEG: each scan goes over all pixels again, and cameras and encoders write 10.
MOST_SCANS = 64
# How a scan begins, with its length and the channels that this comes from.
SCAN = re.compile(rb"\xff\xda\0(?:\x08\x01|\x0a\x02|\x0c\x03|\x0e\x04)")
MOST_EXIF = 100  # segments of a JPEG: Pillow copies all of those before for each one
MOST_PROFILES = 4  # of a PNG: each may unpack to a megabyte
# Pillow reads a file's parts one by one, in Python: large ones may be many.
MOST_READS, BYTES_A_READ = 50_000, 64
PADDED = 4  # pixels of a TIFF's tiles for each of the image's own, if these are no tiny image's
TINY = 1_000_000  # pixels
ORIENTATION = 0x0112  # EXIF's tag
TILE_WIDTH, TILE_LENGTH = 322, 323  # TIFF's tags

# By how a file begins: its format, and Pillow's class for it. The classes are used as they are,
# since `Image.open` loads every plugin and has a limit of its own, with a warning.
PLUGINS = {
    b"\x89PNG\r\n\x1a\n": ("PNG", "PngImagePlugin", "PngImageFile"),
    b"\xff\xd8\xff": ("JPEG", "JpegImagePlugin", "JpegImageFile"),
    b"RIFF": ("WebP", "WebPImagePlugin", "WebPImageFile"),
    b"GIF87a": ("GIF", "GifImagePlugin", "GifImageFile"),
    b"GIF89a": ("GIF", "GifImagePlugin", "GifImageFile"),
    b"BM": ("BMP", "BmpImagePlugin", "BmpImageFile"),
    b"II*\0": ("TIFF", "TiffImagePlugin", "TiffImageFile"),
    b"MM\0*": ("TIFF", "TiffImagePlugin", "TiffImageFile"),
}
# What else is sent as an image, by a part of its first bytes in lower case.
OTHERS = {
    b"\x89png\x1a": "a PNG without its line breaks: curl's --data removes them, --data-binary not",
    b"<svg": "SVG, which is drawn and has no pixels",
    b"<!doctype html": "an HTML page",
    b"<html": "an HTML page",
    b"<?xml": "XML",
    b"%pdf-": "a PDF",
    b"ftypavif": "AVIF",
    b"ftyphei": "HEIC",
    b"ftypmif1": "HEIC",
    b"pk\3\4": "a ZIP file",
    b"ii+\0": "a BigTIFF",
    b"mm\0+": "a BigTIFF",
}


class Unreadable(Refused):
    """Why something is no image that is answered, in words for a client; without its contents."""


class _File(BytesIO):
    """A file that is read in so many parts, at most."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self._left = MOST_READS + len(content) // BYTES_A_READ

    def read(self, size: int | None = -1, /) -> bytes:
        """Some bytes; Unreadable where there were too many parts before."""
        self._left -= 1
        if self._left < 0:
            raise Unreadable("the image is in too many small parts")
        return super().read(size)


def load_plugins() -> None:
    """Import what decodes, so that no request has to wait for it; ImportError without Pillow."""
    import warnings

    for _, module, _ in PLUGINS.values():
        import_module(f"PIL.{module}")
    import_module("PIL.ImageOps")
    # Of odd metadata, which changes no pixel, and of sizes, which have limits here.
    warnings.filterwarnings("ignore", module=r"PIL\.")


@contextmanager
def opened(content: bytes, most: int = MAX_PIXELS) -> Iterator[ImageFile]:
    """An image whose header was checked; its pixels, at most so many, are not decoded yet.

    Raises Unreadable where it is none, is too large, or what is done with it meanwhile fails.
    """
    kind, module, name = plugin_of(content)
    try:
        _check_parts(content, kind)
        made: Any = getattr(import_module(f"PIL.{module}"), name)
        with made(_File(content)) as image:
            width, height = image.size
            check_size(width, height, most)
            _check_pieces(image, most)
            yield image
    except (Unreadable, TookTooLong):
        raise
    except MemoryError:
        raise Unreadable(f"there is not enough memory for the pixels of the {kind}") from None
    except Exception as error:  # Pillow raises any class for a broken file, and quotes from it
        if type(error).__name__ == "DecompressionBombError":  # a frame larger than the header says
            raise Unreadable(f"the {kind} has more pixels than an image may have") from None
        raise Unreadable(
            f"the {kind} can't be decoded: it is damaged or cut off, or of a rare kind"
        ) from None


def check_size(width: int, height: int, most: int) -> None:
    """Raise Unreadable for an image that has no pixels, too many, or too long a side."""
    if width < 1 or height < 1:
        raise Unreadable(f"the image has no pixels: it is {width} x {height}")
    if max(width, height) > LONGEST_SIDE:
        raise Unreadable(
            f"the image is {width} x {height} pixels, and {LONGEST_SIDE} is the longest side"
        )
    if width * height > most:
        raise Unreadable(
            f"the image is {width} x {height} pixels, and {most} in all are the most"
            " (ONNXLET_MAX_PIXELS)"
        )


def plugin_of(content: bytes) -> tuple[str, str, str]:
    """The format of a file by how it begins, with Pillow's module and class for it.

    Raises Unreadable where it is none of the formats that are read.
    """
    for start, plugin in PLUGINS.items():
        if content.startswith(start) and (start != b"RIFF" or content[8:12] == b"WEBP"):
            return plugin
    if not content:
        raise Unreadable("expected an image, got no bytes")
    head = content[:1024].lower()
    found = next((what for part, what in OTHERS.items() if part in head), "something else")
    raise Unreadable(f"expected {FORMATS}, got {found}")


def _check_parts(content: bytes, kind: str) -> None:
    """Refuse what takes Pillow long, though its image is small.

    That is a JPEG of many scans or EXIF segments, or a PNG of several color profiles.
    """
    if kind == "JPEG":
        # Also what only looks like a scan counts: a camera may add a film to its photo.
        if sum(1 for _ in SCAN.finditer(content)) > MOST_SCANS:
            raise Unreadable(f"the JPEG has more than {MOST_SCANS} scans")
        if content.count(b"Exif\0\0") > MOST_EXIF:
            raise Unreadable(f"the JPEG has more than {MOST_EXIF} segments of EXIF")
    if kind == "PNG" and content.count(b"iCCP") > MOST_PROFILES:
        raise Unreadable(f"the PNG has more than {MOST_PROFILES} color profiles")


def _check_pieces(image: Any, most: int) -> None:
    """Refuse what takes memory or time beyond the image's own size.

    That is a TIFF whose tiles are far larger than the image, or a BMP in runs of one color, which
    Pillow decodes in Python.
    """
    if image.format == "TIFF":
        wide, long = (max(int(image.tag_v2.get(tag, 1)), 1) for tag in (TILE_WIDTH, TILE_LENGTH))
        width, height = image.size
        padded = -(-width // wide) * wide * -(-height // long) * long
        if wide * long > most or padded > max(PADDED * width * height, TINY):
            raise Unreadable("the TIFF has tiles of more pixels than an image may have")
    if image.format == "BMP" and any(tile[0] == "bmp_rle" for tile in image.tile):
        raise Unreadable("the BMP is compressed (RLE); save it without, or as PNG")


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
