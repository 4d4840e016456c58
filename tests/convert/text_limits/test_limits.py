"""The longest text of a column: what leaves no pause, measured where the model is built."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.tree import DecisionTreeRegressor

from onnxlet.convert.build import build
from onnxlet.convert.errors import Refusal
from onnxlet.convert.sources.source import Source
from onnxlet.convert.text_limits.limits import (
    AT_MOST,
    LENGTHS,
    WANTED,
    _chosen,
    longest_pause,
    pauses,
)
from onnxlet.convert.text_limits.regex_safety import growth, slow_steps
from onnxlet.function.inputs.columns import LONGEST_TEXT
from onnxlet.function.inputs.front_end import composed
from tests.convert.helpers import built, served

WORDS = ["a@ good@ film@", "bad@, very@ bad@", "good@", "the@ film@ is@ bad@"] * 10
LIKED = ["good" in text for text in WORDS]
COSTLY = r"\w{1,150}@"  # from each character of a text without the last it tries 150 ways
SETTINGS: dict[str, Any] = {
    "analyzer": "word",
    "ngram_range": [1, 1],
    "token_pattern": r"\b\w\w+\b",
    "lowercase": True,
    "strip_accents": None,
    "stop_words": None,
    "binary": False,
    "replaced": [],
    "vocabulary": ["a", "b"],
}


def of(short: int, long: int, between: float = WANTED) -> dict[int, float]:
    """Pauses of next to nothing up to a length, then one in between, then they are too long."""
    known = {length: 0.001 for length in LENGTHS if length <= short}
    return known | ({long: between} if long > short else {})


@pytest.mark.parametrize(
    ("found", "earlier", "limit"),
    [
        (of(LONGEST_TEXT, LONGEST_TEXT), None, LONGEST_TEXT),
        (of(3_000, 10_000, AT_MOST), None, 3_000),
        (of(3_000, 10_000, AT_MOST), 10_000, 10_000),  # it would not have been chosen, and does
        (of(3_000, 10_000, 2 * AT_MOST), 10_000, 3_000),
        (of(10_000, 10_000), 3_000, 3_000),  # and this was too careful by one step
        (of(10_000, 10_000), 1_000, 10_000),
        (of(3_000, 3_000), LONGEST_TEXT, 3_000),
        (of(0, 0), None, 0),
    ],
)
def test_the_limit_is_the_longest_without_a_pause_and_stays_where_it_would_do(
    found: dict[int, float], earlier: int | None, limit: int
) -> None:
    assert _chosen(found, earlier) == limit


@pytest.mark.long
@pytest.mark.parametrize(
    ("settings", "least", "most"),
    [
        ({}, LONGEST_TEXT, LONGEST_TEXT),
        ({"token_pattern": r"[a-z]{3,}"}, 30_000, LONGEST_TEXT),
        ({"token_pattern": r"\w+@"}, 300, 10_000),  # the square of the length
    ],
)
def test_a_front_end_is_measured_on_texts_that_are_costly_for_it(
    settings: dict[str, Any], least: int, most: int
) -> None:
    found = pauses(json.dumps(SETTINGS | settings))

    assert least <= _chosen(found, None) <= most


STRIPPED: dict[str, Any] = {"step": "str_method", "name": "strip", "arguments": []}
UPPER: dict[str, Any] = {"step": "str_method", "name": "upper", "arguments": []}
SEARCHED: dict[str, Any] = {"step": "pattern_group", "pattern": r"(\d+\.\d)", "flags": 0}
LONGER: dict[str, Any] = {"step": "replace_literal", "old": "1", "new": "11", "most": -1}


@pytest.mark.parametrize(
    ("steps", "times"),
    [([], 1), ([STRIPPED], 1), ([STRIPPED, UPPER], 3), ([UPPER, UPPER], 9), ([LONGER], None)],
)
def test_how_much_longer_steps_make_a_text(steps: list[Any], times: int | None) -> None:
    assert growth(steps) == times
    text = "  \u0390\u03b0\ufb03"  # three characters each in upper case
    assert len(composed([STRIPPED, UPPER])(text)) == 9


@pytest.mark.gate  # the longest of texts, some times
def test_steps_that_search_are_slow_where_their_pattern_is() -> None:
    linear = SEARCHED | {"pattern": r"(\d+)"}
    split = {"step": "split_part", "separator": r"\s+\.", "pattern": True, "index": 0, "most": -1}
    plain = {**split, "pattern": False}
    steps = [linear, UPPER, SEARCHED, plain, split]
    assert slow_steps(steps) == [(SEARCHED, 3), (split, 3)]


@pytest.mark.long
def test_a_search_of_the_square_gets_a_limit_and_is_as_quick_as_others(tmp_path: Path) -> None:
    sizes = pd.DataFrame({"size": [f"{n}.5 kg" for n in range(60)]})
    model = make_pipeline(
        FunctionTransformer(
            lambda X: X["size"].str.extract(r"(\d+\.\d)", expand=False).astype(float).to_frame()
        ),
        DecisionTreeRegressor(max_depth=3),
    ).fit(sizes, np.arange(60.0))
    lines: list[str] = []
    made = build(Source(model, sizes), "m", tmp_path, lines.append)
    [column] = made.manifest["signature"]["inputs"]
    limit = column["longest"]

    assert 300 <= limit <= 10_000
    assert any(f"takes texts of up to {limit:,} characters" in line for line in lines)
    search = composed([SEARCHED])
    assert min(longest_pause(lambda: search("1" * limit)) for _ in range(3)) <= AT_MOST
    client = served(tmp_path)
    assert client.post("/predict", json=[["x" * (limit - 4) + "31.5"]]).status_code == 200
    assert client.post("/predict", json=[["x" * (limit - 3) + "31.5"]]).status_code == 422


@pytest.mark.long
def test_a_search_of_the_square_is_refused_in_a_text_that_was_made_longer(tmp_path: Path) -> None:
    sizes = pd.DataFrame({"size": [f"{n}.5 kg" for n in range(60)]})
    model = FunctionTransformer(
        lambda X: X["size"].str.replace("1", "11").str.contains(r"\d+\.\d").to_frame() * 1.0
    ).fit(sizes)
    with pytest.raises(Refusal, match=r"the pattern .* takes more than"):
        built(Source(model, sizes), tmp_path)


@pytest.fixture(scope="module")
def costly(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    built(source(WORDS), folder)
    return folder


def source(held_out: list[str]) -> Source:
    texts = pd.DataFrame({"text": WORDS, "kind": "a"})
    vectoriser = make_column_transformer((CountVectorizer(token_pattern=COSTLY), "text"))
    model = make_pipeline(vectoriser, LogisticRegression()).fit(texts, LIKED)
    return Source(model, pd.DataFrame({"text": held_out, "kind": "a"}))


def limit_of(models: Path) -> int:
    manifest = json.loads((models / "m/1/manifest.json").read_bytes())
    text, kind = manifest["signature"]["inputs"]
    assert "longest" not in kind
    assert 1_000 <= text["longest"] < LONGEST_TEXT
    return int(text["longest"])


@pytest.mark.long
@pytest.mark.parametrize("made", ["len('0' * int(text))", "sum([1 for a in range(int(text))])"])
def test_a_function_that_counts_to_a_number_in_a_text_takes_none(made: str) -> None:
    """Ten digits would take 10 GB, or minutes."""
    step = {"step": "followed_numbers", "width": 1, "code": f"def main(text):\n    return {made}"}
    assert pauses(json.dumps({"followed": [step]})) == {}


def test_longer_text_is_refused_with_row_column_length_and_limit(costly: Path) -> None:
    client, limit = served(costly), limit_of(costly)
    cell = "good@ " * (limit // 6 + 1)
    fits, long = cell[:limit], cell[: limit + 1]
    detail = f"the string has {limit + 1} characters, and {limit} is the most"

    assert client.post("/predict", json=[{"text": fits, "kind": "a"}]).get_json()["prediction"]
    for row in ({"text": long, "kind": "a"}, [long, None]):
        answer = client.post("/predict", json=[["", None], row])
        assert answer.status_code == 422
        assert answer.get_json()["errors"] == [{"row": 1, "column": "text", "detail": detail}]

    inputs = [
        {"name": name, "datatype": "BYTES", "shape": [1, 1], "data": [text]}
        for name, text in (("text", long), ("kind", "a"))
    ]
    answer = client.post("/v2/models/m/infer", json={"inputs": inputs})
    assert answer.status_code == 400
    assert detail in answer.get_json()["error"]


def test_the_limit_is_described(costly: Path) -> None:
    document = served(costly).get("/openapi.json").get_json()
    row = document["components"]["schemas"]["m.row"]

    assert row["properties"]["text"]["maxLength"] == limit_of(costly)


def test_a_rebuild_is_the_same_though_it_measures_otherwise(
    costly: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = limit_of(costly)
    for neighbour in (LENGTHS[LENGTHS.index(limit) + step] for step in (-1, 1)):
        found = dict.fromkeys(LENGTHS, WANTED + 0.01)
        found |= {length: 0.001 for length in LENGTHS if length <= neighbour}
        monkeypatch.setattr(
            "onnxlet.convert.text_limits.limits.pauses", lambda tokens, found=found: found
        )

        again = built(source(WORDS), costly)

        assert (again.version, again.new) == (1, False)


def test_a_held_out_text_beyond_it_is_refused_with_the_way_out(tmp_path: Path) -> None:
    long = "good@ " * (LONGEST_TEXT // 6)
    with pytest.raises(Refusal) as refused:
        built(source([*WORDS, long]), tmp_path)

    assert refused.value.message.startswith(
        f"X_test, row 40, column 'text': a text of {len(long):,} characters; cutting more than "
    )
    assert "before fit and in requests" in refused.value.hint
    assert list(tmp_path.iterdir()) == []
