"""Encoded images in tensors: their bytes become the text that a column of images has."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np

from onnxlet.function.arrays import Array
from onnxlet.function.inputs.signature import Signature
from onnxlet.function.messages import Tensor


def with_texts(tensors: Mapping[str, Tensor], signature: Signature) -> Mapping[str, Tensor]:
    """The tensors with base64 for what is an image's bytes; base64 stays as it is."""
    images = {column.name for column in signature.columns if column.image}
    return {
        name: tensor._replace(array=_texts(tensor.array))
        if name in images and tensor.array.dtype == object
        else tensor
        for name, tensor in tensors.items()
    }


def _texts(cells: Array) -> Array:
    texts = np.empty(cells.shape, object)
    texts.ravel()[:] = [_text(cell) for cell in cells.ravel().tolist()]
    return texts


def _text(cell: Any) -> Any:
    """Base64 of bytes; also of those that were read as text, as few files' can be."""
    if isinstance(cell, str):
        if cell.isascii() and "\0" not in cell:
            return cell
        try:
            cell = cell.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            return cell
    return base64.b64encode(cell).decode() if isinstance(cell, bytes) else cell
