"""Summaries: scored by the graph as by the estimator, and as by hand; served in every protocol."""

from __future__ import annotations

import math
from collections import Counter
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from onnxlet import Summary
from onnxlet.convert.directory.golden import verify
from onnxlet.convert.examples.summary import articles, build
from onnxlet.convert.parity.certificate import certificate_lines
from onnxlet.convert.sources.source import Source
from onnxlet.function.inputs.sentences import ANALYZERS, split_sentences
from onnxlet.function.inputs.validation import validate_rows
from onnxlet.function.models.model import load_model
from tests.convert.helpers import built, invoked, prove, served

ARTICLES = articles()
TEXTS = [text for text, _ in ARTICLES]
LONG = "\n".join(f"Sentence {n} of {n % 7} words and {n % 11} more." for n in range(5_000))[
    :100_000
]
ODD = [
    "",
    "...",
    "One only",
    "Two. Three.",
    "Same. Same. Same. Same. Same.",
    LONG,
    "\u597d\u3002" * 50_000,
]


def scores_by_hand(document: str, fitted: Summary) -> list[float]:
    """Each sentence's score, in plain Python."""
    cut = ANALYZERS[fitted.analyzer]
    idf = dict(zip(fitted.vocabulary_, fitted.idf_[1:], strict=True))
    rows = []
    for sentence in split_sentences(document):
        counts = Counter(cut(sentence))
        weights = {token: n * idf.get(token, fitted.idf_[0]) for token, n in counts.items()}
        norm = math.sqrt(sum(w * w for w in weights.values())) or 1
        rows.append(({token: w / norm for token, w in weights.items()}, sum(counts.values())))
    centre: dict[str, float] = {}
    for weights, _ in rows:
        for token, weight in weights.items():
            centre[token] = centre.get(token, 0) + weight
    whole = math.sqrt(sum(w * w for w in centre.values())) or 1
    a, b, c = fitted.coef_
    return [
        a * sum(w * centre[t] for t, w in weights.items()) / whole
        + b / (at + 1)
        + c * min(size / fitted.length_, 1)
        for at, (weights, size) in enumerate(rows)
    ]


@pytest.mark.parametrize("analyzer", sorted(ANALYZERS))
def test_the_scores_are_those_by_hand(analyzer: str) -> None:
    fitted = Summary(3, analyzer=analyzer).fit(TEXTS[:6] + TEXTS[12:])

    for document in (*TEXTS, *ODD[:5]):
        wanted = scores_by_hand(document, fitted)
        best = sorted(sorted(range(len(wanted)), key=lambda at: -round(wanted[at], 12))[:3])
        [positions], [scores] = fitted.positions([document]), fitted.sentence_scores([document])
        assert positions.tolist() == best + [-1] * (3 - len(best))
        assert np.allclose(scores[: len(best)], [wanted[at] for at in best], rtol=1e-12)
        assert np.isnan(scores[len(best) :]).all()
        sentences = split_sentences(document)
        assert fitted.predict([document]) == [[sentences[at] for at in best]]


@pytest.mark.parametrize("chinese", [False, True])
def test_summaries_are_better_than_the_lead(chinese: bool) -> None:
    found, lead, count = 0, 0, 0
    for half in (0, 1):
        known, new = ARTICLES[half::2], ARTICLES[1 - half :: 2]
        fitted = Summary(3).fit([text for text, _ in known], [keys for _, keys in known])
        for text, keys in new:
            if ("\u3002" in text) == chinese:
                found += len({*fitted.predict([text])[0]} & {*keys})
                lead += len({*split_sentences(text)[:3]} & {*keys})
                count += len(keys)

    assert count == 30
    assert found / count >= 0.8 > 0.45 >= lead / count


def test_learned_weights_tell_key_sentences_from_others() -> None:
    usual = Summary().fit(TEXTS)
    learned = Summary().fit(TEXTS, [keys for _, keys in ARTICLES])

    assert usual.coef_.tolist() == [1.0, 0.3, 0.2]
    assert (learned.coef_[[0, 2]] > 0).all()
    as_text = Summary().fit(TEXTS, ["\n".join(keys) for _, keys in ARTICLES])
    assert np.array_equal(as_text.coef_, learned.coef_)


@pytest.mark.long
def test_the_graph_scores_bit_for_bit() -> None:
    model, _, _, _ = build()
    proof = prove(Source(model, TEXTS + ODD, None, None), layout="columns")

    got = proof.run()

    assert got["positions"].tolist() == model.positions(TEXTS + ODD).tolist()
    assert np.array_equal(got["score"], model.sentence_scores(TEXTS + ODD), equal_nan=True)


def test_a_document_is_answered_alike_alone_and_among_others() -> None:
    model, X_test, _, _ = build()
    proof = prove(Source(model, X_test, None, None), layout="columns")
    together = proof.run()["score"]

    for row, document in enumerate(proof.rows):
        table = validate_rows([document], proof.model.signature)
        assert np.array_equal(proof.model.run(table)["score"][0], together[row], equal_nan=True)


@pytest.mark.parametrize(
    ("arguments", "documents", "message"),
    [
        ({"analyzer": "words"}, TEXTS, "expected analyzer to be one of"),
        ({"sentences": 0}, TEXTS, "sentences 1 or more"),
        ({}, ["", "..."], "expected at least one sentence, got none"),
        ({}, [1.0], "expected texts, or a table of one column"),
        ({}, [["a", "b"]], "expected texts, or a table of one column"),
    ],
)
def test_wrong_use_is_refused(arguments: Any, documents: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Summary(**arguments).fit(documents)
    with pytest.raises(ValueError, match="expected 20, one a document, got 1"):
        Summary().fit(TEXTS, ["a"])


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    model, X_test, _, X_train = build()
    frame, trained = (pd.DataFrame({"article": texts}) for texts in ([*X_test] * 2, [*X_train] * 4))
    built(Source(model, frame, None, trained), folder, "news")
    return folder


@pytest.fixture(scope="module")
def client(models: Path) -> Any:
    return served(models)


def test_the_golden_rows_are_sentences(models: Path) -> None:
    model, rows = verify(models / "news" / "1")

    assert model.manifest["task"] == "summary"
    assert rows == 20
    outputs = model.manifest["signature"]["outputs"]
    assert [(o["name"], o["type"], o["shape"]) for o in outputs] == [
        ("prediction", "string", [-1, -1]),
        ("positions", "int64", [-1, -1]),
        ("score", "float64", [-1, -1]),
    ]
    compared = [
        line.split()[0]
        for line in certificate_lines("news", 1, dict(model.manifest))
        if "off by at most" in line
    ]
    assert compared == ["score"]  # sentences and their positions are equal or not


def test_every_protocol_answers_the_sentences(client: Any) -> None:
    model, _, _, _ = build()
    documents = [TEXTS[1], "One only.", ""]
    wanted = model.predict(documents)
    rows = [{"article": text} for text in documents]

    native = client.post("/predict", json={"instances": rows}).json
    assert native["prediction"] == wanted
    assert native["positions"] == [[at for at in r if at >= 0]
                                   for r in model.positions(documents).tolist()]  # fmt: skip
    assert list(map(len, native["score"])) == [3, 1, 0]
    v1 = client.post("/v1/models/news:predict", json={"instances": rows}).json
    assert v1["predictions"] == wanted
    assert (
        client.post("/invocations", json={"dataframe_records": rows}).json["predictions"] == wanted
    )
    tensor = {"name": "article", "datatype": "BYTES", "shape": [1, 1], "data": [documents[0]]}
    [first, *_] = client.post("/v2/models/news/infer", json={"inputs": [tensor]}).json["outputs"]
    assert first == {"name": "prediction", "datatype": "BYTES", "shape": [1, 3], "data": wanted[0]}
    three = {**tensor, "shape": [3, 1], "data": documents}
    refused = client.post("/v2/models/news/infer", json={"inputs": [three]})
    assert refused.status_code == 400
    assert "differs in size from row to row" in refused.json["error"]


def test_csv_has_one_output_of_lists_or_lists_of_one_size(client: Any) -> None:
    rows = [{"article": text} for text in (TEXTS[1], "One only.")]
    lines = [
        ",".join(map(str, row)) for row in client.post("/predict", json=rows).json["positions"]
    ]

    def asked(outputs: Any, rows: Any) -> Any:
        body = {"dataframe_records": rows, "params": {"outputs": outputs}}
        return client.post("/invocations", json=body, headers={"Accept": "text/csv"})

    assert asked(["positions"], rows).text.splitlines() == lines
    assert asked("all", rows[1:]).text.startswith("One only.,0,")
    refused = asked("all", rows)
    assert refused.status_code == 400
    assert refused.json["message"] == (
        "'prediction' differs in size from row to row, and other outputs follow it in CSV "
        "(Accept application/json, or ask for one output only.)"
    )


def test_a_text_that_is_missing_or_too_long_is_refused_by_its_row(client: Any) -> None:
    rows = [{"article": "A text."}, {"article": None}, {"article": "a" * 100_001}]

    answer = client.post("/predict", json={"instances": rows})

    assert answer.status_code == 422
    assert [problem["row"] for problem in answer.json["errors"]] == [1, 2]


def test_what_a_summary_has_not_is_said(client: Any) -> None:
    body = {"instances": [{"article": TEXTS[0]}]}

    explained = client.post("/models/news/explain", json=body)
    covered = client.post("/predict?coverage=0.9", json=body)

    assert explained.status_code == covered.status_code == 409
    assert "answers sentences of the text itself" in explained.json["detail"]
    assert "its task is summary" in covered.json["detail"]


def test_drift_and_the_description_know_it(client: Any) -> None:
    client.post("/predict", json={"instances": [{"article": text} for text in TEXTS * 60]})

    drift = client.get("/models/news/drift").json
    document = client.get("/openapi.json").json

    assert drift["rows"] >= 1_200
    assert drift["predictions"] == []
    answer = next(s for s in document["components"]["schemas"].values()
                  if s.get("title", "").startswith("news: answers"))  # fmt: skip
    lists = answer["properties"]["prediction"]["items"]
    assert "array" in str(lists)
    assert "summary" in str(document["components"]["schemas"]["model"])


def test_a_build_by_the_command_line_says_what_it_has_not(tmp_path: Path) -> None:
    asked = ["build", "onnxlet.convert.examples.summary:build", "--name", "news"]

    done = invoked(*asked, "--models", tmp_path)

    assert done.exit_code == 0, done.output
    assert "summary: Summary, 10 held-out rows" in done.output
    assert "a summary has no explanations" in done.output
    assert load_model(tmp_path / "news" / "1").manifest["task"] == "summary"
    if find_spec("matplotlib"):  # else its command is said
        reported = invoked(*asked, "--models", tmp_path, "--report")
        assert reported.exit_code == 2
        assert "--report: expected true answers to the held-out rows" in reported.output


def test_bytes_of_v2_carry_sentences(client: Any) -> None:
    tensor = {"name": "article", "datatype": "BYTES", "shape": [1, 1], "data": [TEXTS[12]]}
    body = {"inputs": [tensor], "outputs": [{"name": "prediction",
                                             "parameters": {"binary_data": True}}]}  # fmt: skip

    answer = client.post("/v2/models/news/infer", json=body)

    header = int(answer.headers["Inference-Header-Content-Length"])
    tail, texts = answer.data[header:], []
    while tail:
        size = int.from_bytes(tail[:4], "little")
        texts.append(tail[4 : 4 + size].decode())
        tail = tail[4 + size :]
    assert texts == build()[0].predict([TEXTS[12]])[0]
