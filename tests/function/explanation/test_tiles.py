"""What the tiles of images add, held against lines of the pixels, where that is known exactly."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Callable, Mapping
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from openapi_schema_validator import OAS31Validator
from PIL import Image
from sklearn.compose import make_column_transformer
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier

from onnxlet import Images
from onnxlet.convert.sources.source import Source
from onnxlet.function import deadline
from onnxlet.function.arrays import Array
from onnxlet.function.errors import InvalidRows, Problem, RequestTooLarge, TookTooLong
from onnxlet.function.explanation import tiles
from onnxlet.function.explanation.background import background
from onnxlet.function.explanation.explain import ExplainOptions, explain
from onnxlet.function.inputs import image_feed, images
from onnxlet.function.inputs.validation import CheckedBatch, validate_rows
from onnxlet.function.models.model import Model, load_model
from tests.conftest import app_of
from tests.convert.images import digits, encoded, noise
from tests.function.explanation.models import background_rows
from tests.function.image_models import add_model, grey_pixels, picture, text
from tests.kept_builds import kept_builds

pytestmark = pytest.mark.long  # for its fixtures

RANDOM = np.random.default_rng(5)
WIDE = [text(encoded(noise(seed, 26, 40))) for seed in range(20)]
NUMBERS = RANDOM.normal(size=20).round(2)


def line(height: int, width: int, mode: str = "L") -> Any:
    """Fitted on WIDE, with any weights."""
    return make_pipeline(Images(height, width, mode), LinearRegression()).fit(WIDE, NUMBERS)


def beside() -> tuple[Any, pd.DataFrame]:
    """A number, an image in two sizes and modes, another image, and a text; in a line."""
    notes = ["good one", "bad one"] * 10
    frame = pd.DataFrame({"photo": WIDE, "price": NUMBERS, "sign": WIDE[::-1], "note": notes})
    columns = make_column_transformer(
        (Images(12, 9), ["photo"]),
        ("passthrough", ["price"]),
        (Images(5, 20, "RGB", "box"), ["photo"]),
        (Images(3, 3), ["sign"]),
        (CountVectorizer(), "note"),
    )
    return make_pipeline(columns, LinearRegression()).fit(frame, NUMBERS[::-1]), frame


ALONE = {"large": line(20, 31, "RGB"), "small": line(14, 14), "flat": line(2, 40)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models of images. Tests don't write there."""
    pictures, labels = digits()
    read = make_pipeline(Images(8, 8), DecisionTreeClassifier(max_depth=4, random_state=0))
    sources = {name: Source(model, WIDE) for name, model in ALONE.items()}
    sources["beside"] = Source(*beside())
    sources["digits"] = Source(read.fit(pictures[:200], labels[:200]), pictures[:200])
    home = kept_builds(sources, tmp_path_factory.mktemp("tiles"))
    add_model(home, "imported", ["price"])
    return home


@pytest.fixture(scope="module")
def ask(folder: Path) -> Callable[..., Any]:
    """Explains instances of a model; the answer or the problem, which is as OpenAPI has it."""
    client = app_of(folder).test_client()
    document = client.get("/openapi.json").get_json()

    def post(name: str, instances: Any, **more: Any) -> Any:
        path = f"/models/{name}/explain"
        answer = client.post(path, json={"instances": instances, **more})
        if answer.status_code == 200:
            form = document["paths"][path]["post"]["responses"]["200"]["content"]
            schema = form["application/json"]["schema"] | {"components": document["components"]}
            OAS31Validator(schema).validate(answer.get_json())
        return answer.get_json(force=True)

    return post


def edges(pixels: int, parts: int) -> list[int]:
    return [number * pixels // parts for number in range(parts + 1)]


def by_tile(weighted: Array, grid: tuple[int, int]) -> Array:
    """Sums of what each pixel adds, of shape (height, width, channels), over tiles."""
    for axis in (0, 1):
        parts = edges(weighted.shape[axis], grid[axis])[:-1]
        weighted = np.add.reduceat(weighted, parts, axis=axis)
    sums: Array = weighted.sum(axis=2)
    return sums


@pytest.mark.parametrize(
    ("name", "grid"), [("large", (7, 11)), ("small", (14, 14)), ("flat", (2, 14))]
)
def test_the_tiles_of_a_line_add_their_weighted_pixels(
    name: str, grid: tuple[int, int], ask: Callable[..., Any], folder: Path
) -> None:
    read, fitted = (step for _, step in ALONE[name].steps)
    channels = 3 if read.mode == "RGB" else 1
    [[mean]] = background_rows(folder, name)
    sent = WIDE[3:5]

    answer = ask(name, [[cell] for cell in sent])

    start = ALONE[name].predict([mean])[0]
    assert answer["method"] == "exact"
    assert answer["background"] == {"source": "statistics", "rows": 1}
    assert answer["base_value"] == pytest.approx(start)
    assert answer["evaluations"] == 2 * (1 + grid[0] * grid[1])
    for cell, explanation in zip(sent, answer["explanations"], strict=True):
        apart = read.transform([cell]) - read.transform([mean])
        weighted = (apart * fitted.coef_).reshape(read.height, read.width, channels)
        found = explanation["tiles"]["x0"]
        assert (found["rows"], found["columns"]) == grid
        np.testing.assert_allclose(found["contributions"], by_tile(weighted, grid), atol=1e-9)
        assert explanation["contributions"] == {"x0": pytest.approx(weighted.sum(), abs=1e-9)}
        assert explanation["answer"] == pytest.approx(start + weighted.sum())


def test_images_beside_columns_in_two_sizes(ask: Callable[..., Any], folder: Path) -> None:
    model, frame = beside()
    columns, fitted = (step for _, step in model.steps)
    rows = background_rows(folder, "beside")
    row = frame.iloc[[7]]

    answer = ask("beside", row.to_numpy().tolist())

    assert answer["method"] == "exact"
    mean = pd.DataFrame(rows, columns=frame.columns)
    assert answer["base_value"] == pytest.approx(model.predict(mean).mean())
    apart = (columns.transform(row)[0] - columns.transform(mean).mean(axis=0)) * fitted.coef_
    grey, price, color, sign, (bad, _, one) = np.split(apart, [108, 109, 409, 418])
    [explanation] = answer["explanations"]
    assert explanation["contributions"] == {
        "photo": pytest.approx(grey.sum() + color.sum(), abs=1e-9),
        "price": pytest.approx(price[0], abs=1e-9),
        "sign": pytest.approx(sign.sum(), abs=1e-9),
        "note": pytest.approx(bad + one, abs=1e-9),
    }
    said = [each["contribution"] for each in explanation["tokens"]["note"]]
    assert said == pytest.approx([bad, one], abs=1e-9)
    # The color image has 5 pixels downwards: a tile of 12 covers one that others cover, too.
    small = color.reshape(5, 20, 3)
    across = edges(20, 9)
    expected = by_tile(grey.reshape(12, 9, 1), (12, 9))
    for down in range(12):
        only = small[[down * 5 // 12]]
        expected[down] += [only[:, a:b].sum() for a, b in pairwise(across)]
    found = explanation["tiles"]
    assert {name: (each["rows"], each["columns"]) for name, each in found.items()} == {
        "photo": (12, 9),
        "sign": (3, 3),
    }
    np.testing.assert_allclose(found["photo"]["contributions"], expected, atol=1e-9)
    np.testing.assert_allclose(found["sign"]["contributions"], sign.reshape(3, 3), atol=1e-9)


def test_probabilities_are_of_each_class(ask: Callable[..., Any], folder: Path) -> None:
    pictures, labels = digits()
    model = DecisionTreeClassifier(max_depth=4, random_state=0)
    model.fit(pictures[:200].reshape(200, 64), labels[:200])
    [[mean]] = background_rows(folder, "digits")
    seen = pictures[300]
    covered = np.repeat(seen.reshape(1, 64), 64, axis=0)
    pixels = np.asarray(Image.open(BytesIO(b64decode(mean)))).ravel()
    np.fill_diagonal(covered, pixels)
    expected = model.predict_proba(seen.reshape(1, 64)) - model.predict_proba(covered)
    assert np.abs(expected).sum() > 1

    cell = text(encoded(Image.fromarray(seen)))
    whole, some = ask("digits", [[cell]]), ask("digits", [[cell]], classes=[3, 1], permutations=100)

    found = whole["explanations"][0]["tiles"]["x0"]["contributions"]
    np.testing.assert_allclose(found, expected.reshape(8, 8, 10), atol=1e-6)
    chosen = np.array(found)[:, :, [3, 1]].tolist()
    assert some["explanations"][0]["tiles"]["x0"]["contributions"] == chosen


def test_without_a_background_tiles_are_covered_by_the_mean_color(ask: Callable[..., Any]) -> None:
    cell = text(picture())
    pixels = grey_pixels(cell).astype(float)

    answer = ask("imported", [[cell, 2.0]])

    mean = pixels.mean() + 2.0
    assert answer == {
        "model": "imported",
        "version": 1,
        "method": "occlusion",
        "output": "prediction",
        "evaluations": 25,
        "explanations": [
            {
                "prediction": pytest.approx(mean),
                "answer": pytest.approx(mean),
                "tiles": {"photo": {"rows": 4, "columns": 6, "contributions": [
                    pytest.approx(list(row)) for row in (pixels - np.round(pixels.mean())) / 24
                ]}},
            }
        ],
    }  # fmt: skip


def test_a_color_is_the_mean_of_each_channel(tmp_path: Path) -> None:
    add_model(tmp_path, "color", image={"height": 2, "width": 4, "mode": "RGB", "resize": "box"})
    model = load_model(tmp_path / "color" / "1")
    red = np.zeros((2, 4, 3), np.uint8)
    red[0, :, 0], red[1, 0] = 200, 50
    table = validate_rows([[text(encoded(Image.fromarray(red)))]], model.signature)

    explained = explain(model, None, table, ExplainOptions())

    mean = np.round(red.mean(axis=(0, 1)))
    expected = ((red - mean) / 24).sum(axis=2)
    np.testing.assert_allclose(explained.tiles["photo"].gains.ravel(), expected.ravel(), atol=1e-12)


def test_an_image_as_the_body(folder: Path, ask: Callable[..., Any]) -> None:
    client = app_of(folder).test_client()
    path = "/models/small/explain"

    answer = client.post(path, data=b64decode(WIDE[0]), content_type="image/png")

    assert answer.get_json() == ask("small", [[WIDE[0]]])


@pytest.mark.parametrize(
    ("size", "grid"),
    [
        ((8, 8), (8, 8)), ((14, 14), (14, 14)), ((1, 1), (1, 1)), ((15, 15), (7, 7)),
        ((28, 28), (7, 7)), ((224, 224), (7, 7)), ((100, 150), (7, 10)), ((48, 320), (7, 14)),
        ((3, 40), (3, 14)), ((40, 3), (14, 3)), ((16, 4), (14, 4)),
    ],
)  # fmt: skip
def test_tiles_are_about_square_and_few(size: tuple[int, int], grid: tuple[int, int]) -> None:
    assert tiles.grid(*size) == grid


def test_each_image_is_decoded_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[Any] = []
    pixels = images.pixels

    def counting(content: bytes, *form: Any) -> Array:
        decoded.append(form)
        return pixels(content, *form)

    monkeypatch.setattr(image_feed, "pixels", counting)
    model = load_model(folder / "beside" / "1")
    rows = [[WIDE[0], 1.0, WIDE[1], "good one"], [WIDE[0], 2.0, WIDE[2], "bad one"]]
    table = validate_rows(rows, model.signature)

    explained = explain(model, background(model), table, ExplainOptions())

    # One mean image of each column, and here one photo and two signs; photos in two sizes.
    assert len(decoded) == (2 + 1) + (2 + 2)
    assert sum(function.evaluations for function in explained.functions) == 2 * 50 * 30


def test_covered_images_are_made_in_small_parts(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load_model(folder / "small" / "1")
    table = validate_rows([[WIDE[0]], [WIDE[1]]], model.signature)
    run, sizes = Model.run, list[int]()

    def noting(self: Model, part: CheckedBatch, *more: Any, **most: Any) -> Any:
        sizes.append(part.rows)
        return run(self, part, *more, **most)

    rows = background(model)
    monkeypatch.setattr(Model, "run", noting)
    explain(model, rows, table, ExplainOptions())
    assert sizes == [2, *[64, 64, 64, 4] * 2]

    sizes.clear()
    model.signature.rows_at_once = 50  # as where a row takes more memory
    explain(model, rows, table, ExplainOptions())
    assert sizes == [2, *[50, 50, 50, 46] * 2]


# Refusals


def test_what_is_no_image_is_named_by_row_and_column(ask: Callable[..., Any]) -> None:
    rows = [[WIDE[0], 1.0, "!", ""], ["!", 1.0, WIDE[0], ""], [WIDE[0], 1.0, WIDE[0], ""]]
    problem = ask("beside", rows)
    assert problem["status"] == 422
    assert [(each["row"], each["column"]) for each in problem["errors"]] == [
        (0, "sign"),
        (1, "photo"),
    ]


def test_too_many_pixels_or_numbers(
    folder: Path, ask: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load_model(folder / "large" / "1")
    monkeypatch.setattr(tiles, "MOST_PIXELS", 3 * 20 * 31 * 2 + 1)
    rows = validate_rows([[WIDE[0]]] * 3, model.signature)
    with pytest.raises(RequestTooLarge, match="expected at most 2 rows of such images") as refused:
        explain(model, background(model), rows, ExplainOptions())
    assert refused.value.status == 413
    monkeypatch.undo()

    sent = text(encoded(Image.fromarray(digits()[0][0])))
    monkeypatch.setattr("onnxlet.function.explanation.explain.MOST_CONTRIBUTIONS", 10 * 65)
    assert "explanations" in ask("digits", [[sent]])
    assert ask("digits", [[sent]] * 2)["detail"] == (
        "2 rows of 1 columns, 64 tiles and 10 numbers: at most 650 contributions are answered at "
        "once"
    )


class Odd(Model):
    """Raises for images that are dark in one corner, answers infinity to a bright other one."""

    def run(self, table: CheckedBatch, *more: Any, **most: Any) -> Mapping[str, Array]:
        outputs = super().run(table, *more, **most)
        for row, [cell] in enumerate(table.arrays[0].tolist()):
            pixels = cell.pixels["pixels"]
            if pixels[0, 0] < 100:
                raise InvalidRows([Problem(row, None, "dark")])
            if pixels[3, 5] > 140:
                outputs["prediction"][row] = np.inf
        return outputs


def test_rows_whose_covered_image_is_not_answered(tmp_path: Path) -> None:
    add_model(tmp_path, "photos")
    known = load_model(tmp_path / "photos" / "1")
    graph = (tmp_path / "photos" / "1" / "model.onnx").read_bytes()
    model = Odd("photos", 1, known.manifest, graph)
    pictures = np.full((3, 4, 6), 130, np.uint8)
    pictures[0], pictures[0, 0, 0] = 90, 120  # covered by 91
    pictures[2], pictures[2, 3, 5] = 150, 120  # covered by 149
    rows = [[text(encoded(Image.fromarray(each)))] for each in pictures]
    table = validate_rows(rows, model.signature)

    with pytest.raises(InvalidRows) as refused:
        explain(model, None, table, ExplainOptions())
    why = tiles.NOT_ANSWERED
    assert refused.value.problems == [Problem(0, "photo", why), Problem(2, "photo", why)]


def test_the_deadline_ends_it(folder: Path) -> None:
    model = load_model(folder / "large" / "1")
    rows, table = background(model), validate_rows([[WIDE[0]]], model.signature)
    deadline.begin(0, 1e-9)
    try:
        with pytest.raises(TookTooLong):
            explain(model, rows, table, ExplainOptions())
    finally:
        deadline.end()


@pytest.mark.parametrize(
    ("output", "detail"),
    [
        ({"type": "boxes", "shape": [-1]}, "answers boxes: there is no number to explain"),
        (
            {"type": "float64", "shape": [-1, -1]},
            "answers 'prediction' in sizes that vary: there is no number to explain that all rows "
            "have",
        ),
    ],
)
def test_answers_that_are_no_numbers(tmp_path: Path, output: Any, detail: str) -> None:
    add_model(tmp_path, "photos")
    file = tmp_path / "photos" / "1" / "manifest.json"
    manifest = json.loads(file.read_bytes())
    manifest["signature"]["outputs"] = [{"name": "prediction", **output}]
    file.write_text(json.dumps(manifest))
    client = app_of(tmp_path).test_client()

    answer = client.post("/models/photos/explain", json={"instances": [[text(picture())]]})

    assert answer.status_code == 409
    assert answer.get_json(force=True)["detail"] == f"model photos/1 {detail}"
