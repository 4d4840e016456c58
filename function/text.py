"""Text at the door: cut into tokens as scikit-learn does, and counted into the graph's tensors.

Steps and their order: `sklearn/feature_extraction/text.py`, `_VectorizerMixin`. ONNX's own
tokenisers cut otherwise: sklearn-onnx #1019, onnxruntime #4201.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import chain, filterfalse, islice, repeat
from typing import Any

import numpy as np

from function.murmur import murmurhash3
from function.signature import MISSING_TEXT, Array

Cut = Callable[[str], Iterable[str]]
Columns = Callable[[Iterable[str]], Array]  # int64 places of tokens; ~place where it counts down

DOUBLE_SPACE = re.compile(r"\s\s+")
AT_ONCE = 50_000  # tokens that are hashed together
KEPT = 4_000_000  # characters of hashed tokens that are remembered, each token as TOKEN_COST more
TOKEN_COST = 50


class TokenFeed:
    """One input tensor of the graph: how often each token stands in each row's text.

    Attributes:
        name: of the tensor.
        dtype: of the tensor.
        width: its columns, one for each term, or for each remainder of a hash.
    """

    def __init__(self, name: str, dtype: str, at: tuple[int, int], tokens: Mapping[str, Any]):
        """Read a manifest's `tokens`.

        Args:
            name: of the tensor.
            dtype: of the tensor.
            at: the block that has the text, and the column there.
            tokens: settings by scikit-learn's names; `vocabulary`, in the tensor's order, with
                None for a term that no text has, or `n_features` and `alternate_sign`;
                `replaced`, pairs of a text, None for a missing one, and what stands for it.
        """
        self.name = name
        self.dtype = dtype
        self._block, self._place = at
        self._cut = analyser(tokens)
        vocabulary = tokens.get("vocabulary")
        self.width = int(tokens["n_features"] if vocabulary is None else len(vocabulary))
        self._columns: Columns
        if vocabulary is None:
            self._columns = HashedTokens(self.width, bool(tokens["alternate_sign"]))
        else:
            self._columns = partial(_known, {t: place for place, t in enumerate(vocabulary)}.get)
        self._binary = bool(tokens["binary"])
        self._replaced = [
            (MISSING_TEXT if text is None else text, instead)
            for text, instead in tokens.get("replaced", ())
        ]

    def gather(self, blocks: Sequence[Array]) -> Array:
        """The counts, of shape (rows, width)."""
        texts = blocks[self._block][:, self._place].tolist()
        for text, instead in self._replaced:
            texts = [instead if cell == text else cell for cell in texts]
        counts = np.zeros((len(texts), self.width), self.dtype)
        for row, text in zip(counts, texts, strict=True):
            self._count(row, text)
        return counts

    def _count(self, row: Array, text: str) -> None:
        columns = self._columns(self._cut(text))
        down = columns < 0
        if self._binary:
            row[np.where(down, ~columns, columns)] = 1
        elif down.any():
            np.add.at(row, np.where(down, ~columns, columns), np.where(down, -1.0, 1.0))
        else:
            np.add.at(row, columns, 1)


def _known(place_of: Callable[[str, int], int], tokens: Iterable[str]) -> Array:
    places = np.fromiter(map(place_of, tokens, repeat(-1)), np.int64)
    return places[places >= 0]


class HashedTokens:
    """The columns of tokens by their hash: `sklearn/feature_extraction/_hashing_fast.pyx`."""

    def __init__(self, width: int, alternate_sign: bool) -> None:
        self._width = width
        self._alternate_sign = alternate_sign
        self._seen: dict[str, int] = {}
        self._cost = 0

    def __call__(self, tokens: Iterable[str]) -> Array:
        """Where each token counts: place, or ~place where it counts down."""
        left, parts = iter(tokens), []
        while part := list(islice(left, AT_ONCE)):
            parts.append(self._places(part))
        return np.concatenate(parts) if parts else np.empty(0, np.int64)

    def _places(self, tokens: list[str]) -> Array:
        if self._cost > KEPT:
            self._seen, self._cost = {}, 0
        seen = self._seen  # another thread may begin anew, this one stays with what it has
        new = list(set(tokens).difference(seen))
        if new:
            seen.update(zip(new, map(self._place, murmurhash3(new)), strict=True))
            self._cost += sum(map(len, new)) + TOKEN_COST * len(new)
        return np.fromiter(map(seen.__getitem__, tokens), np.int64, len(tokens))

    def _place(self, h: int) -> int:
        place = abs(h) % self._width
        return ~place if self._alternate_sign and h < 0 else place


def analyser(tokens: Mapping[str, Any]) -> Cut:
    """What cuts a text into tokens, in an order of its own: they are only counted."""
    cut = CUT[tokens["analyzer"]](tokens)
    steps: list[Callable[[str], str]] = []
    if tokens["lowercase"]:
        steps.append(str.lower)
    if tokens["strip_accents"]:
        steps.append(STRIP[tokens["strip_accents"]])
    if not steps:
        return cut
    if len(steps) == 1:
        return lambda text: cut(steps[0](text))
    return lambda text: cut(steps[1](steps[0](text)))


def _strip_to_unicode(text: str) -> str:
    if text.isascii():
        return text
    return "".join(filterfalse(unicodedata.combining, unicodedata.normalize("NFKD", text)))


def _strip_to_ascii(text: str) -> str:
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii")


STRIP = {"unicode": _strip_to_unicode, "ascii": _strip_to_ascii}


def _words(tokens: Mapping[str, Any]) -> Cut:
    find = re.compile(tokens["token_pattern"]).findall
    low, high = tokens["ngram_range"]
    stopped = frozenset(tokens["stop_words"] or ())

    def cut(text: str) -> Iterable[str]:
        words = find(text)
        if stopped:
            words = [word for word in words if word not in stopped]
        return words if high == 1 else _word_ngrams(words, low, min(high, len(words)))

    return cut


def _word_ngrams(words: list[str], low: int, high: int) -> Iterable[str]:
    return chain.from_iterable(
        words if n == 1 else map(" ".join, zip(*(words[i:] for i in range(n)), strict=False))
        for n in range(low, high + 1)
    )


def _characters(tokens: Mapping[str, Any]) -> Cut:
    low, high = tokens["ngram_range"]

    def cut(text: str) -> Iterable[str]:
        text = DOUBLE_SPACE.sub(" ", text)
        return chain.from_iterable(
            [text[i : i + n] for i in range(len(text) - n + 1)]
            for n in range(low, min(high, len(text)) + 1)
        )

    return cut


def _characters_in_words(tokens: Mapping[str, Any]) -> Cut:
    low, high = tokens["ngram_range"]

    def cut(text: str) -> Iterable[str]:
        return chain.from_iterable(_inside(f" {word} ", low, high) for word in text.split())

    return cut


def _inside(word: str, low: int, high: int) -> list[str]:
    """The n-grams of a word; a word no longer than n is one, and the last."""
    size = len(word)
    found = [word[i : i + n] for n in range(low, min(high, size) + 1) for i in range(size - n + 1)]
    return found if size >= low else [word]


CUT: Mapping[str, Callable[[Mapping[str, Any]], Cut]] = {
    "word": _words,
    "char": _characters,
    "char_wb": _characters_in_words,
}
