"""What browsers lack, take away and do at once: a message, and the last release or nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import (
    PHONE,
    PROVEN,
    RENT,
    RENTS,
    Launch,
    asked,
    rent_of,
    said,
    until,
    until_said,
    visit,
)
from tests.browser.releases import rewritten
from tests.browser.servers import FaultyServer, WebServer

pytestmark = pytest.mark.browser

NAMED = "site.example"  # this machine by a name, as a server without a certificate has one
ROOM = 5_000_000  # bytes, where a release has twelve million
FORGET = """async ([start]) => {
  for (const name of await caches.keys()) {
    const store = await caches.open(name);
    for (const each of await store.keys()) if (each.url.includes(start)) await store.delete(each);
  }
}"""


def refused(page: Any) -> str:
    """What the page says where nothing is served."""
    until(page, lambda: page.locator("#said.wrong").count(), lambda: said(page))
    assert page.locator("#open").is_hidden()
    assert page.locator("#proof").is_hidden()
    return said(page)


def test_a_page_that_is_opened_as_a_file_says_that_it_has_to_be_served(
    launch: Launch, first: Path
) -> None:
    page = launch(**PHONE).new_page()
    page.goto((first / "index.html").as_uri())
    assert "This folder has to be served, such as by python3 -m http.server" in refused(page)


def test_an_address_that_is_not_safe_is_said_to_be_none(launch: Launch, served: WebServer) -> None:
    page = launch(f"--host-resolver-rules=MAP {NAMED} 127.0.0.1").new_page()
    page.goto(f"http://{NAMED}:{served.port}/index.html")
    assert "The address has to begin with https://" in refused(page)


def test_a_browser_without_webassembly_is_told(launch: Launch, served: WebServer) -> None:
    page = launch("--js-flags=--jitless").new_page()
    page.goto(f"{served.address}index.html")
    assert "has WebAssembly switched off" in refused(page)


def with_room(page: Any, address: str, size: int | None) -> None:
    """Have an origin so many bytes, or as many as usual."""
    session = page.context.new_cdp_session(page)
    origin = "/".join(address.split("/")[:3])
    more = {} if size is None else {"quotaSize": size}
    session.send("Storage.overrideQuotaForOrigin", {"origin": origin, **more})


def test_without_room_nothing_is_served_until_there_is_some(
    launch: Launch, faulty: FaultyServer, first: Path
) -> None:
    address, _ = faulty.site("whole", first)
    page = launch().new_page()
    with_room(page, address, ROOM)
    page.goto(f"{address}index.html")
    assert "There is no room for it on this device (1" in refused(page)
    assert asked(page, "models")[0] == 404

    with_room(page, address, None)
    page.click("#update")
    until_said(page, PROVEN)
    assert rent_of(page) == RENTS[1]


def test_without_room_for_an_update_the_release_before_goes_on(
    launch: Launch, faulty: FaultyServer, first: Path, second: Path, tmp_path: Path
) -> None:
    address, site = faulty.site("whole", first)
    page = visit(launch(), address)
    used = page.evaluate("async () => (await navigator.storage.estimate()).usage")
    site.put(rewritten(second, tmp_path / "next", 2, anew=True))
    with_room(page, address, used + ROOM)
    page.click("#update")
    until_said(page, "There is no room for it on this device (1", "Release 1 goes on here.")
    assert rent_of(page) == RENTS[1]
    page.reload()
    until_said(page, "Release 1")
    assert rent_of(page) == RENTS[1]

    with_room(page, address, None)
    page.evaluate("document.getElementById('said').textContent = ''")
    page.click("#update")
    until_said(page, "Release 2", PROVEN)
    assert rent_of(page) == RENTS[2]


@pytest.mark.parametrize("part", ["/files/iris", "/files/function.tar", "/"])
def test_what_the_browser_threw_away_is_brought_again(
    launch: Launch, served: WebServer, part: str
) -> None:
    context = launch()
    page = visit(context, served.address)
    page.evaluate(FORGET, [part])
    context.close()

    context = launch()
    page = context.new_page()
    page.goto(f"{served.address}index.html")
    until_said(page, "Release 1", PROVEN)
    assert rent_of(page) == RENTS[1]


@pytest.mark.parametrize("part", ["/files/iris", "/files/function.tar", "/"])
def test_what_was_thrown_away_and_cannot_be_had_is_said(
    launch: Launch, served: WebServer, part: str
) -> None:
    context = launch()
    page = visit(context, served.address)
    page.evaluate(FORGET, [part])
    context.close()
    served.kill()

    context = launch()
    page = context.new_page()
    page.goto(f"{served.address}")
    words = "is not on this device, and the connection to the server failed"
    if part == "/":  # the page itself is gone, too
        until(page, lambda: words in page.text_content("body"), lambda: page.text_content("body"))
        return
    assert words in refused(page)
    status, problem = asked(page, "models/rent/predict", RENT)
    assert (status, problem["status"]) == (503, 503)
    assert words in problem["detail"]

    served.start()
    page.reload()
    until_said(page, "Release 1", PROVEN)
    assert rent_of(page) == RENTS[1]
