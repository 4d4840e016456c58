"""Pictures on the page: chosen, dropped, pasted, drawn by mouse and finger, taken by a camera."""

from __future__ import annotations

import base64
import io
import json
import subprocess
import sys
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.convert import images
from tests.convert.imported import test_boxes
from tests.convert.imported.photos import encoded, picture
from tests.page.conftest import Open, keep_screenshot
from tests.page.test_accessibility import violations
from tests.page.test_page import NARROW, ask, until, wait_until

pytestmark = pytest.mark.page

PAPER = ".paper"
GIVE = """([content, name, type, kind]) => {
    const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
    const data = new DataTransfer();
    data.items.add(new File([bytes], name, { type }));
    const target = document.querySelector(kind === "paste" ? "form" : ".stage");
    const event = kind === "paste"
        ? new ClipboardEvent("paste", { bubbles: true, cancelable: true, clipboardData: data })
        : new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: data });
    target.dispatchEvent(event);
}"""


def sent(page: Any, column: int = 0) -> bytes:
    """The picture that a request would have."""
    rows = page.evaluate("JSON.parse(bodyText())")
    text = list(rows["instances"][0].values())[column]
    return base64.b64decode(text.partition(",")[2])


def pixels(page: Any) -> np.ndarray[Any, Any]:
    return np.asarray(Image.open(io.BytesIO(sent(page))).convert("L"))


def colour(page: Any, canvas: str, place: Sequence[float]) -> tuple[int, int, int]:
    """Red, green and blue of a canvas, at a place in its own pixels."""
    text = page.eval_on_selector(canvas, "c => c.toDataURL()")
    image = Image.open(io.BytesIO(base64.b64decode(text.partition(",")[2]))).convert("RGB")
    red, green, blue = np.asarray(image)[round(place[1]), round(place[0])].tolist()
    return red, green, blue


def stroke(page: Any, *points: tuple[float, float]) -> None:
    """By mouse, through these places of the canvas."""
    box = page.locator(PAPER).bounding_box()
    places = [(box["x"] + x, box["y"] + y) for x, y in points]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=4)
    page.mouse.up()


def answered(page: Any) -> str:
    page.click("button.main")
    page.wait_for_selector("#answer:not([aria-busy]) #prediction")
    text: str = page.inner_text("#prediction")
    return text


def choose(page: Any, content: bytes, name: str = "photo.png", kind: str = "image/png") -> None:
    before = page.evaluate("state.fields[0].read()")  # made up
    page.set_input_files("#field-0", {"name": name, "mimeType": kind, "buffer": content})
    changed = "![JSON.stringify(''), {}].includes(state.fields[0].read())"
    until(page, changed.format(json.dumps(before)))


def test_a_drawing_is_answered(open_page: Open, pictured_site: str) -> None:
    page = open_page(pictured_site, "digits")
    assert page.inner_text("#hint-0") == "scaled to 8 by 8 pixels, grey"
    assert pixels(page).shape == (280, 280)
    assert pixels(page).max() == 0  # a usual picture is dark

    stroke(page, (140, 20), (140, 260))
    drawn = pixels(page)
    assert (drawn[140, 140], drawn[20, 140], drawn[5, 5], drawn[140, 100]) == (255, 255, 0, 0)
    shown = answered(page)
    keep_screenshot(page, "drawn")

    rows = page.evaluate("JSON.parse(bodyText())")
    told = ask(pictured_site, "models/digits/predict?coverage=0.9", rows)
    assert shown.split()[0] == str(told["prediction"][0])
    share = max(told["probabilities"][0])
    assert f"{100 * share:.1f}" in page.inner_text(".bars .first .value")

    before = page.evaluate("state.asked")
    stroke(page, (60, 20), (220, 20))  # an answer follows each further stroke
    until(page, "n => state.asked > n && !document.querySelector('#answer[aria-busy]')", before)
    assert page.evaluate("state.answer.probabilities[0]") != told["probabilities"][0]


def test_a_picture_that_is_the_whole_row_is_answered_at_once(
    open_page: Open, pictured_site: str
) -> None:
    page = open_page(pictured_site, "digits")
    assert page.inner_text(".invitation") == "Draw here"
    page.wait_for_timeout(300)
    assert page.query_selector("#prediction") is None  # nothing was drawn yet
    stroke(page, (140, 20), (140, 260))
    page.wait_for_selector("#prediction")
    assert page.query_selector(".invitation") is None

    page = open_page(pictured_site, "rooms")
    choose(page, encoded(picture(40, 30)))
    page.wait_for_timeout(300)
    assert page.query_selector("#prediction") is None


def test_how_bright_a_usual_picture_is(pictured_site: str) -> None:
    with urllib.request.urlopen(f"{pictured_site}models/digits") as answer:  # noqa: S310 - ours
        told = json.load(answer)["typical"]["digit"]["brightness"]

    means = images.digits()[0][:500].mean(axis=(1, 2))
    assert told == pytest.approx(np.median(means), abs=0.5)


def test_undo_clear_pen_and_paper(open_page: Open, pictured_site: str) -> None:
    page = open_page(pictured_site, "digits")
    blank = pixels(page)
    stroke(page, (40, 40), (40, 200))
    one = pixels(page)
    stroke(page, (200, 40), (200, 200))

    assert (pixels(page)[120, [40, 200]] == 255).all()
    page.click("text=Undo")
    assert (pixels(page) == one).all()
    page.click("text=Undo")
    assert (pixels(page) == blank).all()

    page.fill("input[aria-label='Size of the pen']", "8")
    stroke(page, (40, 40), (40, 200))
    assert 0 < (pixels(page) > 0).sum() < (one > 0).sum() / 2
    page.check("text=white paper")
    inverted = pixels(page)
    assert (inverted[120, 40], inverted[5, 5]) == (0, 255)
    page.click("text=Clear")
    assert pixels(page).min() == 255
    with page.expect_download() as download:
        page.click("text=Save")
    assert Path(download.value.path()).read_bytes() == sent(page)
    assert download.value.suggested_filename == "picture.png"


def test_drawing_by_finger_does_not_scroll(open_page: Open, pictured_site: str) -> None:
    page = open_page(pictured_site, "digits", **NARROW)
    page.locator(PAPER).scroll_into_view_if_needed()
    box = page.locator(PAPER).bounding_box()
    touch = page.context.new_cdp_session(page)
    top = page.evaluate("scrollY")
    for kind, y in [("Start", 40), *(("Move", y) for y in range(50, 200, 10)), ("End", None)]:
        points = [] if y is None else [{"x": box["x"] + box["width"] / 2, "y": box["y"] + y}]
        event = {"type": f"touch{kind}", "touchPoints": points}
        touch.send("Input.dispatchTouchEvent", event)
    until(page, "state.fields[0].picture() !== null")

    line = 120 * 280 // round(box["height"])
    wait_until(page, lambda: pixels(page)[line, 140] == 255)
    assert page.evaluate("scrollY") == top
    assert answered(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    keep_screenshot(page, "drawn-320")


@pytest.mark.parametrize("way", ["choose", "drop", "paste"])
def test_a_photo_is_sent_as_it_is(open_page: Open, pictured_site: str, way: str) -> None:
    page = open_page(pictured_site, "rooms")
    assert page.query_selector(PAPER) is None  # photos are not drawn first
    content = encoded(picture(90, 60), "JPEG", orientation=6)

    if way == "choose":
        choose(page, content, "my photo.jpg", "image/jpeg")
    else:
        text = base64.b64encode(content).decode()
        page.evaluate(GIVE, [text, "my photo.jpg", "image/jpeg", way])
        until(page, "JSON.parse(state.fields[0].read()) !== ''")
    shown = answered(page)

    assert sent(page) == content
    size = "c => [c.width, c.height]"
    assert page.eval_on_selector(".stage canvas", size) == [60, 90]  # turned, as it is seen
    rows = page.evaluate("JSON.parse(bodyText())")
    assert shown.startswith(ask(pictured_site, "models/rooms/predict", rows)["prediction"][0])


@pytest.mark.parametrize("language", ["curl", "Python"])
@pytest.mark.parametrize("model", ["rooms", "digits"])
def test_a_snippet_reads_the_picture_from_its_file(
    open_page: Open, pictured_site: str, tmp_path: Path, model: str, language: str
) -> None:
    page = open_page(pictured_site, model)
    content, name = encoded(picture(90, 60), "JPEG"), 'it\'s a "$HOME".jpg'
    (tmp_path / name).write_bytes(content)
    choose(page, content, name, "image/jpeg")
    answered(page)
    page.click(f"#tab-{language}")
    keep_screenshot(page, f"picture-{model}-{language}")
    snippet = page.evaluate("document.getElementById('snippet').textContent")
    command = ["sh", "-c", snippet] if language == "curl" else [sys.executable, "-c", snippet]

    assert len(snippet) < 500
    got = json.loads(subprocess.check_output(command, timeout=20, cwd=tmp_path))
    assert got == page.evaluate("state.answer")


def test_a_photo_that_is_too_large_is_scaled_down(open_page: Open, pictured_site: str) -> None:
    page = open_page(pictured_site, "boxes", refused=True)
    page.evaluate("state.limits = { rows: 100, body_bytes: 60000 }")
    noise = np.random.default_rng(0).integers(0, 256, (300, 400, 3)).astype(np.uint8)
    choose(page, encoded(Image.fromarray(noise)), "large.png")
    answered(page)

    body = page.evaluate("bodyText()")
    smaller = Image.open(io.BytesIO(sent(page)))
    assert len(body) < 60_000
    assert (smaller.format, smaller.width < 400) == ("JPEG", True)
    note = page.inner_text(".field [role=status]")
    size = f"{smaller.width} × {smaller.height}"
    assert note == f"Scaled down from 400 × 300 to {size}: the server takes at most 0.038 MB."
    assert page.inner_text("#snippet").endswith("--data-binary '@large.jpg'")


def test_what_the_browser_does_not_show_is_sent(open_page: Open, pictured_site: str) -> None:
    page = open_page(pictured_site, "digits")
    content = encoded(Image.fromarray(np.full((9, 9), 200, np.uint8)), "TIFF")
    choose(page, content, "scan.tiff", "image/tiff")
    until(page, "document.querySelector('.stage p') !== null")

    assert (
        page.inner_text(".stage")
        == "scan.tiff: this browser does not show it; it is sent as it is."
    )
    assert sent(page) == content
    assert answered(page)


def test_what_is_no_picture_is_refused_at_its_field(open_page: Open, pictured_site: str) -> None:
    page = open_page(pictured_site, "rooms", refused=True)
    page.click("button.main")
    page.wait_for_selector("#hint-0.wrong")
    assert page.get_attribute("#field-0", "aria-invalid") == "true"

    choose(page, b"<svg></svg>", "a.svg", "image/svg+xml")
    page.click("button.main")
    page.wait_for_selector("#hint-0.wrong")
    keep_screenshot(page, "no-picture")
    assert "PNG, JPEG" in page.inner_text("#hint-0")
    assert violations(page) == []


def share(score: float, shares: bool) -> str:
    return f"{100 * score:.1f}\u202f%" if shares else f"{score:.3g}"


def test_boxes_are_drawn_where_they_are(open_page: Open, pictured_site: str) -> None:
    page = open_page(pictured_site, "boxes", refused=True)  # it has no explanations
    photo = picture(1600, 1200)  # which is shown smaller
    choose(page, encoded(photo))
    shown = answered(page)
    keep_screenshot(page, "boxes")

    expected = test_boxes.expected(photo)
    assert shown == f"{len(expected)} found"
    lines = page.eval_on_selector_all(".found li", "all => all.map(li => li.textContent)")
    sides = ("x", "y", "width", "height")
    shares = all(box["score"] <= 1 for box in expected)
    assert lines == [
        f"{k} {box['label']} {share(box['score'], shares)}"
        + "at {}, {}, {} by {} pixels".format(*(round(box[side]) for side in sides))
        for k, box in enumerate(expected, 1)
    ]
    box = expected[-1]  # which no other covers
    shrunk = 1200 / 1600
    place = [shrunk * (box["x"] + box["width"] / 2), shrunk * (box["y"] + box["height"])]
    assert colour(page, "#reply canvas", place) == (0x7F, 0xF0, 0xE4)

    def pointed_at() -> bool:
        """The page scrolls to its answer smoothly, which may take the line from the pointer."""
        page.hover(".found li:last-child")
        return colour(page, "#reply canvas", place) == (0xFF, 0xD3, 0x4D)

    wait_until(page, pointed_at, "the box of the line is drawn in another colour")


def test_a_picture_in_which_nothing_is_found(open_page: Open, pictured_site: str) -> None:
    page = open_page(pictured_site, "boxes", refused=True)
    choose(page, encoded(Image.new("RGB", (20, 20))))

    assert answered(page) == "nothing found"


WATCH_THE_CAMERA = """() => {
    window.tracks = [];
    const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    let asked = 0;
    navigator.mediaDevices.getUserMedia = async (wish) => {
        const first = !asked++;
        const stream = await ask(wish);
        window.tracks.push(...stream.getTracks());
        while (first && window.tracks.length < window.awaited)
            await new Promise((done) => setTimeout(done, 20));
        return stream;
    };
}"""
STATES = "window.tracks.map((track) => track.readyState)"
ENDED = f"{STATES}.every((state) => state === 'ended')"
SEEN = ".stage button:enabled:text-is('Take the picture')"  # nothing moves any more


def test_the_camera_stops_after_the_shot(open_page: Open, pictured_site: str) -> None:
    page = open_page(pictured_site, "rooms", permissions=["camera"])
    page.evaluate(WATCH_THE_CAMERA)
    page.get_by_text("Use the camera").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector(SEEN)
    keep_screenshot(page, "camera")
    assert violations(page) == []
    page.keyboard.press("Enter")
    until(page, "JSON.parse(state.fields[0].read()) !== ''")
    assert page.evaluate(STATES) == ["ended"]
    taken = Image.open(io.BytesIO(sent(page)))
    assert (taken.format, taken.size) == ("JPEG", (640, 480))
    assert "photo.jpg" in page.inner_text("#snippet")

    for end in ("text=Stop", "text=Draw", "nav a[data-name=digits]"):
        page.click("text=Use the camera")
        page.wait_for_selector(SEEN)
        page.click(end)
        until(page, ENDED)
        page.wait_for_selector("video", state="detached")
    assert page.evaluate("window.tracks.length") == 4


def test_a_camera_that_answers_late_is_stopped_and_the_other_can_be(
    open_page: Open, pictured_site: str
) -> None:
    page = open_page(pictured_site, "rooms", permissions=["camera"])
    page.evaluate(WATCH_THE_CAMERA)
    page.evaluate("window.awaited = 2")
    page.click("text=Use the camera")
    page.click("text=Use the camera")  # whose stream comes first
    until(page, f"{STATES}.join() === 'ended,live'")
    page.wait_for_selector(SEEN)
    page.click("text=Stop")
    until(page, ENDED)


def test_without_a_camera(open_page: Open, pictured_site: str) -> None:
    page = open_page(pictured_site, "rooms")  # it is not permitted
    page.click("text=Use the camera")
    until(page, "document.querySelector('.field [role=status]').textContent !== ''")
    assert page.inner_text(".field [role=status]") == (
        "The browser was not allowed to use the camera."
    )

    page.add_init_script("Object.defineProperty(window, 'isSecureContext', { value: false })")
    page.reload()
    page.wait_for_selector("#field-0")
    assert page.query_selector("text=Use the camera") is None


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("model", ["digits", "boxes"])
def test_pictures_are_accessible(
    open_page: Open, pictured_site: str, model: str, scheme: str
) -> None:
    page = open_page(pictured_site, model, refused=True, color_scheme=scheme)
    if model == "boxes":
        choose(page, encoded(picture(64, 48)))
    answered(page)
    keep_screenshot(page, f"{model}-{scheme}")

    assert violations(page) == []
