"""The model card: its front matter is YAML, its tables are whole, names are text."""

from __future__ import annotations

import re

import pytest
import yaml

from onnxlet.convert.report import page
from onnxlet.convert.report.form.findings import from_json
from onnxlet.convert.report.form.wording import escaped
from onnxlet.convert.report.sections import headings
from tests.convert.report.samples import SAMPLES, Findings, binary, hostile


def markdown(found: Findings) -> str:
    return page.markdown(from_json(found))


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
    found, written = sample
    sections = re.findall(r"^## (.*)$", written, re.MULTILINE)

    assert sections == list(headings(from_json(found)).values())[1:]
    assert isinstance(yaml.safe_load(written.split("---\n")[1]), dict)
    assert "\n\n\n" not in written
    assert "(empty)" not in written or found["name"] == "hostile"
    written.encode()


def test_tables_are_whole(sample: tuple[Findings, str]) -> None:
    _, written = sample
    for table in re.findall(r"(?:^\|.*\n)+", written, re.MULTILINE):
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
        assert len(widths) == 1


def test_names_are_neither_markdown_nor_html() -> None:
    written = markdown(hostile())
    prose = re.sub(r"^(`{3,})\w+\n.*?^\1$", "", written, flags=re.DOTALL | re.MULTILINE)
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
