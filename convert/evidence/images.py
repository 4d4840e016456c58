"""Images made of images: as edge cases, and as ones that might have been held out.

A conversion computes with pixels, and the same function reads these in training and in serving.
What may go wrong lies between: forms and modes of files that one of the two would read otherwise,
and pixels that no held-out image has.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np

from onnxlet.convert.reference.images import content_of, is_readable
from onnxlet.convert.spacing import evenly_spaced

if TYPE_CHECKING:
    from PIL.Image import Image

LARGEST = 256  # pixels of a side: what is made of a photograph is made of a small copy
DONORS = 64  # images that others are blended of
SHIFTS = ((1, 0), (0, -2), (3, 3), (-5, 4))  # pixels
ANGLES = (90, 180, 270, 3, -7, 15)  # degrees
QUALITIES = (95, 75, 30, 5)
WIDE = (1000, 2)  # pixels
ORIENTATION = 0x0112  # the number of EXIF's tag
ORIENTATIONS = (2, 3, 4, 5, 6, 7, 8)


def odd_images(text: str | None) -> Iterator[str]:
    """Other images made of one: moved, turned, written in other ways, of other sizes and modes.

    An image is text in base64; of None, and of what can't be read, nothing is made.
    """
    image = small(text)
    if image is None:
        return
    for made in (*_moved(image), *_of_other_sizes(image), *_of_other_modes(image)):
        yield written(made, "TIFF" if made.mode == "CMYK" else "PNG")
    color = image.convert("RGB")
    for quality in QUALITIES:
        yield written(color, "JPEG", quality=quality)
        yield written(color, "WEBP", quality=quality)
    for form in ("GIF", "BMP", "TIFF"):
        yield written(color, form)
    yield written(color, "WEBP", lossless=True)
    yield written(color.convert("CMYK"), "JPEG")
    for orientation in ORIENTATIONS:
        exif = color.getexif()
        exif[ORIENTATION] = orientation
        yield written(color, "PNG", exif=exif)
        yield written(color, "JPEG", exif=exif)


def small(text: str | None) -> Image | None:
    """An image as it is seen, grey or in colors, no larger than LARGEST; None of no image."""
    from PIL import Image, ImageOps

    if not isinstance(text, str) or not is_readable(text):
        return None
    try:
        with Image.open(BytesIO(content_of(text))) as opened:
            opened.draft("RGB", (LARGEST, LARGEST))  # a JPEG is decoded smaller, where it can be
            image = ImageOps.exif_transpose(opened)
            image = image.convert("L" if image.mode in ("1", "L") else "RGB")
    except OSError:  # what is readable of it is its beginning
        return None
    image.thumbnail((LARGEST, LARGEST))
    return image


def written(image: Image, form: str = "PNG", **settings: Any) -> str:
    """An image as a file of some form, in base64."""
    buffer = BytesIO()
    image.save(buffer, form, **settings)
    return b64encode(buffer.getvalue()).decode()


def _moved(image: Image) -> Iterator[Image]:
    from PIL import Image, ImageOps

    for x, y in SHIFTS:
        yield image.transform(image.size, Image.Transform.AFFINE, (1, 0, x, 0, 1, y))
    for angle in ANGLES:
        yield image.rotate(angle, expand=angle % 90 == 0)
    yield ImageOps.mirror(image)
    yield ImageOps.flip(image)
    yield ImageOps.invert(image)


def _of_other_sizes(image: Image) -> Iterator[Image]:
    width, height = image.size
    half = (max(1, width // 2), max(1, height // 2))
    for size in (half, (2 * width, 2 * height), (1, 1), WIDE, WIDE[::-1]):
        yield image.resize(size)


def _of_other_modes(image: Image) -> Iterator[Image]:
    """Of the modes of Pillow that files have; and one of one color, and of noise."""
    from PIL import Image

    size, color = image.size, image.convert("RGB")
    fading = Image.linear_gradient("L").resize(size)
    for mode in ("L", "1", "CMYK"):
        yield color.convert(mode)
    clear = color.copy()
    clear.putalpha(fading)
    yield clear
    yield clear.convert("LA")
    palette = color.quantize(16)
    yield palette
    see_through = palette.copy()
    see_through.info["transparency"] = 0
    yield see_through
    wide = np.asarray(color.convert("L"), dtype=np.uint16) * 257
    yield Image.fromarray(wide)
    noise = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    yield Image.fromarray(noise)
    yield from (Image.new("L", size, shade) for shade in (0, 255))


class Blends:
    """Images between some of those in a column's cells, which are text in base64."""

    def __init__(self, cells: Sequence[Any]) -> None:
        known = list(dict.fromkeys(cell for cell in cells if isinstance(cell, str)))
        found = (small(cell) for cell in evenly_spaced(known, DONORS))
        self._donors = [image for image in found if image is not None]

    def drawn(self, cells: Sequence[Any], random: np.random.Generator) -> list[Any]:
        """As many images as cells, each of two of them; a gap stays one."""
        from PIL import Image

        count, size = len(self._donors), len(cells)
        if not count:
            return list(cells)
        pairs = random.integers(0, count, (size, 2)).tolist()
        shares = random.random(size).tolist()
        made: list[Any] = []
        for cell, (a, b), share in zip(cells, pairs, shares, strict=True):
            one, other = self._donors[a], self._donors[b]
            mode = one.mode if one.mode == other.mode else "RGB"
            if cell is not None:
                both = (one.convert(mode), other.convert(mode).resize(one.size))
                cell = written(Image.blend(*both, share), compress_level=1)
            made.append(cell)
        return made
