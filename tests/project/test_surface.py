"""What others rely on is as it was recorded, and what breaks it stands in the changelog."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import onnxlet
from onnxlet.convert.build_command import build
from tests.conftest import ROOT
from tests.project.surface import names
from tests.project.surface.comparison import (
    CHANGELOG,
    KEPT,
    RECORDED,
    changes,
    promised,
    recorded,
    report,
)
from tests.project.surface.today import today

PAGE = (ROOT / "docs" / "reference" / "stability.md").read_text()
BEFORE = {
    "routes": {"GET /a": "route", "GET /a ?k": "number", "GET /ab": "route"},
    "log": {"ms": "member"},
}


def test_what_others_rely_on_is_as_recorded(models: Path) -> None:
    now, log = today(models), CHANGELOG.read_text()
    told = [str(each) for each in changes(recorded(), now)]
    lacking = report(list(changes(promised(), now)), log)
    assert not lacking, lacking
    assert not told, "\n".join(["Record what has changed: make surface", *told])


def test_what_broke_since_the_last_release_is_still_in_the_changelog() -> None:
    lacking = report(list(changes(promised(), recorded())), CHANGELOG.read_text())
    assert not lacking, lacking


def changelog(breaking: str) -> str:
    return (
        f"# Changelog\n\n## Unreleased\n\n### Added\n\n- `GET /b`\n\n### Breaking\n\n{breaking}\n\n"
        "### Fixed\n\n- `GET /ab`\n\n## 1.0.0\n\n### Breaking\n\n- `GET /a ?k`, `ms`\n"
    )


@pytest.mark.parametrize(
    ("section", "name", "form", "announced", "told"),
    [
        ("log", "ms", None, "- `ms` is `milliseconds`", "`ms` went (was member)"),
        ("routes", "GET /a ?k", None, "- `GET /a ?k`", "`GET /a ?k` went (was number)"),
        ("routes", "GET /a ?k", "text", "- all of `GET /a`", "changed: now text (was number)"),
        ("routes", "GET /a ?q", "required", "- `GET /a ?q`", "`GET /a ?q` is new (required)"),
    ],
)
def test_a_break_has_to_be_named(
    section: str, name: str, form: str | None, announced: str, told: str
) -> None:
    one = {key: value for key, value in BEFORE[section].items() if key != name}
    found = list(changes(BEFORE, BEFORE | {section: one | ({name: form} if form else {})}))

    assert [each.name for each in found] == [name]
    for elsewhere in ("", "- `GET /ab`", "- GET /a ?k, ms and GET /a ?q without backticks"):
        assert told in report(found, changelog(elsewhere))
    assert told in report(found, "## Unreleased\n\n### Added\n")
    assert report(found, changelog(announced)) == ""


def test_what_goes_as_a_whole_is_one_name() -> None:
    [gone] = changes(BEFORE, BEFORE | {"routes": {"GET /ab": "route"}})
    assert (gone.name, gone.now) == ("GET /a", None)
    [new] = changes({"routes": {"GET /ab": "route"}}, {"routes": BEFORE["routes"]})
    assert (new.name, new.breaks) == ("GET /a", False)


def test_what_is_new_needs_no_line() -> None:
    more = {"GET /a ?q": "text", "GET /c": "route", "GET /c ?q": "required text"}
    found = list(changes(BEFORE, BEFORE | {"routes": BEFORE["routes"] | more}))
    assert [each.name for each in found] == ["GET /a ?q", "GET /c"]
    assert report(found, "") == ""


def test_the_latest_release_is_what_was_promised(tmp_path: Path) -> None:
    assert promised(tmp_path) == recorded()
    for version in ("1.9.0", "1.10.0", "030d1dd"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "surface.json").write_text(json.dumps({"log": {version: "member"}}))
    assert promised(tmp_path) == {"log": {"1.10.0": "member"}}


def test_every_release_is_kept() -> None:
    released = re.findall(r"^## \[?([1-9]\d*\.\d+\.\d+)", CHANGELOG.read_text(), re.MULTILINE)
    assert [each for each in released if not (KEPT / each / RECORDED.name).is_file()] == []


def test_options_and_functions_that_go_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    before = {"Python": names.python(), "command line": names.commands()}
    monkeypatch.setattr(build, "params", [each for each in build.params if each.name != "unit"])
    monkeypatch.setattr(onnxlet, "__all__", [each for each in onnxlet.__all__ if each != "score"])
    found = list(changes(before, {"Python": names.python(), "command line": names.commands()}))
    assert {each.name for each in found} == {"onnxlet build --unit", "score"}


def test_the_page_says_of_each_section_what_is_stable() -> None:
    listed = re.findall(r"^\| (?:`(.+?)`|(.+?)) \|", PAGE, re.MULTILINE)
    assert {*recorded()} <= {code or words for code, words in listed}
