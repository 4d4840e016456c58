"""The model card: its front matter is YAML, its tables are whole, names are text."""

from __future__ import annotations

import re

import pytest
import yaml

from onnxlet.convert.report.card import escaped, markdown
from onnxlet.convert.report.page import headings
from tests.convert.report.samples import SAMPLES, Findings, binary, hostile


@pytest.fixture(params=SAMPLES)
def sample(request: pytest.FixtureRequest) -> tuple[Findings, str]:
    return SAMPLES[request.param], markdown(SAMPLES[request.param])


def test_the_front_matter_is_what_hugging_face_reads() -> None:
    front = yaml.safe_load(markdown(binary()).split("---\n")[1])

    [model] = front["model-index"]
    [result] = model["results"]
    assert front["pipeline_tag"] == result["task"]["type"] == "tabular-classification"
    assert front["tags"] == ["onnx", "onnxlet", "scikit-learn", "tabular-classification"]
    assert (model["name"], result["dataset"]["type"]) == ("churn", "tabular")
    assert result["metrics"] == [
        {"type": each["metric"], "name": each["title"], "value": each["model"]["value"]}
        for each in binary()["scores"]
    ]
    assert front["metrics"] == [each["metric"] for each in binary()["scores"]]


def test_every_part_is_there(sample: tuple[Findings, str]) -> None:
    found, card = sample
    sections = re.findall(r"^## (.*)$", card, re.MULTILINE)

    assert sections == list(headings(found).values())[1:]
    assert isinstance(yaml.safe_load(card.split("---\n")[1]), dict)
    assert "\n\n\n" not in card
    assert "(empty)" not in card or found["name"] == "hostile"
    card.encode()


def test_tables_are_whole(sample: tuple[Findings, str]) -> None:
    _, card = sample
    for table in re.findall(r"(?:^\|.*\n)+", card, re.MULTILINE):
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
        assert len(widths) == 1


def test_names_are_neither_markdown_nor_html() -> None:
    card = markdown(hostile())
    prose = re.sub(r"^(`{3,})\w+\n.*?^\1$", "", card, flags=re.DOTALL | re.MULTILINE)
    prose = prose.split("---\n", 2)[2]

    assert not re.findall(r"(?<!\\)[<>]", prose)
    assert not re.findall(r"(?<!\\)\]\(", prose)
    assert "\\# head" in prose


@pytest.mark.parametrize("text", ["1. no list", "- no list", "+ no list", "12) none", "= none"])
def test_no_line_begins_what_markdown_would_take_for_a_list(text: str) -> None:
    assert re.match(r"\d*\\", escaped(text))
    assert escaped(text).replace("\\", "") == text


def test_numbers_in_sentences_stay_as_they_are() -> None:
    assert escaped("79.2 % of 5 rows") == "79.2 % of 5 rows"
