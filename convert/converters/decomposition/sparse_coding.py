"""Rows as sums of a few atoms of a dictionary: `sklearn/decomposition/_dict_learning.py`.

By thresholds, or by orthogonal matching pursuit as in `sklearn/linear_model/_omp.py` (_gram_omp),
with its triangular solves written as directions orthogonal to the atoms before. Upstream:
skl2onnx has no converter.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn import decomposition

from onnxlet.convert.graph.converter import Converter, Graph, Outputs, Table, Tensor, Unsupported
from onnxlet.function.arrays import Array

MOST_ATOMS = 32  # the nodes grow with the square: each atom's step uses all before it
LEAST = float(np.finfo(np.float64).eps)


def learned(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """DictionaryLearning and MiniBatchDictionaryLearning."""
    alpha = fitted.alpha if fitted.transform_alpha is None else fitted.transform_alpha
    return _coded(graph, fitted, table, fitted.components_, alpha)


def given(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """SparseCoder."""
    return _coded(graph, fitted, table, fitted.dictionary, fitted.transform_alpha)


def _coded(graph: Graph, fitted: Any, table: Table, dictionary: Any, alpha: Any) -> Outputs:
    atoms = np.asarray(dictionary, dtype=np.float64)
    likeness = graph.matrix(table, "float64") @ atoms.T
    if fitted.transform_algorithm == "threshold":
        codes = _thresholded(likeness, 1.0 if alpha is None else float(alpha))
        codes = codes.maximum(0.0) if fitted.positive_code else codes
    elif fitted.transform_algorithm == "omp":
        codes = _pursued(likeness, atoms @ atoms.T, _count(fitted, atoms))
    else:
        raise Unsupported(
            f"its transform_algorithm {fitted.transform_algorithm} follows a path of solutions",
            "Use omp or threshold.",
        )
    if fitted.split_sign:
        codes = graph.concat([codes.maximum(0.0), (-codes).maximum(0.0)])
    return {"transform": codes.cast(graph.precision)}


def _thresholded(likeness: Tensor, limit: float) -> Tensor:
    return likeness.unary("Sign") * (likeness.unary("Abs") - limit).maximum(0.0)


def _count(fitted: Any, atoms: Array) -> int:
    count = fitted.transform_n_nonzero_coefs
    if count is None:
        count = min(max(atoms.shape[1] / 10, 1), len(atoms))
    if int(count) > MOST_ATOMS:
        raise Unsupported(
            f"it looks for {int(count)} atoms, each among those before",
            f"Set transform_n_nonzero_coefs to {MOST_ATOMS} or less.",
        )
    return int(count)


def _pursued(likeness: Tensor, gram: Array, count: int) -> Tensor:
    """Each step takes the atom most similar to the residual; a row may stop early."""
    left, going = likeness, likeness.take([0]).isnan().cast("float64") + 1.0
    codes = likeness * 0.0
    images: list[Tensor] = []
    directions: list[Tensor] = []
    for _ in range(count):
        index = left.unary("Abs").argmax()
        chosen = index.equals(np.arange(len(gram))).cast("float64")
        image, direction = chosen @ gram, chosen
        for other, axis in zip(images, directions, strict=True):
            along = (other * chosen).sum()
            image, direction = image - along * other, direction - along * axis
        length, gain = (image * chosen).sum(), (left * chosen).sum()
        # An atom that was taken before has no length left.
        fine = (gain * gain >= LEAST) & (length > (LEAST if images else 0.0))
        going = fine.where(going, 0.0)
        size = (length > 0.0).where(length, 1.0).unary("Sqrt")
        images.append(image / size)
        directions.append(direction / size)
        step = going * gain / size
        codes, left = codes + step * directions[-1], left - step * images[-1]
    return codes


CONVERTERS: dict[type, Converter] = {
    decomposition.DictionaryLearning: learned,
    decomposition.MiniBatchDictionaryLearning: learned,
    decomposition.SparseCoder: given,
}
