"""Patches of images, where those of one image stand in one row again.

Source: `sklearn/feature_extraction/image.py`. PatchExtractor makes several rows of one; a function
before it makes images of rows, and one after it makes rows of their patches. What the three do
together is to move numbers within each row.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.feature_extraction.image import PatchExtractor

from onnxlet.convert.converters.registration import Converters
from onnxlet.convert.errors import shortened
from onnxlet.convert.graph.converter import Graph, Table, Tensor, Unsupported, refusing
from onnxlet.function.arrays import Array

HINT = (
    "Put it between two functions, all patches of an image side by side: "
    "FunctionTransformer(lambda X: X.reshape(-1, 28, 28)), PatchExtractor(patch_size=(7, 7)), "
    "FunctionTransformer(lambda P: P.reshape(-1, 22 * 22 * 7 * 7))."
)


def are_patches(steps: Sequence[Any]) -> bool:
    """Whether the second of three steps is a PatchExtractor."""
    return len(steps) == 3 and type(steps[1]) is PatchExtractor


def patches_in_rows(graph: Graph, steps: Sequence[Any], table: Table) -> Tensor:
    """What three steps, the second a PatchExtractor, make of rows by moving numbers in them."""
    whole = graph.matrix(table)
    one = np.arange(whole.width, dtype=np.float64)
    first = _made(steps, one[np.newaxis])
    both = _made(steps, np.stack([one, one + whole.width]))
    expected = np.concatenate([first, first + whole.width])
    if first.shape[0] != 1 or not np.array_equal(both, expected) or not np.isin(first, one).all():
        raise Unsupported(
            "PatchExtractor and the functions around it do more than to move numbers within each "
            "row: they draw patches at random, compute, or leave several rows",
            HINT,
        )
    return whole.take(first[0].astype(np.int64).tolist())


def _made(steps: Sequence[Any], X: Array) -> Array:
    made: Any = X
    try:
        for step in steps:
            made = step.transform(made)
        array = np.asarray(made, dtype=np.float64)
    except Exception as error:  # of a function of the user's own
        reason = f"PatchExtractor: {type(error).__name__}: {shortened(error)}"
        raise Unsupported(reason, HINT) from error
    if array.ndim != 2:
        raise Unsupported(f"the step after PatchExtractor makes shape {array.shape}", HINT)
    return array


# By itself it makes a row of each patch, which is no answer to the row of a request.
CONVERTERS: Converters = {PatchExtractor: refusing("it makes several rows of one image", HINT)}
