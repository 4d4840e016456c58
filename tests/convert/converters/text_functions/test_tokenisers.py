"""Functions that cut text into tokens: each is followed exactly, or refused with the reason."""

from __future__ import annotations

import functools
import itertools
import re
import string
import unicodedata
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from onnxlet.convert.converters.registry import converters
from onnxlet.convert.graph.converter import Graph, Unsupported
from onnxlet.convert.sources.source import Source
from onnxlet.convert.to_onnx import root_table
from onnxlet.function.inputs.columns import Column
from onnxlet.function.models.model import load_model
from tests.convert.converters.extraction.test_text import ROWS, TRAINING
from tests.convert.exactness import assert_exact
from tests.convert.helpers import built, served

STOPPED = {"a", "the", "很"}
SYNONYMS = {"film": "movie", "电影": "movie"}
WORD = re.compile(r"[^\W\d_]{2,20}", re.IGNORECASE)
KNOWN = ("good", "bad", "很好")


def cleaned(text: str) -> str:
    """Lower case, digits as 0."""
    return re.sub(r"\d+", "0", text.lower()).strip(string.punctuation)


def tokens(text: str, least: int = 1) -> list[str]:
    """A loop, as people write it."""
    found: list[str] = []
    for word in cleaned(text).split():
        word = word.strip(".,:!")
        if len(word) <= least or word in STOPPED:
            continue
        found.append(SYNONYMS.get(word, word))
    return found


def branched(text: str) -> list[str]:
    if not text:
        return []
    elif any("\u4e00" <= character <= "\u9fff" for character in text):
        return [a + b for a, b in pairwise(text)]
    return WORD.findall(text)


FOLLOWED: list[dict[str, Any]] = [
    {"tokenizer": list},
    {"tokenizer": WORD.findall},
    {"tokenizer": re.compile(r",\s{0,3}").split},
    {"tokenizer": lambda text: text.split(",")},
    {"tokenizer": lambda text: re.findall(r"[\u4e00-\u9fff]|[a-z]+", text, flags=re.I | re.M)},
    {"tokenizer": lambda t: [w for w in re.split(r"[\s,.]+", t) if w and w not in STOPPED]},
    {"tokenizer": tokens},
    {"tokenizer": functools.partial(tokens, least=3), "ngram_range": (1, 2)},
    {"tokenizer": lambda t: [w[:4] for w in t.split() if 1 < len(w) < 9], "stop_words": ["good"]},
    {"analyzer": lambda t: [t[i : i + n] for n in (1, 2) for i in range(len(t) - n + 1)]},
    {"analyzer": lambda t: ["".join(pair) for pair in itertools.pairwise(t)]},
    {"analyzer": lambda t: sorted(set(t.split()))},
    {"analyzer": lambda t: [f"{a}_{b}" for a, b in zip(t.split(), t.split()[1:], strict=False)]},
    {"analyzer": lambda t: list(map(str.lower, filter(str.isalpha, t.split())))},
    {"analyzer": lambda t: [w for w in KNOWN if w in t] or ["none"]},
    {"analyzer": branched},
    {"preprocessor": str.casefold},
    {"preprocessor": cleaned, "analyzer": "char_wb", "ngram_range": (2, 3)},
    {"preprocessor": lambda t: unicodedata.normalize("NFKC", t), "tokenizer": tokens},
    {"preprocessor": lambda t: "".join(c for c in t if c not in string.punctuation)},
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("settings", FOLLOWED, ids=range(len(FOLLOWED)))
def test_a_function_is_followed_exactly(settings: dict[str, Any]) -> None:
    given = settings | ({} if "analyzer" in settings else {"token_pattern": None})
    if "tokenizer" not in settings and given.get("token_pattern", "") is None:
        del given["token_pattern"]
    for vectoriser in (TfidfVectorizer(**given), HashingVectorizer(n_features=32, **given)):
        assert_exact(vectoriser.fit(TRAINING), ROWS, methods=["transform"], tolerance=1e-14)


class Lemmas:
    """An object that is called."""

    def __call__(self, text: str) -> list[str]:
        return text.split()


def recursive(text: str) -> list[str]:
    return [text[0], *recursive(text[1:])] if text else []


def remembering(text: str, seen: Any = STOPPED) -> list[str]:
    seen.add(text)
    return [text]


def counting(text: str) -> list[str]:
    while text.startswith("a"):
        text = text[1:]
    return text.split()


def of(library: str) -> Any:
    """A function as a library has it, which need not be installed."""

    def cut(text: str) -> list[str]:
        return text.split()

    cut.__module__ = library
    return cut


jieba = ModuleType("jieba")
jieba.lcut = of("jieba")  # type: ignore[attr-defined]

REFUSED = [
    (jieba.lcut, "calls jieba, which is not served"),
    (lambda text: jieba.lcut(text), "calls jieba, which is not served"),
    (of("spacy.lang.en"), "calls spaCy, which is not served"),
    (of("nltk.tokenize"), "calls NLTK, which is not served"),
    (Lemmas(), "is no function but an object, of Lemmas"),
    (recursive, "Starred is not followed"),
    (remembering, "has a constant that it changes"),
    (counting, "While is not followed"),
    (lambda text: list(set(text.split())), "goes through a set, whose order is another in each"),
    (lambda text: [w for w in STOPPED if w in text], "goes through a set"),
    (lambda text: re.findall(r"(a+)+$", text), "the pattern '(a+)+$' takes more than 1 s"),
    (lambda text: re.findall(text[:2], text), "calls re.findall of a pattern that is not constant"),
    (lambda text: [str(Path(text))], "calls Path, which is not followed"),
    (lambda text: [text.__class__.__name__], ".__name__ is not followed"),
    (lambda text: text.format().split(), ".format is not followed"),
    (eval("lambda text: text.split()"), "the source of its function <lambda> can't be read"),  # noqa: S307
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("function", "reason"), REFUSED, ids=[reason for _, reason in REFUSED])
def test_what_is_not_understood_is_refused(function: Any, reason: str) -> None:
    vectoriser = CountVectorizer(tokenizer=function, vocabulary=["good"])
    graph = Graph("float64", converters())

    with pytest.raises(Unsupported) as caught:
        graph.call(vectoriser, root_table(graph, [Column("x", "string")], "columns"), "transform")

    assert reason in str(caught.value)
    assert caught.value.hint


def test_a_segmenter_that_is_refused_names_what_serves_chinese() -> None:
    graph = Graph("float64", converters())
    vectoriser = CountVectorizer(tokenizer=jieba.lcut, vocabulary=["好"])

    with pytest.raises(Unsupported) as caught:
        graph.call(vectoriser, root_table(graph, [Column("x", "string")], "columns"), "transform")

    assert "analyzer='char_wb' or ngrams of characters serve Chinese" in caught.value.hint


CHINESE = ["这部电影真的很好", "很差的电影", "很好看，值得", "太差了，浪费时间"] * 8
SCORES = np.array([1, 0, 1, 0] * 8)


def first_and_last(text: str) -> list[str]:
    return [text[0], text[-1]]


def test_a_text_for_which_the_function_raises_is_refused_by_its_row(tmp_path: Path) -> None:
    vectoriser = CountVectorizer(tokenizer=first_and_last, token_pattern=None)
    model = make_pipeline(vectoriser, LogisticRegression()).fit(CHINESE, SCORES)

    built(Source(model, CHINESE, SCORES, None), tmp_path)
    answer = served(tmp_path).post("/predict", json={"instances": [["很好"], [""], ["差"]]})

    assert answer.status_code == 422
    assert "row 1" in answer.get_data(as_text=True)
    assert "can't cut it into tokens" in answer.get_data(as_text=True)
    many = [["很好"]] * 40 + [[""]] * 2  # more than are run together
    refused = served(tmp_path).post("/predict", json={"instances": many}).json
    assert [(each["row"], each["column"]) for each in refused["errors"]] == [(40, "x0"), (41, "x0")]
    nulls = served(tmp_path).post("/predict?on_error=null", json={"instances": many}).json
    assert nulls["prediction"][40:] == [None, None]
    assert None not in nulls["prediction"][:40]


def test_an_explanation_has_the_tokens_where_they_stand(tmp_path: Path) -> None:
    vectoriser = TfidfVectorizer(tokenizer=list, token_pattern=None)
    model = make_pipeline(vectoriser, LogisticRegression()).fit(CHINESE, SCORES)
    built(Source(model, CHINESE, SCORES, None), tmp_path)
    text = "电影, 很好"

    answer = served(tmp_path).post("/models/m/explain", json={"instances": [[text]]}).json

    [explained] = answer["explanations"]
    tokens = explained["tokens"]["x0"]
    assert [text[token["start"] : token["end"]] for token in tokens] == ["电", "影", "很", "好"]
    assert [token["token"] for token in tokens] == ["电", "影", "很", "好"]
    total = np.sum([token["contribution"] for token in tokens], axis=0)
    assert np.allclose(total, explained["contributions"]["x0"], atol=1e-6)
    assert tokens[3]["contribution"][1] > 0 > tokens[2]["contribution"][0]


def test_training_texts_that_are_not_cut_are_left_out_of_the_statistics(tmp_path: Path) -> None:
    vectoriser = CountVectorizer(tokenizer=first_and_last, token_pattern=None)
    model = make_pipeline(vectoriser, LogisticRegression()).fit(CHINESE, SCORES)

    made = built(Source(model, CHINESE, SCORES, [*CHINESE * 3, ""]), tmp_path)

    assert made.manifest["reference"]["rows"] == 3 * len(CHINESE) + 1


@pytest.mark.pipelines  # ten seconds; test_limits.py has limits of patterns and of a function
def test_a_costly_function_limits_its_texts(tmp_path: Path) -> None:
    vectoriser = CountVectorizer(analyzer=lambda t: [a + b for a in t for b in t])
    model = make_pipeline(vectoriser, LogisticRegression()).fit(CHINESE, SCORES)

    made = built(Source(model, CHINESE, SCORES, None), tmp_path)

    [column] = made.manifest["signature"]["inputs"][0]["columns"]
    assert 100 <= column["longest"] <= 3_000
    assert load_model(made.directory).signature.columns[0].longest == column["longest"]
