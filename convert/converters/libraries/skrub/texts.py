"""skrub's encoders of text: StringEncoder, MinHashEncoder, SimilarityEncoder, GapEncoder.

Sources: `skrub/_string_encoder.py`, `_minhash_encoder.py`, `_fast_hash.py`,
`_similarity_encoder.py`, `_gap_encoder.py` (`_multiplicative_update_h`). A missing text is an empty
one.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline
from skrub import GapEncoder, MinHashEncoder, SimilarityEncoder, StringEncoder
from skrub._fast_hash import gen_atom

from onnxlet.convert.converters.extraction.text import tfidf_weights
from onnxlet.convert.converters.libraries.skrub.columns import text_of
from onnxlet.convert.converters.registration import Converters, exact
from onnxlet.convert.graph.categories import Meaning, look_up
from onnxlet.convert.graph.converter import Graph, Outputs, Table, Tensor, Unsupported
from onnxlet.convert.graph.loops import repeat
from onnxlet.function.arrays import Array

LONGEST_GRAM = 20  # characters


def string_encoder(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """StringEncoder: TF-IDF of n-grams in float32, its principal directions, one scale."""
    if isinstance(fitted.vectorizer_, Pipeline):
        raise Unsupported(
            "its vectorizer='hashing' counts in 1,048,576 columns",
            "Fit it with vectorizer='tfidf'.",
        )
    column = Table((filled(graph, table),), flat=True)
    indices, weights, width = tfidf_weights(graph, fitted.vectorizer_, column, "float64")
    weights = weights.cast("float32")
    if hasattr(fitted, "tsvd_"):
        made = _projected(graph, indices, weights, fitted.tsvd_.components_)
    else:
        made = graph.spread(indices, weights, width).take(range(fitted.n_components_))
    return {"transform": made / np.float32(fitted.scaling_factor_)}


def _projected(graph: Graph, indices: Tensor, weights: Tensor, components: Array) -> Tensor:
    """Sparse columns times components, summed in float32 from the first to the last.

    As SciPy's `csr_matvecs` does: where a text has few n-grams, some components are nothing but
    what is rounded there, and a tree after them decides by it.
    """
    count, width = components.shape
    directions = graph.constant(components.T.astype(np.float32), "float32")
    directions = graph.op("Gather", directions, indices, axis=0, dimensions=2)
    shape = graph.constant([0, -1, 1], "int64")
    spread = graph.op("Reshape", weights, shape, dimensions=3, allowzero=0)
    # So wide that not too many rows are computed at once.
    products = graph.op("Mul", spread, directions, width=width * count, dimensions=3)
    pads = graph.constant([0, 1, 0, 0, 0, 0], "int64")  # a zero before the first
    padded = graph.op("Pad", products, pads, dimensions=3)
    sums = graph.op("CumSum", padded, graph.constant(np.array(1), "int64"), dimensions=3)
    last = graph.op("Gather", sums, graph.constant(np.array(-1), "int64"), axis=1)
    return replace(last, width=count, dimensions=2)


def filled(graph: Graph, table: Table) -> Tensor:
    """The one column as text, empty where it is missing."""
    [column] = graph.columns(table)
    return graph.front_end(text_of(graph, column), {"step": "replace_texts", "pairs": [[None, ""]]})


def min_hash(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """MinHashEncoder: the least of the hashes of all n-grams, by several hash functions."""
    low, high = (int(length) for length in fitted.ngram_range)
    if not 1 <= low <= high <= LONGEST_GRAM:
        raise Unsupported(
            f"its ngram_range is {fitted.ngram_range}", f"Keep it between 1 and {LONGEST_GRAM}."
        )
    count = int(fitted.n_components)
    if fitted.hashing == "murmur":
        step = {"step": "murmur_minima", "ngram_range": [low, high], "count": count}
    else:
        seeds = count // 2 if fitted.minmax_hash else count
        atoms = [
            [gen_atom(length, seed=seed).tolist() for seed in range(seeds)]
            for length in range(low, high + 1)
        ]
        step = {"step": "hash_minima", "atoms": atoms, "maxima": bool(fitted.minmax_hash)}
    return {"transform": graph.front_end(filled(graph, table), step, "float32", count)}


def similarity(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """SimilarityEncoder: the share of n-grams that a text has in common with each category."""
    if fitted.handle_missing == "error":
        raise Unsupported("it raises for missing text", "Fit it with handle_missing=''.")
    made = []
    for column, known in zip(graph.columns(table), fitted.categories_, strict=True):
        if column.dtype != "string":
            raise Unsupported("it compares numbers as text", "Give it text.")
        step = {
            "step": "ngram_similarity",
            "categories": [str(category) for category in known.tolist()],
            "ngram_range": [int(length) for length in fitted.ngram_range],
            "analyzer": fitted.analyzer,
        }
        text = filled(graph, Table((column,)))
        made.append(graph.front_end(text, step, graph.precision, len(known)))
    return {"transform": graph.concat(made)}


MOST_UPDATES = 100
EPSILON = 1e-3  # of change, relative to the activations


def gap(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """GapEncoder: how much of each topic is in a text: what explains its n-grams, over one scale.

    Each text is updated by itself, until its activations change by less than a thousandth, at most
    a hundred times. A text of the training rows begins with the activations that fit has left, any
    other with equal ones.
    """
    text = filled(graph, table)
    parts = [fitted.ngrams_count_, *([fitted.word_count_] if fitted.add_words else [])]
    column = Table((text,), flat=True)
    counted = graph.concat([graph.call(part, column, "transform") for part in parts])
    known = np.array(list(fitted.H_dict_), dtype=object)
    unseen = np.full(fitted.n_components, 1.0 / fitted.n_components)
    meaning = Meaning(known, np.array(list(fitted.H_dict_.values())), unseen)
    begun = look_up(graph, Table((text,)), [meaning], "float64")
    return {"transform": _updated(graph, fitted, counted, begun) / float(fitted.scaling_factor_)}


def _updated(graph: Graph, fitted: Any, counted: Tensor, begun: Tensor) -> Tensor:
    """The activations where they no longer change."""
    weights = np.asarray(fitted.W_, dtype=np.float64)
    if fitted.rescale_W:
        sums = np.full(len(weights), 1 + 1 / fitted.gamma_scale_prior)
    else:
        sums = weights.sum(axis=1) + 1 / fitted.gamma_scale_prior
    added = ((fitted.gamma_shape_prior - 1) / sums).reshape(1, -1)
    indices, counts = counted.compact or (None, counted)
    counts = counts.cast("float64")
    topics = _columns(graph, weights, indices)
    shares = _columns(graph, weights / sums.reshape(-1, 1), indices)
    shares = graph.op("Transpose", shares, width=len(weights), perm=[1, 0], dimensions=2)

    def step(active: Tensor, going: Tensor) -> tuple[list[Tensor], Tensor]:
        explained = graph.op("MatMul", active, topics, dimensions=2) + 1e-10
        aux = graph.op("MatMul", counts / explained, shares, width=len(weights), dimensions=2)
        new = active * aux + added
        change = (new - active).sum_of_squares() / active.sum_of_squares()
        on = going.equals(1)
        still = on & (change > EPSILON**2)
        return [on.where(new, active), still.cast("int64")], still

    going = (begun.sum() * 0.0).cast("int64") + 1
    return repeat(graph, MOST_UPDATES, step, [begun, going])[0]


def _columns(graph: Graph, weights: Any, indices: Tensor | None) -> Tensor:
    made = graph.constant(weights, "float64")
    return made if indices is None else graph.op("Gather", made, indices, axis=1, dimensions=2)


CONVERTERS: Converters = {
    MinHashEncoder: exact(min_hash),
    SimilarityEncoder: similarity,
    StringEncoder: string_encoder,
    GapEncoder: gap,
}
