"""Decompositions whose transform is a linear map; partial least squares; random projections.

Source: `sklearn/decomposition/`, `sklearn/cross_decomposition/_pls.py`,
`sklearn/random_projection.py`, `sklearn/neighbors/_nca.py`. Upstream: skl2onnx writes PCA in the
precision of its input and for one input only, has no FactorAnalysis, FastICA or SparsePCA, and of
partial least squares only PLSRegression's predictions.

Decompositions that find a row's components step by step: sparse codes, NMF, topics.

Rows as sums of a few atoms of a dictionary (`sklearn/decomposition/_dict_learning.py`), by
thresholds, or by orthogonal matching pursuit as in `sklearn/linear_model/_omp.py` (_gram_omp), with
its triangular solves written as directions orthogonal to the atoms before.

Rows as mixtures of parts that are not negative: `sklearn/decomposition/_nmf.py` with
`_cdnmf_fast.pyx`, `_lda.py` with `_online_lda_fast.pyx`. All iterate, here in a loop.
LatentDirichletAllocation stops for each row separately. scikit-learn's NMF stops for all rows
together, unless `tol` is 0: here each row takes the steps that it takes by itself, and is compared
with that. Upstream: skl2onnx has none of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn import cross_decomposition, decomposition, neighbors, random_projection
from sklearn.linear_model import ridge_regression

from onnxlet.convert.converters.registration import Converters
from onnxlet.convert.graph.converter import Graph, Outputs, Table, Tensor, Unsupported
from onnxlet.convert.graph.distances import dense
from onnxlet.convert.graph.loops import repeat
from onnxlet.convert.graph.responses import of_matrix, total
from onnxlet.function.arrays import Array


def principal(fitted: Any, x: Tensor) -> Any:
    """PCA and IncrementalPCA, whitened or not."""
    components = np.asarray(fitted.components_, dtype=np.float64)
    # scikit-learn subtracts the mean's projection after the product: it rounds differently.
    made = x @ components.T - fitted.mean_ @ components.T
    if not fitted.whiten:
        return made
    scale = np.sqrt(fitted.explained_variance_)
    return made / np.maximum(scale, np.finfo(scale.dtype).eps)


def factors(fitted: Any, x: Tensor) -> Any:
    """FactorAnalysis: the expected factors (Barber, equation 21.2.33)."""
    weights = fitted.components_ / fitted.noise_variance_
    covariance = np.linalg.inv(np.eye(len(weights)) + weights @ fitted.components_.T)
    return (x - fitted.mean_) @ weights.T @ covariance


def independent(fitted: Any, x: Tensor) -> Any:
    """FastICA."""
    x = x - fitted.mean_ if fitted.whiten else x
    return x @ np.asarray(fitted.components_).T


def sparse_principal(fitted: Any, x: Tensor) -> Any:
    """SparsePCA, MiniBatchSparsePCA: ridge regression on the components, linear in the row."""
    x = x - fitted.mean_
    components = np.asarray(fitted.components_, dtype=np.float64)
    basis = np.eye(components.shape[1])
    of_columns = ridge_regression(components.T, basis, fitted.ridge_alpha, solver="cholesky")
    return x @ np.asarray(of_columns)


def components(fitted: Any, x: Tensor) -> Any:
    """TruncatedSVD, NeighborhoodComponentsAnalysis and random projections."""
    known = fitted.components_
    return x @ (dense(known) if hasattr(known, "toarray") else np.asarray(known)).T


def partial_least_squares(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """PLSRegression, PLSCanonical and CCA: predictions, and the scores of x."""
    x = graph.matrix(table, "float64") - np.asarray(fitted._x_mean)
    predicted = x @ np.asarray(fitted.coef_).T + np.asarray(fitted.intercept_)
    scores = (x / np.asarray(fitted._x_std)) @ fitted.x_rotations_
    return {"predict": predicted.cast(graph.precision), "transform": scores.cast(graph.precision)}


def singular_values(fitted: Any, x: Tensor) -> Any:
    """PLSSVD: the scores of x."""
    return (x - np.asarray(fitted._x_mean)) / np.asarray(fitted._x_std) @ fitted.x_weights_


MOST_ATOMS = 32  # the nodes grow with the square: each atom's step uses all before it
LEAST = float(np.finfo(np.float64).eps)


def dictionary_learning(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """DictionaryLearning and MiniBatchDictionaryLearning."""
    alpha = fitted.alpha if fitted.transform_alpha is None else fitted.transform_alpha
    return _coded(graph, fitted, table, fitted.components_, alpha)


def sparse_coder(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """SparseCoder."""
    return _coded(graph, fitted, table, fitted.dictionary, fitted.transform_alpha)


def _coded(graph: Graph, fitted: Any, table: Table, dictionary: Any, alpha: Any) -> Outputs:
    atoms = np.asarray(dictionary, dtype=np.float64)
    likeness = graph.matrix(table, "float64") @ atoms.T
    if fitted.transform_algorithm == "threshold":
        limit = 1.0 if alpha is None else float(alpha)
        codes = likeness.unary("Sign") * (likeness.unary("Abs") - limit).maximum(0.0)
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


EULER = 0.577215664901532860606512090082402431
EPSILON = float(np.finfo(np.float32).eps)  # scikit-learn's, in place of a zero


def factorised(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """NMF by coordinate descent, up to `max_iter` steps or until little changes in a row."""
    if fitted.solver != "cd":
        raise Unsupported(
            "its first guess is the mean of all rows together, so that an answer depends on the "
            "rows beside",
            "Use solver='cd', or TruncatedSVD.",
        )
    if fitted.shuffle:
        raise Unsupported("it shuffles its components", "Set shuffle=False.")
    parts = np.asarray(fitted.components_, dtype=np.float64)
    l1, _, l2, _ = fitted._compute_regularization(parts)
    gram = parts @ parts.T + l2 * np.eye(len(parts))
    likeness = graph.matrix(table, "float64") @ parts.T - l1

    def step(w: Tensor, first: Tensor, going: Tensor) -> tuple[Sequence[Tensor], Tensor]:
        before, slopes = w, []
        for t, row in enumerate(gram):
            old = w.take([t])
            slope = w @ row.reshape(-1, 1) - likeness.take([t])
            # Where a weight is zero, a slope that would make it negative is none.
            slopes.append(old.equals(0.0).where(slope.minimum(0.0), slope).unary("Abs"))
            if row[t] != 0:
                moved = (old - slope / float(row[t])).maximum(0.0)
                w = graph.concat([*(w.take([j]) for j in range(t)), moved,
                                  *(w.take([j]) for j in range(t + 1, len(gram)))])  # fmt: skip
        violation = total(slopes)
        first = (first < 0.0).where(violation, first)
        changed = (w - before).unary("Abs").sum() > 0.0  # else no further step changes it
        more = going & changed & (violation > first * float(fitted.tol))
        return [going.where(w, before), first, more], more

    start = likeness.take([0]) * 0.0
    states = [likeness * 0.0, start - 1.0, start.equals(0.0)]
    weights = repeat(graph, fitted.max_iter, step, states)[0]
    return {"transform": weights.cast(graph.precision)}


def by_batches(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """MiniBatchNMF by multiplicative updates, from the root of the row's mean."""
    if fitted._beta_loss != 2:
        raise Unsupported(
            f"its beta_loss is {fitted.beta_loss!r}", "Use beta_loss='frobenius', or NMF."
        )
    x, parts = graph.matrix(table, "float64"), np.asarray(fitted.components_, dtype=np.float64)
    l1, _, l2, _ = fitted._compute_regularization(parts)
    likeness, gram = x @ parts.T, parts @ parts.T + l2 * np.eye(len(parts))

    def step(w: Tensor, going: Tensor) -> tuple[Sequence[Tensor], Tensor]:
        below = w @ gram + l1
        made = w * (likeness / below.equals(0.0).where(EPSILON, below))
        moved, norm = ((made - w).sum_of_squares(), made.sum_of_squares())
        more = going & ~((moved / norm).unary("Sqrt") <= float(max(fitted.tol, 0.0)))
        return [going.where(made, w), more], more

    mean = (x.sum() / float(x.width * len(parts))).unary("Sqrt")
    start = mean * np.ones((1, len(parts)))
    weights = repeat(graph, fitted._transform_max_iter, step, [start, mean.equals(mean)])[0]
    return {"transform": weights.cast(graph.precision)}


def allocated(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """LatentDirichletAllocation: each row's share of the topics."""
    counts = graph.matrix(table, "float64")
    words = np.asarray(fitted.exp_dirichlet_component_, dtype=np.float64)
    topics, least = len(words), float(np.finfo(np.float64).eps)
    ones = (counts.take([0]) * 0.0) + np.ones((1, topics))

    def step(topic: Tensor, expected: Tensor, waiting: Tensor) -> tuple[Sequence[Tensor], Tensor]:
        share = counts / (expected @ words + least)
        made = expected * (share @ words.T) + float(fitted.doc_topic_prior_)
        change = (topic - made).unary("Abs").sum() / float(topics)
        settled = ~(change < fitted.mean_change_tol)
        states = [waiting.where(made, topic), waiting.where(_expected(made), expected)]
        return [*states, waiting & settled], waiting & settled

    start = [ones, _expected(ones), counts.take([0]).equals(counts.take([0]))]
    made = repeat(graph, fitted.max_doc_update_iter, step, start)[0]
    return {"transform": (made / made.sum()).cast(graph.precision)}


def _expected(topic: Tensor) -> Tensor:
    """The exponential of the expected logarithms of the shares."""
    return (digamma(topic) - digamma(topic.sum())).unary("Exp")


def digamma(x: Tensor) -> Tensor:
    """For positive numbers: algorithm AS 103 (Bernardo, 1976), as scikit-learn computes it."""
    small = -(1.0 / x) - EULER
    result, shifted = x * 0.0, x
    for _ in range(6):
        low = shifted < 6.0
        result = low.where(result - 1.0 / shifted, result)
        shifted = low.where(shifted + 1.0, shifted)
    r = 1.0 / shifted
    result = result + shifted.unary("Log") - r * 0.5
    r = r * r
    result = result - r * (1.0 / 12.0 - r * (1.0 / 120.0 - r * (1.0 / 252.0)))
    return (x <= 1e-6).where(small, result)


CONVERTERS: Converters = {
    decomposition.FactorAnalysis: of_matrix(factors),
    decomposition.FastICA: of_matrix(independent),
    decomposition.IncrementalPCA: of_matrix(principal),
    decomposition.MiniBatchSparsePCA: of_matrix(sparse_principal),
    decomposition.PCA: of_matrix(principal),
    decomposition.SparsePCA: of_matrix(sparse_principal),
    decomposition.TruncatedSVD: of_matrix(components),
    cross_decomposition.CCA: partial_least_squares,
    cross_decomposition.PLSCanonical: partial_least_squares,
    cross_decomposition.PLSRegression: partial_least_squares,
    cross_decomposition.PLSSVD: of_matrix(singular_values),
    neighbors.NeighborhoodComponentsAnalysis: of_matrix(components),
    random_projection.GaussianRandomProjection: of_matrix(components),
    random_projection.SparseRandomProjection: of_matrix(components),
    decomposition.DictionaryLearning: dictionary_learning,
    decomposition.MiniBatchDictionaryLearning: dictionary_learning,
    decomposition.SparseCoder: sparse_coder,
    decomposition.LatentDirichletAllocation: allocated,
    decomposition.MiniBatchNMF: by_batches,
    decomposition.NMF: factorised,
}
