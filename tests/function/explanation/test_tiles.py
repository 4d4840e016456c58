"""What the tiles of images add, held against lines of the pixels, where that is known exactly."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from openapi_schema_validator import OAS31Validator
from PIL import Image
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier

from onnxlet import Images
from onnxlet.convert.build import build
from onnxlet.convert.sources.source import Source
from onnxlet.function import deadline
from onnxlet.function.app import create_app
from onnxlet.function.arrays import Array
from onnxlet.function.errors import InvalidRows, Problem, RequestTooLarge, TookTooLong
from onnxlet.function.explanation import tiles
from onnxlet.function.explanation.background import background
from onnxlet.function.explanation.budget import Budget
from onnxlet.function.explanation.explain import ExplainOptions, explain
from onnxlet.function.inputs import images as front_end
from onnxlet.function.inputs.validation import Table, validate_rows
from onnxlet.function.models.model import Model, load_model
from onnxlet.function.settings import Settings
from tests.conftest import quiet
from tests.convert.images import digits, encoded, noise
from tests.function.image_models import add_model, grey_pixels, picture, text

RANDOM = np.random.default_rng(5)
WIDE = [text(encoded(noise(seed, 26, 40))) for seed in range(20)]
NUMBERS = RANDOM.normal(size=20).round(2)


def line(height: int, width: int, mode: str = "L") -> Any:
    """Fitted on WIDE, with any weights."""
    return make_pipeline(Images(height, width, mode), LinearRegression()).fit(WIDE, NUMBERS)


def beside() -> tuple[Any, pd.DataFrame]:
    """A number, an image in two sizes and modes, and another image; in a line."""
    frame = pd.DataFrame({"photo": WIDE, "price": NUMBERS, "sign": WIDE[::-1]})
    columns = make_column_transformer(
        (Images(12, 9), ["photo"]),
        ("passthrough", ["price"]),
        (Images(5, 20, "RGB", "box"), ["photo"]),
        (Images(3, 3), ["sign"]),
    )
    return make_pipeline(columns, LinearRegression()).fit(frame, NUMBERS[::-1]), frame


ALONE = {"large": line(20, 31, "RGB"), "small": line(14, 14), "flat": line(2, 40)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models of images. Tests don't write there."""
    home = tmp_path_factory.mktemp("tiles")
    for name, model in ALONE.items():
        build(Source(model, WIDE), name, home, quiet)
    build(Source(*beside()), "beside", home, quiet)
    pictures, labels = digits()
    read = make_pipeline(Images(8, 8), DecisionTreeClassifier(max_depth=4, random_state=0))
    build(Source(read.fit(pictures[:200], labels[:200]), pictures[:200]), "digits", home, quiet)
    add_model(home, "imported", ["price"])
    return home


@pytest.fixture(scope="module")
def ask(folder: Path) -> Callable[..., Any]:
    """Explains instances of a model; the answer or the problem, which is as OpenAPI has it."""
    client = create_app(folder, settings=Settings(models=folder)).test_client()
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


def background_of(folder: Path, name: str) -> list[list[Any]]:
    file = folder / name / "1" / "background.json"
    rows: list[list[Any]] = json.loads(file.read_bytes())["instances"]
    return rows


def edges(pixels: int, parts: int) -> list[int]:
    return [number * pixels // parts for number in range(parts + 1)]


def by_tile(weighted: Array, grid: tuple[int, int]) -> Array:
    """Sums of what each pixel adds, of shape (height, width, channels), over tiles."""
    for axis in (0, 1):
        parts = edges(weighted.shape[axis], grid[axis])[:-1]
        weighted = np.add.reduceat(weighted, parts, axis=axis)
    return weighted.sum(axis=2)


@pytest.mark.parametrize(("name", "grid"), [("large", (7, 11)), ("small", (14, 14)), ("flat", (2, 14))])
def test_the_tiles_of_a_line_add_their_weighted_pixels(
    name: str, grid: tuple[int, int], ask: Callable[..., Any], folder: Path
) -> None:
    read, fitted = (step for _, step in ALONE[name].steps)
    channels = 3 if read.mode == "RGB" else 1
    [[mean]] = background_of(folder, name)
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
    rows = background_of(folder, "beside")
    row = frame.iloc[[7]]

    answer = ask("beside", row.to_numpy().tolist())

    assert answer["method"] == "exact"
    mean = pd.DataFrame(rows, columns=frame.columns)
    assert answer["base_value"] == pytest.approx(model.predict(mean).mean())
    apart = (columns.transform(row)[0] - columns.transform(mean).mean(axis=0)) * fitted.coef_
    grey, price, color, sign = np.split(apart, [108, 109, 409])
    [explanation] = answer["explanations"]
    assert explanation["contributions"] == {
        "photo": pytest.approx(grey.sum() + color.sum(), abs=1e-9),
        "price": pytest.approx(price[0], abs=1e-9),
        "sign": pytest.approx(sign.sum(), abs=1e-9),
    }
    # 5 pixels for 9 tiles to the right ... the smaller image has each pixel in every tile of it.
    small = color.reshape(5, 20, 3)
    across = edges(20, 9)
    expected = by_tile(grey.reshape(12, 9, 1), (12, 9))
    for down in range(12):
        only = small[[down * 5 // 12]]
        expected[down] += [only[:, a:b].sum() for a, b in zip(across, across[1:], strict=False)]
    found = explanation["tiles"]
    assert {name: (each["rows"], each["columns"]) for name, each in found.items()} == {
        "photo": (12, 9),
        "sign": (3, 3),
    }
    np.testing.assert_allclose(found["photo"]["contributions"], expected, atol=1e-9)
    np.testing.assert_allclose(found["sign"]["contributions"], sign.reshape(3, 3), atol=1e-9)
