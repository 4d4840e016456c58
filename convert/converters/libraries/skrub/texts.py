"""skrub's encoders of text: StringEncoder, MinHashEncoder and SimilarityEncoder.

Sources: `skrub/_string_encoder.py`, `_minhash_encoder.py`, `_fast_hash.py`,
`_similarity_encoder.py`. A missing text is an empty one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline
from skrub import MinHashEncoder, SimilarityEncoder, StringEncoder
from skrub._fast_hash import gen_atom

from onnxlet.convert.converters.libraries.skrub.cells import text_of
from onnxlet.convert.graph.converter import Converter, Graph, Outputs, Table, Tensor, Unsupported

LONGEST_GRAM = 20  # characters


def string_encoder(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """StringEncoder: TF-IDF of n-grams in float32, its principal directions, one scale."""
    if isinstance(fitted.vectorizer_, Pipeline):
        raise Unsupported(
            "its vectorizer='hashing' counts in 1,048,576 columns",
            "Fit it with vectorizer='tfidf'.",
        )
    text = filled(graph, table)
    weights = graph.call(fitted.vectorizer_, Table((text,), flat=True), "transform")
    weights = weights.cast("float32")
    if hasattr(fitted, "tsvd_"):
        directions = np.asarray(fitted.tsvd_.components_, dtype=np.float64).T
        made = (weights.cast("float64") @ directions).cast("float32")
    else:
        made = weights.take(range(fitted.n_components_))
    return {"transform": made / np.float32(fitted.scaling_factor_)}


def filled(graph: Graph, table: Table) -> Tensor:
    """The one column as text, empty where it is missing."""
    [column] = graph.columns(table)
    return graph.front_end(text_of(graph, column), {"step": "replaced", "pairs": [[None, ""]]})


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
            "step": "similarities",
            "categories": [str(category) for category in known.tolist()],
            "ngram_range": [int(length) for length in fitted.ngram_range],
            "analyzer": fitted.analyzer,
        }
        text = filled(graph, Table((column,)))
        made.append(graph.front_end(text, step, graph.precision, len(known)))
    return {"transform": graph.concat(made)}


CONVERTERS: dict[type, Converter] = {
    MinHashEncoder: min_hash,
    SimilarityEncoder: similarity,
    StringEncoder: string_encoder,
}
