"""The page in a real browser, as a person uses it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from onnxlet.function.app import create_app
from onnxlet.function.settings import Settings
from tests.page.conftest import KEY, Open, keep_screenshot, predict
from tests.page.sites import BAD, COLUMN, MARKUP, stage

pytestmark = pytest.mark.page

MODELS = ["hostile", "house-prices", "iris", "loan-default", "reviews", "shop", "visits", "wide"]
NARROW = {"viewport": {"width": 320, "height": 640}, "has_touch": True, "is_mobile": True}


def ask(address: str, path: str, body: Any) -> Any:
    request = urllib.request.Request(  # noqa: S310 - the server that this test started
        address + path, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310 - the same
        return json.load(answer)


def until(page: Any, expression: str, *argument: Any) -> None:
    """Ask again and again: Playwright's own waiting needs eval, which the policy forbids."""
    wait_until(page, lambda: page.evaluate(expression, *argument), expression)


def wait_until(page: Any, happened: Callable[[], Any], what: str = "") -> None:
    """Let the browser's events come in meanwhile."""
    end = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < end, f"never true: {what}"
        page.wait_for_timeout(20)


def tab_to(page: Any, selector: str) -> None:
    for _ in range(60):
        if page.evaluate("s => document.activeElement.matches(s)", selector):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"no way by keyboard to {selector}")


def test_dates_have_a_field_of_their_own(open_page: Open, site: str) -> None:
    page = open_page(site, "visits")

    kinds = page.eval_on_selector_all(
        "form input:not([type=checkbox])", "all => all.map(a => a.type)"
    )
    assert kinds.count("datetime-local") == 2
    fields = {name: page.get_by_label(name, exact=True) for name in ("day", "begun", "ended")}
    fields["day"].fill("29.02.2024")
    fields["begun"].fill("2024-02-29T09:30:00")
    fields["ended"].fill("2024-02-29T23:30:00")
    got = predict(page)
    keep_screenshot(page, "dates")

    row = ["29.02.2024", "2024-02-29T09:30:00", "2024-02-29T23:30:00Z"]
    expected = ask(site, "models/visits/predict", {"instances": [row]})["prediction"][0]
    assert float(re.findall(r"-?\d+\.\d+", got)[0]) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("model", MODELS)
def test_the_example_is_answered_as_the_server_answers_it(
    open_page: Open, site: str, model: str
) -> None:
    page = open_page(site, model)
    rows = page.evaluate("JSON.parse(bodyText())")
    expected = ask(site, f"models/{model}/predict", rows)["prediction"][0]

    shown = predict(page)
    keep_screenshot(page, model)

    if isinstance(expected, float):
        assert float(re.sub("[\u202f ]", "", shown).replace("\u2212", "-")) == pytest.approx(
            expected, rel=1e-5
        )
    else:
        assert shown.startswith(json.dumps(expected).strip('"').replace('\\"', '"'))


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        ("clusters", r"[0-2]"),
        ("deviation", r"[\u2212\d.e]+ ?± [\d.e\u2212]+"),
        ("outliers", r"inlier|outlier"),
        ("scores", r"yes|no"),
        ("several-labels", r"[01], [01]"),
        ("several-outputs", r"(yes|no), (up|down)"),
        ("transformed", r"[\u2212\d.e]+, [\u2212\d.e]+, [\u2212\d.e]+"),
        ("two-numbers", r"[\u2212\d.e]+, [\u2212\d.e]+"),
    ],
)
def test_every_task(open_page: Open, tasks_site: str, model: str, kind: str) -> None:
    page = open_page(tasks_site, model)

    shown = predict(page)
    keep_screenshot(page, model)

    assert re.fullmatch(kind, shown), shown
    assert "NaN" not in page.inner_text("main")
    assert "undefined" not in page.inner_text("main")


def test_the_certificate_says_which_of_scikit_learns_answers_were_met(
    open_page: Open, tasks_site: str
) -> None:
    met = open_page(tasks_site, "in-float32").inner_text("#certificate")
    assert "2000 rows drawn within the range of the data" in met
    found = re.search(
        r"scikit-learn in float64; its answers in float32 depend .* by up to (.*)", met
    )
    assert found
    assert re.match(r"[\d.]+e[\u2212\d]+ of the value", found[1])

    older = open_page(tasks_site, "older").inner_text("#certificate")
    assert "Proven before it was served" in older
    assert not re.search("float64;|Compared with|drawn within|undefined|NaN", older)


def test_what_nothing_proves_is_called_unproven(open_page: Open, tasks_site: str) -> None:
    page = open_page(tasks_site, "net", refused=True)  # it has no background, either

    page.click("button.main")
    page.wait_for_selector("#why .sum")
    keep_screenshot(page, "net")

    assert page.inner_text("#prediction") == "10, \u221210"
    assert page.inner_text(".proof") == "not proven"
    assert "Nothing proves this model’s answers: no sample was given." in page.inner_text(
        "#certificate"
    )
    why = page.inner_text("#why .sum")
    assert why.startswith("Model net/1 has no background rows to explain its answers from. Build")


def test_predicting_by_keyboard_only(open_page: Open, site: str) -> None:
    page = open_page(site, "iris")

    tab_to(page, "#field-2")
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("5.9")
    page.keyboard.press("Tab")
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("2.3")
    page.keyboard.press("Enter")
    page.wait_for_selector("#prediction")

    rows = page.evaluate("JSON.parse(bodyText())")
    assert (rows["instances"][0]["x2"], rows["instances"][0]["x3"]) == (5.9, 2.3)
    assert page.inner_text("#prediction").startswith("2")
    tab_to(page, "button.main")


def test_the_keyboard_reaches_another_model_and_a_text_box(open_page: Open, site: str) -> None:
    page = open_page(site, "iris")

    tab_to(page, "nav a[data-name=reviews]")
    page.keyboard.press("Enter")
    page.wait_for_selector("textarea#field-0")
    tab_to(page, "textarea#field-0")
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type(" ".join(BAD))
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("#prediction")

    assert page.inner_text("#prediction").startswith("negative")


def test_wrong_input_is_shown_at_its_field(open_page: Open, site: str) -> None:
    page = open_page(site, "house-prices", refused=True)

    page.fill("#field-0", "big")
    page.fill("#field-2", "9430.5")
    page.keyboard.press("Enter")
    page.wait_for_selector(".trouble")
    keep_screenshot(page, "errors")

    wrong = page.eval_on_selector_all("[aria-invalid=true]", "all => all.map(e => e.id)")
    assert wrong == ["field-0", "field-2"]
    assert page.inner_text("#hint-0") == "Expected a whole number, got 'big'."
    assert page.get_attribute("#field-0", "aria-describedby") == "hint-0"
    assert page.evaluate("document.activeElement.id") == "field-0"
    assert "2 values are not what the model takes" in page.inner_text(".trouble")
    page.fill("#field-0", "1500")
    page.fill("#field-2", "9430")
    predict(page)
    assert page.query_selector("[aria-invalid=true]") is None


def test_a_value_that_may_be_missing_is_sent_as_null(open_page: Open, site: str) -> None:
    page = open_page(site, "house-prices")

    page.fill("#field-3", "")
    page.select_option("#field-9", label="— missing —")
    predict(page)

    row = page.evaluate("JSON.parse(bodyText())")["instances"][0]
    assert (row["Lot_Frontage"], row["Garage_Type"]) == (None, None)


def test_a_value_that_is_not_among_the_frequent_ones(open_page: Open, site: str) -> None:
    page = open_page(site, "loan-default")

    page.select_option("#field-12", "other")
    page.fill("input[aria-label='Job: another value']", 'a "new" one')
    predict(page)

    assert page.evaluate("JSON.parse(bodyText())")["instances"][0]["Job"] == 'a "new" one'


def test_a_decimal_comma_is_read_where_it_parts_no_thousands(open_page: Open, site: str) -> None:
    page = open_page(site, "wide", refused=True)
    for typed, cell in [("2,38", 2.38), ("-0,5", -0.5), ("1.234,5", 1234.5), ("1,234", "1,234")]:
        page.fill("#field-0", typed)
        assert page.evaluate("JSON.parse(bodyText())")["instances"][0]["x0"] == cell
    page.keyboard.press("Enter")
    page.wait_for_selector(".trouble")
    said = "Expected a number, got '1,234'. Before decimals stands a point."
    assert page.inner_text("#hint-0") == said


def test_no_digit_of_a_long_number_is_lost(open_page: Open, site: str) -> None:
    page = open_page(site, "house-prices")

    page.fill("#field-0", "9007199254740993")
    predict(page)

    assert '"Gr_Liv_Area": 9007199254740993,' in page.inner_text("#snippet")


def test_the_key_is_asked_for_and_kept_only_in_this_tab(open_page: Open, locked_site: str) -> None:
    page = open_page(locked_site, "iris", refused=True)
    assert page.query_selector("nav a") is None
    keep_screenshot(page, "key")

    page.fill("#key", "wrong")
    page.keyboard.press("Enter")
    page.wait_for_selector("#key[aria-invalid=true]")
    assert page.inner_text("#key-hint") == "The API key is not known here."
    page.fill("#key", KEY)
    page.keyboard.press("Enter")
    page.wait_for_selector("nav a")
    predict(page)

    stores = "[Object.values(sessionStorage), Object.values(localStorage), document.cookie]"
    assert page.evaluate(stores) == [[KEY], [], ""]
    assert KEY not in page.content()
    assert "Bearer $API_KEY" in page.inner_text("#snippet")
    page.click("#forget")
    page.wait_for_selector("#key")
    assert page.evaluate(stores) == [[], [], ""]


def test_the_bars_show_what_explain_returns(open_page: Open, site: str) -> None:
    page = open_page(site, "iris")
    rows = page.evaluate("JSON.parse(bodyText())")
    told = ask(site, "models/iris/explain", rows)
    explanation = told["explanations"][0]
    place = told["classes"].index(explanation["prediction"])

    predict(page)

    shown = page.eval_on_selector_all(
        "#pushes li",
        "all => all.map(li => [li.querySelector('.name').textContent,"
        " li.querySelector('.value').textContent, li.className])",
    )
    pushes = {name: value[place] for name, value in explanation["contributions"].items()}
    order = sorted(pushes.items(), key=lambda pair: -abs(pair[1]))
    assert [(name, kind) for name, _, kind in shown] == [
        (name, "up" if value > 0 else "down") for name, value in order
    ]
    for (_, text, _), (_, value) in zip(shown, order, strict=True):
        number = float(text.replace("\u2212", "-").replace("\u202f%", ""))
        assert number == pytest.approx(100 * value, abs=0.06)
    page.select_option("#why select", "2")
    assert page.inner_text("#pushes li .name") != ""


def test_each_number_of_an_answer_has_its_own_bars(open_page: Open, tasks_site: str) -> None:
    page = open_page(tasks_site, "several-outputs")
    predict(page)
    chosen = page.eval_on_selector("#why select", "s => s.options[s.selectedIndex].text")

    options = page.eval_on_selector_all("#why option", "all => all.map(o => o.text)")
    assert options == ["no (output 1)", "yes (output 1)", "down (output 2)", "up (output 2)"]
    assert chosen == page.inner_text("#prediction").split(",")[0] + " (output 1)"
    first = page.inner_text("#sum")
    page.select_option("#why select", "2")
    assert page.inner_text("#sum") != first


def test_tokens_are_coloured_in_the_text(open_page: Open, site: str) -> None:
    page = open_page(site, "reviews")
    page.fill("#field-0", "🦙 A superb film, boring music")

    predict(page)
    keep_screenshot(page, "reviews-tokens")

    marks = page.eval_on_selector_all("#tokens mark", "all => all.map(m => m.textContent)")
    assert marks == ["superb", "film", "boring", "music"]
    assert page.inner_text("#tokens .text") == "🦙 A superb film, boring music"
    superb, boring = (
        page.eval_on_selector(f"#tokens mark >> nth={place}", "m => m.style.background")
        for place in (0, 2)
    )
    assert "up" in superb or "down" in superb
    assert superb.split("/")[0] != boring.split("/")[0]


@pytest.mark.parametrize("language", ["curl", "Python"])
@pytest.mark.parametrize("model", MODELS)
def test_a_pasted_snippet_gets_the_same_answer(
    open_page: Open, site: str, model: str, language: str
) -> None:
    page = open_page(site, model)
    if model == "reviews":
        page.fill("#field-0", "it's \"good\"\\n $HOME `id`\nand 🦙 'warm'\u2028 %s")
    predict(page)
    path = page.evaluate("pathOf(state.model, 'predict') + queryOf(state.model)")
    assert path.endswith("?coverage=0.9&unusual=true")
    expected = ask(site, path, page.evaluate("JSON.parse(bodyText())"))
    page.click(f"#tab-{language}")
    snippet = page.evaluate("document.getElementById('snippet').textContent")
    command = ["sh", "-c", snippet] if language == "curl" else [sys.executable, "-c", snippet]

    assert json.loads(subprocess.check_output(command, timeout=20)) == expected


@pytest.mark.parametrize("language", ["curl", "Python"])
def test_a_snippet_takes_the_key_from_the_environment(
    open_page: Open, locked_site: str, language: str
) -> None:
    page = open_page(locked_site, "hostile", refused=True)
    page.fill("#key", KEY)
    page.keyboard.press("Enter")
    page.wait_for_selector("nav a")
    page.click(f"#tab-{language}")
    snippet = page.evaluate("document.getElementById('snippet').textContent")
    command = ["sh", "-c", snippet] if language == "curl" else [sys.executable, "-c", snippet]

    answer = json.loads(
        subprocess.check_output(command, timeout=20, env={"API_KEY": KEY, "PATH": "/usr/bin:/bin"})
    )
    assert answer["model"] == "hostile"


def test_the_snippet_is_copied(open_page: Open, site: str) -> None:
    page = open_page(site, "shop", permissions=["clipboard-read", "clipboard-write"])

    page.evaluate(
        """() => {
        const copy = document.getElementById("copy");
        window.said = [];  // for a second and a half only
        new MutationObserver(() => window.said.push(copy.textContent))
            .observe(copy, { childList: true });
    }"""
    )
    page.click("#copy")
    until(page, "window.said.includes('Copied')")

    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == page.evaluate("document.getElementById('snippet').textContent")


def test_another_example_differs_and_is_answered(open_page: Open, site: str) -> None:
    page = open_page(site, "loan-default")
    first = page.evaluate("bodyText()")

    for _ in range(5):
        page.click("#another")
        page.wait_for_selector("#answer:not([aria-busy]) #prediction")
    assert page.query_selector(".trouble") is None
    assert page.evaluate("bodyText()") != first


def test_a_slider_predicts_anew(open_page: Open, site: str) -> None:
    page = open_page(site, "house-prices")
    before = predict(page)

    page.eval_on_selector(
        ".slide", "s => { s.value = s.max; s.dispatchEvent(new Event('input', {bubbles: true})); }"
    )
    until(page, "b => document.getElementById('prediction').textContent !== b", before)

    assert page.input_value("#field-0") == page.get_attribute(".slide", "max")


@pytest.mark.parametrize(
    "text",
    [
        ",".join(str(k / 10) for k in range(100)),
        ",".join(f"x{k}" for k in range(100)) + "\n" + ",".join(str(k / 10) for k in range(100)),
        ";".join(str(k / 10).replace(".", ",") for k in range(100)),
        "\t".join(f"x{k}" for k in range(100)) + "\n" + "\t".join(str(k / 10) for k in range(100)),
        json.dumps([k / 10 for k in range(100)]),
        json.dumps({"instances": [{f"x{k}": k / 10 for k in range(100)}]}),
    ],
    ids=["values", "header and values", "semicolons", "a spreadsheet", "a list", "a request"],
)
def test_a_pasted_row_fills_a_wide_model(open_page: Open, site: str, text: str) -> None:
    page = open_page(site, "wide")

    page.fill("#paste", text)

    assert page.input_value("#field-99") == "9.9"
    assert page.inner_text("#paste-hint") == "The fields are filled."
    predict(page)


def test_a_row_that_does_not_fit_says_so(open_page: Open, site: str) -> None:
    page = open_page(site, "wide")

    for text, said in [
        ("1,2,3", "Expected 100 values with commas, semicolons or tabs between, got 3."),
        (
            ";".join(["1.031", *"2" * 99]),
            "1.031 may be 1031 or 1.031: write it without what parts thousands.",
        ),
    ]:
        page.fill("#paste", text)
        assert page.inner_text("#paste-hint") == said


def test_an_older_version_is_asked_by_its_own_path(open_page: Open, site: str) -> None:
    page = open_page(site, "wide")
    newest = predict(page)

    page.select_option("select[aria-label=Version]", "1")
    page.wait_for_selector("option[value='1']:checked", state="attached")
    until(page, "location.hash === '#wide/1' && state.model.version === 1 && state.answer")

    assert predict(page) != newest
    assert "/models/wide/versions/1/predict" in page.inner_text("#snippet")


def test_markup_in_names_and_categories_is_text(open_page: Open, site: str) -> None:
    page = open_page(site, "hostile")
    page.select_option("#field-0", label=MARKUP)

    predict(page)

    assert page.inner_text("label[for=field-0]") == COLUMN
    assert page.inner_text("#prediction").startswith(MARKUP)
    assert page.query_selector("main img") is None
    assert page.evaluate("window.hacked") is None


def test_the_policy_is_in_force(browser: Any, site: str) -> None:
    page = browser.new_page()
    page.goto(f"{site}#iris")
    page.wait_for_selector("form")
    expected = ["script-src-elem", "img-src", "style-src-attr", "connect-src", "frame-src"]
    broken = page.evaluate(
        """async (expected) => {
        const broken = [];
        document.addEventListener("securitypolicyviolation",
            (event) => broken.push(event.effectiveDirective));
        const script = document.createElement("script");
        script.textContent = "window.hacked = 1";
        document.body.append(script);
        const image = document.createElement("img");
        image.setAttribute("onerror", "window.hacked = 2");
        image.src = "http://127.0.0.1:9/x.png";
        document.body.append(image);
        document.body.insertAdjacentHTML("beforeend", "<p style='color: red'>x</p>");
        await fetch("http://127.0.0.1:9/").catch(() => {});
        const frame = document.createElement("iframe");
        frame.src = "/models";
        document.body.append(frame);
        const end = performance.now() + 60000;
        while (!expected.every((each) => broken.includes(each)) && performance.now() < end)
            await new Promise((done) => setTimeout(done, 50));
        return broken;
    }""",
        expected,
    )
    assert page.evaluate("window.hacked") is None
    page.close()
    assert set(broken) >= set(expected)


@pytest.mark.parametrize("model", MODELS)
def test_a_narrow_screen_needs_no_sideways_scroll(open_page: Open, site: str, model: str) -> None:
    page = open_page(site, model, **NARROW)

    predict(page)

    place = "document.getElementById('prediction').getBoundingClientRect()"
    until(page, f"{place}.top >= 0 && {place}.bottom <= innerHeight")
    current = page.eval_on_selector("nav a[aria-current]", "a => a.getBoundingClientRect().left")
    assert 0 <= current < 200
    keep_screenshot(page, f"{model}-320")
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


def test_dark_where_the_reader_likes_it_dark(open_page: Open, site: str) -> None:
    ground = "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)"

    light = open_page(site, "loan-default").evaluate(ground)
    page = open_page(site, "loan-default", color_scheme="dark")
    predict(page)
    keep_screenshot(page, "loan-default-dark")

    assert min(light) > 220
    assert max(page.evaluate(ground)) < 40


def test_nothing_moves_by_itself(open_page: Open, site: str) -> None:
    page = open_page(site, "loan-default")
    page.evaluate(
        """() => {
        window.moved = 0;
        const watch = (list) => list.getEntries().filter((entry) => !entry.hadRecentInput)
            .forEach((entry) => { window.moved += entry.value; });
        new PerformanceObserver(watch).observe({ type: "layout-shift", buffered: true });
    }"""
    )

    frames = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
    held: list[Any] = []
    page.route("**/explain", lambda route: held.append(route))
    page.evaluate(frames)
    assert page.evaluate("window.moved") < 0.02

    page.click("button.main")
    page.wait_for_selector("#prediction")
    wait_until(page, lambda: held)
    page.wait_for_timeout(800)  # movement within half a second of a click is the click's
    page.evaluate(frames)
    page.evaluate("window.moved = 0")  # the prediction's, which may come later than that
    held[0].continue_()
    page.wait_for_selector("#pushes:not([hidden]) li")
    page.evaluate(frames)
    page.wait_for_timeout(100)

    assert page.evaluate("window.moved") < 0.02


def test_below_a_stage_of_lambda(open_page: Open, more_models: Path) -> None:
    with stage(more_models) as address:
        for entry in (address, address.rstrip("/")):
            page = open_page(entry)
            page.click(".gallery a[data-name=hostile]")
            predict(page)
            assert f"{address}models/hostile/predict" in page.inner_text("#snippet")
            page.context.close()


def test_without_explanations_the_rest_works(open_page: Open, site: str) -> None:
    page = open_page(site, "iris", refused=True)
    page.route("**/explain", lambda route: route.fulfill(status=404, json={"detail": "no"}))

    page.click("button.main")
    page.wait_for_selector("#why .sum")

    assert page.inner_text("#why .sum") == "This model has no explanations here."


BUSY = {"title": "Service Unavailable", "detail": "more requests than are taken"}
TROUBLES: dict[str, Callable[[Any], Any]] = {
    "can\u2019t be reached": lambda route: route.abort(),
    "Try again in 2 seconds.": lambda route: route.fulfill(
        status=503, json=BUSY, headers={"Retry-After": "2"}
    ),
}


@pytest.mark.parametrize("said", TROUBLES)
def test_a_server_that_is_gone_or_sheds(open_page: Open, site: str, said: str) -> None:
    page = open_page(site, "iris", refused=True)
    page.route("**/predict*", TROUBLES[said])

    page.click("button.main")
    page.wait_for_selector(".trouble")

    assert said in page.inner_text(".trouble")


def test_a_version_that_is_gone(open_page: Open, site: str) -> None:
    page = open_page(site, "wide", refused=True)
    gone = {"title": "Not Found", "detail": "no version 1 of model 'wide'"}
    page.route("**/models/wide?version=1", lambda route: route.fulfill(status=404, json=gone))

    page.select_option("select[aria-label=Version]", "1")
    page.wait_for_selector(".trouble")

    assert "No version 1 of model 'wide'." in page.inner_text(".trouble")
    page.click("nav a[data-name=iris]")
    assert predict(page)


def test_the_shell_has_no_data_of_the_models(more_models: Path) -> None:
    shell = create_app(more_models, settings=Settings(more_models)).test_client().get("/").text

    assert not [name for name in MODELS if name in shell and name != "wide"]  # a style's name
