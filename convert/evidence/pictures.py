"""Pictures made of pictures: as edge cases, and as ones that might have been held out.

A conversion computes with pixels, and the same function reads these in training and in serving.
What may go wrong lies between: forms and modes of files that one of the two would read otherwise,
and pixels that no held-out picture has.
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
DONORS = 64  # pictures that others are blended of
SHIFTS = ((1, 0), (0, -2), (3, 3), (-5, 4))  # pixels
ANGLES = (90, 180, 270, 3, -7, 15)  # degrees
QUALITIES = (95, 75, 30, 5)
WIDE = (1000, 2)  # pixels
ORIENTATION = 0x0112  # the number of EXIF's tag
ORIENTATIONS = (2, 3, 4, 5, 6, 7, 8)


def odd_pictures(text: str | None) -> Iterator[str]:
    """Other pictures made of one: moved, turned, written in other ways, of other sizes and modes.

    Args:
        text: a picture in base64; of None, and of what can't be read, nothing is made.
    """
    picture = small(text)
    if picture is None:
        return
    for made in (*_moved(picture), *_of_other_sizes(picture), *_of_other_modes(picture)):
        yield written(made, "TIFF" if made.mode == "CMYK" else "PNG")
    colour = picture.convert("RGB")
    for quality in QUALITIES:
        yield written(colour, "JPEG", quality=quality)
        yield written(colour, "WEBP", quality=quality)
    for form in ("GIF", "BMP", "TIFF"):
        yield written(colour, form)
    yield written(colour, "WEBP", lossless=True)
    yield written(colour.convert("CMYK"), "JPEG")
    for orientation in ORIENTATIONS:
        exif = colour.getexif()
        exif[ORIENTATION] = orientation
        yield written(colour, "PNG", exif=exif)
        yield written(colour, "JPEG", exif=exif)


def small(text: str | None) -> Image | None:
    """A picture as it is seen, grey or in colours, no larger than LARGEST; None of no picture."""
    from PIL import Image, ImageOps

    if not isinstance(text, str) or not is_readable(text):
        return None
    try:
        with Image.open(BytesIO(content_of(text))) as opened:
            opened.draft("RGB", (LARGEST, LARGEST))  # a JPEG is decoded smaller, where it can be
            picture = ImageOps.exif_transpose(opened)
            picture = picture.convert("L" if picture.mode in ("1", "L") else "RGB")
    except OSError:  # what is readable of it is its beginning
        return None
    picture.thumbnail((LARGEST, LARGEST))
    return picture


def written(picture: Image, form: str = "PNG", **settings: Any) -> str:
    """A picture as a file of some form, in base64."""
    buffer = BytesIO()
    picture.save(buffer, form, **settings)
    return b64encode(buffer.getvalue()).decode()


def _moved(picture: Image) -> Iterator[Image]:
    from PIL import Image, ImageOps

    for x, y in SHIFTS:
        yield picture.transform(picture.size, Image.Transform.AFFINE, (1, 0, x, 0, 1, y))
    for angle in ANGLES:
        yield picture.rotate(angle, expand=angle % 90 == 0)
    yield ImageOps.mirror(picture)
    yield ImageOps.flip(picture)
    yield ImageOps.invert(picture)


def _of_other_sizes(picture: Image) -> Iterator[Image]:
    width, height = picture.size
    half = (max(1, width // 2), max(1, height // 2))
    for size in (half, (2 * width, 2 * height), (1, 1), WIDE, WIDE[::-1]):
        yield picture.resize(size)


def _of_other_modes(picture: Image) -> Iterator[Image]:
    """Of the modes of Pillow that files have; and one of one colour, and of noise."""
    from PIL import Image

    size, colour = picture.size, picture.convert("RGB")
    fading = Image.linear_gradient("L").resize(size)
    for mode in ("L", "1", "CMYK"):
        yield colour.convert(mode)
    clear = colour.copy()
    clear.putalpha(fading)
    yield clear
    yield clear.convert("LA")
    palette = colour.quantize(16)
    yield palette
    see_through = palette.copy()
    see_through.info["transparency"] = 0
    yield see_through
    wide = np.asarray(colour.convert("L"), dtype=np.uint16) * 257
    yield Image.fromarray(wide)
    noise = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    yield Image.fromarray(noise)
    yield from (Image.new("L", size, shade) for shade in (0, 255))


class Blends:
    """Pictures between some of those that are there.

    Args:
        cells: of a column of pictures in base64.
    """

    def __init__(self, cells: Sequence[Any]) -> None:
        known = list(dict.fromkeys(cell for cell in cells if isinstance(cell, str)))
        found = (small(cell) for cell in evenly_spaced(known, DONORS))
        self._donors = [picture for picture in found if picture is not None]

    def drawn(self, cells: Sequence[Any], random: np.random.Generator) -> list[Any]:
        """As many pictures as cells, each of two of them; a gap stays one."""
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
