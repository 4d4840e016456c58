"""Each example answers as its section shows, as scikit-learn does, from a bundle, on the page."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.pipeline import Pipeline

from onnxlet import Ratings
from onnxlet.convert.estimators.summary import Summary
from onnxlet.convert.examples.__main__ import BuiltExample, names
from onnxlet.convert.sources.source import Source
from tests.conftest import ROOT
from tests.edge.mqtt.broker import program
from tests.edge.service.test_serve import CLEAN
from tests.gallery.document import ADDRESS, close_to, readings, sections
from tests.page.conftest import SCREENSHOTS, Open, predict
from tests.page.test_page import until
from tests.page.test_pictures import stroke
from tests.project.commands import free_port, wait_for_port
from tests.project.test_device_docs import environ_in, running

pytestmark = pytest.mark.gallery

SECTIONS = sections()
MOST_BYTES = 100_000  # of a picture; heat maps of photos take most
VIEWPORT = {"width": 1000, "height": 2000}  # so high that nothing is scrolled
SHOWN = ("h1", "form", "#answer")
HIDE = """for (const card of document.querySelectorAll("main .card"))
    if (!card.matches("form, #answer")) card.style.visibility = "hidden" """
MARGIN = 24  # pixels around them
OFF, NEAR_ZERO = 0.02, 0.005  # how far a documented score may be off, as docs/gallery.md says
METHODS = {
    "prediction": "predict",
    "probabilities": "predict_proba",
    "score": "decision_function",
}  # by output, what answers it in scikit-learn
ANYWAY = {"model", "version", "classes", "interval"}  # of an answer, what is not compared
SEVEN = ((80, 110), (190, 105), (130, 240))  # through these places of the canvas, in pixels

each_example = pytest.mark.parametrize("name", names())


@each_example
def test_the_scores_are_those_of_the_document(
    gallery: Mapping[str, BuiltExample], name: str
) -> None:
    written, measured = SECTIONS[name].scores, gallery[name].scores
    assert sorted(written) == sorted(measured)
    for score, pair in measured.items():
        assert written[score] == pytest.approx(pair, rel=OFF, abs=NEAR_ZERO), score


@each_example
def test_the_request_is_answered_as_shown_and_as_scikit_learn_does(
    gallery: Mapping[str, BuiltExample], address: str, name: str
) -> None:
    request = SECTIONS[name].request
    words = [word.replace(ADDRESS, address) for word in request.words]
    answer = json.loads(subprocess.check_output(words, cwd=ROOT, timeout=30))

    assert answer == close_to(json.loads(request.shown))
    source = gallery[name].source
    if source is not None:
        column = gallery[name].model.manifest["signature"]["inputs"][0]["name"]
        assert_as_scikit_learn(source, request.instances(column), answer)


def assert_as_scikit_learn(source: Source, instances: list[Any], answer: dict[str, Any]) -> None:
    """Each output is what the estimator's own method returns for the same rows."""
    rows = rows_like(source.X_test, instances)
    if isinstance(source.estimator, Summary):
        assert answer["prediction"] == source.estimator.predict(rows)
        return
    if "prediction" in answer and isinstance(answer["prediction"][0], list):
        assert_the_nearest(source, rows, answer)
        return
    outputs = [name for name in answer if name not in ANYWAY]
    assert outputs[0] == "prediction"
    for output in outputs:
        expected = np.asarray(getattr(source.estimator, METHODS[output])(rows))
        got = np.asarray(answer[output])
        if expected.dtype.kind == "f":
            np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-7)
        else:
            assert got.tolist() == expected.tolist()


def assert_the_nearest(source: Source, rows: Any, answer: dict[str, Any]) -> None:
    """Items, and how near they are or how well they may be liked, as Python finds them."""
    k = len(answer["prediction"][0])
    if isinstance(source.estimator, Ratings):
        places, expected = source.estimator.recommend(rows, k)
        names, got = source.X_test.columns, answer["score"]
    else:
        *steps, (_, nearest) = source.estimator.steps
        expected, places = nearest.kneighbors(Pipeline(steps).transform(rows), k)
        names, got = source.X_train.index, answer["distances"]
    assert answer["prediction"] == [[names[place] for place in row] for row in places]
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-7)


def rows_like(X_test: Any, instances: list[Any]) -> Any:
    """Objects by column name as what the estimator was fitted on."""
    if isinstance(X_test, pd.Series):
        return pd.Series([row[X_test.name] for row in instances])
    return pd.DataFrame(instances).reindex(columns=list(X_test.columns))


@each_example
def test_a_bundle_gives_the_same_answer(
    address: str, from_bundle: Mapping[str, Any], name: str
) -> None:
    request = SECTIONS[name].request
    words = [word.replace(ADDRESS, address) for word in request.words]
    answer = subprocess.check_output(words, cwd=ROOT, timeout=30, text=True)

    assert from_bundle[name] == [200, answer]


@each_example
def test_the_page_answers_the_same_and_is_a_picture(
    open_page: Open, gallery: Mapping[str, BuiltExample], address: str, name: str
) -> None:
    request = SECTIONS[name].request
    unexplained = "background" not in gallery[name].model.manifest
    page = open_page(f"{address}/", name.replace("_", "-"), viewport=VIEWPORT, refused=unexplained)
    if name == "digits":
        draw(page)
    elif request.file is not None:
        page.set_input_files("#field-0", request.file)
        until(page, "JSON.parse(state.fields[0].read()) !== ''")
    else:
        page.evaluate("document.querySelector('.paste').open = true")
        page.fill("#paste", request.body.decode())
        page.evaluate("document.querySelector('.paste').open = false")
    if found := re.search(r"\bk=(\d+)", request.path):
        page.fill("#k", found[1])

    shown = predict(page)
    picture = SCREENSHOTS / "gallery" / f"{name}.png"
    take(page, picture)

    expected = json.loads(request.shown)["prediction"][0]
    if isinstance(expected, list):
        assert page.evaluate("state.answer.prediction[0]") == close_to(expected)
        labels = [each["label"] if isinstance(each, dict) else each for each in expected]
        assert all(label in page.inner_text("#answer") for label in labels)
    elif isinstance(expected, float):
        digits = shown.replace("\u202f", "").replace(" ", "").replace("\u2212", "-")
        assert float(digits) == pytest.approx(expected, rel=0.01)
    else:
        assert shown.startswith({1: "inlier", -1: "outlier"}.get(expected, str(expected)))
    assert picture.stat().st_size <= MOST_BYTES


def draw(page: Any) -> None:
    """A seven, by mouse, below the middle of the canvas and smaller than it."""
    stroke(page, *SEVEN)


def take(page: Any, path: Path) -> None:
    """A picture of the row and its answer, in few colours, so that it is small."""
    path.parent.mkdir(parents=True, exist_ok=True)
    boxes = [page.locator(selector).first.bounding_box() for selector in SHOWN]
    left, top = (min(box[edge] for box in boxes) - MARGIN for edge in ("x", "y"))
    right = max(box["x"] + box["width"] for box in boxes) + MARGIN
    bottom = max(box["y"] + box["height"] for box in boxes) + MARGIN
    page.evaluate(HIDE)
    clip = {"x": left, "y": top, "width": right - left, "height": bottom - top}
    page.screenshot(path=path, clip=clip, full_page=True)
    with Image.open(path) as picture:
        few = picture.convert("RGB").quantize(64, dither=Image.Dither.NONE)
    few.save(path, optimize=True)


def test_the_groups_of_the_report_are_those_of_the_document(
    gallery: Mapping[str, BuiltExample], address: str
) -> None:
    report = json.loads((gallery["loan_default"].model.directory / "report.json").read_bytes())
    [found] = report["fairness"]
    right = {group["group"]: group["accuracy"] for group in found["groups"]}
    [apart] = [each for each in found["differences"] if each["measure"] == "accuracy_difference"]
    expected = [right["single"], right["married"], 0.95, apart["low"], apart["high"]]

    [sentence] = re.findall(r"^.*Single applicants .*$", SECTIONS["loan_default"].text, re.M)
    percent = [float(each) for each in re.findall(r"\d+\.\d|\d+(?= %)", sentence)]
    assert percent == pytest.approx([100 * each for each in expected], abs=0.5)
    with urllib.request.urlopen(f"{address}/models/loan-default/report") as page:  # noqa: S310 - ours
        assert "<h3>Marital</h3>" in page.read().decode()


def test_the_reading_that_is_shown_is_answered_by_mqtt(
    gallery: Mapping[str, BuiltExample], folder: Path, tmp_path: Path
) -> None:
    port, section = free_port(), SECTIONS["sensor_anomalies"]
    start, ask = readings(section.text)
    environ = environ_in(start, ONNXLET_DEVICE_MQTT_URL=f"mqtt://localhost:{port}")
    environ["ONNXLET_MODELS"] = str(folder)
    command = start.splitlines()[-1].replace(".venv/bin/python", shlex.quote(sys.executable))
    with (
        running([program("mosquitto"), "-p", str(port)], tmp_path, CLEAN),
        running(shlex.split(command), ROOT, environ) as process,
    ):
        wait = [program("mosquitto_sub"), "-p", str(port), "-t", "answers/status", "-C", "1"]
        wait_for_port(port)
        assert json.loads(subprocess.check_output(wait, timeout=60))["state"] == "online"
        typed = ask.replace("1883", str(port))
        got = subprocess.check_output(["sh", "-c", typed], text=True, timeout=30)
        assert process.poll() is None

    assert json.loads(got) == close_to(json.loads(section.request.shown))
