"""Documents cut into sentences, by a table of hard cases, and counted."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnxlet.function.inputs.sentences import ANALYZERS, counted, split_sentences

# Sentences that stand one behind the other, parted by a space.
ENGLISH = [
    ["It rained.", "We stayed in."],
    ["Dr. Park met Mr. J. R. Smith at 3.30 p.m. in St. Louis.", "He was late."],
    ["The U.S. economy grew by 2.5 percent.", "In Europe it shrank."],
    ["He lives in the U.S.", "She moved away."],
    ["They came at 5 p.m.", "The shop was closed."],
    ["Acme Inc. sold 3 million.", "Its shares fell."],
    ["He works for Acme Inc.", "The firm is old."],
    ["We saw apples, pears, etc.", "Then we left."],
    ['"Stop!" he cried.', "Nobody did."],
    ['She said: "I am leaving."', "He nodded."],
    ["“Why?” she asked.", "(Nobody knew.)", "They left."],
    ["Wait... what did you say?", "Nothing."],
    ["Well… never mind.", "Go on."],
    ["Really?!", "Yes!!!", "No."],
    ["See fig. 3 and eq. 4, e.g. on p. 12.", "Results vary."],
    ["Visit www.example.org or mail a.b@c.de today.", "Thanks."],
    ["Version 3.11.7 is out.", "It costs $4.50."],
    ["It happened in 2020.", "Nobody noticed."],
    ["Was it I.", "Yes, it was you."],
    ["Yahoo! is a firm.", "So is Acme."],
]
# Sentences that stand one behind the other with nothing between them.
CHINESE = [
    ["今天下雨。", "我们待在家里。"],
    ["你好吗？", "很好！", "谢谢；", "再见……"],
    ["他说：“走吧。”", "她不走。"],
    ["“走吧！”，他说。", "她不走。"],
    ["「好。」", "『不好！』", "（真的。）", "对。"],
    ["价格是3.14元。", "版本2.0很好。"],
    ["真的吗?", "真的!", "好。"],
    ["等等……", "他来了！？", "对。"],
]  # fmt: skip
WHOLE = [
    ("", []),
    (" \n\t ", []),
    ("...", []),
    ("***\n---", []),
    ("No mark at the end", ["No mark at the end"]),
    ("A title\n\nA text. Another one", ["A title", "A text.", "Another one"]),
    ("a line that is\nwrapped here. And on", ["a line that is wrapped here.", "And on"]),
    ("It ended.\nand so on", ["It ended.", "and so on"]),
    ("1. One\n2. Two\r\n3) Three", ["1. One", "2. Two", "3) Three"]),
    ("  One.   Two.\u2028Three.", ["One.", "Two.", "Three."]),
    ("Mixed: 你好。Hello. 再见", ["Mixed: 你好。", "Hello.", "再见"]),
    ("One.Two.", ["One.Two."]),
    ("He left (at 5.) and came back.", ["He left (at 5.) and came back."]),
]  # fmt: skip


@pytest.mark.parametrize("sentences", ENGLISH, ids=" ".join)
def test_english(sentences: list[str]) -> None:
    assert split_sentences(" ".join(sentences)) == sentences


@pytest.mark.parametrize("sentences", CHINESE, ids=range(len(CHINESE)))
def test_chinese(sentences: list[str]) -> None:
    assert split_sentences("".join(sentences)) == sentences
    assert split_sentences("\n".join(sentences)) == sentences


@pytest.mark.parametrize(("document", "sentences"), WHOLE, ids=range(len(WHOLE)))
def test_lines_and_what_is_no_sentence(document: str, sentences: list[str]) -> None:
    assert split_sentences(document) == sentences


@given(st.text(st.sampled_from("aB1 .!?\n\"'()”。？…好"), max_size=80))
def test_nothing_but_spaces_and_marks_is_lost(document: str) -> None:
    joined = "".join(split_sentences(document))
    letters = [c for c in document if c.isalnum()]

    assert [c for c in joined if c.isalnum()] == letters


@pytest.mark.parametrize("unit", ["Mr. ", "1. ", "A.", "好。", ". ", "a\n", "a.\n", "”."])
def test_time_grows_with_the_length(unit: str) -> None:
    document = unit * (100_000 // len(unit))

    begun = time.process_time()
    split_sentences(document)

    assert time.process_time() - begun < 2


def test_tokens_are_words_or_pairs_of_characters() -> None:
    text = "The Cats, 3.5 天气好 很_x"

    assert list(ANALYZERS["auto"](text)) == ["the", "cats", "3", "5", "天气", "气好",
                                             "很", "x"]  # fmt: skip
    assert list(ANALYZERS["word"](text)) == ["the", "cats", "天气好", "很_x"]
    assert list(ANALYZERS["char"]("ab c")) == ["ab", "c"]


def test_documents_are_counted_by_sentence() -> None:
    made = counted([["a b b.", "c"], [], ["b"]], "auto", {"a": 1, "c": 2}, 1)

    expected = {
        "counts": [1, 2, 1, 1],
        "sentences": [0, 0, 1, 2],
        "tokens": [0, 1, 2, 3],
        "weights": [1, 0, 2, 0],
        "documents": [0, 0, 2],
        "ordinals": [0, 1, 0],
        "layout": [[0, 1], [-1, -1], [2, -1]],
    }
    assert {name: array.tolist() for name, array in made._asdict().items()} == expected
    assert [array.dtype for array in made] == [np.float64, *[np.int64] * 6]
