"""What each part of a picture adds to an answer, as a map of colours and as a table."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from onnxlet.function.arrays import Array
from tests.convert.imported.photos import encoded, picture
from tests.page.conftest import Open, keep_screenshot
from tests.page.test_accessibility import violations
from tests.page.test_page import NARROW, ask
from tests.page.test_pictures import answered, choose, stroke

pytestmark = pytest.mark.page

HEAT = ".heat canvas"
ROWS = "t => [...t.rows].map(r => [...r.cells].map(c => c.textContent))"


def share(text: str) -> float:
    return float(text.replace("\u2212", "-").replace("\u202f%", "")) / 100


def told_by(page: Any, site: str, model: str) -> tuple[Any, Any]:
    """The explanation that the server gives, and that of the row."""
    told = ask(site, f"models/{model}/explain", page.evaluate("JSON.parse(bodyText())"))
    return told, told["explanations"][0]


def check_colours(page: Any, values: Array, width: int, height: int) -> None:
    """Each tile lies where it is, blue where it raises and orange where it lowers, by its share."""
    url = page.eval_on_selector(HEAT, "c => c.toDataURL()")
    image = Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).convert("RGB")
    assert image.size == (width, height)
    seen = np.asarray(image).astype(int)
    across = (np.arange(width) * values.shape[1]) // width
    down = (np.arange(height) * values.shape[0]) // height
    shares = 0.8 * (values / np.abs(values).max())[np.ix_(down, across)]
    difference = seen[:, :, 2] - seen[:, :, 0]  # blue is 20 and 200, orange is 230 and 1
    expected = np.where(shares > 0, 180, 229) * shares
    off = np.abs(difference - expected) > 3
    assert off.mean() < 0.1  # along the edges of tiles
    assert np.ptp(expected) > 100


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_parts_of_a_drawing(open_page: Open, pictured_site: str, scheme: str) -> None:
    page = open_page(pictured_site, "digits", color_scheme=scheme)
    stroke(page, (140, 20), (140, 260))
    page.wait_for_selector(HEAT)
    keep_screenshot(page, f"heat-{scheme}")

    told, first = told_by(page, pictured_site, "digits")
    known = first["tiles"]["digit"]
    tiles = np.array(known["contributions"])
    assert tiles.shape == (known["rows"], known["columns"], 10) == (8, 8, 10)
    index = told["classes"].index(first["prediction"])
    base = told["base_value"][index]
    assert page.inner_text("#sum") == (
        f"On average {100 * base:.1f}\u202f%, here "
        f"{100 * (base + first['contributions']['digit'][index]):.1f}\u202f%. "
        "What each part of the picture adds:"
    )
    assert page.query_selector("#pushes li:visible") is None
    page.click(".heat summary")
    for number in (index, (index + 1) % 10):
        page.select_option("#why select", str(number))
        check_colours(page, tiles[:, :, number], 280, 280)
        lines = page.eval_on_selector(".heat table", ROWS)
        assert lines[0] == ["", *(f"column {k}" for k in range(1, 9))]
        assert [line[0] for line in lines[1:]] == [f"row {k}" for k in range(1, 9)]
        shown = np.array([[share(cell) for cell in line[1:]] for line in lines[1:]])
        np.testing.assert_allclose(shown, tiles[:, :, number], atol=0.00051)
        largest = np.abs(tiles[:, :, number]).max()
        key = page.inner_text(".heat .key").split("\n")
        assert share(key[1].removeprefix("raises ")) == pytest.approx(largest, abs=0.00051)
        assert share(key[0].removesuffix(" lowers")) == pytest.approx(-largest, abs=0.00051)
        page.click(".heat summary")  # a new map is folded
    assert violations(page) == []


def test_beside_other_columns_there_are_bars_too(open_page: Open, pictured_site: str) -> None:
    page = open_page(pictured_site, "rooms", **NARROW)
    choose(page, encoded(picture(120, 90)))
    answered(page)
    page.wait_for_selector(HEAT)
    keep_screenshot(page, "heat-320")

    told, first = told_by(page, pictured_site, "rooms")
    index = told["classes"].index(first["prediction"])
    bars = "all => all.map(li => [li.firstChild.textContent, li.lastChild.textContent])"
    shown = dict(page.eval_on_selector_all("#pushes li", bars))
    assert {name: share(text) for name, text in shown.items()} == {
        name: pytest.approx(value[index], abs=0.00051)
        for name, value in first["contributions"].items()
    }
    tiles = np.array(first["tiles"]["photo"]["contributions"])
    check_colours(page, tiles[:, :, index], 120, 90)
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


def test_without_a_background_there_is_only_the_map(open_page: Open, pictured_site: str) -> None:
    page = open_page(pictured_site, "colours")
    choose(page, encoded(picture(120, 90)))
    page.wait_for_selector(HEAT)

    assert page.inner_text("#sum") == "What each part of the picture adds:"
    assert page.query_selector("#pushes li:visible") is None
    options = page.eval_on_selector_all("#why option", "all => all.map(o => o.textContent)")
    assert options == ["output 1", "output 2", "output 3"]
    _, first = told_by(page, pictured_site, "colours")
    tiles = np.array(first["tiles"]["x"]["contributions"])
    check_colours(page, tiles[:, :, 0], 120, 90)
