"""Annex IV: the page lists all of its points as the card does, with headings that are there."""

from __future__ import annotations

import re
from typing import Any

import pytest

from onnxlet.convert.report import page
from onnxlet.convert.report.evaluation.evaluate import made_from
from onnxlet.convert.report.form.findings import from_json
from onnxlet.convert.report.sections import SECTIONS, headings
from onnxlet.convert.report.sections.annex import POINTS, filled, unfilled
from tests.conftest import ROOT
from tests.convert.report.samples import NOTHING, binary

DOCUMENT = (ROOT / "docs" / "reference" / "annex-iv.md").read_text()
ROWS = re.findall(r"^\| (\d.*?) \| (.*?) \| (.*?) \| (.*?) \|$", DOCUMENT, re.MULTILINE)
# As the Regulation has them: points 1 to 9, of which the first two are divided.
LETTERED = {"1": "abcdefgh", "2": "abcdefgh"}
NUMBERS = [
    f"{number} ({letter})" if letter else number
    for number in map(str, range(1, 10))
    for letter in LETTERED.get(number, [""])
]


def test_all_points_are_there_once_in_page_and_card() -> None:
    assert [point.number for point in POINTS] == NUMBERS
    assert [(number, title) for number, title, *_ in ROWS] == [p[:2] for p in POINTS]


def test_the_page_names_the_sections_that_the_card_does() -> None:
    named = {each.id: each.heading for each in SECTIONS}
    for (_, _, source, left), point in zip(ROWS, POINTS, strict=True):
        if point.sections:
            quoted = re.findall('"(.*?)"', source)
            assert quoted == [named[each] for each in point.sections], point.number
        assert source, point.number
        assert left, "no point is filled as a whole"


@pytest.mark.parametrize("name", ["binary", "nothing"])
def test_a_card_names_only_sections_that_it_has(name: str) -> None:
    found = from_json(binary() if name == "binary" else NOTHING)
    written, here = page.markdown(found), headings(found)
    table = written.split("| Point | Asks for | Facts in |\n")[1].split("\n\n")[0]
    rows = re.findall(r"^\| (\d.*?) \| .* \| (.*) \|$", table, re.MULTILINE)

    assert [number for number, _ in rows] == [point.number for point, _ in filled(here)]
    for _, parts in rows:
        assert {*parts.split("; ")} <= {*here.values()}
    left = re.findall(r"Open, for the owner: (.*)\.", written.replace("\\", ""))
    assert left == [unfilled(here)]
    assert sorted([*left[0].split(", "), *(number for number, _ in rows)]) == sorted(NUMBERS)


def test_what_a_manifest_says_of_its_origin_is_in_the_findings() -> None:
    entry: dict[str, Any] = {"file": "photos", "files": 3, "sha256": "ab" * 32}
    versions = {"python": "3.13.1", "onnxlet": "0.1.0"}

    made = made_from({"origin": {"tables": [entry]}, "versions": versions})

    assert made is not None
    assert [vars(each) for each in made.tables] == [entry]
    assert (made.code, made.versions) == ([], versions)
    assert made_from({}) is None, "directories of earlier releases"


def test_the_card_has_each_file_with_its_hash() -> None:
    written = page.markdown(from_json(binary()))

    assert f"| Rows | churn (120 files) | {'a0' * 32} |" in written
    assert f"| Code | churn.py | {'3f' * 32} |" in written
    assert "By python 3.13.1, onnxlet 0.1.0." in written.replace("\\", "")
