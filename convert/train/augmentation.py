"""Training rows once more, their images shifted a little and with noise: data augmentation.

Only what is fitted on is augmented, after the rows were split: a row's copies are never among rows
that are validated or tested on.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from onnxlet.convert.train.kinds.image import CELLS, Form
from onnxlet.function.arrays import Array

COPIES = 4  # of each row
SHIFT = 0.1  # of a side, at most
NOISE = 5.0  # standard deviation, of 255


def augmented(
    X: pd.DataFrame, y: Array, weights: Array | None, seed: int
) -> tuple[pd.DataFrame, Array, Array | None]:
    """Rows, and after them copies of all whose images are shifted and have noise.

    Columns of images have uint8 of shape (height, width[, 3]) in their cells. A copy has its row's
    weight.
    """
    names = images_in(X)
    copies = copies_of(len(X), sum(X[name].iloc[0].size for name in names))
    random = np.random.default_rng(seed)
    parts = [X]
    for _ in range(copies):
        copy = X.copy(deep=False)
        for name in names:
            copy[name] = moved(X[name].tolist(), random)
        parts.append(copy)
    repeated = None if weights is None else np.tile(weights, copies + 1)
    return pd.concat(parts, ignore_index=True), np.tile(y, copies + 1), repeated


def images_in(X: pd.DataFrame) -> list[str]:
    """Names of the columns whose cells are images."""
    return [name for name in X.columns if len(X) and isinstance(X[name].iloc[0], np.ndarray)]


def copies_of(rows: int, numbers: int) -> int:
    """How many copies of each row there are, whose images have so many numbers; at least one."""
    return int(np.clip(CELLS // max(rows * numbers, 1) - 1, 1, COPIES))


def farthest(form: Form) -> tuple[int, int]:
    """Pixels down and to the right by which an image is shifted at most."""
    return _most(form.height), _most(form.width)


def _most(side: int) -> int:
    return max(1, round(SHIFT * side)) if side > 1 else 0


def moved(images: Sequence[Array], random: np.random.Generator) -> Array:
    """Images of one size, each shifted by its own whole number of pixels, and with noise.

    They are uint8 of shape (height, width[, 3]), and come in an array of objects (n,). What a shift
    leaves open gets the nearest pixel of the image.
    """
    height, width = images[0].shape[:2]
    down, right = _most(height), _most(width)
    y = random.integers(-down, down + 1, len(images))
    x = random.integers(-right, right + 1, len(images))
    made = np.empty(len(images), dtype=object)
    for row, image in enumerate(images):
        made[row] = with_noise(shifted(image, int(y[row]), int(x[row])), random)
    return made


def shifted(image: Array, down: int, right: int) -> Array:
    """An image shifted by whole pixels; up and to the left where they are below 0."""
    height, width = image.shape[:2]
    rows = np.clip(np.arange(height) - down, 0, height - 1)
    columns = np.clip(np.arange(width) - right, 0, width - 1)
    return np.asarray(image[rows][:, columns])


def with_noise(image: Array, random: np.random.Generator) -> Array:
    """An image, uint8, with normal noise of `NOISE`."""
    noise = random.normal(0.0, NOISE, image.shape)
    return np.clip(np.round(image + noise), 0, 255).astype(np.uint8)
