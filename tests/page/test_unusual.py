"""A row unlike the training rows, on the page: what is unusual, and what no longer stands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.page.conftest import Open, keep_screenshot, predict
from tests.page.test_accessibility import violations
from tests.page.test_page import until

pytestmark = pytest.mark.page


PHONE = {"viewport": {"width": 375, "height": 812}, "has_touch": True, "is_mobile": True}


def ask_about(open_page: Open, site: str, area: str, **more: Any) -> Any:
    page = open_page(site, "house-prices", **more)
    predict(page)
    assert page.inner_text(".title .proof") == "✓ proven"
    assert page.query_selector(".unlike") is None
    assert page.query_selector(".band") is not None
    page.get_by_label("Gr_Liv_Area").fill(area)
    page.get_by_label("Neighborhood", exact=True).select_option("other")
    page.get_by_label("Neighborhood: another value").fill("Mars")
    page.click("button.main")
    until(page, "document.querySelector('.unlike')")
    return page


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [{}, PHONE], ids=["wide", "narrow"])
def test_what_is_unusual_is_shown(open_page: Open, site: str, size: Any, scheme: str) -> None:
    page = ask_about(open_page, site, "-5", **size, color_scheme=scheme)

    words = page.inner_text(".unlike")
    assert "Unlike the rows that it learned from" in words
    assert "Gr_Liv_Area: Below the training rows; nine of ten have " in words
    assert "Neighborhood: In no training row; frequent are North_Ames" in words
    assert "No interval: it would hold for rows like those." in words
    assert page.query_selector(".band") is None
    assert page.inner_text(".title .proof") == "proven, but the row is unusual"
    assert "none" in page.get_attribute(".title .proof", "class")
    marked = page.eval_on_selector_all(".field.odd", "all => all.map(f => f.innerText.trim())")
    assert [text.split()[0] for text in marked] == ["Gr_Liv_Area", "Neighborhood"]
    assert "Unusual: below the training rows; nine of ten have" in marked[0]
    assert "Unusual: in no training row; frequent are North_Ames" in marked[1]
    edges = "all => all.map(e => getComputedStyle(e).borderTopColor)"
    odd, usual = (
        set(page.eval_on_selector_all(f"{field} > :is(input:not(.slide), select)", edges))
        for field in (".field.odd", ".field:not(.odd)")
    )
    assert not odd & usual
    assert page.query_selector("[aria-invalid=true]") is None  # it was answered
    assert "unusual=true" in page.inner_text("#snippet")
    width = "narrow" if size else "wide"
    keep_screenshot(page, f"unusual-{width}-{scheme}")
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_an_ordinary_row_after_it_is_ordinary_again(open_page: Open, site: str) -> None:
    page = ask_about(open_page, site, "99999999")
    page.get_by_label("Gr_Liv_Area").fill("1500")
    page.get_by_label("Neighborhood", exact=True).select_option(index=0)
    page.click("button.main")
    until(page, "!document.querySelector('.unlike') && document.querySelector('.band')")
    assert page.inner_text(".title .proof") == "✓ proven"
    assert page.query_selector(".odd") is None


def test_a_file_says_which_rows(open_page: Open, site: str, tmp_path: Path) -> None:
    page = open_page(site, "house-prices")
    columns = page.evaluate("columnsOf(state.model).map(({ name }) => name)")
    row = page.evaluate("JSON.parse(bodyText()).instances[0]")
    lines = [",".join(columns)]
    for area in (1500, -5):
        cells = {**row, "Gr_Liv_Area": area}
        lines.append(",".join("" if cells[name] is None else str(cells[name]) for name in columns))
    file = tmp_path / "houses.csv"
    file.write_text("\n".join(lines) + "\n")
    with page.expect_download() as saved:
        page.set_input_files("#file", str(file))
    assert page.inner_text("#unlike").startswith("1 row unlike those that it learned from.")
    head, ordinary, odd = Path(saved.value.path()).read_text().lstrip("\ufeff").splitlines()
    assert head.split(",")[-3:] == ["low", "high", "unusual"]
    assert ordinary.split(",")[-1] == ""
    assert "Gr_Liv_Area: below the training rows; nine of ten have" in odd
    assert ",,," in odd  # neither low nor high
