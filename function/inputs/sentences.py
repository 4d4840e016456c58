"""The front end for documents: cut into sentences, and these into tokens, for one graph.

Training cuts by the very same functions. There is no model behind it, so that a sentence begins
where a reader sees why: after a mark that ends one, or in a new line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, pairwise
from typing import Any, NamedTuple

import numpy as np

from onnxlet.function import deadline
from onnxlet.function.arrays import Array

CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
IDEOGRAPHIC = "\u3002\uff01\uff1f\uff1b\uff61"  # full stop, ! ? ; and the half-width full stop
CLOSING = "\"'\u201d\u2019\u300d\u300f\uff09)\\]\u300b\u3009\u3011\u00bb"
END = re.compile(rf"[.!?\u2026{IDEOGRAPHIC}]+[{CLOSING}]*")
WORD_BEFORE = re.compile(r"[^\s(\[{\"'\u201c\u2018]*\Z")
ENDING = (".", "!", "?", "\u2026", *IDEOGRAPHIC)
SPOKEN_ON = "\uff0c\u3001\u3002\uff01\uff1f\uff1b\uff1a"  # marks that go on after a quotation
LONGEST_WORD = 24  # characters before a full stop that are looked at
# What a full stop belongs to; a sentence goes on behind these whatever follows.
TITLES = frozenset(
    {
        "mr", "mrs", "ms", "mx", "dr", "prof", "st", "rev", "fr", "gen", "col", "maj",
        "capt", "lt", "sgt", "cmdr", "gov", "sen", "rep", "hon", "pres", "messrs", "mme",
        "mlle", "vs", "cf", "fig", "figs", "eq", "no", "nos", "vol", "pp", "art", "sec",
        "ch", "approx", "est", "resp", "ca", "e.g", "i.e", "viz", "al", "dept",
    }
)  # fmt: skip
# Behind these only where the next word does not begin a sentence.
OTHERS = frozenset(
    {
        "inc", "ltd", "co", "corp", "jr", "sr", "bros", "etc", "ave", "blvd", "rd", "jan",
        "feb", "mar", "apr", "jun", "jul", "aug", "sep", "sept", "oct", "nov", "dec",
        "mon", "tue", "wed", "thu", "fri", "sat", "sun", "a.m", "p.m", "ph.d", "b.a",
        "m.a",
    }
)  # fmt: skip
STARTING = frozenset(
    {
        "a", "an", "the", "this", "that", "these", "those", "he", "she", "it", "they",
        "we", "you", "i", "his", "her", "its", "their", "our", "my", "but", "and", "so",
        "yet", "however", "in", "on", "at", "by", "for", "from", "with", "when", "while",
        "if", "after", "before", "as", "since", "although", "though", "there", "here",
        "what", "who", "why", "how", "where", "no", "not", "all", "some", "many", "most",
        "one", "two", "then",
        "now", "later", "next", "today", "because", "even", "once",
    }
)  # fmt: skip
TOKEN = re.compile(rf"[{CJK}]+|[^\W_{CJK}]+")
WIDE = re.compile(rf"[{CJK}]")
ANY_WORD = re.compile(r"\w")
WORDS = re.compile(r"\w\w+")
RUNS = re.compile(r"\w+")
UNKNOWN = 0  # where the weight of a token stands that no training sentence has


def split_sentences(document: str) -> list[str]:
    """The sentences of a text, without the spaces around them; those without a word are none.

    A line break ends a sentence, unless the next line goes on in lower case.
    """
    parts = chain.from_iterable(map(_of_block, _blocks(document)))
    return [part for part in parts if ANY_WORD.search(part)]


def _blocks(document: str) -> Iterator[str]:
    """Lines that belong together, joined by a space."""
    open_lines: list[str] = []
    for line in document.splitlines():
        stripped = line.strip()
        before = open_lines[-1].rstrip("\"'\u201d\u2019)") if open_lines else "."
        goes_on = stripped[:1].islower() and before[-1:] not in ENDING
        if not goes_on and open_lines:
            yield " ".join(open_lines)
            open_lines = []
        if stripped:
            open_lines.append(stripped)
    if open_lines:
        yield " ".join(open_lines)


def _of_block(block: str) -> Iterator[str]:
    start = 0
    for found in END.finditer(block):
        if _ends(block, start, found):
            yield block[start : found.end()].strip()
            start = found.end()
    yield block[start:].strip()


def _ends(block: str, start: int, found: re.Match[str]) -> bool:
    """Whether a sentence ends with marks that were found in it."""
    marks, end = found[0], found.end()
    if end == len(block):
        return True
    following = block[end]
    wide = bool(WIDE.match(following))
    if any(mark in marks for mark in IDEOGRAPHIC):
        return following not in SPOKEN_ON
    if not following.isspace():  # 3.14, www.example.org, "stop!", he said
        return wide and not marks.startswith(".")
    after = block[end : end + LONGEST_WORD].lstrip()
    if after[:1].islower():
        return False
    if marks != ".":
        return True
    begun = max(start, found.start() - LONGEST_WORD)
    return _full_stop_ends(block[begun : found.start()], after, begun == start)


def _full_stop_ends(before: str, after: str, whole: bool) -> bool:
    """Whether a full stop ends a sentence, and is no abbreviation's.

    By how the sentence ends `before` it, which may be the `whole` of it, and how the text goes on
    `after`.
    """
    match = WORD_BEFORE.search(before)
    word = match[0] if match else ""
    lower = word.lower()
    if lower in TITLES:
        return False
    if whole and word.isdecimal() and word == before.strip():  # the number of a list's entry
        return False
    initial = len(word) == 1 and word.isupper() and word != "I"
    short = len(word) == 1 and word.islower()
    if initial or short or lower in OTHERS or ("." in word and word.replace(".", "").isalpha()):
        return re.split(r"\W", after.lower(), maxsplit=1)[0] in STARTING and not initial
    return True


def _either(sentence: str) -> Iterable[str]:
    """Words, and pairs of neighbours where there are no spaces between words."""
    for run in TOKEN.findall(sentence.lower()):
        if len(run) == 1 or not WIDE.match(run):
            yield run
        else:
            yield from map("".join, pairwise(run))


def _pairs(sentence: str) -> Iterable[str]:
    for run in RUNS.findall(sentence.lower()):
        yield from map("".join, pairwise(run)) if len(run) > 1 else run


ANALYZERS: Mapping[str, Callable[[str], Iterable[str]]] = {
    "auto": _either,
    "word": lambda sentence: WORDS.findall(sentence.lower()),
    "char": _pairs,
}


class TokenCounts(NamedTuple):
    """Documents as arrays: what their sentences count. All but `counts` are int64."""

    counts: Array  # how often a token occurs in a sentence, float64 of shape (entries,)
    sentences: Array  # which sentence each of these is of, shape (entries,)
    tokens: Array  # which of its document's tokens, counted over all documents, shape (entries,)
    weights: Array  # where the weight of each token stands, UNKNOWN for a new one, shape (tokens,)
    documents: Array  # of which document a sentence is, shape (sentences,)
    ordinals: Array  # its index there, shape (sentences,)
    layout: Array  # the sentences of each document, -1 where it has fewer, shape (documents, width)


def counted(
    documents: Sequence[Sequence[str]], analyzer: str, terms: Mapping[str, int], width: int
) -> TokenCounts:
    """Count the tokens of documents that were cut into sentences, by one of ANALYZERS.

    `terms` has where the weight of each known token stands; the layout has at least `width`
    columns.
    """
    cut = ANALYZERS[analyzer]
    counts: list[int] = []
    of: list[tuple[int, int]] = []
    weights: list[int] = []
    number = 0
    for sentences in documents:
        known: dict[str, int] = {}
        for sentence in sentences:
            here: dict[int, int] = {}
            for token in cut(sentence):
                at = known.get(token)
                if at is None:
                    at = known[token] = len(weights)
                    weights.append(terms.get(token, UNKNOWN))
                here[at] = here.get(at, 0) + 1
            counts += here.values()
            of += [(number, at) for at in here]
            number += 1
    sizes = [len(sentences) for sentences in documents]
    wide = max([width, *sizes])
    ordinals = np.array(list(chain.from_iterable(map(range, sizes))), np.int64)
    owners = np.repeat(np.arange(len(sizes), dtype=np.int64), sizes)
    layout = np.full((len(sizes), wide), -1, np.int64)
    layout[owners, ordinals] = np.arange(number)
    entries = np.array(of, np.int64).reshape(-1, 2)
    return TokenCounts(
        np.array(counts, np.float64), entries[:, 0].copy(), entries[:, 1].copy(),
        np.array(weights, np.int64), owners, ordinals, layout,
    )  # fmt: skip


class SentenceFeed:
    """What the sentences of a column of documents count: the tensors of `TokenCounts`, by name."""

    def __init__(self, entry: Mapping[str, Any], at: tuple[int, int]) -> None:
        """Read a manifest's graph input: `name`, `columns`, and `sentences`.

        These have `analyzer`, `vocabulary`, `width`, and the `tensors` by the names of TokenCounts'
        members. `at` is the block that has the documents, and the column there.
        """
        settings = entry["sentences"]
        self.name = str(entry["name"])
        self._at = at
        self._analyzer, self._width = str(settings["analyzer"]), int(settings["width"])
        self._tensors: Mapping[str, str] = settings["tensors"]
        self._terms = {term: at for at, term in enumerate(settings["vocabulary"], UNKNOWN + 1)}

    def gather(self, blocks: Sequence[Array]) -> dict[str, Array]:
        """All tensors; TookTooLong where the time for the request is over."""
        block, position = self._at
        texts = deadline.checked(blocks[block][:, position].tolist())  # a long one takes long
        return self.tensors(list(map(split_sentences, texts)))

    def tensors(self, documents: Sequence[Sequence[str]]) -> dict[str, Array]:
        """All tensors, of documents that were cut into sentences."""
        made = counted(documents, self._analyzer, self._terms, self._width)._asdict()
        return {self._tensors[member]: array for member, array in made.items()}
