"""What a page predicts by itself when it opens, and how answers stand there."""

from __future__ import annotations

from typing import Any

import pytest

from tests.page.conftest import KEY, Open, keep_screenshot, predict
from tests.page.test_accessibility import violations
from tests.page.test_answers import opened
from tests.page.test_page import NARROW, ask, wait_until

pytestmark = pytest.mark.page

PHONE = {"viewport": {"width": 375, "height": 812}, "has_touch": True, "is_mobile": True}
NAMED = {"output_names": ["<b>width</b>", "\u05d0\u05d5\u05e8\u05da"]}  # one from right to left
# Numbers that stand on two lines, of all texts that are seen.
BROKEN = """() => {
    const walker = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
    const broken = [];
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
        const around = node.parentElement;
        if (!around.offsetParent || around.closest("pre, textarea")) continue;
        for (const found of node.data.matchAll(/[\u2212+-]?\\d[\\d\u202f.]*(e[\u2212+-]?\\d+)?/g)) {
            const range = document.createRange();
            range.setStart(node, found.index);
            range.setEnd(node, found.index + found[0].length);
            const tops = new Set([...range.getClientRects()].map((box) => Math.round(box.top)));
            if (tops.size > 1) broken.push(found[0]);
        }
    }
    return broken;
}"""


def posts(page: Any) -> list[str]:
    """The paths of what is posted from now on."""
    asked: list[str] = []

    def note(request: Any) -> None:
        if request.method == "POST":
            asked.append(request.url.rpartition("/")[2])

    page.on("request", note)
    return asked


@pytest.mark.parametrize("model", ["house-prices", "loan-default", "shop", "visits", "wide"])
def test_the_row_that_is_made_up_is_predicted_once(open_page: Open, site: str, model: str) -> None:
    page = open_page(site)
    asked = posts(page)
    assert asked == []  # the gallery asks for nothing

    page.click(f".gallery a[data-name={model}]")
    page.wait_for_selector("#answer:not([aria-busy]) #prediction")

    assert asked == ["predict?coverage=0.9&unusual=true", "explain"]
    rows = page.evaluate("JSON.parse(bodyText())")
    path = f"models/{model}/predict?coverage=0.9&unusual=true"
    assert page.evaluate("state.answer.prediction") == ask(site, path, rows)["prediction"]
    assert "Made up" in page.inner_text("form .made-up")
    assert page.evaluate("scrollY") == 0
    assert not page.evaluate("document.activeElement.matches('form *')")


@pytest.mark.parametrize(
    ("where", "model"),
    [("site", "reviews"), ("pictured_site", "digits"), ("pictured_site", "rooms"),
     ("answering_site", "summary")],
)  # fmt: skip
def test_a_text_or_a_picture_is_waited_for(
    open_page: Open, where: str, model: str, request: pytest.FixtureRequest
) -> None:
    page = open_page(request.getfixturevalue(where))
    asked = posts(page)
    page.click(f".gallery a[data-name={model}]")
    page.wait_for_selector(f"h1:text-is('{model}')")
    page.wait_for_timeout(400)  # longer than it would take

    assert asked == []
    assert page.inner_text("#reply").startswith("Give it a ")
    assert page.query_selector("#answer[aria-busy], .made-up, .trouble") is None


def test_nothing_is_sent_before_there_is_a_key(open_page: Open, locked_site: str) -> None:
    page = open_page(locked_site, "iris", refused=True)
    asked = posts(page)
    page.wait_for_timeout(400)
    assert asked == []

    page.fill("#key", KEY)
    page.keyboard.press("Enter")
    page.wait_for_selector("#answer:not([aria-busy]) #prediction")
    assert asked == ["predict?coverage=0.9&unusual=true", "explain"]
    page.click("#forget")
    page.wait_for_selector("#key")
    assert len(asked) == 2


def test_what_is_refused_when_it_opens_is_no_error_of_the_readers(
    open_page: Open, site: str
) -> None:
    page = open_page(site, refused=True)
    wrong = {"title": "Unprocessable", "errors": [{"row": 0, "column": "x0", "detail": "no"}]}
    page.route("**/predict*", lambda route: route.fulfill(status=422, json=wrong))
    with page.expect_response("**/predict*"):
        page.click(".gallery a[data-name=iris]")
    page.wait_for_selector("#answer:not([aria-busy])")
    assert page.inner_text("#reply").startswith("Give it a row")
    assert page.query_selector(".trouble, [aria-invalid=true]") is None

    page.click("button.main")
    page.wait_for_selector(".trouble")
    assert page.get_attribute("#field-0", "aria-invalid") == "true"


def test_a_slow_server_keeps_nobody_from_asking_anew(open_page: Open, site: str) -> None:
    page = open_page(site)
    held: list[Any] = []
    ended: list[str] = []
    page.on("requestfailed", lambda request: ended.append(request.url))
    page.route("**/predict*", lambda route: held.append(route))
    page.click(".gallery a[data-name=house-prices]")
    wait_until(page, lambda: held)
    assert page.query_selector("#reply .wait") is not None

    move = "s => { s.value = s.max; s.dispatchEvent(new Event('input', {bubbles: true})); }"
    page.eval_on_selector_all(".slide", f"all => all.forEach({move})")
    wait_until(page, lambda: len(held) == 2 and len(ended) == 1)  # not six, and one at a time
    held[1].continue_()
    page.wait_for_selector("#prediction")
    sent = held[1].request.post_data_json["instances"][0]
    assert str(sent["Gr_Liv_Area"]) == page.get_attribute(".slide >> nth=0", "max")

    page.click("button.main")
    wait_until(page, lambda: len(held) == 3)
    page.click("nav a[data-name=iris]")  # which is left ends
    wait_until(page, lambda: len(held) == 4)
    assert "/house-prices/" in ended[-1]
    held[3].continue_()
    page.wait_for_selector("#answer:not([aria-busy]) #prediction")


def test_a_field_that_changes_meanwhile_makes_the_answer_stale(open_page: Open, site: str) -> None:
    page = open_page(site)
    held: list[Any] = []
    page.route("**/predict*", lambda route: held.append(route))
    page.click(".gallery a[data-name=iris]")
    wait_until(page, lambda: held)
    page.fill("#field-0", "7.7")
    held[0].continue_()
    page.wait_for_selector("#prediction")
    assert page.query_selector("#answer.stale") is not None
    page.unroute("**/predict*")
    predict(page)
    assert page.query_selector("#answer.stale") is None


@pytest.mark.parametrize("size", [{}, PHONE], ids=["wide", "narrow"])
@pytest.mark.parametrize("target", ["y", "t" * 80])
def test_the_choice_of_the_interval_is_beside_the_answer(
    open_page: Open, site: str, size: Any, target: str
) -> None:
    column = {"name": "a", "type": "float64", "nullable": False, "shape": [-1, 1]}
    output = {"name": "prediction", "type": "float64", "shape": [-1], "unit": "thousand EUR"}
    signature = {"inputs": [column], "outputs": [output]}
    model = {"task": "regression", "target": target, "signature": signature, "coverage": 0.95}
    answer = {"prediction": [-123456789012.5], "interval": [[-1.5e22, 1e-12]]}
    page, _ = opened(open_page, site, model, answer, **size)
    page.wait_for_selector("#prediction")
    boxes = [page.locator(each).bounding_box() for each in ("#coverage", "#prediction", ".band")]

    choice, *others = [(b["x"], b["y"], b["x"] + b["width"], b["y"] + b["height"]) for b in boxes]
    for left, top, right, bottom in others:
        assert choice[3] <= top or choice[1] >= bottom or choice[2] <= left or choice[0] >= right
    assert page.inner_text("#prediction").split("\u202f")[0] == "\u2212123"
    assert page.inner_text("#prediction").endswith(" thousand EUR")
    assert page.evaluate(BROKEN) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize(
    ("where", "model"),
    [("site", "house-prices"), ("site", "loan-default"), ("site", "wide"),
     ("answering_site", "films"), ("answering_site", "two-prices"), ("tasks_site", "transformed"),
     ("tasks_site", "deviation")],
)  # fmt: skip
def test_no_number_is_broken(
    open_page: Open, where: str, model: str, request: pytest.FixtureRequest
) -> None:
    for size in (PHONE, NARROW):
        page = open_page(request.getfixturevalue(where), model, **size)
        page.wait_for_selector("#prediction")
        assert page.evaluate(BROKEN) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_slider_goes_beyond_what_is_usual_and_marks_it(open_page: Open, site: str) -> None:
    page = open_page(site, "house-prices")
    style = "['--from', '--to'].map((name) => s.style.getPropertyValue(name))"
    found = page.eval_on_selector_all(
        ".slide", f"all => all.map(s => [s.min, s.max, ...{style}].map(Number))"
    )
    typical = page.evaluate("Object.values(state.model.typical)")
    quantiles = [each["quantiles"] for each in typical if "quantiles" in each]
    usual = [(each[0], each[-1]) for each in quantiles]
    assert len(found) == len(usual) == 6
    for (least, most, start, end), (low, high) in zip(found, usual, strict=True):
        assert 0 <= least < low < high < most
        assert least + start * (most - least) == pytest.approx(low)
        assert least + end * (most - least) == pytest.approx(high)


@pytest.mark.parametrize(
    ("quantiles", "bounds", "ends"),
    [([10, 50], {}, [0, 70]), ([-50, -10], {}, [-70, 0]), ([-2e-12, 2e-12], {}, [-4e-12, 4e-12]),
     ([1, 3], {"minimum": 0.5, "maximum": 3.5}, [0.5, 3.5]), ([1e22, 3e22], {}, [0, 4e22])],
)  # fmt: skip
def test_how_far_a_slider_goes(
    open_page: Open, site: str, quantiles: list[float], bounds: dict[str, float], ends: list[float]
) -> None:
    column = {"name": "a", "type": "float64", "nullable": True, "shape": [-1, 1], **bounds}
    output = {"name": "prediction", "type": "float64", "shape": [-1]}
    model = {"task": "regression", "signature": {"inputs": [column], "outputs": [output]}}
    about = {"a": {"median": quantiles[0], "quantiles": quantiles}}
    page, asked = opened(open_page, site, {**model, "typical": about}, {"prediction": [1.0]})
    page.wait_for_selector("#prediction")
    assert page.eval_on_selector(".slide", "s => [Number(s.min), Number(s.max)]") == ends
    assert page.inner_text("#hint-0").endswith("may\u00a0be\u00a0empty")
    assert asked[0][1]["instances"][0]["a"] == pytest.approx(quantiles[0], rel=0.01)


@pytest.mark.parametrize("task", ["regression", "classification"])
def test_several_outputs_have_their_names(open_page: Open, site: str, task: str) -> None:
    column = {"name": "a", "type": "float64", "nullable": False, "shape": [-1, 1]}
    output = {"name": "prediction", "type": "float64", "shape": [-1, 2], "unit": "cm"}
    signature = {"inputs": [column], "outputs": [output]}
    model: dict[str, Any] = {"task": task, "signature": signature, **NAMED}
    why: dict[str, Any] = {"explanations": [{"contributions": {"a": [1.0, 2.0]}}]}
    why["base_value"] = [3.0, 4.0]
    answer: dict[str, Any] = {"prediction": [[12.5, -3.25]], "interval": [[[10, 14], [-4, -2]]]}
    if task == "classification":
        model["classes"] = [["yes", "no"], ["up", "down"]]
        answer = {"prediction": [["yes", "down"]], "classes": model["classes"]}
        answer["probabilities"] = [[[0.75, 0.25], [0.5, 0.5]]]
        why["explanations"] = [{"contributions": {"a": [[0.2, 0.2], [0.1, 0.1]]}}]
        why |= {"classes": model["classes"], "base_value": [[0.5, 0.5], [0.5, 0.5]]}
    else:
        model["coverage"] = 0.95
    page, _ = opened(open_page, site, model, answer, why)
    page.wait_for_selector("#pushes li")
    keep_screenshot(page, f"named-outputs-{task}")

    first, second = NAMED["output_names"]
    options = page.eval_on_selector_all("#why option", "all => all.map(o => o.text)")
    lines = page.eval_on_selector_all(".each", "all => all.map(e => e.innerText)")
    if task == "regression":
        assert lines == [f"{first} 12.5 cm", f"{second} \u22123.25 cm"]
        bands = page.eval_on_selector_all(".band p", "all => all.map(p => p.innerText)")
        assert bands[1].startswith(f"90\u202f% interval, {second}: ")
        assert options == [first, second]
    else:
        assert lines == [f"{first} yes", f"{second} down"]
        heads = page.eval_on_selector_all(".body h3", "all => all.map(h => h.innerText)")
        assert heads == [first, second]
        assert options[0] == f"yes ({first})"
    assert page.query_selector("#answer b b") is None
    assert violations(page) == []
