"""Texts cut into pieces: by the vectoriser's own pattern, at places of the text as it came."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnxlet.function.arrays import MISSING_TEXT
from onnxlet.function.explanation.texts import MOST_TOKENS, cut

WORDS: dict[str, Any] = {
    "analyzer": "word",
    "ngram_range": [1, 2],
    "token_pattern": r"(?u)\b\w\w+\b",
    "lowercase": True,
    "strip_accents": None,
    "stop_words": None,
    "n_features": 16,
    "alternate_sign": True,
    "binary": False,
    "replaced": [],
}
KNOWN = {**WORDS, "ngram_range": [1, 1], "vocabulary": ["cafe", "good", "very"]}
CHARACTERS = {**WORDS, "analyzer": "char_wb", "token_pattern": None}
ONE_KNOWN = {"ngram_range": [1, 1], "vocabulary": ["good"]}


def by(code: str) -> dict[str, Any]:
    program = {"code": f"def main(text):\n    return {code}"}
    return {**WORDS, "token_pattern": None, "functions": {"tokenizer": program}}


LISTED = by("[c for c in text if c != ' ']")
SPLIT = by("[w for w in text.split() if len(w) > 1]")
REPLACED = by("text.replace('o', '0').split()")
RAISING = by("[text[99]]")


def tokens(text: str, *vectorisers: dict[str, Any]) -> list[str]:
    return [text[start:end] for start, end in cut(text, vectorisers).spans]


@pytest.mark.parametrize(
    ("text", "vectorisers", "expected"),
    [
        ("A Good-film, très bon!", [WORDS], ["Good", "film", "très", "bon"]),
        ("a Good film", [{**WORDS, "stop_words": ["good"]}], ["film"]),
        ("A Good-film", [CHARACTERS], ["A", "Good-film"]),
        ("A Good-film", [WORDS, CHARACTERS], ["A", "Good-film"]),
        ("这部Film很好，真", [CHARACTERS], ["这", "部", "Film", "很", "好", "，", "真"]),
        ("今天, Very good", [LISTED], ["今", "天", ",", "V", "e", "r", "y", "g", "o", "o", "d"]),
        ("A Good, good film", [SPLIT], ["Good,", "good", "film"]),
        ("A Good, good film", [{**SPLIT, **ONE_KNOWN}], ["good"]),
        ("A Good, good film", [SPLIT, CHARACTERS], ["A", "Good,", "good", "film"]),
        ("A Good", [REPLACED], ["A", "Good"]),
        ("a good", [RAISING], ["a", "good"]),
        ("A Good-film", [WORDS, {**WORDS, "n_features": 8}], ["Good", "film"]),
        ("a very GOOD film", [KNOWN], ["very", "GOOD"]),
        ("a very GOOD film", [{**KNOWN, "lowercase": False}], ["very"]),
        ("a very GOOD film", [KNOWN, {**KNOWN, "vocabulary": ["film"]}], ["very", "GOOD", "film"]),
        ("un Café good", [{**KNOWN, "strip_accents": "unicode"}], ["Café", "good"]),
        ("un Cafe\u0301 good", [{**KNOWN, "strip_accents": "unicode"}], ["Cafe", "good"]),
        ("İİ Café good", [{**KNOWN, "strip_accents": "unicode"}], ["Café", "good"]),
        ("x=12;y=3", [{**WORDS, "token_pattern": r"(\w)=\d"}], ["x", "y"]),
        ("今天很好", [{**WORDS, "token_pattern": r"\w"}], ["今", "天", "很", "好"]),
    ],
)
def test_tokens_are_the_vectorisers(
    text: str, vectorisers: list[dict[str, Any]], expected: list[str]
) -> None:
    assert tokens(text, *vectorisers) == expected


def test_a_piece_is_a_token_and_what_follows_it() -> None:
    pieces = cut("- A Good, film!", [WORDS])
    assert pieces.parts == ["- A Good, ", "film!"]
    assert pieces.spans == [(4, 8), (10, 14)]


@pytest.mark.parametrize("text", ["", "a b c", "!?", MISSING_TEXT])
def test_a_text_without_tokens_is_one_piece(text: str) -> None:
    assert cut(text, [WORDS]) == ([text], [], None)


def test_neighbours_in_long_texts_are_taken_together() -> None:
    text = " ".join(f"word{n}" for n in range(3 * MOST_TOKENS - 20))
    pieces = cut(text, [WORDS])

    assert len(pieces.parts) == len(pieces.spans) <= MOST_TOKENS
    assert pieces.parts[1] == "word3 word4 word5 "
    start, end = pieces.spans[1]
    assert text[start:end] == "word3 word4 word5"


@given(st.text(st.sampled_from("aAbéÉ\u0301İß .,-\n今"), max_size=60))
def test_the_pieces_together_are_the_text(text: str) -> None:
    for settings in (WORDS, KNOWN, CHARACTERS, {**KNOWN, "strip_accents": "ascii"}):
        pieces = cut(text, [settings])
        assert "".join(pieces.parts) == text
        assert all(text[start:end].strip() for start, end in pieces.spans)
        assert sorted(pieces.spans) == pieces.spans
