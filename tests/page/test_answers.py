"""Answers that are neither a number nor one of a few labels."""

from __future__ import annotations

from typing import Any

import pytest

from tests.convert.imported import translators
from tests.convert.imported.photos import encoded, picture
from tests.function import near
from tests.page.answering import MARKED
from tests.page.conftest import Open, keep_screenshot, predict
from tests.page.test_accessibility import violations
from tests.page.test_page import NARROW, ask, until
from tests.page.test_pictures import answered, choose, colour

pytestmark = pytest.mark.page

TEXT = {"name": "text", "type": "string", "nullable": False, "shape": [-1, 1]}
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


TARGET = "\u05de\u05d7\u05d9\u05e8 <b>" + "x" * 70  # long, and from right to left
LINES = "all => all.map(li => [...li.children].map(c => c.textContent))"


def rows_of(page: Any) -> Any:
    return page.evaluate("JSON.parse(bodyText())")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_neighbours_are_listed_with_their_distances(
    open_page: Open, answering_site: str, scheme: str
) -> None:
    page = open_page(answering_site, "products", color_scheme=scheme)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url.partition("/predict")[2]))
    for number, value in enumerate(near.POINTS[149]):
        page.fill(f"#field-{number}", str(value))
    shown = predict(page)
    keep_screenshot(page, f"neighbours-{scheme}")

    order, distances = near.nearest(near.POINTS[149:], 6)
    names = [[*near.LABELS[:-1], MARKED][at] for at in order[0]]
    assert names[1] == MARKED  # it is the ninth again: the first of equals comes first
    lines = [[name, "", f"{far:.4g}"] for name, far in zip(names, distances[0], strict=True)]
    assert shown == names[0]
    assert page.eval_on_selector_all(".near li", LINES) == lines[: near.K]
    assert page.inner_text(".exact") == "first of 4"
    assert page.input_value("#k") == "4"
    options = page.eval_on_selector_all("#why option", "all => all.map(o => o.textContent)")
    assert options == [f"{number + 1}. {name}" for number, name in enumerate(names[: near.K])]
    assert violations(page) == []

    page.fill("#k", "6")
    page.keyboard.press("Tab")
    until(page, "document.querySelectorAll('.near li').length === 6")
    assert page.eval_on_selector_all(".near li", LINES) == lines
    assert {query for query in asked if query} == {"?unusual=true", "?k=6&unusual=true"}
    assert "/predict?k=6&unusual=true'" in page.inner_text("#snippet")
    assert page.input_value("#k") == "6"


def test_more_neighbours_than_there_are_is_refused(open_page: Open, answering_site: str) -> None:
    page = open_page(answering_site, "products", refused=True)
    predict(page)
    page.fill("#k", "101")
    page.keyboard.press("Tab")
    page.wait_for_selector(".trouble")

    assert "100" in page.inner_text(".trouble")
    page.fill("#k", "2")
    page.click("button.main")
    until(page, "document.querySelectorAll('.near li').length === 2")


def test_recommended_items_have_scores(open_page: Open, answering_site: str) -> None:
    page = open_page(answering_site, "films")
    row = rows_of(page)["instances"][0]
    assert len(row) == 4  # of 30, the others are left out
    assert set(row.values()) == {0.5, 5}
    assert page.inner_text("form h2") == "Ratings of 30 items"
    shown = predict(page)
    keep_screenshot(page, "recommended")

    told = ask(answering_site, "models/films/predict", {"instances": [row]})
    [items], [scores] = told["prediction"], told["score"]
    assert shown == items[0]
    assert page.eval_on_selector_all(".near li", LINES) == [
        [item, "", f"{score:.4g}"] for item, score in zip(items, scores, strict=True)
    ]
    widths = "all => all.map(i => parseFloat(i.style.width))"
    shares = [100 * score / scores[0] for score in scores]
    assert page.eval_on_selector_all(".near i", widths) == pytest.approx(shares, abs=0.01)
    assert "the best comes first" in page.inner_text("#reply .hint")
    assert '": null' not in page.inner_text("#snippet")

    page.click("#another")
    until(page, "!document.querySelector('#answer[aria-busy]')")
    assert 1 <= len(rows_of(page)["instances"][0]) <= 4


def test_who_has_rated_nearly_all_is_recommended_the_rest(
    open_page: Open, answering_site: str
) -> None:
    page = open_page(answering_site, "films", refused=True)
    for number in range(28):
        page.fill(f"#field-{number}", "3")
    page.fill("#field-28", "")
    page.fill("#field-29", "")
    assert answered(page) in ("Film 28", "Film 29")
    assert page.inner_text(".exact") == "first of 2"
    assert page.locator(".near li").count() == 2

    page.fill("#field-28", "3")
    page.fill("#field-29", "3")
    page.click("button.main")
    until(page, "document.getElementById('prediction').textContent === 'nothing'")
    assert page.locator(".near li").count() == 0


def test_a_column_of_many_is_found_by_its_name(open_page: Open, answering_site: str) -> None:
    page = open_page(answering_site, "films", refused=True, **NARROW)
    page.fill("#field-11", "9")
    page.fill("#find", " FILM 2")
    names = "all => all.filter(a => a.offsetParent).map(a => a.firstChild.textContent)"
    found = page.eval_on_selector_all("form .field label", names)
    assert found == ["Film 2", *(f"Film {k}" for k in range(20, 30))]
    assert page.evaluate("document.documentElement.scrollWidth") <= 320

    page.keyboard.press("Enter")  # the wrong one is seen again
    page.wait_for_selector("#field-11[aria-invalid=true]:visible")
    assert violations(page) == []


def test_a_summary_is_marked_in_its_text(open_page: Open, answering_site: str) -> None:
    page = open_page(answering_site, "summary", refused=True)
    page.fill("#field-0", DOCUMENT)
    shown = answered(page)
    page.wait_for_selector("#why .sum")
    keep_screenshot(page, "summary")

    told = ask(answering_site, "models/summary/predict", {"instances": [[DOCUMENT]]})
    sentences = told["prediction"][0]
    assert len(sentences) == 2
    assert shown == " ".join(sentences)
    assert page.inner_text("#answer .text") == DOCUMENT
    marks = page.eval_on_selector_all("#answer mark", "all => all.map(m => m.textContent)")
    assert marks == sentences
    places = "all => all.map(m => { const range = document.createRange(); range.setStart("
    places += "m.parentNode, 0); range.setEndBefore(m); return range.toString().length; })"
    assert told["positions"] == [[0, 3]]  # it rained, twice
    second = DOCUMENT.rindex(sentences[1])
    assert page.eval_on_selector_all("#answer mark", places) == [0, second]
    assert "answers sentences of the text itself" in page.inner_text("#why .sum")
    assert violations(page) == []


def test_a_text_is_answered_with_a_text(open_page: Open, answering_site: str) -> None:
    page = open_page(answering_site, "shouted", refused=True, **NARROW)
    assert page.input_value("#field-0") == "abc"  # the vocabulary's example
    page.fill("#field-0", "gfe")

    told = ask(answering_site, "models/shouted/predict", {"instances": [["gfe"]]})
    assert answered(page) == told["prediction"][0] == translators.decoded("gfe")[0]
    score = page.inner_text(".exact").replace("\u2212", "-").removeprefix("score ")
    assert float(score) == pytest.approx(told["score"][0], rel=1e-3)
    assert page.inner_text("#answer .kicker") == "Text"
    page.wait_for_selector("#why .sum")
    assert "there is no number to explain" in page.inner_text("#why .sum")


def test_a_long_text_fits(open_page: Open, site: str) -> None:
    output = {"name": "prediction", "type": "string", "shape": [-1]}
    model = {"task": "function", "signature": {"inputs": [TEXT], "outputs": [output]}}
    text = "星期三，2026年11月25日 <b>.</b>\n" + "words " * 20 + "w" * 80
    page, _ = opened(open_page, site, model, {"prediction": [text]}, **NARROW)

    page.click("button.main")
    page.wait_for_selector("#prediction")
    assert page.text_content("#prediction") == text
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


def test_of_many_classes_the_ten_likeliest(open_page: Open, answering_site: str) -> None:
    page = open_page(answering_site, "kinds")
    page.fill("#field-0", "103.5")
    assert predict(page).startswith("kind 5 ")

    told = ask(answering_site, "models/kinds/predict", {"instances": [[103.5]]})
    shares = dict(zip(told["classes"], told["probabilities"][0], strict=True))
    order = sorted(shares, key=lambda name: -shares[name])
    rest = sum(shares[name] for name in order[10:])
    assert page.eval_on_selector_all(".bars li", LINES) == [
        ["✓in the set: kind 5", "", f"{100 * shares['kind 5']:.1f}\u202f%"],
        *[[name, "", f"{100 * shares[name]:.1f}\u202f%"] for name in order[1:10]],
        ["20 others", "", f"{100 * rest:.1f}\u202f%"],
    ]


def a_face() -> dict[str, Any]:
    image = {"name": "photo", "type": "image", "nullable": False, "shape": [-1, 1]}
    size = {"image": {"height": 120, "width": 160, "mode": "RGB"}}
    output = {"name": "prediction", "type": "string", "shape": [-1]}
    return {
        "task": "classification",
        "classes": ["face", "other"],
        "signature": {"inputs": [image | size], "outputs": [output]},
    }


FACE = {"prediction": ["face"], "classes": ["face", "other"], "probabilities": [[0.85, 0.15]]}


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
    why = {
        "output": "probabilities",
        "classes": ["face", "other"],
        "base_value": [0.5, 0.5],
        "explanations": [{"prediction": "face", "contributions": {"photo": [0.35, -0.35]}}],
    }
    page, _ = opened(open_page, site, a_face(), FACE, why)
    choose(page, encoded(picture(40, 30)))
    answered(page)
    page.wait_for_selector("#pushes li")

    assert page.inner_text("#pushes .value") == "+35.0\u202f%"
    assert page.query_selector(".heat") is None


def test_units_and_descriptions_stand_beside_fields_and_answers(open_page: Open, site: str) -> None:
    area: dict[str, Any] = {"name": "Area", "type": "float64", "shape": [-1, 1], "unit": "m\u00b2"}
    area |= {"description": f"Living area {MARKED}", "nullable": True}
    said = {"unit": "EUR", "description": "What it was sold for"}
    output = {"name": "prediction", "type": "float64", "shape": [-1], **said}
    signature = {"inputs": [area], "outputs": [output]}
    model = {"task": "regression", "signature": signature, "coverage": 0.95, "target": TARGET}
    typical = {"Area": {"median": 80.0, "quantiles": [20.0, 80.0, 200.0]}}
    answer = {"prediction": [12500.5], "interval": [[11000, 14000]]}
    page, _ = opened(open_page, site, {**model, "typical": typical}, answer)
    predict(page)
    keep_screenshot(page, "units")

    assert page.inner_text("label[for=field-0]").split() == ["Area", "in", "m\u00b2"]
    usual = "mostly 20 to 200, may\u00a0be\u00a0empty"
    assert page.inner_text("#hint-0") == f"Living area {MARKED} \u00b7 {usual}"
    assert page.inner_text("#answer .kicker") == f"Predicted {TARGET}"
    assert page.query_selector("#answer .kicker b") is None
    assert page.inner_text("#prediction") == "12\u202f500.5 EUR"
    assert "What it was sold for" in page.inner_text("#reply")
    assert page.inner_text(".band b").endswith("14\u202f000 EUR")
    assert violations(page) == []
