"""Vectorisers of text: the function counts tokens, the graph weights the counts.

Sources: `sklearn/feature_extraction/text.py`, `sklearn/utils/sparsefuncs_fast.pyx` (norms).
Upstream: skl2onnx leaves that to ONNX's Tokenizer, which splits words differently (sklearn-onnx
#1019, onnxruntime #4201), and has no HashingVectorizer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import (
    CountVectorizer,
    HashingVectorizer,
    TfidfTransformer,
    TfidfVectorizer,
)

from onnxlet.convert.converters.registration import Converters, exact
from onnxlet.convert.converters.text_functions.translation import translated
from onnxlet.convert.graph.converter import Graph, Outputs, Precision, Table, Tensor, Unsupported
from onnxlet.convert.graph.inputs import steps_of
from onnxlet.convert.text_limits.regex_safety import hopeless, runaway
from onnxlet.function.arrays import MISSING_TEXT
from onnxlet.function.inputs.text import FUNCTION

NO_SPACE = r"\S+"  # what str.split splits into
LONGEST_HASHED = 20  # tokens or characters of an n-gram: no vocabulary bounds their number
BYTES_OF_SURE_COUNTS = 4  # integers of so many bytes count all tokens of the longest text


def count(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """CountVectorizer: how often each term occurs in the text."""
    indices, counts, width = _counts(graph, fitted, table)
    return {"transform": graph.spread(indices, counts.cast(graph.precision), width)}


def tfidf(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """TfidfVectorizer: counts, and TfidfTransformer's weights."""
    indices, weighted, width = tfidf_weights(graph, fitted, table, graph.precision)
    return {"transform": graph.spread(indices, weighted.cast(graph.precision), width)}


def tfidf_weights(
    graph: Graph, fitted: Any, table: Table, precision: Precision
) -> tuple[Tensor, Tensor, int]:
    """TfidfVectorizer's columns as in `Tensor.compact`, computed in this precision; their number.

    They are in float32 if its dtype is that.
    """
    indices, counts, width = _counts(graph, fitted, table, precision)
    return indices, _weighted(counts, fitted._tfidf, indices), width


def weights(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """TfidfTransformer, of counts from another step."""
    idf = getattr(fitted, "idf_", None)
    dtype = "float32" if idf is not None and idf.dtype == np.float32 else graph.precision
    counts = graph.matrix(table)
    if counts.compact is None:
        return {"transform": _weighted(counts.cast(dtype), fitted).cast(graph.precision)}
    indices, values = counts.compact
    weighted = _weighted(values.cast(dtype), fitted, indices).cast(graph.precision)
    return {"transform": graph.spread(indices, weighted, counts.width)}


def hashing(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """HashingVectorizer: the remainder of a token's hash is its column."""
    indices, counts, width = _counts(graph, fitted, table)
    normed = _normed(counts, fitted.norm).cast(graph.precision)
    return {"transform": graph.spread(indices, normed, width)}


def _weighted(counts: Tensor, fitted: Any, indices: Tensor | None = None) -> Tensor:
    """TfidfTransformer's weights; `indices` are those of compact columns, None if not compact."""
    graph = counts.graph
    if fitted.sublinear_tf:
        counts = counts.equals(0).where(counts, counts.unary("Log") + 1)
    if hasattr(fitted, "idf_"):
        idf = graph.constant(np.asarray(fitted.idf_), counts.dtype)
        counts = counts * (idf if indices is None else graph.op("Gather", idf, indices, axis=0))
    return _normed(counts, fitted.norm)


def _normed(counts: Tensor, norm: str | None) -> Tensor:
    """Counts over the norm of their row, which is summed in double; a row of zeros stays."""
    if norm is None:
        return counts
    sizes = counts.unary("Abs") if norm == "l1" else counts * counts
    wide = "float64" if counts.graph.precision == "float64" else counts.dtype
    total = sizes.cast(wide).sum()
    length = total if norm == "l1" else total.unary("Sqrt")
    return (counts.cast(wide) / total.equals(0).where(1, length)).cast(counts.dtype)


def _counts(
    graph: Graph, fitted: Any, table: Table, precision: Precision | None = None
) -> tuple[Tensor, Tensor, int]:
    """The function's counts, as in `Tensor.compact`, and the number of columns."""
    text = _text(graph, table)
    tokens = _analysis(fitted, bool(text.steps)) | _columns(fitted)
    steps = steps_of(text)
    if text.steps:
        tokens["steps"] = steps
        if all(pair[0] is not None for pair in steps[-1].get("pairs", ())):  # it fills no gap
            graph.refuse_rows(text.equals(MISSING_TEXT))  # a step may find no text in a text
    tokens["replaced"] = [] if text.steps or not steps else steps[0]["pairs"]
    dtype = "float32" if np.dtype(fitted.dtype) == np.float32 else precision or graph.precision
    width = len(tokens["vocabulary"]) if "vocabulary" in tokens else tokens["n_features"]
    return *graph.count([str(text.column)], dtype, tokens), width


def joined_counts(
    graph: Graph, fitted: Any, columns: Sequence[str], between: str
) -> tuple[Tensor, Tensor]:
    """CountVectorizer's counts of the texts of columns as they come in, with a text between them.

    A missing text is ''. They are int64, as in `Tensor.compact`.
    """
    tokens = _analysis(fitted, True) | _columns(fitted) | {"replaced": [[None, ""]]}
    if len(columns) > 1:
        tokens["between"] = between
    indices, counts = graph.count(columns, "float64", tokens)
    return indices, counts.cast("int64")


def _text(graph: Graph, table: Table) -> Tensor:
    """The one column of text: an input, or an imputed one, with no others beside it."""
    columns = graph.columns(table)
    if len(columns) != 1 or columns[0].dtype != "string":
        raise Unsupported(
            "it is not given one column of text",
            "Give it one column by name: ColumnTransformer([('text', vectoriser, 'column')]).",
        )
    if columns[0].column is None:
        raise Unsupported(
            "it is given text that a step before it has changed",
            "Tokens are cut from the text as it comes in. SimpleImputer may fill it, and functions "
            "with pandas' .str may change it; or the vectoriser's own lowercase, strip_accents, "
            "token_pattern and stop_words.",
        )
    return columns[0]


def _analysis(fitted: Any, changed: bool) -> dict[str, Any]:
    """How text is split into tokens, for `onnxlet.function.inputs.text`.

    Unsupported where that is by Python code, or by a pattern that takes too long on hostile text.
    Where steps before have changed the text, it may be longer than any that comes in.
    """
    if fitted.input != "content":
        raise Unsupported(f"it reads text from input='{fitted.input}'", "Give it the text itself.")
    functions = _functions(fitted)
    words, plain = fitted.analyzer == "word", not {"analyzer", "preprocessor"} & functions.keys()
    own = words and "tokenizer" not in functions
    analysis = {
        "analyzer": fitted.analyzer if "analyzer" not in functions else FUNCTION,
        "ngram_range": _ngram_range(fitted),
        "token_pattern": _pattern(fitted, changed) if own else None,
        "lowercase": bool(fitted.lowercase) and plain,
        "strip_accents": (fitted.strip_accents or None) if plain else None,
        "stop_words": _stop_words(fitted) if words else None,
    }
    return analysis | {"functions": functions} if functions else analysis


def _functions(fitted: Any) -> dict[str, Any]:
    """The functions that cut and change text, by the parameter's name; those that are used."""
    if callable(fitted.analyzer):
        return {"analyzer": translated(fitted.analyzer, "analyzer")}
    found = {}
    if callable(fitted.preprocessor):
        found["preprocessor"] = translated(fitted.preprocessor, "preprocessor")
    elif callable(fitted.strip_accents):
        raise Unsupported(
            "its strip_accents is a Python function", "Give it as preprocessor=, with lowercase."
        )
    cuts = fitted.analyzer == "word" and callable(fitted.tokenizer)
    if cuts and fitted.tokenizer is not str.split:
        found["tokenizer"] = translated(fitted.tokenizer, "tokenizer")
    return found


def _pattern(fitted: Any, changed: bool) -> str:
    if fitted.tokenizer is str.split:
        return NO_SPACE
    reason = (runaway if changed else hopeless)(fitted.token_pattern)
    if reason:
        raise Unsupported(
            reason, "Begin the pattern at a word's edge, \\b, and bound what it repeats: {1,50}."
        )
    return str(fitted.token_pattern)


def _ngram_range(fitted: Any) -> list[int]:
    low, high = (int(length) for length in fitted.ngram_range)
    if fitted.analyzer == "word" and high == 1:
        low = 1
    if low < 1:
        raise Unsupported(f"ngram_range {fitted.ngram_range} begins below 1", "Begin it at 1.")
    if callable(fitted.analyzer):
        return [1, 1]
    if isinstance(fitted, HashingVectorizer) and high > LONGEST_HASHED:
        raise Unsupported(
            f"ngram_range {fitted.ngram_range}: a long text would have too many tokens",
            f"End it at {LONGEST_HASHED} or below.",
        )
    return [low, high]


def _stop_words(fitted: Any) -> list[str] | None:
    words = fitted.get_stop_words()
    return None if words is None else sorted(word for word in words if isinstance(word, str))


def _columns(fitted: Any) -> dict[str, Any]:
    """The column in which each token counts."""
    dtype = np.dtype(fitted.dtype)
    hashed = isinstance(fitted, HashingVectorizer)
    binary = bool(fitted.binary) or dtype.kind == "b"
    wraps = dtype.itemsize < BYTES_OF_SURE_COUNTS or (hashed and dtype.kind == "u")
    if dtype.kind not in "fiub" or (wraps and not binary):
        raise Unsupported(f"it counts in {dtype}, which can overflow", "Give it dtype=numpy.int64.")
    if hashed:
        signed = bool(fitted.alternate_sign) and not binary
        width = int(fitted.n_features)
        return {"binary": binary, "n_features": width, "alternate_sign": signed}
    fitted._check_vocabulary()
    terms = sorted(fitted.vocabulary_, key=fitted.vocabulary_.__getitem__)
    return {"binary": binary, "vocabulary": [t if _is_in_texts(t) else None for t in terms]}


def _is_in_texts(term: Any) -> bool:
    """Whether requests can contain a term: lone surrogates have no UTF-8."""
    try:
        return isinstance(term, str) and bool(term.encode() or True)
    except UnicodeEncodeError:
        return False


CONVERTERS: Converters = {
    CountVectorizer: exact(count),
    TfidfVectorizer: tfidf,
    HashingVectorizer: hashing,
    TfidfTransformer: weights,
}
