"""The image that explanations start from: the mean of all, which is nobody's."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from io import BytesIO
from typing import Any

import numpy as np

from onnxlet.convert.directory.reference_statistics import FREQUENT_AT_LEAST
from onnxlet.convert.reference.images import content_of
from onnxlet.convert.reference.inputs import Cells
from onnxlet.convert.spacing import evenly_spaced
from onnxlet.function.arrays import Array
from onnxlet.function.inputs.image_feed import BGR
from onnxlet.function.inputs.images import Unreadable, pixels
from onnxlet.function.models.model import Model

AVERAGED = 500  # images
GREY = 128


def mean_images(model: Model, rows: Sequence[Cells]) -> dict[str, str]:
    """By column of images, their mean as a PNG in base64, of the size that the model sees.

    Of fewer than FREQUENT_AT_LEAST different images it would show them: then it is grey. The
    largest is made where several steps see a column. The rows are in signature order.
    """
    known = {column.name: at for at, column in enumerate(model.signature.columns)}
    seen: dict[str, dict[str, Any]] = {}
    for tensor in model.manifest["graph"]["inputs"]:
        if "image" in tensor:
            name, image = tensor["columns"][0], tensor["image"]
            if _area(image) > _area(seen.get(name, {})):
                seen[name] = image
    return {
        name: png_text(_mean([row[known[name]] for row in rows], image))
        for name, image in seen.items()
    }


def _area(image: dict[str, Any]) -> int:
    return int(image.get("height", 0) * image.get("width", 0))


def _mean(cells: Sequence[Any], image: dict[str, Any]) -> Array:
    """uint8 of shape (height, width, channels)."""
    mode = "RGB" if image["mode"] == BGR else image["mode"]
    form = (image["height"], image["width"], mode, image["resize"])
    texts = list(dict.fromkeys(cell for cell in cells if isinstance(cell, str)))
    total, count = np.zeros(1), 0
    for text in evenly_spaced(texts, AVERAGED):
        try:
            total = total + pixels(content_of(text), *form)
        except Unreadable:
            continue
        count += 1
    if count < FREQUENT_AT_LEAST:
        return np.full((form[0], form[1], 3), GREY, dtype=np.uint8)
    return np.round(total / count).astype(np.uint8)


def png_text(array: Array) -> str:
    """An image, uint8 of shape (height, width[, channels]), as a PNG file in base64."""
    from PIL import Image

    buffer = BytesIO()
    flat = array[:, :, 0] if array.shape[2:] == (1,) else array
    Image.fromarray(flat).save(buffer, "PNG")
    return b64encode(buffer.getvalue()).decode()
