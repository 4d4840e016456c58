"""Images that tests of models of them share: real ones, and made ones in all forms of files."""

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
    """Images, uint8 of shape (1797, 8, 8), and what is written on them."""
    data = load_digits()
    return np.round(data.images * 15.9375).astype(np.uint8), data.target


def faces() -> tuple[Array, Array]:
    """Images, uint8 of shape (200, 25, 25), and which ones are faces."""
    with np.load(FACES) as file:
        return file["images"], np.arange(200) < 100


def noise(seed: int, height: int, width: int) -> Image.Image:
    """An image in colors, with soft edges and hard ones."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (3, 3, 3), dtype=np.uint8)
    image = np.array(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))
    image[: height // 2, width // 3 :: 5] = random.integers(0, 256, 3, dtype=np.uint8)
    return Image.fromarray(image)


def in_mode(image: Image.Image, mode: str) -> Image.Image:
    if mode == "I;16":
        return Image.fromarray(np.asarray(image.convert("L"), dtype=np.uint16) * 250 + 77)
    if mode in ("LA", "RGBA"):
        made = image.convert("RGBA")
        made.putalpha(Image.linear_gradient("L").resize(image.size))
        return made.convert(mode)
    return image.convert(mode)


def encoded(image: Image.Image, form: str = "PNG", **settings: Any) -> bytes:
    buffer = BytesIO()
    image.save(buffer, form, **settings)
    return buffer.getvalue()


def in_all_forms(count: int) -> Iterator[tuple[str, bytes]]:
    """Made images of several sizes in every form of file and mode, one after another."""
    kinds = [(form, mode) for form, modes in FILES.items() for mode in modes]
    for seed in range(count):
        form, mode = kinds[seed % len(kinds)]
        image = noise(seed, 5 + seed * 7 % 40, 3 + seed * 11 % 50)
        yield f"{form} {mode}", encoded(in_mode(image, mode), form)


def written(folder: Path, images: Array) -> list[Path]:
    """Files of images, uint8 of shape (rows, height, width)."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{row}.png" for row in range(len(images))]
    for path, image in zip(paths, images, strict=True):
        Image.fromarray(image).save(path)
    return paths
