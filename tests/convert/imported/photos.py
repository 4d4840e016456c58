"""Pictures, and graphs that take them, made by hand."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from PIL import Image

from onnxlet.function.arrays import Array
from tests.convert.imported.importing import ask
from tests.convert.imported.onnx_files import model as graph
from tests.convert.imported.onnx_files import node, value

ORIENTATION = 0x0112


def picture(width: int, height: int, seed: int = 0) -> Image.Image:
    """Noise, of few pixels made large, so that resizing changes little of what it is."""
    noise = np.random.default_rng(seed).integers(0, 256, (6, 8, 3)).astype(np.uint8)
    return Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC)


def encoded(image: Image.Image, form: str = "PNG", orientation: int = 1) -> bytes:
    file = io.BytesIO()
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    image.save(file, form, exif=exif)
    return file.getvalue()


def text(image: Image.Image, **more: Any) -> str:
    return base64.b64encode(encoded(image, **more)).decode()


def seen(image: Image.Image, height: int, width: int) -> Array:
    """What Pillow's own resizing gives: float64 of shape (height, width, 3), 0 to 255."""
    return np.asarray(image.resize((width, height), Image.Resampling.BILINEAR), np.float64)


def classifier(dims: Any, axes: tuple[int, int], *, element: int = 1) -> onnx.ModelProto:
    """`logits`: the mean of each channel."""
    nodes = [node("Cast", "x", "numbers", to=1)]
    nodes += [node("ReduceMean", "numbers", "logits", axes=list(axes), keepdims=0)]
    return graph(nodes, [value("x", element, dims)], [value("logits", 1, (dims[0], 3))])


def predictions(folder: Path, texts: list[str]) -> Any:
    return ask(folder, [[each] for each in texts])["prediction"]


def folder_of(folder: Path, images: list[Image.Image]) -> Path:
    folder.mkdir()
    for number, image in enumerate(images):
        (folder / f"{number:03}.png").write_bytes(encoded(image))
    return folder
