"""Columns of images, as learners are given them; `image_files` finds and reads them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from onnxlet.convert.estimators.bounded_svd import BoundedSVD
from onnxlet.convert.estimators.images import Images
from onnxlet.convert.train.kinds.image_files import KIND, RESIZE, form_named
from onnxlet.convert.train.kinds.kind import Kind, Part, Wanted
from onnxlet.convert.train.kinds.profile import TableColumn
from onnxlet.convert.train.kinds.transformers import COMPONENTS, rounded
from onnxlet.function.arrays import Array

MOST_COMPONENTS = 60  # of images, for all but trees
WEIGHTS = 90_000  # numbers that make components of an image: 8 bytes each of the model
SPREAD = 0.25  # about the standard deviation of pixels from 0 to 1


class ImageKind(Kind):
    """Images of one size: which columns hold them is found out before all others are looked at."""

    name = KIND
    has_form = True
    is_faint = True
    is_looked_up = False

    def linear(self, columns: Sequence[TableColumn], wanted: Wanted) -> list[Part]:
        """Their principal components."""
        return [_components(one, wanted.seed, MOST_COMPONENTS) for one in columns]

    def trees(self, columns: Sequence[TableColumn], wanted: Wanted) -> list[Part]:
        """A few of their principal components."""
        return [_components(one, wanted.seed, COMPONENTS, rounded) for one in columns]

    def width(self, column: TableColumn) -> int:
        """Of its components."""
        return components_of(column, MOST_COMPONENTS)

    def variance(self, column: TableColumn) -> float:
        """Of its pixels."""
        return SPREAD**2 * form_named(column.format).numbers


IMAGE = ImageKind()


def components_of(column: TableColumn, most: int) -> int:
    """How many components the pixels of a column become."""
    numbers = form_named(column.format).numbers
    return max(1, min(most, WEIGHTS // numbers, numbers - 1))


def _components(
    column: TableColumn, seed: int, most: int, last: Callable[[], Any] | None = None
) -> Part:
    """Principal components of pixels from 0 to 1: a decomposition of what is centred."""
    steps = [
        Images(*form_named(column.format), RESIZE),
        FunctionTransformer(from_0_to_1),
        StandardScaler(with_std=False),
        BoundedSVD(components_of(column, most), random_state=seed),
        *([last()] if last else []),
    ]
    return (f"image {column.name}", make_pipeline(*steps), [column.name])


def from_0_to_1(pixels: Array) -> Array:
    """Pixels that were from 0 to 255."""
    return pixels / 255.0
