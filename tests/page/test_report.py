"""The report in a real browser: read without script or network, on every screen, in every light."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from onnxlet.convert.report.files import report_files
from tests.convert.report.samples import SAMPLES
from tests.page.conftest import DIGEST, KEY, Open, keep_screenshot, serving
from tests.page.test_accessibility import violations

pytestmark = pytest.mark.page
SCHEMES = ("light", "dark")
NARROW = {"width": 375, "height": 740}
WIDE = {"width": 1280, "height": 900}


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reports")
    for name, found in SAMPLES.items():
        (folder / f"{name}.html").write_bytes(report_files(found)["report.html"])
    return folder


@pytest.fixture
def read(browser: Any, reports: Path) -> Iterator[Any]:
    """Opens a report, and holds it to its word: no error, no request but its own file."""
    contexts, complaints = [], []

    def opened(name: str, **options: Any) -> Any:
        context = browser.new_context(**{"viewport": WIDE, **options})
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "request",
            lambda asked: (
                complaints.append(asked.url)
                if not asked.url.startswith((f"file://{reports}/", "data:"))
                else None
            ),
        )
        page.goto(f"file://{reports / name}.html")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.mark.parametrize(
    ("name", "scheme", "viewport"),
    [
        *((name, "light", NARROW) for name in SAMPLES),
        *((name, "dark", WIDE) for name in SAMPLES),
        ("binary", "dark", NARROW),
        ("binary", "light", WIDE),
    ],
)
def test_every_report_on_every_screen(read: Any, name: str, scheme: str, viewport: Any) -> None:
    page = read(name, color_scheme=scheme, viewport=viewport)
    if name != "hostile":  # axe takes half a minute for tables of 200 rows
        page.evaluate("document.querySelectorAll('details').forEach((each) => each.open = true)")

    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") == viewport["width"]
    assert page.evaluate("window.hacked") is None
    keep_screenshot(page, f"report-{name}-{scheme}-{viewport['width']}")


def test_it_needs_no_script(read: Any) -> None:
    page = read("binary", java_script_enabled=False)

    assert page.is_visible("text=clearly better than a constant answer")
    page.click("summary >> nth=0")
    assert page.is_visible("text=False alarms >> nth=0")


@pytest.mark.parametrize("scheme", SCHEMES)
def test_it_prints_dark_on_light(read: Any, scheme: str) -> None:
    page = read("binary", color_scheme=scheme, viewport={"width": 690, "height": 980})
    page.emulate_media(media="print", color_scheme=scheme)
    style = "getComputedStyle(document.body)"

    assert page.evaluate(f"{style}.color") == "rgb(31, 34, 38)"
    assert page.evaluate("document.documentElement.scrollWidth") == 690
    assert not page.is_visible("nav")
    assert len(page.pdf(format="A4")) > 20_000
    keep_screenshot(page, f"report-print-{scheme}")


def test_marks_have_the_colours_of_the_scheme(read: Any) -> None:
    def line(scheme: str) -> str:
        page = read("binary", color_scheme=scheme)
        curve = "#roc-plot-title ~ g path[style*='--model']"
        return str(page.evaluate(f'getComputedStyle(document.querySelector("{curve}")).stroke'))

    assert [line(each) for each in SCHEMES] == ["rgb(11, 107, 102)", "rgb(98, 201, 191)"]


def test_labels_of_plots_stay_inside_and_apart(read: Any) -> None:
    page = read("hostile")
    outside = page.evaluate("""
        [...document.querySelectorAll("svg.plot")].flatMap((svg) => {
          const box = svg.getBoundingClientRect();
          return [...svg.querySelectorAll("text")].filter((text) => {
            const { left, right } = text.getBoundingClientRect();
            return left < box.left - 2 || right > box.right + 2;
          }).map((text) => text.textContent);
        })""")

    assert outside == []


@pytest.fixture(scope="module")
def reported(more_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reported") / "models"
    for name in ("house-prices", "loan-default"):
        shutil.copytree(more_models / name, folder / name)
    for file, content in report_files(SAMPLES["regression"]).items():
        (folder / "house-prices" / "1" / file).write_bytes(content)
    return folder


def test_the_page_links_to_it_where_it_is_there(
    open_page: Open, reported: Path, tmp_path: Path
) -> None:
    with serving(reported, tmp_path / "stderr") as address:
        page = open_page(address, "loan-default")
        assert page.query_selector(".meta >> text=report") is None

        page = open_page(address, "house-prices")
        page.click(".meta >> text=report")
        page.wait_for_selector("text=How to call it")

        assert page.url == f"{address}models/house-prices/report?version=1"
        assert violations(page) == []
        # Its own style is let through by the policy that it is served under.
        assert page.evaluate("getComputedStyle(document.body).color") == "rgb(31, 34, 38)"


def test_where_a_key_is_needed_it_is_saved(open_page: Open, reported: Path, tmp_path: Path) -> None:
    with serving(reported, tmp_path / "stderr", ONNXLET_API_KEYS=f"tester:{DIGEST}") as address:
        page = open_page(address, "house-prices", refused=True)
        page.fill("#key", KEY)
        page.keyboard.press("Enter")
        page.wait_for_selector(".meta >> text=report")
        with page.expect_download() as saved:
            page.click(".meta >> text=report")

        assert saved.value.suggested_filename == "house-prices-report.html"
        content = Path(saved.value.path()).read_bytes()
        assert content == (reported / "house-prices" / "1" / "report.html").read_bytes()
