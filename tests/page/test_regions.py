"""Intervals as a band, and sets of labels, on the page."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.page.conftest import Open, keep_screenshot, predict
from tests.page.test_accessibility import violations
from tests.page.test_page import NARROW, ask, until

pytestmark = pytest.mark.page


def number(text: str) -> float:
    return float(text.replace("\u202f", "").replace("\u2212", "-"))


def lefts(page: Any) -> list[float]:
    """Of the band its left end and its right end, then the prediction; in pixels."""
    found: list[float] = page.evaluate(
        """() => {
        const [band, point] = ["region", "point"].map(
            (name) => document.querySelector(`.scale .${name}`).getBoundingClientRect());
        return [band.left, band.right, (point.left + point.right) / 2];
    }"""
    )
    return found


def test_an_interval_is_a_band_around_the_prediction(open_page: Open, site: str) -> None:
    page = open_page(site, "house-prices")
    assert page.eval_on_selector_all("#coverage option", "all => all.map(o => o.value)") == [
        "0", "0.5", "0.8", "0.9", "0.95",
    ]  # fmt: skip
    predict(page)
    rows = page.evaluate("JSON.parse(bodyText())")
    widths = []
    for coverage in ("0.5", "0.8", "0.9", "0.95"):
        page.select_option("#coverage", coverage)
        share = f"{round(100 * float(coverage))}\u202f% interval"
        until(page, "s => document.querySelector('.band p').textContent.startsWith(s)", share)
        answer = ask(site, f"models/house-prices/predict?coverage={coverage}", rows)
        [[low, high]], [value] = answer["interval"], answer["prediction"]
        shown = re.split(" to ", page.inner_text(".band b"))
        assert [number(each) for each in shown] == pytest.approx([low, high], abs=0.5)
        left, right, point = lefts(page)
        assert (point - left) / (right - left) == pytest.approx(
            (value - low) / (high - low), abs=0.01
        )
        widths.append(right - left)
        assert f"predict?coverage={coverage}&unusual=true'" in page.inner_text("#snippet")
    keep_screenshot(page, "interval")
    page.select_option("#coverage", "0.8")
    until(page, "document.querySelector('.band p').textContent.startsWith('80')")
    back = lefts(page)
    assert widths == sorted(set(widths))  # on one scale, a wider interval is a wider band
    assert back[1] - back[0] < widths[-1]

    page.select_option("#coverage", "0")
    until(page, "!document.querySelector('.band')")
    assert "coverage" not in page.inner_text("#snippet")


def test_the_ticks_are_where_their_numbers_are(open_page: Open, site: str) -> None:
    page = open_page(site, "house-prices")
    predict(page)
    [low, high] = [number(each) for each in re.split(" to ", page.inner_text(".band b"))]
    left, right, _ = lefts(page)
    ticks = page.eval_on_selector_all(
        ".scale .tick",
        "all => all.map(t => { const box = t.getBoundingClientRect();"
        " return [t.textContent, (box.left + box.right) / 2]; })",
    )

    assert len(ticks) >= 2
    for text, place in ticks:
        assert low + (place - left) / (right - left) * (high - low) == pytest.approx(
            number(text), abs=0.01 * (high - low)
        )


def test_the_labels_of_a_set_are_marked(open_page: Open, site: str) -> None:
    page = open_page(site, "iris")
    for number, value in enumerate(["5.9", "3.0", "4.9", "1.65"]):  # between two species
        page.fill(f"#field-{number}", value)
    marked = (
        "all => all.map(li => [li.querySelector('.name').title, !!li.querySelector('.mark-in')])"
    )
    predict(page)
    rows = page.evaluate("JSON.parse(bodyText())")
    seen = set()
    for coverage in ("0.5", "0.95"):
        page.select_option("#coverage", coverage)
        share = f"{round(100 * float(coverage))}\u202f% set"
        until(page, "s => document.querySelector('p.set').textContent.startsWith(s)", share)
        [labels] = ask(site, f"models/iris/predict?coverage={coverage}", rows)["set"]
        found = dict(page.eval_on_selector_all(".bars li", marked))
        assert found == {str(label): label in labels for label in (0, 1, 2)}
        seen.add(len(labels))
        words = f"{', '.join(map(str, labels))} ({len(labels)} of 3)"
        assert page.inner_text("p.set").endswith(words)
    assert seen == {1, 2}
    keep_screenshot(page, "set")


def test_each_of_several_outputs_has_its_band(open_page: Open, answering_site: str) -> None:
    page = open_page(answering_site, "two-prices")
    predict(page)
    keep_screenshot(page, "intervals-of-two")

    rows = page.evaluate("JSON.parse(bodyText())")
    path = "models/two-prices/predict?coverage=0.9"
    [intervals] = ask(answering_site, path, rows)["interval"]
    assert page.locator(".band .region").count() == 2
    for index, ends in enumerate(intervals):
        words = page.inner_text(f".band p >> nth={index}")
        assert words.startswith(f"90\u202f% interval, output {index + 1}: ")
        shown = [number(each) for each in re.split(" to ", words.partition(": ")[2])]
        assert shown == pytest.approx(ends, rel=1e-4)


def test_a_model_without_the_table_offers_none(open_page: Open, tasks_site: str) -> None:
    page = open_page(tasks_site, "transformed")
    predict(page)

    assert page.query_selector("#coverage") is None
    assert "coverage" not in page.inner_text("#snippet")


def test_the_choice_stays_with_the_next_model_and_its_focus_too(open_page: Open, site: str) -> None:
    page = open_page(site, "house-prices")
    predict(page)
    page.focus("#coverage")
    page.keyboard.press("ArrowDown")
    until(page, "document.querySelector('.band p').textContent.startsWith('95')")
    assert page.evaluate("document.activeElement.id") == "coverage"

    page.click("nav a[data-name=iris]")
    page.wait_for_selector("h1:text-is('iris')")
    assert page.input_value("#coverage") == "0.95"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_band_is_accessible_and_fits(open_page: Open, site: str, scheme: str) -> None:
    page = open_page(site, "house-prices", color_scheme=scheme, **NARROW)
    predict(page)

    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    assert violations(page) == []
