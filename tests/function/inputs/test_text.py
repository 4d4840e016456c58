"""Text cut and counted at the door, held against scikit-learn's own vectorisers."""

from __future__ import annotations

import hashlib
import json
import sys
import unicodedata
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import (
    CountVectorizer,
    HashingVectorizer,
    strip_accents_ascii,
    strip_accents_unicode,
)
from sklearn.utils import murmurhash3_32
from werkzeug.test import Client

from onnxlet.convert.converters.registry import converters
from onnxlet.convert.graph.converter import Graph, Table
from onnxlet.convert.to_onnx import root_table
from onnxlet.function.app import create_app
from onnxlet.function.arrays import MISSING_TEXT, Array, Cells
from onnxlet.function.inputs import text
from onnxlet.function.inputs.columns import LONGEST_TEXT, Column
from onnxlet.function.inputs.murmur import MANY_TOKENS, murmurhash3
from onnxlet.function.inputs.signature import COUNTS_AT_ONCE, Signature
from onnxlet.function.inputs.validation import validate_rows
from onnxlet.function.models.model import load_model

TEXTS = [
    "İstanbul'da IŞIK ve ışık, ǅ",
    "ΟΔΥΣΣΕΥΣ ὀδυσσεύς ΣΊΣΥΦΟΣ",
    "我喜欢这部电影，真的 很好。",
    "Crème brûlée, naïve cafe\u0301 ﬁne ½ Ⅷ ßSS ẞ",
    "good 🦙🦙 movie 👩‍👩‍👧",
    "",
    "  \t\n\n a\u00a0\u00a0b  c\u2028\u2029d ",
    "the THE movie is is good good don't well-known 3.14",
    "नमस्ते दुनिया مرحبا بالعالم שָׁלוֹם สวัสดี",
    "Onnx™ at 20 ℃ and 3 ㎰",  # in capitals only once it is taken apart
]
LETTERS = st.text() | st.text("aA1 \t\nİßΣé\u0301中🦙-'") | st.sampled_from(TEXTS)
STOPPED = {"stop_words": ["the", "is", "aa", "a"]}
ANALYSES: list[dict[str, Any]] = [
    {},
    {"lowercase": False},
    {"ngram_range": (1, 2), **STOPPED},
    {"ngram_range": (2, 4), "token_pattern": r"\w", "strip_accents": "unicode"},
    {"ngram_range": (0, 1)},
    {"token_pattern": r"(\w)\w*|\d"},
    {"token_pattern": r"(?i)[a-zß]+", "strip_accents": "ascii", "lowercase": False},
    {"token_pattern": r"\S+"},
    {"analyzer": "char"},
    {"analyzer": "char", "ngram_range": (2, 5), "strip_accents": "ascii"},
    {"analyzer": "char_wb", "ngram_range": (1, 3), "lowercase": False},
    {"analyzer": "char_wb", "ngram_range": (3, 6), "strip_accents": "unicode"},
    {"analyzer": "char_wb", "ngram_range": (5, 5)},
]
MINUS_2_31 = "akqlrggi"  # the hash that has no absolute value in 32 bits


def tokens_of(vectoriser: Any) -> dict[str, Any]:
    """A manifest's `tokens`, as the converter writes them, after their way through JSON."""
    graph = Graph("float64", converters())
    graph.call(vectoriser, root_table(graph, [Column("text", "string")], "columns"), "transform")
    [entry] = [entry for entry in graph.inputs if "tokens" in entry]
    read: dict[str, Any] = json.loads(json.dumps(entry))
    return read


def counts_of(vectoriser: Any, texts: list[str]) -> Array:
    entry = tokens_of(vectoriser)
    cells = np.array(texts, dtype=object).reshape(-1, 1)
    fed = text.TokenFeed(entry, (0, 0)).gather([cells])
    places = fed[entry["places"]]
    width = len(entry["tokens"].get("vocabulary", [])) or entry["tokens"]["n_features"]
    whole = np.zeros((len(texts), width))
    whole[:, places] = fed[entry["name"]]
    assert places.tolist() == sorted(set(places.tolist()))
    return whole


@pytest.mark.long
@pytest.mark.parametrize("analysis", ANALYSES, ids=str)
@settings(max_examples=150, deadline=None)
@given(document=LETTERS)
@example(document=TEXTS[-1])
def test_text_is_cut_as_scikit_learn_cuts_it(analysis: dict[str, Any], document: str) -> None:
    vectoriser = HashingVectorizer(**analysis)
    cut = text.analyser(tokens_of(vectoriser)["tokens"])

    assert Counter(cut(document)) == Counter(vectoriser.build_analyzer()(document))


EVERY_CHARACTER = "".join(chr(c) for c in range(sys.maxunicode + 1) if not 0xD800 <= c < 0xE000)
MARKS = [c for c in EVERY_CHARACTER if unicodedata.combining(c)]
COMPOSED = st.characters(min_codepoint=0xAC00, max_codepoint=0xD7A3) | st.sampled_from(
    "한글ힰㅎᄒ각ệǖΐשׁﷺﬃ½Åℵ㎯\U0001d15e\u0f77\u0344"  # Hangul, composites, compatibility
)
ACCENTED = st.lists(st.characters() | st.sampled_from(MARKS) | COMPOSED, max_size=400)


@settings(max_examples=300, deadline=None)
@given(characters=ACCENTED)
@example(characters=list("e" + "\u0327\u0301" * 500))
@example(characters=["a" * (text.DECOMPOSED_AT_ONCE - 1), "\u0301\u0327", "\u1100\u1161"])
def test_accents_are_stripped_as_scikit_learn_strips_them(characters: list[str]) -> None:
    document = "".join(characters)

    assert text.STRIP["unicode"](document) == strip_accents_unicode(document)
    assert text.STRIP["ascii"](document) == strip_accents_ascii(document)


def test_every_character_is_stripped_as_scikit_learn_strips_it() -> None:
    """In an order of their own too, so that each mark meets many others."""
    mixed = "".join(EVERY_CHARACTER[start::1009] for start in range(1009))
    assert text.STRIP["unicode"](EVERY_CHARACTER) == strip_accents_unicode(EVERY_CHARACTER)
    assert text.STRIP["ascii"](mixed) == strip_accents_ascii(mixed)
    for mark in MARKS:  # dropping marks is what makes their order no matter
        assert text.STRIP["unicode"](mark) == strip_accents_unicode(mark) == ""


def test_marks_on_each_other_cost_no_more_than_as_many_letters(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each call puts few marks in order: it is quadratic, and stops everybody else meanwhile."""
    longest = 0

    def normalize(form: str, piece: str) -> str:
        nonlocal longest
        longest = max(longest, len(piece))
        return unicodedata.normalize(form, piece)  # type: ignore[arg-type] # NFKD

    monkeypatch.setattr(text, "unicodedata", SimpleNamespace(
        normalize=normalize, combining=unicodedata.combining
    ))  # fmt: skip
    for strip in text.STRIP.values():
        assert strip("\u0301\u0323" * (LONGEST_TEXT // 2)) == ""
    assert 0 < longest <= 100


@settings(max_examples=150, deadline=None)
@given(tokens=st.lists(st.text(max_size=40), min_size=1))
@example(tokens=[MINUS_2_31, "", "a", "é" * 40, "\0", "ab\0\0"])
@example(tokens=["word" * n + "x" * (n % 4) for n in range(2 * MANY_TOKENS)])
@example(tokens=[MINUS_2_31] * MANY_TOKENS)
def test_hashes_are_those_of_scikit_learn(tokens: list[str]) -> None:
    expected = [murmurhash3_32(token, seed=0) for token in tokens]

    assert murmurhash3(tokens) == expected
    assert murmurhash3(tokens * MANY_TOKENS)[: len(tokens)] == expected


@pytest.mark.parametrize("width", [1, 2, 7, 1000, 2**20])
@pytest.mark.parametrize("settings_", [{}, {"alternate_sign": False}, {"binary": True}])
def test_hashed_tokens_count_where_scikit_learn_counts_them(
    width: int, settings_: dict[str, Any]
) -> None:
    texts = [*TEXTS, MINUS_2_31, f"{MINUS_2_31} {MINUS_2_31} good"]
    vectoriser = HashingVectorizer(n_features=width, norm=None, **settings_)

    got = counts_of(vectoriser, texts)

    assert np.array_equal(got, vectoriser.transform(texts).toarray())


def test_hashes_are_forgotten_before_they_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "CACHED_CHARACTERS", 1000)
    counted = text.HashedTokens(2**20, True)
    for start in range(0, 1000, 10):
        tokens = [f"token{number}" for number in range(start, start + 10)]
        assert sum(map(abs, counted(tokens).values())) == 10
        assert len(counted._hashes) <= 1000 / text.TOKEN_COST + 10


def test_a_long_text_is_hashed_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "TOKENS_AT_ONCE", 7)
    vectoriser = HashingVectorizer(n_features=11, norm=None, analyzer="char", ngram_range=(1, 3))
    texts = [" ".join(TEXTS), ""]

    assert np.array_equal(counts_of(vectoriser, texts), vectoriser.transform(texts).toarray())


def test_terms_that_no_text_has_keep_their_column() -> None:
    vectoriser = CountVectorizer(vocabulary=["good", "\ud800", ("a", "b"), "movie"])
    vectoriser.fit(TEXTS)

    entry = tokens_of(vectoriser)

    assert entry["tokens"]["vocabulary"] == ["good", None, None, "movie"]
    assert np.array_equal(counts_of(vectoriser, TEXTS), vectoriser.transform(TEXTS).toarray())


def test_a_text_stands_for_another() -> None:
    entry = tokens_of(CountVectorizer().fit(["good", "gap"]))
    entry["tokens"]["replaced"] = [[None, "?"], ["?", "gap gap"]]
    cells = np.array([["good"], [MISSING_TEXT], ["?"]], dtype=object)

    fed = text.TokenFeed(entry, (0, 0)).gather([cells])

    assert entry["tokens"]["vocabulary"] == ["gap", "good"]
    assert fed[entry["name"]].tolist() == [[0, 1], [2, 0], [2, 0]]


def test_texts_of_several_columns_are_counted_together() -> None:
    vectoriser = CountVectorizer(ngram_range=(1, 2)).fit(
        ["so good. not bad", "good. no", "good not"]
    )
    entry = tokens_of(vectoriser)
    entry["tokens"] |= {"replaced": [[None, ""]], "between": ". "}
    cells = np.array([["so good", "not bad"], [MISSING_TEXT, "good"], ["good", "not"]], object)
    joined = ["so good. not bad", ". good", "good. not"]
    feed = text.TokenFeed(entry, (1, 0), (1, 1))

    fed = feed.gather([cells[:, :0], cells])
    few = feed.cells([Cells([], (3, 0), "string"), Cells(cells.ravel().tolist(), (3, 2), "string")])

    wanted = vectoriser.transform(joined).toarray()
    assert np.array_equal(fed[entry["name"]], wanted[:, fed[entry["places"]]])
    assert few[0].values == fed[entry["name"]].ravel().tolist()
    assert wanted.sum() == fed[entry["name"]].sum()
    assert not feed.noted  # the share of unknown tokens is of one column


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One model, `counts`: word counts of `text`, and whether `kind` is missing."""
    graph = Graph("float32", converters())
    columns = [Column("text", "string"), Column("kind", "string", nullable=True)]
    words, kind = root_table(graph, columns, "columns").tensors
    vectoriser = CountVectorizer(vocabulary=["good", "movie", *map(str, range(70_000))])
    counts = graph.call(vectoriser, Table((words,)), "transform")
    again = graph.call(vectoriser, Table((words,)), "transform")
    made = graph.concat([counts.take([0, 1]), kind.equals(MISSING_TEXT).cast("float32")])
    outputs = [graph.op("Identity", made), graph.op("Identity", again.sum())]
    onnx = graph.finished(outputs).SerializeToString()
    folder = tmp_path_factory.mktemp("text")
    place = folder / "counts" / "1"
    place.mkdir(parents=True)
    (place / "model.onnx").write_bytes(onnx)
    manifest = {
        "format": 1,
        "task": "transformation",
        "files": {"model.onnx": hashlib.sha256(onnx).hexdigest()},
        "signature": {
            "inputs": [
                {"name": "text", "type": "string", "shape": [-1, 1]},
                {"name": "kind", "type": "string", "shape": [-1, 1], "nullable": True},
            ],
            "outputs": [
                {"name": "prediction", "type": "float32", "shape": [-1, 3]},
                {"name": "total", "type": "float32", "shape": [-1]},
            ],
        },
        "graph": {"inputs": graph.inputs, "outputs": [tensor.name for tensor in outputs]},
    }
    (place / "manifest.json").write_text(json.dumps(manifest))
    return folder


@pytest.fixture(scope="module")
def client(models: Path) -> Client:
    return create_app(models).test_client()


def test_text_is_counted_on_its_way_in(client: Client) -> None:
    rows = [["Good, good MOVIE 42", None], ["", "x"]]

    answer = client.post("/predict", json=rows).get_json()

    assert answer["prediction"] == [[2, 1, 1], [0, 0, 0]]
    assert answer["total"] == [4, 0]


def test_a_large_batch_is_answered_in_parts(models: Path) -> None:
    model = load_model(models / "counts" / "1")
    rows = [[f"good {100 + n} {200 + n}" + " movie" * (n % 3), "x"] for n in range(300)]

    answer = model.run(validate_rows(rows, model.signature))

    assert model.signature.rows_at_once is not None
    assert model.signature.rows_at_once < len(rows)
    assert answer["prediction"].tolist() == [[1, n % 3, 0] for n in range(300)]
    assert answer["total"].tolist() == [3 + n % 3 for n in range(300)]


@pytest.mark.parametrize("width", [1, 1000, 70_000, 2**20, 2**31 - 1])
def test_the_memory_of_a_batch_is_bounded(width: int) -> None:
    tokens = tokens_of(HashingVectorizer(n_features=width))
    signature = Signature([Column("text", "string")], [], [{**tokens, "columns": ["text"]}])

    assert signature.rows_at_once is not None
    assert signature.rows_at_once == 1 or signature.rows_at_once * width * 8 <= COUNTS_AT_ONCE


@pytest.mark.parametrize("before", [[], [["", None, "one too many"]]])
def test_text_beyond_the_limit_is_refused(client: Client, before: list[Any]) -> None:
    rows = [*before, ["x" * LONGEST_TEXT, None], ["x" * (LONGEST_TEXT + 1), None]]

    response = client.post("/predict", json=rows)

    assert response.status_code == 422
    assert response.get_json()["errors"][-1] == {
        "row": len(rows) - 1,
        "column": "text",
        "detail": "the string has 100001 characters, and 100000 is the most",
    }


def test_missing_text_is_refused_where_scikit_learn_raises(client: Client) -> None:
    response = client.post("/predict", json=[{"text": None, "kind": None}])

    assert response.status_code == 422
    assert [error["column"] for error in response.get_json()["errors"]] == ["text"]


def test_the_vocabulary_is_not_in_a_models_description(client: Client) -> None:
    described = client.get("/models/counts").get_data()

    assert b"69999" not in described
    assert len(described) < 2000
