"""The front end for text: cut into tokens as scikit-learn does, counted into the graph's tensors.

Steps and their order: `sklearn/feature_extraction/text.py`, `_VectorizerMixin`. ONNX's own
tokenisers cut differently: sklearn-onnx #1019, onnxruntime #4201.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import chain, filterfalse, islice, repeat
from math import nan
from typing import Any

from onnxlet.function import deadline
from onnxlet.function.arrays import MISSING_TEXT, Array, Cells, Noted
from onnxlet.function.inputs.feeds import each_cell
from onnxlet.function.inputs.murmur import murmurhash3
from onnxlet.function.numpy_later import np

Cut = Callable[[str], Iterable[str]]
Counts = dict[int, int]  # by column; the columns that are not there are zero
Count = Callable[[Iterable[str]], Counts]

DOUBLE_SPACE = re.compile(r"\s\s+")
FUNCTION = "function"  # the analyzer of a vectoriser whose own is a Python function
UNKNOWN = -1  # the position of a token that is no term
BETWEEN_CHECKS = 8  # texts, of which a build lets none hold the interpreter for 0.1 s
TOKENS_AT_ONCE = 10_000  # tokens that are counted by one call, during which nobody else is answered
RAISING = "scikit-learn raises for this text: the model's own function can't cut it into tokens"
DECOMPOSED_AT_ONCE = 64  # characters that are decomposed together
CACHED_CHARACTERS = 4_000_000  # of hashed tokens; each token counts TOKEN_COST more
TOKEN_COST = 50


class TokenFeed:
    """Counts of the tokens in a column of text, or in several: two input tensors of the graph.

    `name` is of the tensor that has the counts, of shape (rows, k); `positions` of the one that
    says which of `width` columns these are, of shape (k,): there is one for each term, or for each
    remainder of a hash.
    """

    def __init__(
        self, entry: Mapping[str, Any], at: tuple[int, int], *others: tuple[int, int]
    ) -> None:
        """Read a manifest's graph input.

        Args:
            entry: `name`, `places`, `dtype`, and `tokens`: scikit-learn's settings by their
                names; `vocabulary`, in order of the columns, None for a term that no text has,
                or `n_features` and `alternate_sign`; `replaced`, pairs of a text, None for a
                missing one, and what stands for it; `steps` that are taken before, if any;
                `between`, what stands between the texts of several columns.
            at: the block that has the text, and the column there.
            others: of further columns, whose texts come behind.
        """
        tokens = entry["tokens"]
        self.name, self.positions = str(entry["name"]), str(entry["places"])
        self._dtype = str(entry["dtype"])
        self.at, self.every = at, (at, *others)
        self._between = str(tokens.get("between", ""))
        self._cut = analyser(tokens)
        self._binary = bool(tokens["binary"])
        self._replaced = [
            (MISSING_TEXT if text is None else text, instead)
            for text, instead in tokens["replaced"]
        ]
        self._column = str(entry["columns"][0]) if "functions" in tokens else None
        self._count: Count
        # The share of a text's tokens that no term is may be asked for; of several feeds of one
        # text only of the first that has a vocabulary.
        self.noted = "vocabulary" in tokens and not others
        if "vocabulary" in tokens:
            self.width = len(tokens["vocabulary"])
            terms = {term: position for position, term in enumerate(tokens["vocabulary"])}
            self._count = partial(_count_terms, terms.get)
        else:
            self.width = int(tokens["n_features"])
            self._count = HashedTokens(self.width, bool(tokens["alternate_sign"]))

    def count(self, tokens: Iterable[str]) -> Counts:
        """How often they stand in the columns that they count in."""
        counts = self._count(tokens)
        counts.pop(UNKNOWN, None)
        return counts

    def _counts(self, columns: list[Sequence[str]], first: int = 0) -> list[Counts]:
        for text, instead in self._replaced:
            columns = [[instead if cell == text else cell for cell in cells] for cells in columns]
        texts = columns[0]
        if len(columns) > 1:
            texts = list(map(self._between.join, zip(*columns, strict=True)))
        if self._column is not None:  # functions of the user's own cut them, and may raise anything
            return each_cell(
                texts, self._column, self._counted, Exception, lambda error: RAISING, first
            )
        return [self._counted(text) for text in deadline.checked(texts, BETWEEN_CHECKS)]

    def _counted(self, text: str) -> Counts:
        return self._count(self._cut(text))

    def gather(
        self, blocks: Sequence[Array], noted: Noted | None = None, first: int = 0
    ) -> dict[str, Array]:
        """Both tensors, by name; the positions are in order.

        `noted` takes the share of each row's tokens that no term is, NaN where it has none, by
        `at`; `first` is the index of the first row in its batch, to name the others by.

        Raises InvalidRows where a function of the user's own raises for some texts.
        """
        rows = self._counts([blocks[block][:, at].tolist() for block, at in self.every], first)
        positions = self._known(rows, noted)
        counts = np.zeros((len(rows), len(positions)), self._dtype)
        _fill(counts, rows, {position: column for column, position in enumerate(positions)})
        return self.tensors(counts, positions)

    def _known(self, rows: Sequence[Counts], noted: Noted | None) -> list[int]:
        """Which columns some row has, in order, once unknown tokens are noted and left out."""
        if noted is not None and self.noted:
            noted.setdefault(self.at, []).extend(map(_without_unknown, rows))
        else:
            for row in rows:
                row.pop(UNKNOWN, None)
        return sorted(set().union(*rows))

    def cells(self, blocks: Sequence[Cells], noted: Noted | None = None) -> list[Cells]:
        """Both tensors of few rows."""
        given = [blocks[block].values[at :: blocks[block].shape[1]] for block, at in self.every]
        rows = self._counts(given)
        positions = self._known(rows, noted)
        counts: list[Any] = [row.get(position, 0) for row in rows for position in positions]
        if self._binary:
            counts = list(map(bool, counts))
        shape = len(rows), len(positions)
        return [Cells(counts, shape, self._dtype), Cells(positions, shape[1:], "int64")]

    def tensors(self, counts: Array, positions: Sequence[int]) -> dict[str, Array]:
        """Both tensors, of counts in these columns, which are in order."""
        if self._binary:
            counts = counts != 0
        counts = counts.astype(self._dtype, copy=False)
        return {self.name: counts, self.positions: np.array(positions, np.int64)}


def _fill(counts: Array, rows: Sequence[Counts], at: Mapping[int, int]) -> None:
    sizes = np.fromiter(map(len, rows), np.int64, len(rows))
    total = int(sizes.sum())
    if total > TOKENS_AT_ONCE and len(rows) > 1:
        half = len(rows) // 2
        _fill(counts[:half], rows[:half], at)
        _fill(counts[half:], rows[half:], at)
        return
    columns = np.fromiter(map(at.__getitem__, chain.from_iterable(rows)), np.int64, total)
    values = chain.from_iterable(row.values() for row in rows)
    counts[np.repeat(np.arange(len(rows)), sizes), columns] = np.fromiter(
        values, counts.dtype, total
    )


def _without_unknown(counts: Counts) -> float:
    """Take the unknown tokens out of the counts; return their share of all."""
    unknown = counts.pop(UNKNOWN, 0)
    tokens = unknown + sum(counts.values())
    return unknown / tokens if tokens else nan


def _count_terms(position_of: Callable[[str, int], int], tokens: Iterable[str]) -> Counts:
    positions = map(position_of, tokens, repeat(UNKNOWN))
    found = Counter(islice(positions, TOKENS_AT_ONCE))
    for position in positions:
        found[position] += 1
        found.update(islice(positions, TOKENS_AT_ONCE))
    return found


class HashedTokens:
    """Counts tokens by their hash: `sklearn/feature_extraction/_hashing_fast.pyx`."""

    def __init__(self, width: int, alternate_sign: bool) -> None:
        self._width = width
        self._alternate_sign = alternate_sign
        self._hashes: dict[str, int] = {}
        self._cost = 0

    def __call__(self, tokens: Iterable[str]) -> Counts:
        """By position; a token of a negative hash counts down."""
        left, counts = iter(tokens), Counts()
        while part := Counter(islice(left, TOKENS_AT_ONCE)):
            hashes = self._hashes_of(part)
            for token, times in part.items():
                h = hashes[token]
                position = abs(h) % self._width
                down = h < 0 and self._alternate_sign
                counts[position] = counts.get(position, 0) + (-times if down else times)
        return counts

    def _hashes_of(self, tokens: Counter[str]) -> Mapping[str, int]:
        if self._cost > CACHED_CHARACTERS:
            self._hashes, self._cost = {}, 0
        known = self._hashes  # another thread may replace it: this one keeps the one that it has
        new = [token for token in tokens if token not in known]
        if new:
            known.update(zip(new, murmurhash3(new), strict=True))
            self._cost += sum(map(len, new)) + TOKEN_COST * len(new)
        return known


def analyser(tokens: Mapping[str, Any]) -> Cut:
    """A function that cuts a text into tokens; their order is its own, since they are counted."""
    cut = CUT[tokens["analyzer"]](tokens)
    steps: list[Callable[[str], str]] = []
    functions = tokens.get("functions", {})
    if "steps" in tokens:
        from onnxlet.function.inputs.front_end import composed  # for the few models that need it

        steps.append(composed(tokens["steps"]))
    if "preprocessor" in functions:
        from onnxlet.function.inputs import restricted_python  # likewise

        steps.append(restricted_python.function_of(**functions["preprocessor"]))
    if tokens["lowercase"]:
        steps.append(str.lower)
    if tokens["strip_accents"]:
        steps.append(STRIP[tokens["strip_accents"]])
    for step in reversed(steps):
        cut = _after(step, cut)
    return cut


def _after(step: Callable[[str], str], cut: Cut) -> Cut:
    return lambda text: cut(step(text))


def _strip_to_unicode(text: str) -> str:
    if text.isascii():
        return text
    return "".join(filterfalse(unicodedata.combining, _decomposed(text)))


def _strip_to_ascii(text: str) -> str:
    return _decomposed(text).encode("ascii", "ignore").decode("ascii")


def _decomposed(text: str) -> str:
    """NFKD, but for the order of combining marks, which the callers drop.

    NFKD decomposes each character by itself, and then sorts marks that follow each other. Python
    sorts in quadratic time: 40,000 marks on each other took 2.8 s in one call, during which nobody
    else was answered.
    """
    if len(text) <= DECOMPOSED_AT_ONCE:
        return unicodedata.normalize("NFKD", text)
    pieces = (text[at : at + DECOMPOSED_AT_ONCE] for at in range(0, len(text), DECOMPOSED_AT_ONCE))
    return "".join([unicodedata.normalize("NFKD", piece) for piece in pieces])


STRIP = {"unicode": _strip_to_unicode, "ascii": _strip_to_ascii}


def _by_function(tokens: Mapping[str, Any], which: str = "analyzer") -> Callable[[str], list[str]]:
    """Cut by a function of the user's own."""
    from onnxlet.function.inputs import restricted_python  # for the few models that need it

    return restricted_python.tokeniser(tokens["functions"][which])


def _words(tokens: Mapping[str, Any]) -> Cut:
    find: Callable[[str], list[str]]
    if "tokenizer" in tokens.get("functions", {}):
        find = _by_function(tokens, "tokenizer")
    else:
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
    FUNCTION: _by_function,
}
