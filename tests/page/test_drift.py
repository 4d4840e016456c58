"""The panel that shows drift: what is drawn and written out, and what is said of nothing."""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import numpy as np
import pytest

from tests.page.conftest import KEY, Open, keep_screenshot, serving
from tests.page.drifting import feature, loans, performance, report, send, shifted
from tests.page.sites import COLUMN, MARKUP
from tests.page.test_accessibility import violations
from tests.page.test_page import ask, tab_to, until

pytestmark = pytest.mark.page

PANEL = "#drift > summary"
SIGNS = re.compile(r"[\u202f\u2212]")
FAILS = (
    "It assumes that rows mean what they meant at build: under concept drift, where the same rows "
    "have come to mean something else, it fails."
)


def get(address: str, path: str) -> Any:
    with urllib.request.urlopen(address + path, timeout=20) as answer:  # noqa: S310 - the server that this test started
        return json.load(answer)


def open_panel(page: Any) -> None:
    page.click(PANEL)
    drawn(page)


def drawn(page: Any) -> None:
    page.wait_for_selector("#drift > div:last-child:not([aria-busy]) > :not(.wait)")
    page.wait_for_timeout(50)  # folds that are open draw their bins


@pytest.fixture(scope="module")
def drifted(more_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server that got ordinary rows, then shifted ones, then one that it refused."""
    with serving(more_models, tmp_path_factory.mktemp("drift") / "stderr") as address:
        send(address, loans(3000, 1))
        send(address, shifted(2000))
        with pytest.raises(HTTPError):
            ask(address, "models/loan-default/predict", {"instances": [[*["x"] * 13]]})
        yield address


def answer_with(page: Any, found: dict[str, Any]) -> None:
    page.route("**/drift?*", lambda route: route.fulfill(json=found))


def cells(page: Any, table: str) -> list[list[str]]:
    """The texts of a table, row by row, and of its head first; without the cells of bars."""
    rows = page.eval_on_selector(
        table,
        "t => [...t.rows].map(r => [...r.cells].filter(c => !c.querySelector('svg'))"
        ".map(c => c.textContent))",
    )
    return [[SIGNS.sub(lambda m: {"\u2212": "-"}.get(m[0], ""), c) for c in row] for row in rows]


def test_it_is_asked_for_when_it_is_opened(open_page: Open, drifted: str) -> None:
    page = open_page(drifted, "loan-default")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.wait_for_timeout(200)
    assert asked == []

    open_panel(page)
    page.click(PANEL)
    open_panel(page)

    assert asked == [f"{drifted}models/loan-default/drift?version=1"]


def test_alarms_come_first_in_words(open_page: Open, drifted: str) -> None:
    found = get(drifted, "models/loan-default/drift")
    page = open_page(drifted, "loan-default")
    open_panel(page)

    lines = page.eval_on_selector_all(".alarms li", "all => all.map(li => li.textContent)")
    names = [re.split(r"[:(]", line)[0].strip() for line in lines]
    assert names == list(dict.fromkeys(alarm["column"] for alarm in found["alarms"]))
    for line, name in zip(lines, names, strict=True):
        said = [alarm["sentence"] for alarm in found["alarms"] if alarm["column"] == name]
        assert f": {' '.join(dict.fromkeys(said))} (" in line
    assert re.match(r"Age: \S+ % of recent values of Age are above \d+; at build", lines[0])
    assert "(population stability index " in lines[0]
    assert any(line.startswith("probabilities (answer, confidence): ") for line in lines)
    job = next(line for line in lines if line.startswith("Job"))
    unseen = next(a for a in found["alarms"] if a["statistic"] == "unseen")
    assert (
        f"share of all other values {100 * unseen['value']:.1f}\u202f%, "
        f"above {100 * unseen['threshold']:.1f}\u202f%" in job
    )

    page.click("#drift > :last-child > .two > .feature >> nth=0 >> summary")  # folded away
    page.focus(".alarms a >> nth=0")
    page.keyboard.press("Enter")
    focused = "document.activeElement.matches('.feature[open] > summary')"
    assert page.evaluate(f"[{focused}, document.activeElement.textContent]") == [True, "Age"]


def test_bins_then_and_now_are_the_reports(open_page: Open, drifted: str) -> None:
    found = get(drifted, "models/loan-default/drift")
    entries = [*found["predictions"], *found["columns"]]
    calm = [each["column"] for each in entries if not any(t["alarmed"] for t in each["tests"])]
    page = open_page(drifted, "loan-default")
    open_panel(page)

    entry = next(each for each in found["columns"] if each["column"] == "Job")
    labels = [*entry["categories"], "all others", "missing"]
    job = ".feature:has(summary bdi:text-is('Job'))"
    page.eval_on_selector(job, "each => { each.open = true; }")
    page.wait_for_selector(f"{job} table")
    assert cells(page, f"{job} table") == [
        ["value", "", "then", "now"],
        *[
            [label, f"{100 * then:.1f}%", f"{100 * now:.1f}%"]
            for label, then, now in zip(labels, entry["reference"], entry["window"], strict=True)
        ],
    ]
    widths = page.eval_on_selector_all(
        f"{job} rect", "all => all.map(r => parseFloat(r.getAttribute('width')))"
    )
    shares = np.array([entry["reference"], entry["window"]]).T.ravel()
    assert widths == pytest.approx((100 * shares / shares.max()).tolist())

    fold = page.locator("details[data-of=others]")
    assert page.locator("details[data-of=others] table").count() == 0  # until it is opened
    assert fold.locator("> summary").inner_text() == f"{len(calm)} without an alarm"
    fold.locator("> summary").click()
    assert fold.locator(".feature summary b").all_inner_texts() == calm
    assert page.locator("details[data-of=others] table").count() == 0
    fold.locator(".feature summary >> nth=0").click()
    page.wait_for_selector("details[data-of=others] table")
    fold = page.locator("details[data-of=refused]")
    assert fold.locator("> summary").inner_text() == "1 refused"
    fold.locator("> summary").click()
    [(reason, count)] = found["refused"].items()
    assert cells(page, "details[data-of=refused] table")[1:] == [[reason, str(count)]]


def test_expected_performance_and_when_it_fails(open_page: Open, drifted: str) -> None:
    found = get(drifted, "models/loan-default/drift")["estimated"]
    page = open_page(drifted, "loan-default")
    open_panel(page)
    keep_screenshot(page, "drift")

    assert FAILS in page.inner_text("#drift")
    names = {"f1": "F1", "roc_auc": "ROC AUC"}
    assert cells(page, "#drift table >> nth=0")[1:] == [
        *[
            [names.get(name, name), f"{found[name]:.3f}", f"{found['held_out'][name]:.3f}"]
            for name in ("accuracy", "precision", "recall", "f1", "roc_auc")
        ],
        ["rows", str(found["rows"]), str(found["held_out"]["rows"])],
    ]
    page.select_option(".line select", "recall")
    page.click("details[data-of=history] summary")
    points = [*found["history"], found]
    assert [row[1:] for row in cells(page, "details[data-of=history] table")[1:]] == [
        [str(point["rows"]), f"{point['recall']:.3f}"] for point in points
    ]
    heights = page.eval_on_selector_all(
        ".line circle", "all => all.map(c => parseFloat(c.getAttribute('cy')))"
    )
    assert np.argsort(heights).tolist() == np.argsort([-p["recall"] for p in points]).tolist()
    label = page.get_attribute(".line svg", "aria-label")
    assert label == (
        f"Expected recall, from {points[0]['recall']:.3f} to {points[-1]['recall']:.3f}; "
        f"on held-out rows {found['held_out']['recall']:.3f}"
    )


def test_refresh_by_keyboard_keeps_what_is_open(open_page: Open, drifted: str) -> None:
    page = open_page(drifted, "loan-default")
    tab_to(page, PANEL)
    page.keyboard.press("Enter")
    drawn(page)
    page.click("details[data-of=others] > summary")
    before = get(drifted, "models/loan-default/drift")["rows"]
    send(drifted, loans(500, 3))

    page.focus(PANEL)
    tab_to(page, "#refresh")
    page.keyboard.press("Enter")
    until(page, "b => !document.getElementById('since').textContent.startsWith(b)", str(before))

    came = int(page.inner_text("#since").partition(" rows since ")[0]) - before
    assert 500 <= came < 520  # each page that was opened has asked for a row of its own
    assert page.evaluate("document.activeElement.id") == "refresh"
    assert page.eval_on_selector("details[data-of=others]", "fold => fold.open")


@pytest.mark.parametrize(
    ("scheme", "width"), [("light", 320), ("dark", 390), ("light", 1280), ("dark", 1280)]
)
def test_every_screen(open_page: Open, drifted: str, scheme: str, width: int) -> None:
    size = {"width": width, "height": 800}
    page = open_page(drifted, "loan-default", color_scheme=scheme, viewport=size)
    open_panel(page)
    page.evaluate("document.querySelectorAll('#drift details').forEach(d => { d.open = true; })")
    page.wait_for_timeout(200)
    keep_screenshot(page, f"drift-{scheme}-{width}")

    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_realised_performance(open_page: Open, site: str) -> None:
    page = open_page(site, "wide")
    realised = performance(
        rows=400,
        accuracy=0.875,
        estimated={"rows": 380, "accuracy": 0.9, "precision": 0.5, "roc_auc": 0.75},
        calibration=[
            {"confidence": 0.55, "accuracy": 0.5, "rows": 100},
            {"confidence": 0.95, "accuracy": 1.0, "rows": 300},
        ],
        coverage=[{"asked": 0.9, "realised": 0.905, "rows": 200}],
    )
    estimated = performance(held_out=performance(rows=750), history=[], doubtful=["量"])
    said = "68 % of 400 recent truths lie in their interval or set; 90 % was asked for."
    alarm: dict[str, Any] = {"column": "prediction", "output": "prediction", "measure": "realised"}
    alarm |= {"statistic": "coverage 0.9", "value": 0.68, "threshold": 0.865, "sentence": said}
    found = report(feature(1), realised=realised, estimated=estimated)
    answer_with(page, {**found, "alarms": [alarm]})
    open_panel(page)
    keep_screenshot(page, "drift-realised")

    assert [cells(page, f"#drift table >> nth={k}") for k in (1, 2, 3)] == [
        [
            ["", "realised", "expected"],
            ["accuracy", "0.875", "0.900"],
            ["precision", "\u2013", "0.500"],
            ["ROC AUC", "0.750", "0.750"],
            ["rows", "400", "380"],
        ],
        [
            ["rows", "", "sure", "right"],
            ["100 rows", "55.0%", "50.0%"],
            ["300 rows", "95.0%", "100.0%"],
        ],
        [["rows", "", "asked", "met"], ["200 rows", "90.0%", "90.5%"]],
    ]
    assert page.query_selector(".line") is None  # there is one point only
    assert page.inner_text(".alarms li") == (
        f"What came of predictions: {said} (coverage, 0.9 asked for, 0.68, below 0.865)"
    )
    assert violations(page) == []
    assert "the build has seen no such rows, by 量." in page.inner_text("#drift")


def test_an_error_is_drawn_from_nought(open_page: Open, site: str) -> None:
    page = open_page(site, "wide")
    points = [{"until": "2026-01-02T03:04:05+00:00", "rows": 1000, "mean_absolute_error": 12.5}]
    points.append({"until": "2026-01-03T03:04:05+00:00", "rows": 1000})
    points[1]["mean_absolute_error"] = None
    estimated = {"rows": 1500, "mean_absolute_error": 25.0, "history": points}
    estimated["held_out"] = {"rows": 750, "mean_absolute_error": 10.0}
    answer_with(page, report(feature(1), estimated=estimated))
    open_panel(page)

    assert page.locator(".line circle").count() == 2
    assert page.locator(".line line").count() == 1  # that of held-out rows: a gap is no line
    assert page.inner_text(".ends.up").split() == ["30", "0"]


def test_names_categories_and_reasons_are_text(open_page: Open, site: str) -> None:
    page = open_page(site, "wide")
    hostile = feature(
        2,
        column=COLUMN,
        categories=[MARKUP, "", "\u05e9\u05dc\u05d5\u05dd"],
        reference=[0.5, 0.3, 0.2, 0.0, 0.0],
        window=[0.1, 0.3, 0.1, 0.5, 0.0],
    )
    arabic = feature(4, column="\u0627\u0644\u0639\u0645\u0631", index=1)
    refused = {f"{COLUMN}: expected {MARKUP}": 2, "a": 3}
    answer_with(page, report(hostile, arabic, refused=refused, left_out=[MARKUP]))
    open_panel(page)
    for of in ("refused", "left"):
        page.click(f"details[data-of={of}] summary")
    keep_screenshot(page, "drift-hostile")

    assert page.locator(".alarms a").all_inner_texts() == ["\u0627\u0644\u0639\u0645\u0631", COLUMN]
    labels = [row[0] for row in cells(page, ".feature >> nth=1 >> table")[1:]]
    assert labels == [MARKUP, "(empty text)", "\u05e9\u05dc\u05d5\u05dd", "all others", "missing"]
    labels = [row[0] for row in cells(page, ".feature >> nth=0 >> table")[1:]]
    assert labels == ["up to -1.5", "-1.5 to 0.25", "0.25 to 2", "above 2", "missing"]
    assert cells(page, "details[data-of=refused] table")[1:] == [
        ["a", "3"],
        [f"{COLUMN}: expected {MARKUP}", "2"],
    ]
    assert page.inner_text("details[data-of=left] p") == MARKUP
    assert page.query_selector("#drift img") is None
    assert page.evaluate("window.hacked") is None


def test_a_share_that_fell_is_below_its_threshold(open_page: Open, site: str) -> None:
    page = open_page(site, "wide")
    fell = {"statistic": "missing", "value": 0.0, "threshold": 0.02, "alarmed": True}
    answer_with(page, report(feature(1, measure="length", tests=[fell])))
    open_panel(page)

    words = "share of missing values 0.0\u202f%, below 2.0\u202f%"
    said = "Many recent values of column 1 are new."
    assert page.inner_text(".alarms li") == f"column 1 (length of the text): {said} ({words})"
    assert page.inner_text(".feature .tests") == words


def test_labels_of_whole_numbers_and_booleans(open_page: Open, site: str) -> None:
    page = open_page(site, "house-prices")
    labels = "entry => binLabels(entry)"
    area = {"column": "Gr_Liv_Area", "measure": "value", "edges": [0.5, 1.5, 7.0]}

    assert page.evaluate(labels, area) == ["up to 0", "1", "2 to 7", "from 8", "missing"]
    assert page.evaluate(labels, {"column": "x", "measure": "length", "edges": [4.5]}) == [
        "up to 4",
        "from 5",
        "missing",
    ]
    assert page.evaluate(labels, {"column": "x", "measure": "value", "edges": []}) == [
        "any number",
        "missing",
    ]


def test_two_hundred_columns_are_folded_and_quick(open_page: Open, site: str) -> None:
    page = open_page(site, "wide", viewport={"width": 390, "height": 800})
    answer_with(page, report(*(feature(k) for k in range(200))))
    open_panel(page)

    assert page.locator(".alarms li").count() == 100
    assert page.locator("details[data-of=alarms] li").count() == 88
    assert page.locator("#drift table").count() == 6
    assert page.locator("#drift *").count() < 3000
    spent = page.evaluate(
        """async () => {
        const found = await (await fetch("models/wide/drift?version=2")).json(), spent = [];
        for (let turn = 0; turn < 5; turn += 1) {
            const start = performance.now(), box = document.createElement("div");
            document.body.append(box);
            box.append(...driftParts(found).flat(Infinity).filter(Boolean));
            document.body.getBoundingClientRect();
            spent.push(performance.now() - start);
            box.remove();
        }
        return Math.min(...spent);
    }"""
    )
    assert spent < 500  # milliseconds; some 30 where nothing else runs


def test_where_only_rows_of_the_page_itself_are_counted_yet(open_page: Open, site: str) -> None:
    page = open_page(site, "visits")
    open_panel(page)
    keep_screenshot(page, "drift-empty")

    said = page.inner_text("#drift > div:last-child")
    few = r"(1 row|\d\d? rows) so far: figures from 100 on, so that none is of anybody\u2019s row\."
    assert re.fullmatch(few, said), said  # a row for each time that a page of it was opened
    found = report(rows=0, window=0, waiting=None)
    answer_with(page, found)
    page.click("#refresh")
    page.wait_for_selector("text=Nothing to show yet: figures are of 100 rows or more")
    assert page.inner_text("#since").startswith("0 rows since 20")
    assert violations(page) == []


def test_a_model_without_reference_statistics(open_page: Open, tasks_site: str) -> None:
    page = open_page(tasks_site, "net", refused=True)
    open_panel(page)

    assert page.inner_text("#drift > div:last-child") == (
        "Nothing is counted of net version 1: it was built without reference statistics. "
        "Build it again, with at least 20 held-out rows."
    )


def test_where_counting_is_switched_off(open_page: Open, more_models: Path, tmp_path: Path) -> None:
    with serving(more_models, tmp_path / "stderr", ONNXLET_WATCH="off") as address:
        page = open_page(address, "iris", refused=True)
        open_panel(page)

        assert page.inner_text("#drift > div:last-child") == (
            "Nothing is counted of iris version 1: ONNXLET_WATCH=off is set. Set ONNXLET_WATCH=on."
        )


def test_with_a_key(open_page: Open, locked_site: str) -> None:
    page = open_page(locked_site, "hostile", refused=True)
    page.fill("#key", KEY)
    page.keyboard.press("Enter")
    page.wait_for_selector(PANEL)
    open_panel(page)
    assert "Figures on rows are for keys for reading" in page.inner_text("#drift")

    page.evaluate("sessionStorage.clear()")
    page.click("#refresh")
    page.wait_for_selector("#key")


def test_a_server_that_is_gone_and_back(open_page: Open, site: str) -> None:
    page = open_page(site, "wide", refused=True)
    page.route("**/drift?*", lambda route: route.abort())
    open_panel(page)
    assert "can\u2019t be reached" in page.inner_text("#drift .trouble")

    page.unroute("**/drift?*")
    answer_with(page, report(feature(1)))
    page.click("#refresh")
    page.wait_for_selector("#drift .calm")


def test_who_may_not_read_sees_why(open_page: Open, site: str) -> None:
    """It is no failure: figures on rows are for others."""
    page = open_page(site, "wide", refused=True)
    problem = {"status": 403, "title": "Forbidden", "detail": "for readers", "hint": "Set KEYS."}
    page.route("**/drift?*", lambda route: route.fulfill(status=403, json=problem))
    open_panel(page)

    assert "For readers. Set KEYS." in page.inner_text("#drift")
    assert page.query_selector("#drift .trouble") is None


def test_an_older_version_has_its_own(open_page: Open, site: str) -> None:
    page = open_page(site, "wide/1")
    with page.expect_request("**/models/wide/drift?version=1"):
        page.click(PANEL)
