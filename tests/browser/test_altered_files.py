"""One byte of a file is another: nothing of a first visit is served, and no update is taken."""

from __future__ import annotations

from pathlib import Path
from random import Random

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
from tests.browser.releases import in_order, rewritten
from tests.browser.servers import FaultyServer, altered, gone

pytestmark = pytest.mark.browser

# It names and holds the hashes of all else: who alters it well has made another release.
ROOT = "service-worker.js"
# Before a worker is there, what is wrong with these keeps the page itself from saying so.
SHELL = ("index.html", "device.js")


def test_a_first_visit_says_which_file_was_altered_and_serves_nothing(
    launch: Launch, faulty: FaultyServer, first: Path
) -> None:
    context = launch()
    page = context.new_page()
    for path in in_order(faulty.site("whole", first)[1].files):
        if path in (ROOT, *SHELL):
            continue
        address, site = faulty.site(f"altered-{path.replace('/', '-')}", first)
        site.faults[path] = altered(_somewhere(site.files[path], path))
        page.goto(f"{address}index.html")

        until(page, lambda: page.locator("#said.wrong").count(), lambda: said(page))
        text = said(page)
        assert path in text or "could not be brought here" in text, (path, text)
        assert page.locator("#open").is_hidden(), path
        assert asked(page, "models")[0] == 404, path  # the server's own answer


def test_a_first_visit_in_which_a_file_is_missing_can_be_tried_again(
    launch: Launch, faulty: FaultyServer, first: Path
) -> None:
    address, site = faulty.site("missing", first)
    [path] = [each for each in site.files if each.startswith("files/iris")]
    site.faults[path] = gone
    page = launch().new_page()
    page.goto(f"{address}index.html")
    until_said(page, path, "the server answers 404")
    assert page.inner_text("#update") == "Try again"
    site.faults.clear()
    page.click("#update")
    until_said(page, PROVEN)
    assert rent_of(page) == RENTS[1]


def test_an_update_with_an_altered_file_is_refused(
    launch: Launch, faulty: FaultyServer, first: Path, second: Path, tmp_path: Path
) -> None:
    address, site = faulty.site("whole", first)
    page = visit(launch(), address)
    site.put(rewritten(second, tmp_path / "next", 2, anew=True))
    for path in in_order(site.files):
        if path == ROOT:
            continue
        site.faults = {path: altered(_somewhere(site.files[path], path))}
        page.evaluate("document.getElementById('said').textContent = ''")
        page.click("#update")
        until_said(page, "Release 1 goes on here.")
        assert rent_of(page) == RENTS[1], path
    site.faults = {}
    page.click("#update")
    until_said(page, "Release 2", PROVEN)
    assert rent_of(page) == RENTS[2]


def _somewhere(content: bytes, path: str) -> int:
    return Random(path).randrange(len(content))  # noqa: S311 - the same in each run
