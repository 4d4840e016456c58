"""A first visit on a phone, and later ones with the network cut."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.browser.conftest import (
    PHONE,
    PROVEN,
    RENTS,
    Launch,
    asked,
    rent_of,
    said,
    until,
    visit,
)
from tests.browser.releases import MODELS
from tests.browser.servers import WebServer
from tests.conftest import Client

pytestmark = pytest.mark.browser

ROWS: dict[str, Any] = {
    "churn": [{"plan": "größer", "months": 7}, {"plan": "basic", "months": 1.5}, ["新", 0]],
    "iris": [[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3], [0, 0, 0, 0]],
    "rent": [[50, 2], {"floor": 1e-3, "area": 1e7}],
    "reviews": [["good bad great 电影 ﬁlm"], {"review": ""}, {"review": "SUPERB dull\u0301 👍🏽"}],
}
V2 = {
    "inputs": [{"name": "input", "shape": [2, 4], "datatype": "FP64", "data": [5, 3, 1, 0.2] * 2}]
}
REQUESTS: list[tuple[str, Any, str]] = [
    *(
        (f"models/{name}/predict", {"instances": rows}, "application/json")
        for name, rows in ROWS.items()
    ),
    ("predict", {"model": "rent", "instances": ROWS["rent"]}, "application/json"),
    ("models", None, ""),
    ("models/iris", None, ""),
    ("v2", None, ""),
    ("v2/health/ready", None, ""),
    ("v2/models/iris", None, ""),
    ("v2/models/iris/infer", V2, "application/json"),
    ("v2/models/iris/infer", {"inputs": []}, "application/json"),
    ("models/rent/predict?on_error=null", "area,floor\n50,2\nbig,1\n70,\n", "text/csv"),
    ("models/rent/predict", "area,floor\n50,2\nbig,1\n", "text/csv"),
    ("nowhere", None, ""),
    ("models/none/predict", {"instances": [[1, 2]]}, "application/json"),
    ("models/rent/predict", '{"instances": [', "application/json"),
    ("models/rent/predict", "[" * 100_000, "application/json"),
    ("models/rent/predict", '{"a":' * 100_000 + "1" + "}" * 100_000, "application/json"),
    ("models/rent/predict", "[" * 1024 + "]" * 1024, "application/json"),
    ("models/rent/predict", '{"instances": [[' + "9" * 5000 + ", 1]]}", "application/json"),
    ("models/rent/predict", '{"instances": [[' + "9" * 25 + ", 1]]}", "application/json"),
    ("models/churn/predict", '{"instances": [["\\ud800", 1]]}', "application/json"),
    ("v1/models/rent:predict", {"instances": [[50, 2]]}, "application/json"),
    ("models/rent/predict?coverrage=1", {"instances": [[50, 2]]}, "application/json"),
    ("models/rent/predict", {"instances": [{"area": "b"}, [None, 1], [1], 3]}, "application/json"),
    ("models/churn/predict", {"instances": [{"plan": 3, "months": True}]}, "application/json"),
    ("models/rent/predict", {"instances": [[50, 2]]}, "text/plain+odd"),
]  # fmt: skip

# An exponential function differs in its last digits by processor: relative, of its type.
WITHIN = {"reviews": 1e-6, "churn": 1e-15}


def natively(client: Client, path: str, body: Any, kind: str) -> tuple[int, Any]:
    if body is None:
        got = client.get(f"/{path}")
    else:
        content = (body if isinstance(body, str) else json.dumps(body)).encode()
        got = client.post(f"/{path}", content, kind=kind)
    given = got.headers.get("content-type", "")
    return got.status, got.json() if "json" in given else got.body.decode()


def is_same(found: Any, expected: Any, within: float) -> bool:
    """Equal in everything, or in everything but the last digits of numbers."""
    if isinstance(expected, dict):
        return found.keys() == expected.keys() and all(
            is_same(found[name], expected[name], within) for name in expected
        )
    if isinstance(expected, list | tuple):
        return len(found) == len(expected) and all(
            is_same(*each, within) for each in zip(found, expected, strict=True)
        )
    if isinstance(expected, float) and within:
        return bool(found == pytest.approx(expected, rel=within))
    return type(found) is type(expected) and found == expected


def test_a_phone_gets_the_models_proven_and_answers_as_the_function_does(
    launch: Launch, served: WebServer, native: Client
) -> None:
    context = launch(**PHONE)
    page = visit(context, served.address)
    lines = page.eval_on_selector_all(
        "#proof tbody tr", "all => all.map(tr => [...tr.cells].map(td => td.textContent))"
    )
    assert [line[0] for line in lines] == MODELS
    assert all(int(line[2]) >= 20 and line[3] == "✓ equal" for line in lines), lines
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")

    page.click("#open")
    page.wait_for_selector("main:not([aria-busy]) .card")
    for path, body, kind in REQUESTS:
        expected = natively(native, path, body, kind)
        found = asked(page, path, body, kind)
        within = next((WITHIN[model] for model in WITHIN if model in path), 0.0)
        assert is_same(found, expected, within), (
            path,
            str(body)[:80],
            found,
            expected,
        )
    assert {natively(native, *each)[0] for each in REQUESTS} == {200, 400, 404, 415, 422}

    status, document = asked(page, "openapi.json")
    described = natively(native, "openapi.json", None, "")[1]
    for route in [*described["paths"]]:
        if route.endswith(("/explain", "/drift")):
            del described["paths"][route]
    assert (status, document["paths"].keys()) == (200, described["paths"].keys())
    assert document["paths"] == described["paths"]
    rows = {"instances": [[50, 2]]}
    for path, body in (
        ("models/rent/explain", rows), ("models/rent/drift", None),
        ("models/rent/predict?unusual=true", rows),
    ):  # fmt: skip
        status, problem = asked(page, path, body)
        assert status == 501
        assert "can't be had in a browser" in problem["detail"]


@pytest.mark.parametrize("model", ["rent", "churn", "reviews"])
def test_the_form_shows_what_the_function_answers(
    launch: Launch, served: WebServer, native: Client, model: str
) -> None:
    context = launch(**PHONE)
    complaints: list[str] = []
    visit(context, served.address).close()
    page = context.new_page()
    page.on("console", lambda each: complaints.append(each.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(f"{served.address}#{model}")
    page.wait_for_selector("main:not([aria-busy]) .card")
    page.wait_for_selector("#answer[aria-busy]", state="detached")
    fields = {
        "rent": {"area": "61.5", "floor": "3"},
        "churn": {"plan": "basic", "months": "2"},
        "reviews": {"review": "a good and superb film"},
    }[model]
    for name, value in fields.items():
        field = page.get_by_label(name, exact=True).first
        if field.evaluate("field => field.tagName") == "SELECT":
            field.select_option(value)
        else:
            field.fill(value)
    sent = page.evaluate("JSON.parse(bodyText())")
    page.click("button.main")
    page.wait_for_selector("#answer:not([aria-busy]) #prediction")

    expected = natively(native, f"models/{model}/predict", sent, "application/json")[1]
    shown = page.inner_text("#prediction")
    [answer] = expected["prediction"]
    if isinstance(answer, float):
        assert float(re.sub("[\u202f ]", "", shown)) == pytest.approx(answer, rel=1e-4)
    else:
        assert shown.startswith(answer)
    assert [*sent["instances"][0].values()] == [
        float(each) if each.replace(".", "").isdigit() else each for each in fields.values()
    ]
    assert page.query_selector("#why, .drift, #drift") is None
    assert "Drift" not in page.inner_text("main")
    assert complaints == []


def test_without_a_server_the_page_and_its_answers_are_there(
    launch: Launch, served: WebServer
) -> None:
    context = launch(**PHONE)
    visit(context, served.address)
    context.close()
    served.kill()

    context = launch(**PHONE)
    page = context.new_page()
    page.goto(served.address)
    page.wait_for_selector("main:not([aria-busy]) .card")
    assert rent_of(page) == RENTS[1]
    page.goto(f"{served.address}index.html")
    until(page, lambda: PROVEN in said(page), lambda: said(page))
    page.click("#update")
    until(page, lambda: "can't be reached" in said(page), lambda: said(page))
    assert "Release 1 goes on here." in said(page)
    page.click("#again")
    until(page, lambda: PROVEN in said(page), lambda: said(page))
    served.start()


def test_it_can_be_installed(launch: Launch, served: WebServer) -> None:
    context = launch(**PHONE)
    page = visit(context, served.address)
    page.goto(served.address)

    manifest = page.get_attribute("[rel=manifest]", "href")
    status, text = asked(page, manifest)
    app = json.loads(text) if isinstance(text, str) else text
    assert (status, app["name"]) == (200, "onnxlet")
    assert asked(page, app["start_url"])[0] == 200
    for icon in app["icons"]:
        size = page.evaluate(
            """async (src) => { const image = new Image(); image.src = src; await image.decode();
                return image.naturalWidth; }""",
            icon["src"],
        )
        assert size > 0
    session = context.new_cdp_session(page)
    found = session.send("Page.getInstallabilityErrors")["installabilityErrors"]
    assert found == []
    told = session.send("Page.getAppManifest")
    assert (told["errors"], told["url"]) == ([], f"{served.address}manifest.webmanifest")
