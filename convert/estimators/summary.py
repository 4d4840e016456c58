"""Summary: the sentences of a document that say most of it, in their order.

A sentence counts by how central it is, how early it comes, and how long it is. Centrality is the
cosine of its TF-IDF weights with the sum of all sentences of its document: Radev, Jing, Styś and
Tam, "Centroid-based summarization of multiple documents", 2004; cf. Erkan and Radev, "LexRank",
2004. Each sentence counts as a document of the inverse frequencies.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from onnxlet.function.arrays import Array
from onnxlet.function.inputs.sentences import (
    ANALYZERS,
    UNKNOWN,
    TokenCounts,
    counted,
    split_sentences,
)

FEATURES = ("centrality", "position", "length")
USUAL = (1.0, 0.3, 0.2)  # weights of these, where no summaries are there to learn them from
PENALTY = 1.0  # of ridge


class Summary(BaseEstimator):  # type: ignore[misc] # scikit-learn has no types
    """Picks the sentences of a document that summarise it.

    Args:
        sentences: how many, at most.
        analyzer: what is counted in a sentence: `word`, words of two letters and more; `char`,
            pairs of neighbouring characters; `auto`, words, and such pairs in Chinese and Japanese.
        min_df: a token has a weight of its own if so many sentences of the fit have it.
    """

    def __init__(self, sentences: int = 3, *, analyzer: str = "auto", min_df: int = 2) -> None:
        self.sentences = sentences
        self.analyzer = analyzer
        self.min_df = min_df

    def fit(self, documents: Any, summaries: Any = None) -> Summary:
        """Learn the inverse frequencies of tokens, and how long a sentence usually is.

        Args:
            documents: texts, or a table of one column of them.
            summaries: of each, a list of its own key sentences or a text; the weights of
                centrality, position and length are then learned from them, by ridge.

        Raises:
            ValueError: an argument is not what it should be, or there is no sentence.
        """
        if self.analyzer not in ANALYZERS or self.sentences < 1:
            raise ValueError(
                f"expected analyzer to be one of {sorted(ANALYZERS)} and sentences 1 or more, got "
                f"{self.analyzer!r} and {self.sentences!r}"
            )
        cut = [split_sentences(text) for text in texts_of(documents)]
        every = [list(ANALYZERS[self.analyzer](one)) for sentences in cut for one in sentences]
        if not any(every):
            raise ValueError("documents: expected at least one sentence, got none")
        seen = Counter(token for tokens in every for token in set(tokens))
        known = sorted(token for token, times in seen.items() if times >= self.min_df)
        frequencies = np.array([0, *(seen[token] for token in known)])
        self.n_features_in_ = 1
        self.vocabulary_ = known
        self.idf_ = np.log((1 + len(every)) / (1 + frequencies)) + 1
        self.length_ = sum(map(len, every)) / len(every)
        self.coef_ = np.array(USUAL)
        if summaries is not None:
            self.coef_ = self._learned(cut, list(summaries))
        return self

    def _learned(self, cut: Sequence[Sequence[str]], summaries: Sequence[Any]) -> Array:
        """The weights that tell sentences of the summaries from others of the same document."""
        if len(summaries) != len(cut):
            raise ValueError(
                f"summaries: expected {len(cut)}, one a document, got {len(summaries)}"
            )
        made = self._counted(cut)
        wanted = [
            _overlaps(sentences, summary, self.analyzer)
            for sentences, summary in zip(cut, summaries, strict=True)
        ]
        y = np.concatenate([np.array(shares, np.float64) for shares in wanted])
        X = np.column_stack(self._features(made))
        for document in range(len(cut)):
            own = made.documents == document
            if own.any():
                X[own] -= X[own].mean(axis=0)
                y[own] -= y[own].mean()
        return np.linalg.solve(X.T @ X + PENALTY * np.eye(len(FEATURES)), X.T @ y)

    def predict(self, documents: Any) -> list[list[str]]:
        """Of each document the best sentences, in their order; fewer where it has no more."""
        cut = [split_sentences(text) for text in texts_of(documents)]
        return [
            [sentences[at] for at in row if at >= 0]
            for sentences, row in zip(cut, self._best(cut)[0].tolist(), strict=True)
        ]

    def positions(self, documents: Any) -> Array:
        """The index of each of these in its document, -1 for none: (documents, sentences)."""
        return self._best([split_sentences(text) for text in texts_of(documents)])[0]

    def sentence_scores(self, documents: Any) -> Array:
        """The score of each of these, NaN for none: (documents, sentences)."""
        return self._best([split_sentences(text) for text in texts_of(documents)])[1]

    def _best(self, cut: Sequence[Sequence[str]]) -> tuple[Array, Array]:
        scores = self._scores(cut)
        best = np.sort(np.argsort(-scores, axis=1, kind="stable")[:, : self.sentences], axis=1)
        chosen = np.take_along_axis(scores, best, axis=1)
        there = np.isfinite(chosen)
        order = np.argsort(~there, axis=1, kind="stable")  # what is there comes first
        positions, chosen = (
            np.take_along_axis(np.where(there, array, nothing), order, axis=1)
            for array, nothing in ((best, -1), (chosen, np.nan))
        )
        return positions, chosen

    def _scores(self, cut: Sequence[Sequence[str]]) -> Array:
        """Of every sentence, -inf where a document has no more, (documents, most sentences)."""
        check_is_fitted(self)
        made = self._counted(cut)
        features = self._features(made)
        total = features[0] * self.coef_[0]
        for feature, weight in zip(features[1:], self.coef_[1:], strict=True):
            total = total + feature * weight
        return np.append(total, -np.inf)[made.layout]

    def _counted(self, cut: Sequence[Sequence[str]]) -> TokenCounts:
        terms = {term: at for at, term in enumerate(self.vocabulary_, UNKNOWN + 1)}
        return counted(cut, self.analyzer, terms, self.sentences)

    def _features(self, made: TokenCounts) -> tuple[Array, Array, Array]:
        """Centrality, position and length of each sentence; sums run in the entries' order."""
        many = len(made.documents)
        weighted = made.counts * self.idf_[made.weights][made.tokens]
        lengths = np.sqrt(_added(weighted * weighted, made.sentences, many))
        unit = weighted / np.where(lengths == 0, 1, lengths)[made.sentences]
        centroid = _added(unit, made.tokens, len(made.weights))
        dots = _added(unit * centroid[made.tokens], made.sentences, many)
        whole = np.sqrt(_added(dots, made.documents, len(made.layout)))
        centrality = dots / np.where(whole == 0, 1, whole)[made.documents]
        words = _added(made.counts, made.sentences, many)
        return centrality, 1 / (made.ordinals + 1.0), np.minimum(words / self.length_, 1)


def texts_of(documents: Any) -> list[str]:
    """Documents as a list of texts; ValueError where there are other things than texts."""
    if isinstance(documents, pd.DataFrame):
        documents = documents.to_numpy()
    texts = np.asarray(documents, dtype=object)
    if texts.ndim == 2 and texts.shape[1] == 1:
        texts = texts[:, 0]
    if texts.ndim != 1 or not all(isinstance(text, str) for text in texts):
        raise ValueError("documents: expected texts, or a table of one column of them")
    return list(texts)


def _added(values: Array, at: Array, size: int) -> Array:
    """Sums of values by where they belong."""
    sums = np.zeros(size)
    np.add.at(sums, at, values)
    return sums


def _overlaps(sentences: Sequence[str], summary: Any, analyzer: str) -> list[float]:
    """Of each sentence the share of its tokens that the summary has."""
    cut = ANALYZERS[analyzer]
    parts = [summary] if isinstance(summary, str) else summary
    known = {token for part in parts for token in cut(part)}
    found = [set(cut(sentence)) for sentence in sentences]
    return [len(tokens & known) / max(len(tokens), 1) for tokens in found]
