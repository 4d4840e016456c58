"""The page by axe-core's rules: WCAG 2.2 A and AA, and best practices."""

from __future__ import annotations

from typing import Any

import pytest

from tests.page.conftest import Open, predict

pytestmark = pytest.mark.page

SCHEMES = ("light", "dark")


def violations(page: Any) -> list[str]:
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    return [f"{each['id']}: {node['html']}" for each in found for node in each["nodes"]]


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("model", ["house-prices", "loan-default", "reviews", "wide"])
def test_with_an_answer(open_page: Open, site: str, model: str, scheme: str) -> None:
    page = open_page(site, model, color_scheme=scheme)
    before = violations(page)
    if model == "reviews":
        page.fill("#field-0", "superb lovely boring film")
    predict(page)

    assert (before, violations(page)) == ([], [])


@pytest.mark.parametrize("scheme", SCHEMES)
def test_with_errors(open_page: Open, site: str, scheme: str) -> None:
    page = open_page(site, "house-prices", refused=True, color_scheme=scheme)
    page.fill("#field-0", "big")
    page.keyboard.press("Enter")
    page.wait_for_selector(".trouble")

    assert violations(page) == []


@pytest.mark.parametrize("scheme", SCHEMES)
def test_where_a_key_is_asked_for(open_page: Open, locked_site: str, scheme: str) -> None:
    page = open_page(locked_site, refused=True, color_scheme=scheme)

    assert violations(page) == []


@pytest.mark.parametrize("scheme", SCHEMES)
def test_on_a_narrow_screen(open_page: Open, site: str, scheme: str) -> None:
    narrow = {"width": 320, "height": 640}
    page = open_page(site, "loan-default", color_scheme=scheme, viewport=narrow)
    predict(page)

    assert violations(page) == []
