"""A release in the place of another: taken whole, once it is proven, or not at all."""

from __future__ import annotations

import shutil
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.browser.conftest import (
    PROVEN,
    RENTS,
    Launch,
    asked,
    rent_of,
    said,
    until,
    until_said,
    visit,
)
from tests.browser.releases import MODELS, in_order, rewritten, wrong_golden
from tests.browser.servers import FaultyServer, WebServer, cut

pytestmark = pytest.mark.browser

CUTS = 20


def put(site: Path, folder: Path) -> None:
    """Another release in the place of the one in a folder, as a copy puts it there."""
    shutil.rmtree(folder)
    shutil.copytree(site, folder, copy_function=shutil.copyfile)


def look(page: Any, *parts: str) -> str:
    """Press the button that looks for an update, and wait for these words."""
    page.evaluate("document.getElementById('said').textContent = ''")
    page.click("#update")
    return until_said(page, *parts)


def serves(page: Any, number: int) -> None:
    """Every model of a release answers, and all of its files are of this release."""
    assert rent_of(page) == RENTS[number]
    assert [each["name"] for each in asked(page, "models")[1]["models"]] == MODELS


def test_the_next_release_is_taken_after_a_reload_and_proven(
    launch: Launch, served: WebServer, second: Path
) -> None:
    context = launch()
    page = visit(context, served.address)
    serves(page, 1)
    put(second, served.folder)

    page.reload()
    until_said(page, "Release 2", PROVEN)
    serves(page, 2)
    lines = page.eval_on_selector_all("#proof tbody tr", "all => all.map(tr => tr.textContent)")
    assert any(line.startswith("rent2") for line in lines), lines
    served.kill()
    page.goto(served.address)
    page.wait_for_selector("main:not([aria-busy]) .card")
    serves(page, 2)


def test_one_with_a_lower_number_is_refused(
    launch: Launch, served: WebServer, first: Path, second: Path
) -> None:
    put(second, served.folder)
    context = launch()
    page = visit(context, served.address)
    put(first, served.folder)
    for path in served.folder.rglob("*"):
        path.touch()

    look(page, "The folder has release 1, and 2 is in use here", "Release 2 goes on here.")
    serves(page, 2)
    page.reload()
    until_said(page, "Release 2")
    serves(page, 2)


def test_models_that_answer_otherwise_are_not_served_and_the_page_says_so(
    launch: Launch, faulty: FaultyServer, first: Path, tmp_path: Path
) -> None:
    altered = rewritten(first, tmp_path / "altered", 1, {"churn": wrong_golden})
    address, _ = faulty.site("altered", altered)
    page = launch().new_page()
    page.goto(f"{address}index.html")

    until_said(page, "Release 1: 1 of 4 models answer otherwise in this browser.")
    wrong = page.inner_text("#proof tr.wrong")
    assert wrong.startswith("churn")
    assert "answers otherwise here, and is not served" in wrong
    for _ in range(2):  # a button proves them again
        assert asked(page, "models/churn/predict", {"instances": [["basic", 3]]})[0] == 404
        assert rent_of(page) == RENTS[1]
        page.evaluate("document.getElementById('said').textContent = ''")
        page.click("#again")
        until_said(page, "1 of 4 models answer otherwise")


def test_the_button_answers_the_golden_rows_again(
    launch: Launch, faulty: FaultyServer, first: Path
) -> None:
    address, _ = faulty.site("whole", first)
    page = visit(launch(), address)
    page.evaluate("document.getElementById('proof').tBodies[0].replaceChildren()")
    page.click("#again")
    until(page, lambda: page.locator("#proof tbody tr").count() == len(MODELS), lambda: said(page))
    until_said(page, PROVEN)


def test_an_update_that_answers_otherwise_is_refused(
    launch: Launch, faulty: FaultyServer, first: Path, second: Path, tmp_path: Path
) -> None:
    address, site = faulty.site("whole", first)
    page = visit(launch(), address)
    site.put(rewritten(second, tmp_path / "altered", 2, {"iris": wrong_golden}))

    text = look(page, "Release 1 goes on here.")
    assert "release 2: iris answers otherwise here" in text.lower()
    serves(page, 1)
    page.reload()
    until_said(page, "Release 1")
    serves(page, 1)
    site.put(rewritten(second, tmp_path / "mended", 3))
    look(page, "Release 3", PROVEN)
    serves(page, 2)


def test_an_update_that_is_cut_off_anywhere_leaves_the_one_before(
    launch: Launch, faulty: FaultyServer, first: Path, second: Path, tmp_path: Path
) -> None:
    address, site = faulty.site("whole", first)
    page = visit(launch(), address)
    site.put(rewritten(second, tmp_path / "next", 2, anew=True))
    order = in_order(site.files)
    random = Random(29)  # noqa: S311 - the same cuts in each run
    # What came whole is kept, and not asked for again: cuts come in the order of the files.
    for at in sorted(random.sample(range(len(order) * 1000), CUTS)):
        path = order[at // 1000]
        after = len(site.files[path]) * (at % 1000) // 1000
        site.faults = {path: cut(after)}
        text = look(page, "Release 1 goes on here.")
        assert path in text or "can't be reached" in text or "fetch" in text.lower(), (path, text)
        serves(page, 1)
    page.reload()
    until_said(page, "Release 1")
    serves(page, 1)
    site.faults = {}
    look(page, "Release 2", PROVEN)
    serves(page, 2)


def test_two_tabs_have_the_same_release(
    launch: Launch, faulty: FaultyServer, first: Path, second: Path
) -> None:
    address, site = faulty.site("whole", first)
    context = launch()
    one = visit(context, address)
    other = visit(context, address)
    serves(other, 1)
    site.put(second)

    look(one, "Release 2", PROVEN)
    until_said(other, "Release 2", PROVEN)
    for page in (one, other):
        serves(page, 2)
