"""Pictures that tests of models of them share: real ones, and made ones in all forms of files."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

from onnxlet.function.arrays import Array
from tests.convert.helpers import ROOT

FACES = ROOT / "convert" / "examples" / "data" / "faces.npz"
FILES = {
    "PNG": ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"),
    "JPEG": ("L", "RGB", "CMYK"),
    "WEBP": ("RGB", "RGBA"),
    "GIF": ("L", "P"),
    "BMP": ("1", "L", "P", "RGB"),
    "TIFF": ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"),
}  # modes that each form of file has


def digits() -> tuple[Array, Array]:
    """Pictures, uint8 of shape (1797, 8, 8), and what is written on them."""
    data = load_digits()
    return np.round(data.images * 15.9375).astype(np.uint8), data.target


def faces() -> tuple[Array, Array]:
    """Pictures, uint8 of shape (200, 25, 25), and which ones are faces."""
    with np.load(FACES) as file:
        return file["pictures"], np.arange(200) < 100


def noise(seed: int, height: int, width: int) -> Image.Image:
    """A picture in colours, with soft edges and hard ones."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (3, 3, 3), dtype=np.uint8)
    picture = np.array(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))
    picture[: height // 2, width // 3 :: 5] = random.integers(0, 256, 3, dtype=np.uint8)
    return Image.fromarray(picture)


def in_mode(picture: Image.Image, mode: str) -> Image.Image:
    if mode == "I;16":
        return Image.fromarray(np.asarray(picture.convert("L"), dtype=np.uint16) * 250 + 77)
    if mode in ("LA", "RGBA"):
        made = picture.convert("RGBA")
        made.putalpha(Image.linear_gradient("L").resize(picture.size))
        return made.convert(mode)
    return picture.convert(mode)


def encoded(picture: Image.Image, form: str = "PNG", **settings: Any) -> bytes:
    buffer = BytesIO()
    picture.save(buffer, form, **settings)
    return buffer.getvalue()


def in_all_forms(count: int) -> Iterator[tuple[str, bytes]]:
    """Made pictures of several sizes in every form of file and mode, one after another."""
    kinds = [(form, mode) for form, modes in FILES.items() for mode in modes]
    for seed in range(count):
        form, mode = kinds[seed % len(kinds)]
        picture = noise(seed, 5 + seed * 7 % 40, 3 + seed * 11 % 50)
        yield f"{form} {mode}", encoded(in_mode(picture, mode), form)


def written(folder: Path, pictures: Array) -> list[Path]:
    """Files of pictures, uint8 of shape (rows, height, width)."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{row}.png" for row in range(len(pictures))]
    for path, picture in zip(paths, pictures, strict=True):
        Image.fromarray(picture).save(path)
    return paths
