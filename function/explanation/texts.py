"""Cuts a text into pieces that can be left out: each token, with what follows up to the next.

And counts the tokens that a coalition of pieces has, without cutting its text anew.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations, pairwise
from typing import Any, NamedTuple

from onnxlet.function.arrays import MISSING_TEXT, Array
from onnxlet.function.inputs.text import STRIP, TokenFeed, analyser
from onnxlet.function.numpy_later import np

MOST_TOKENS = 50  # of one text; neighbours are taken together beyond
# A word; a character of a script that puts no spaces between words.
ALONE = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
WORD = re.compile(rf"[{ALONE}]|[^\s{ALONE}]+")
Settings = Mapping[str, Any]  # of a vectoriser, as the manifest has them
SHARED = (
    "analyzer",
    "token_pattern",
    "lowercase",
    "strip_accents",
    "ngram_range",
    "stop_words",
    "functions",
)


class Pieces(NamedTuple):
    """A text cut into pieces."""

    parts: list[str]  # together they are the text; one for each player
    # Where each player's tokens start and end; empty where there is no token.
    spans: list[tuple[int, int]]
    # Of each player, as the vectoriser counts them; None where it counts others, or in another way.
    words: list[list[str]] | None = None


def cut(text: str, vectorisers: Sequence[Settings]) -> Pieces:
    """Cut a text as its vectorisers do, or into words where these count characters.

    Where there are no spaces, as in Chinese, each character is a word. Tokens that a function of
    the user's own makes are looked for in the text, one after another. The text is as the client
    sent it, or MISSING_TEXT.
    """
    tokens, words = ([], None) if text == MISSING_TEXT else _tokens(text, vectorisers)
    if not tokens:
        return Pieces([text], [])
    size = -(-len(tokens) // MOST_TOKENS)
    firsts = range(0, len(tokens), size)
    groups = [tokens[first : first + size] for first in firsts]
    spans = [(group[0][0], group[-1][1]) for group in groups]
    starts = [0, *(start for start, _ in spans[1:]), len(text)]
    known = None if words is None else [words[first : first + size] for first in firsts]
    return Pieces([text[a:b] for a, b in pairwise(starts)], spans, known)


def _tokens(
    text: str, vectorisers: Sequence[Settings]
) -> tuple[list[tuple[int, int]], list[str] | None]:
    """The spans of the tokens that can make a difference, and their words."""
    first = vectorisers[0]
    alike = all(all(v.get(key) == first.get(key) for key in SHARED) for v in vectorisers)
    if first["analyzer"] != "word" or not alike or any("steps" in each for each in vectorisers):
        return [found.span() for found in WORD.finditer(text)], None
    if "functions" in first:
        return _found(text, vectorisers) or [each.span() for each in WORD.finditer(text)], None
    prepared, owners = _prepared(text, first)
    pattern = re.compile(first["token_pattern"])
    group = min(pattern.groups, 1)  # scikit-learn takes the group, where there is one
    counts = _counts(vectorisers)
    found = [
        each
        for each in pattern.finditer(prepared)
        if each.end(group) > each.start(group) and counts(each[group])
    ]
    spans = [(owners[each.start(group)], owners[each.end(group) - 1] + 1) for each in found]
    return spans, [each[group] for each in found]


def _found(text: str, vectorisers: Sequence[Settings]) -> list[tuple[int, int]]:
    """Where the tokens of a function stand in the text; empty where one is not to be found."""
    single = {**vectorisers[0], "ngram_range": [1, 1]}
    counts, at, spans = _counts(vectorisers), 0, []
    lower = text.lower()
    whole = lower if len(lower) == len(text) else text
    try:
        tokens = list(analyser(single)(text))
    except Exception:  # the function raises: so does the prediction, which says so
        return []
    for token in tokens:
        start = text.find(token, at)
        start = whole.find(token, at) if start < 0 else start
        if start < 0:
            return []
        at = start + len(token)
        if token and counts(token):
            spans.append((start, at))
    return spans


def _counts(vectorisers: Sequence[Settings]) -> Callable[[str], bool]:
    """Whether a word can change a count: it is in a vocabulary, and is no stop word."""
    stopped = frozenset(vectorisers[0]["stop_words"] or ())
    single_words = vectorisers[0]["ngram_range"][1] == 1
    if single_words and all("vocabulary" in v for v in vectorisers):
        known = frozenset().union(*(v["vocabulary"] for v in vectorisers)) - stopped
        return known.__contains__
    return lambda word: word not in stopped


def _prepared(text: str, settings: Settings) -> tuple[str, Sequence[int]]:
    """The text that tokens are cut from, and for each of its characters the original's index."""
    steps: list[Callable[[str], str]] = [str.lower] if settings["lowercase"] else []
    if settings["strip_accents"]:
        steps.append(STRIP[settings["strip_accents"]])

    def prepare(part: str) -> str:
        for step in steps:
            part = step(part)
        return part

    whole = prepare(text)
    if len(whole) == len(text):
        return whole, range(len(text))
    parts = [prepare(character) for character in text]
    owners = [position for position, part in enumerate(parts) for _ in part]
    return "".join(parts), owners


MOST_PAIRS = 100_000  # of pieces, times the columns that they count in
LONGEST = 2  # words in an n-gram: for longer ones, finding neighbours takes longer than cutting


class TokenCounts:
    """What one token feed counts in coalitions of a text's pieces, which know their words.

    The longest n-gram has `high` words, one or two, the shortest `low`.
    """

    def __init__(self, feed: TokenFeed, pieces: Pieces, low: int, high: int) -> None:
        self._feed, self.name = feed, feed.name
        terms = _terms(pieces.words or [], low, high)
        known = [(owners, count) for owners, text in terms if (count := feed.count([text]))]
        self._positions = sorted({position for _, count in known for position in count})
        at = {position: number for number, position in enumerate(self._positions)}
        pairs = sorted({members for members, _ in known if len(members) > 1})
        self._first, self._last = np.array(pairs, np.intp).reshape(-1, 2).T
        numbers = {pair: len(pieces.parts) + number for number, pair in enumerate(pairs)}
        totals = Counter[tuple[int, int]]()
        for members, count in known:
            for position, value in count.items():
                totals[at[position], numbers.get(members, members[0])] += value
        order = sorted(dict(totals.keys()).items())  # one for each column; most have no other
        self._counted = np.array([number for _, number in order], np.intp)
        self._values = np.array([totals[each] for each in order], np.float32)[:, None]
        self._further = [(*each, np.float32(totals[each])) for each in totals.keys() - order]
        self.width = len(at)
        self.feasible = len(pairs) * len(at) <= MOST_PAIRS

    def tensors(self, masks: Array) -> dict[str, Array]:
        """Both tensors of the feed, for coalitions of shape (rows, pieces)."""
        # No product of matrices: its library takes every core, and spins where others use one.
        there = np.ascontiguousarray(masks.T)
        so_far = there.cumsum(axis=0, dtype=np.uint8)  # of at most MOST_TOKENS
        between = so_far[self._last] - so_far[self._first]  # and the last one
        neighbours = there[self._first] & there[self._last] & (between == 1)
        inside = np.concatenate([there, neighbours])
        counts = inside[self._counted] * self._values
        for column, number, value in self._further:
            counts[column] += inside[number] * value
        return self._feed.tensors(np.ascontiguousarray(counts.T), self._positions)


def _terms(
    words: Sequence[Sequence[str]], low: int, high: int
) -> Iterator[tuple[tuple[int, ...], str]]:
    """All that may be counted: single words, neighbours in a piece, and across pieces.

    Of each the pieces that have to be there, none between them (one, or the first and the last),
    and the text, as the vectoriser counts it.
    """
    for piece, inside in enumerate(words):
        if low == 1:
            yield from (((piece,), word) for word in inside)
        if high == LONGEST:
            yield from (((piece,), f"{a} {b}") for a, b in pairwise(inside))
    if high == LONGEST:
        for first, last in combinations(range(len(words)), 2):
            yield (first, last), f"{words[first][-1]} {words[last][0]}"


def counted(
    feeds: Sequence[TokenFeed], settings: Sequence[Mapping[str, Any]], pieces: Pieces
) -> list[TokenCounts] | None:
    """What all of a text column's feeds count; None where texts have to be cut anew.

    The settings are of the feeds' vectorisers, in the same order.
    """
    low, high = settings[0]["ngram_range"]
    if pieces.words is None or high > LONGEST or any(each["replaced"] for each in settings):
        return None
    found = [TokenCounts(feed, pieces, low, high) for feed in feeds]
    text, whole = "".join(pieces.parts), np.ones((1, len(pieces.parts)), dtype=bool)
    for feed, each in zip(feeds, found, strict=True):
        if not each.feasible or not _same(feed, each.tensors(whole), text):
            return None
    return found


def _same(feed: TokenFeed, tensors: Mapping[str, Array], text: str) -> bool:
    """Whether the whole text is counted as the vectoriser counts it."""
    block, position = feed.at
    cells = np.full((1, position + 1), text, dtype=object)
    expected = feed.gather([cells] * (block + 1))
    return _nonzero(feed, tensors) == _nonzero(feed, expected)


def _nonzero(feed: TokenFeed, tensors: Mapping[str, Array]) -> dict[int, float]:
    counts = zip(tensors[feed.positions].tolist(), tensors[feed.name][0].tolist(), strict=True)
    return {position: count for position, count in counts if count}
