"""The gallery: the landing view where several models are served."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.page.conftest import Open, keep_screenshot, predict, serving
from tests.page.test_accessibility import violations
from tests.page.test_page import MODELS, NARROW, ask, tab_to, until, wait_until

pytestmark = pytest.mark.page

SHOWN = "all => all.filter(a => a.offsetParent).map(a => a.dataset.name)"


@pytest.fixture(scope="module")
def fifty_site(more_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("fifty")
    for name in ("house-prices", "iris", "loan-default", "reviews", "shop"):
        for number in range(10):
            shutil.copytree(more_models / name, folder / "models" / f"{name}-{number}")
    with serving(folder / "models", folder / "stderr", ONNXLET_LOAD="first-use") as address:
        yield address


@pytest.fixture(scope="module")
def single_site(more_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("single")
    shutil.copytree(more_models / "iris", folder / "models" / "iris")
    with serving(folder / "models", folder / "stderr") as address:
        yield address


def card(page: Any, name: str) -> list[str]:
    text: str = page.inner_text(f".gallery .card:has(a[data-name={name}])")
    return [line for line in text.split("\n") if line]


def test_each_model_has_a_card(open_page: Open, site: str) -> None:
    page = open_page(site)
    keep_screenshot(page, "gallery")

    assert page.eval_on_selector_all(".gallery a", SHOWN) == MODELS
    assert (page.title(), page.inner_text("#found")) == ("onnxlet", "8 models")
    assert page.query_selector("#search") is None  # a dozen models are needed
    assert card(page, "house-prices") == [
        "house-prices",
        "Predicts a number",
        "takes",
        "10 columns: Gr_Liv_Area, Total_Bsmt_SF, Lot_Area, …",
        "answers",
        "a number, with intervals",
        "score",
        "mean absolute error 22\u202f736 (a constant answer: 56\u202f519)",
    ]
    assert card(page, "reviews")[1:6] == [
        "Chooses a label",
        "takes",
        "a text, review",
        "answers",
        "negative or positive, with probabilities and sets",
    ]


def test_every_task_has_words(open_page: Open, tasks_site: str) -> None:
    page = open_page(tasks_site)

    text = page.inner_text(".gallery")
    assert not any(word in text for word in ("undefined", "NaN", "null", "[object"))
    names = ("outliers", "clusters", "several-labels", "transformed", "two-numbers", "net")
    assert {name: (card(page, name)[1], card(page, name)[5]) for name in names} == {
        "outliers": ("Separates outliers from usual rows", "outlier or inlier, with a score"),
        "clusters": ("Finds the group of a row", "the number of a group"),
        "several-labels": ("Chooses labels", "2 labels, with probabilities"),
        "transformed": ("Transforms a row", "3 numbers"),
        "two-numbers": ("Predicts numbers", "2 numbers"),
        "net": ("Computes what an imported graph does", "2 numbers"),
    }


def test_a_card_opens_its_model_and_back_leads_to_it(open_page: Open, site: str) -> None:
    page = open_page(site)

    tab_to(page, ".gallery a[data-name=loan-default]")
    page.keyboard.press("Enter")
    page.wait_for_selector("h1:text-is('loan-default')")
    assert page.evaluate("[location.hash, document.activeElement.id]") == [
        "#loan-default",
        "content",
    ]
    assert predict(page)
    page.go_back()
    page.wait_for_selector(".gallery")
    focused = "document.activeElement.dataset.name"
    assert page.evaluate(focused) == "loan-default"
    assert page.query_selector("nav a[data-name]:visible") is None
    page.go_forward()
    page.wait_for_selector("form")
    page.click("nav a >> nth=0")
    page.wait_for_selector("h1:text-is('Models')")


def test_a_search_sifts_fifty(open_page: Open, fifty_site: str) -> None:
    page = open_page(fifty_site)
    assert page.inner_text("#found") == "50 models"

    for words, found in {
        "HOUSE-prices": [f"house-prices-{k}" for k in range(10)],
        "review": [f"reviews-{k}" for k in range(10)],  # a column
        "full_bath 7": ["house-prices-7"],
        "regression": [f"house-prices-{k}" for k in range(10)],
        "nothing like it": [],
    }.items():
        page.fill("#search", words)
        assert page.eval_on_selector_all(".gallery a", SHOWN) == found
        assert page.inner_text("#found") == f"{len(found)} of 50 models"
        assert page.inner_text("#said") == f"{len(found)} of 50 models"
    page.fill("#search", "iris 4")
    keep_screenshot(page, "gallery-search")
    page.click(".gallery a:visible")
    page.wait_for_selector("h1:text-is('iris-4')")
    page.go_back()
    page.wait_for_selector(".gallery")
    assert page.input_value("#search") == "iris 4"
    assert page.eval_on_selector_all(".gallery a", SHOWN) == ["iris-4"]

    took = page.evaluate(
        """() => {
        const box = document.getElementById("search"), took = [];
        for (let turn = 0; turn < 5; turn += 1) {
            const start = performance.now();
            for (const text of ["a", "al", "", "price", "x"]) {
                box.value = text;
                box.dispatchEvent(new Event("input"));
                document.body.offsetHeight;
            }
            took.push((performance.now() - start) / 5);
        }
        return Math.min(...took);
    }"""
    )
    assert took < 100  # milliseconds a letter, on a busy machine


def test_the_only_model_is_opened(open_page: Open, single_site: str) -> None:
    page = open_page(single_site)

    assert page.inner_text("h1") == "iris"
    assert page.eval_on_selector_all("nav a", "all => all.map(a => a.textContent)") == [
        "irisclassification, version 1"
    ]
    assert page.query_selector("nav:visible") is None  # there is nothing to choose
    assert predict(page)


def test_a_name_that_is_not_there_leads_to_the_gallery(open_page: Open, site: str) -> None:
    assert open_page(site, "gone").inner_text("h1") == "Models"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_accessible_and_fits(open_page: Open, fifty_site: str, scheme: str) -> None:
    page = open_page(fifty_site, color_scheme=scheme, **NARROW)
    page.fill("#search", "shop")
    keep_screenshot(page, f"gallery-320-{scheme}")

    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    assert violations(page) == []


def test_an_answer_that_comes_late_is_not_shown(open_page: Open, site: str) -> None:
    page = open_page(site, "iris")
    held: list[Any] = []
    page.route("**/predict*", lambda route: held.append(route))
    page.click("button.main")
    wait_until(page, lambda: held)
    page.click("nav a >> nth=0")
    page.wait_for_selector(".gallery")

    rows = {"instances": [[5.1, 3.5, 1.4, 0.2]]}
    held[0].fulfill(json=json.loads(json.dumps(ask(site, "models/iris/predict", rows))))
    page.wait_for_timeout(100)

    until(page, "document.querySelectorAll('.gallery a').length === 8")
    assert page.query_selector("#answer") is None
