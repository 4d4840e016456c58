"""Answers that are neither a number nor a label, from a server that is made up."""

from __future__ import annotations

from typing import Any

import pytest

from tests.convert.imported.photos import encoded, picture
from tests.page.conftest import Open, keep_screenshot
from tests.page.test_accessibility import violations
from tests.page.test_page import NARROW, until
from tests.page.test_pictures import answered, choose, colour, stroke

pytestmark = pytest.mark.page

TEXT = {"name": "text", "type": "string", "nullable": False, "shape": [-1, 1]}
LIST = {"name": "prediction", "type": "string", "shape": [-1, -1]}
DOCUMENT = "It rained. The river rose by two metres. Nobody slept. It rained. The town was saved."


def opened(
    open_page: Open, site: str, model: dict[str, Any], answer: Any, why: Any = None, **how: Any
) -> tuple[Any, list[Any]]:
    """The page of a model that the server does not have; what it is asked is listed."""
    page = open_page(site, refused=True, **how)
    asked: list[Any] = []

    def predicted(route: Any) -> None:
        asked.append((route.request.url.partition("/predict")[2], route.request.post_data_json))
        route.fulfill(json={"model": "made", "version": 1, **answer})

    def explained(route: Any) -> None:
        route.fulfill(json=why or {"detail": "it has none"}, status=200 if why else 409)

    page.route("**/models/made/predict*", predicted)
    page.route("**/models/made/explain", explained)
    described = {"name": "made", "version": 1, "versions": [1], "typical": {}, **model}
    page.evaluate("model => { state.models.push(model); location.hash = 'made'; }", described)
    page.wait_for_selector("h1:text-is('made')")
    return page, asked


def nearest(**more: Any) -> dict[str, Any]:
    return {"task": "neighbours", "signature": {"inputs": [TEXT], "outputs": [LIST]}, **more}


NEAREST = {"prediction": [["tea", "<b>coffee</b>", 7, None]], "distances": [[0, 0.25, 1.5, None]]}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_neighbours_are_listed_with_their_distances(
    open_page: Open, site: str, scheme: str
) -> None:
    page, asked = opened(open_page, site, nearest(), NEAREST, color_scheme=scheme)
    assert answered(page) == "tea"
    keep_screenshot(page, f"neighbours-{scheme}")

    lines = "all => all.map(li => [...li.children].map(c => c.textContent))"
    assert page.eval_on_selector_all(".near li", lines) == [
        ["tea", "", "0"],
        ["<b>coffee</b>", "", "0.25"],
        ["7", "", "1.5"],
        ["–", "", "–"],
    ]
    assert page.inner_text(".exact") == "first of 4"
    assert page.input_value("#k") == "4"
    assert violations(page) == []

    page.fill("#k", "2")
    page.keyboard.press("Tab")
    until(page, "!document.querySelector('#answer[aria-busy]')")
    for _ in range(40):
        if len(asked) == 2:
            break
        page.wait_for_timeout(50)
    assert [query for query, _ in asked] == ["", "?k=2"]
    assert "/predict?k=2'" in page.inner_text("#snippet")
    assert page.input_value("#k") == "2"


def test_recommended_items_have_scores(open_page: Open, site: str) -> None:
    answer = {"prediction": [["Film 20", "Film 9"]], "score": [[4.5, 3]]}
    page, _ = opened(open_page, site, nearest(task="recommendation"), answer)

    assert answered(page) == "Film 20"
    lines = "all => all.map(li => [...li.children].map(c => c.textContent))"
    assert page.eval_on_selector_all(".near li", lines) == [
        ["Film 20", "", "4.5"],
        ["Film 9", "", "3"],
    ]
    widths = "all => all.map(i => parseFloat(i.style.width))"
    assert page.eval_on_selector_all(".near i", widths) == pytest.approx([100, 200 / 3], abs=0.01)
    assert "the best comes first" in page.inner_text("#reply .hint")


def test_a_summary_is_marked_in_its_text(open_page: Open, site: str) -> None:
    sentences = ["The river rose by two metres.", "It rained.", "The town was saved."]
    model = {"task": "summary", "signature": {"inputs": [TEXT], "outputs": [LIST]}}
    answer = {"prediction": [sentences], "positions": [[1, 3, 4]]}
    page, asked = opened(open_page, site, model, answer)
    page.fill("#field-0", DOCUMENT)

    assert answered(page) == " ".join(sentences)
    keep_screenshot(page, "summary")
    assert asked == [("", {"instances": [{"text": DOCUMENT}]})]
    assert page.inner_text("#answer .text") == DOCUMENT
    marks = page.eval_on_selector_all("#answer mark", "all => all.map(m => m.textContent)")
    assert marks == sentences
    before = "m => m.previousSibling.textContent"
    assert page.eval_on_selector("#answer mark >> nth=1", before) == " Nobody slept. "
    assert violations(page) == []


def test_a_translation_is_text(open_page: Open, site: str) -> None:
    output = {"name": "prediction", "type": "string", "shape": [-1]}
    model = {"task": "function", "signature": {"inputs": [TEXT], "outputs": [output]}}
    text = "星期三，2026年11月25日 <b>.</b>\n" + "words " * 20
    page, _ = opened(open_page, site, model, {"prediction": [text]}, **NARROW)

    page.click("button.main")
    page.wait_for_selector("#prediction")
    assert page.text_content("#prediction") == text
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


def test_of_many_classes_the_ten_likeliest(open_page: Open, site: str) -> None:
    classes = [f"class {k}" for k in range(30)]
    shares = [(k + 1) / 465 for k in range(30)]
    output = {"name": "prediction", "type": "string", "shape": [-1]}
    model = {
        "task": "classification",
        "classes": classes,
        "signature": {"inputs": [TEXT], "outputs": [output]},
    }
    answer = {"prediction": ["class 29"], "classes": classes, "probabilities": [shares]}
    page, _ = opened(open_page, site, model, answer)
    answered(page)

    lines = "all => all.map(li => [...li.children].map(c => c.textContent))"
    assert page.eval_on_selector_all(".bars li", lines) == [
        *[[f"class {k}", "", f"{100 * shares[k]:.1f}\u202f%"] for k in range(29, 19, -1)],
        ["20 others", "", f"{100 * sum(shares[:20]):.1f}\u202f%"],
    ]


TILES = [[[0.5, -0.5], [0, 0]], [[-0.25, 0.25], [0.1, -0.1]], [[0, 0], [0, 0]]]


def of_tiles(*, tiles: Any = None, **contributions: Any) -> dict[str, Any]:
    shown = {"photo": {"rows": 3, "columns": 2, "contributions": tiles}}
    return {
        "model": "made",
        "version": 1,
        "output": "probabilities",
        "classes": ["face", "other"],
        "base_value": [0.5, 0.5],
        "explanations": [
            {
                "prediction": "face",
                "answer": [0.85, 0.15],
                "contributions": contributions,
                **({} if tiles is None else {"tiles": shown}),
            }
        ],
    }


def a_face(columns: int = 1) -> dict[str, Any]:
    image = {"name": "photo", "type": "image", "nullable": False, "shape": [-1, 1]}
    size = {"image": {"height": 120, "width": 160, "mode": "RGB"}}
    number = {"name": "age", "type": "float64", "nullable": False, "shape": [-1, 1]}
    output = {"name": "prediction", "type": "string", "shape": [-1]}
    return {
        "task": "classification",
        "classes": ["face", "other"],
        "signature": {"inputs": [image | size, number][:columns], "outputs": [output]},
    }


FACE = {"prediction": ["face"], "classes": ["face", "other"], "probabilities": [[0.85, 0.15]]}
HEAT = ".heat canvas"  # of 120 by 90 pixels, which are two by three tiles


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contributions_of_a_picture_are_a_heat_map(open_page: Open, site: str, scheme: str) -> None:
    why = of_tiles(photo=[0.35, -0.35], tiles=TILES)
    page, _ = opened(open_page, site, a_face(), FACE, why, color_scheme=scheme)
    choose(page, encoded(picture(120, 90)))
    answered(page)
    page.wait_for_selector(".heat canvas")
    keep_screenshot(page, f"heat-{scheme}")

    assert page.inner_text("#sum") == (
        "On average 50.0\u202f%, here 85.0\u202f%. What each part of the picture adds:"
    )
    assert page.query_selector("#pushes li:visible") is None
    raised, lowered, calm = (colour(page, HEAT, (24, y)) for y in (9, 45, 81))
    assert raised[2] > raised[0] + 60  # blue
    assert lowered[0] > lowered[2] + 20  # orange, half as strong
    assert calm[0] == calm[1] == calm[2]
    assert page.inner_text(".heat .key") == "\u221250.0\u202f% lowers\nraises +50.0\u202f%"
    page.click(".heat summary")
    rows = "t => [...t.rows].map(r => [...r.cells].map(c => c.textContent))"
    assert page.eval_on_selector(".heat table", rows) == [
        ["", "column 1", "column 2"],
        ["row 1", "+50.0\u202f%", "0.0\u202f%"],
        ["row 2", "\u221225.0\u202f%", "+10.0\u202f%"],
        ["row 3", "0.0\u202f%", "0.0\u202f%"],
    ]
    assert violations(page) == []

    page.select_option("#why select", "1")
    other = colour(page, HEAT, (24, 9))
    assert other[0] > other[2] + 60


def test_a_heat_map_stands_below_the_bars_of_other_columns(open_page: Open, site: str) -> None:
    why = of_tiles(photo=[0.35, -0.35], age=[0.1, -0.1], tiles=TILES)
    page, _ = opened(open_page, site, a_face(2), FACE, why, **NARROW)
    page.click("text=Draw")
    stroke(page, (20, 20), (60, 60))
    answered(page)
    page.wait_for_selector(".heat canvas")

    names = page.eval_on_selector_all("#pushes .name", "all => all.map(n => n.textContent)")
    assert names == ["photo", "age"]
    assert page.inner_text("#pushes .value >> nth=0") == "+35.0\u202f%"
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    keep_screenshot(page, "heat-320")


@pytest.mark.parametrize("columns", [1, 2])
def test_without_a_background_there_is_only_the_heat_map(
    open_page: Open, site: str, columns: int
) -> None:
    why = of_tiles(tiles=TILES)
    del why["base_value"], why["explanations"][0]["contributions"], why["classes"]
    page, _ = opened(open_page, site, a_face(columns), FACE, why)
    choose(page, encoded(picture(120, 90)))
    answered(page)
    page.wait_for_selector(HEAT)

    assert page.inner_text("#sum") == "What each part of the picture adds:"
    assert page.query_selector("#pushes li:visible") is None
    options = page.eval_on_selector_all("#why option", "all => all.map(o => o.textContent)")
    assert options == ["output 1", "output 2"]


@pytest.mark.parametrize(("brightness", "ground"), [(200, 255), (127, 0), (None, 0)])
def test_the_paper_is_as_bright_as_usual_pictures(
    open_page: Open, site: str, brightness: int | None, ground: int
) -> None:
    small = a_face()
    small["signature"]["inputs"][0]["image"] = {"height": 28, "width": 14, "mode": "RGB"}
    typical = {} if brightness is None else {"photo": {"brightness": brightness}}
    page, _ = opened(open_page, site, small | {"typical": typical}, FACE)

    assert page.eval_on_selector(".paper", "c => [c.width, c.height]") == [140, 280]
    assert colour(page, ".paper", (5, 5)) == (ground,) * 3


def test_a_column_of_pictures_without_tiles_is_a_bar(open_page: Open, site: str) -> None:
    page, _ = opened(open_page, site, a_face(), FACE, of_tiles(photo=[0.35, -0.35]))
    choose(page, encoded(picture(40, 30)))
    answered(page)
    page.wait_for_selector("#pushes li")

    assert page.inner_text("#pushes .value") == "+35.0\u202f%"
    assert page.query_selector(".heat") is None
