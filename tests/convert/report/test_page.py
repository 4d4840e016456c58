"""The page: whole, self-contained, the same each time; its figures are the findings'."""

from __future__ import annotations

import copy
import re
from functools import cache
from html.parser import HTMLParser
from typing import Any

import pytest

from onnxlet.convert.report import page as report_page
from onnxlet.convert.report.form.findings import from_json
from onnxlet.convert.report.form.plot import COLOURS, GRAPHICS, GROUNDS, PLACEHOLDERS, TEXTS
from onnxlet.convert.report.form.wording import number
from onnxlet.convert.report.sections import headings
from tests.convert.report.samples import NOTHING, SAMPLES, Findings, binary, hostile

# Every one that the page may have.
ELEMENTS = """
html head meta title link style body a div header svg rect path span h1 h2 h3 ul ol li nav main
section p dl dt dd figure figcaption b table thead tbody tr th td small br details summary pre
code footer
desc defs g use text clippath
"""
EMPTY = {"meta", "link", "br"}
LEAST = {"graphics": 3.0, "text": 4.5}


class Read(HTMLParser):
    """What is on a page: elements, ids, what refers to them, text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.texts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.texts.append(data)


@cache
def page_of(sample: str) -> str:
    return report_page.html(from_json(SAMPLES[sample]))


@pytest.fixture(scope="module", params=SAMPLES)
def sample(request: pytest.FixtureRequest) -> tuple[Findings, str]:
    return SAMPLES[request.param], page_of(request.param)


def test_it_is_well_formed_and_small(sample: tuple[Findings, str]) -> None:
    _, page = sample
    read = Read(page)

    assert read.open == []
    assert page.startswith("<!doctype html>")
    assert {tag for tag, _ in read.elements} <= set(ELEMENTS.split())
    assert len(page.encode()) < 400_000


def test_it_asks_for_nothing_and_runs_nothing(sample: tuple[Findings, str]) -> None:
    _, page = sample
    for tag, attributes in Read(page).elements:
        assert tag != "script"
        assert not [each for each in attributes if each.startswith("on")]
        for key in ("href", "xlink:href", "src"):
            target = attributes.get(key) or "#"
            assert target.startswith(("#", "data:"))
        assert "url(" not in (attributes.get("style") or "").replace("url(#", "")
    assert "@import" not in page
    assert "url(" not in page.replace("url(#", "")


def test_ids_are_unique_and_met(sample: tuple[Findings, str]) -> None:
    _, page = sample
    attributes = [each for _, each in Read(page).elements]
    ids = [each["id"] for each in attributes if "id" in each]
    wanted = {
        target.removeprefix("#")
        for each in attributes
        for key in ("href", "xlink:href")
        if (target := each.get(key) or "").startswith("#")
    }
    wanted |= {i for each in attributes for i in (each.get("aria-labelledby") or "").split()}
    wanted |= set(re.findall(r"url\(#([^)]+)\)", page))

    assert len(ids) == len(set(ids))
    assert wanted <= set(ids)


def test_plots_have_names_and_words_and_no_colour_of_their_own(
    sample: tuple[Findings, str],
) -> None:
    _, page = sample
    plots = re.findall(r'<svg class="plot".*?</svg>', page, re.DOTALL)
    for each in plots:
        assert 'role="img"' in each
        assert (
            len(re.findall(r"<title id=[^>]*>[^<]+</title><desc id=[^>]*>[^<]+</desc>", each)) == 1
        )
        assert not re.findall(r"#[0-9a-f]{6}\b", each)
        assert "font-family" not in each
        assert "DejaVu" not in each
        assert set(re.findall(r"var\(--([a-z-]+)\)", each)) <= COLOURS.keys()
    assert not [each for each in PLACEHOLDERS.values() if each in page]


def test_every_section_is_in_the_contents(sample: tuple[Findings, str]) -> None:
    found, page = sample
    sections = re.findall(r'<section class="card[^"]*" id="([^"]+)"', page)
    contents = re.findall(r'<li><a href="#([^"]+)">', page)

    assert contents == list(headings(from_json(found))) == sections


def test_it_is_the_same_each_time() -> None:
    assert report_page.html(from_json(copy.deepcopy(binary()))) == page_of("binary")


def test_findings_of_nothing_still_make_a_page() -> None:
    page = page_of("nothing")

    assert list(headings(from_json(NOTHING))) == ["answer", "use", "annex"]
    assert "built without held-out answers" in page
    assert "None" not in page


def test_every_score_stands_in_the_table_with_its_interval() -> None:
    page = page_of("binary")
    for score in binary()["scores"]:
        for each in (score["model"], *score["baselines"]):
            cell = f'<td class="n">{number(each["value"])}'
            if each["low"] != each["high"]:
                cell += f"<br><small>{number(each['low'])} to {number(each['high'])}</small>"
            assert cell in page


def test_the_matrix_has_every_count_and_share() -> None:
    page = page_of("binary")
    rows = re.findall(
        r'<td(?: class="right")? style="--share: ([\d.]+)">(\d+)<br><small>([\d.]+)', page
    )

    assert [int(each[1]) for each in rows] == [1030, 264, 103, 364]
    for (shade, _, share), exact in zip(
        rows, (1030 / 1294, 264 / 1294, 103 / 467, 364 / 467), strict=True
    ):
        assert float(share) == pytest.approx(100 * exact, abs=0.051)
        assert float(shade) == pytest.approx(0.42 * exact, abs=0.001)


def test_names_are_text_whatever_they_hold() -> None:
    page = page_of("hostile")
    said = "".join(Read(page).texts)

    assert "<img" not in page
    assert "<script" not in page
    assert "{{ 7*7 }}" in said
    assert '<img src=x onerror="window.hacked=1">' in said
    assert "javascript:" in said
    page.encode()


def test_few_rows_say_so() -> None:
    assert page_of("few").count("few rows") >= 3
    assert "few rows" not in page_of("regression").replace("with few rows", "")


def test_no_cell_of_a_wide_table_is_lost() -> None:
    found = hostile()
    page = page_of("hostile")
    table = page[page.index('aria-label="Table: Columns"') : page.index('id="scores"')]

    assert table.count("<tr") == 1 + len(found["data"]["columns"])


def luminance(code: str) -> float:
    parts = [int(code[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast(scheme: str) -> None:
    def code(colour: Any) -> str:
        return str(getattr(colour, scheme))

    low = [
        (name, ground)
        for least, names in ((LEAST["graphics"], GRAPHICS), (LEAST["text"], TEXTS))
        for name, colour in names.items()
        for ground, behind in GROUNDS.items()
        if not (name in GRAPHICS and ground != "card")
        and not (name == "warn" and ground in ("tint",))
        and contrast(code(colour), code(behind)) < least
    ]

    assert low == []


# Machado, Oliveira and Fernandes (2009), full severity, for linear RGB.
BLIND = {
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
                   [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
                     [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
                   [0.004733, 0.691367, 0.303900]],
}  # fmt: skip


def lab(code: str, matrix: list[list[float]]) -> Any:
    import numpy as np

    parts = np.array([int(code[at : at + 2], 16) / 255 for at in (1, 3, 5)])
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    seen = np.clip(np.array(matrix) @ linear, 0, 1)
    to_xyz = np.array(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    )
    xyz = to_xyz @ seen / np.array([0.9505, 1, 1.089])
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("kind", BLIND)
def test_model_and_what_stands_against_it_differ_for_the_colour_blind(
    kind: str, scheme: str
) -> None:
    codes = [getattr(GRAPHICS[name], scheme) for name in ("model", "other")]
    one, other = (lab(code, BLIND[kind]) for code in codes)

    assert float(((one - other) ** 2).sum() ** 0.5) > 20  # a difference of 2.3 is just seen
