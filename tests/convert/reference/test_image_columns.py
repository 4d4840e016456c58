"""Test sets of images, in whatever form, become texts as requests have them."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.compose import make_column_transformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from onnxlet import Images
from onnxlet.convert.errors import Refusal
from onnxlet.convert.reference.image_columns import takes_images, with_images_beside
from onnxlet.convert.reference.inputs import read_inputs
from onnxlet.convert.sources.source import load_source
from tests.convert.helpers import objects
from tests.convert.images import digits, encoded, noise, written

DIGITS = digits()[0][:5]
BYTES = [encoded(Image.fromarray(image)) for image in DIGITS]
TEXTS = [b64encode(content).decode() for content in BYTES]

FORMS: dict[str, tuple[Callable[[], Any], str, str]] = {
    "numbers": (lambda: DIGITS, "texts", "x0"),
    "bytes": (lambda: BYTES, "texts", "x0"),
    "bytes in an array": (lambda: objects(BYTES).to_numpy(), "texts", "x0"),
    "arrays": (lambda: list(DIGITS), "texts", "x0"),
    "Pillow": (lambda: [Image.open(BytesIO(b)) for b in BYTES], "texts", "x0"),
    "base64": (lambda: TEXTS, "texts", "x0"),
    "a Series": (lambda: objects(BYTES).rename("photo"), "series", "photo"),
    "a frame": (lambda: pd.DataFrame({"photo": objects(BYTES)}), "frame", "photo"),
    "a frame of text": (lambda: pd.DataFrame({"photo": TEXTS}), "frame", "photo"),
    "a column": (lambda: objects(BYTES).to_numpy().reshape(-1, 1), "array", "x0"),
    "rows of one": (lambda: [[each] for each in BYTES], "array", "x0"),
}


@pytest.mark.parametrize(("make", "form", "name"), FORMS.values(), ids=FORMS)
def test_images_become_their_files_in_base64(make: Callable[[], Any], form: str, name: str) -> None:
    inputs, data = read_inputs(make(), images=True)
    [column] = inputs.columns
    rows = inputs.rows(data)

    assert (inputs.form, column.name, column.type, column.image) == (form, name, "string", True)
    pixels = [np.asarray(Image.open(BytesIO(b64decode(text)))) for [text] in rows]
    np.testing.assert_array_equal(pixels, DIGITS)
    again = inputs.rows(inputs.data(rows))
    assert again == rows


def test_files_stay_as_they_are(tmp_path: Path) -> None:
    content = encoded(noise(0, 9, 9), "JPEG", quality=40)
    (tmp_path / "a.jpg").write_bytes(content)

    for cell in (content, tmp_path / "a.jpg", str(tmp_path / "a.jpg"), b64encode(content).decode()):
        inputs, data = read_inputs(pd.DataFrame({"photo": objects([cell])}), images=True)
        assert inputs.rows(data) == [[b64encode(content).decode()]]


def test_other_columns_of_text_and_gaps_stay_as_they_are() -> None:
    frame = pd.DataFrame(
        {"photo": objects([*BYTES[:4], None]), "size": range(5), "kind": ["a", "b", "a", None, "a"]}
    )

    inputs, data = read_inputs(frame, images=True)

    assert [(c.name, c.image) for c in inputs.columns] == [
        ("photo", True), ("size", False), ("kind", False),
    ]  # fmt: skip
    rows = inputs.rows(data)
    assert [row[0] is None for row in rows] == [False] * 4 + [True]
    assert [row[1:] for row in rows] == [[0, "a"], [1, "b"], [2, "a"], [3, None], [4, "a"]]


def test_texts_are_images_only_for_a_model_of_them() -> None:
    inputs, data = read_inputs(pd.DataFrame({"photo": TEXTS}))

    assert not inputs.columns[0].image
    assert inputs.rows(data) == [[text] for text in TEXTS]
    assert takes_images(make_pipeline(Images(2, 2), StandardScaler()).fit(BYTES))
    assert takes_images(make_column_transformer((Images(2, 2), [0])))
    assert not takes_images(make_pipeline(StandardScaler()))


@pytest.mark.parametrize("X", [DIGITS, BYTES, list(DIGITS)], ids=["array", "bytes", "arrays"])
def test_without_a_step_for_them_images_are_refused_with_what_to_do(X: Any) -> None:
    with pytest.raises(Refusal, match="X_test: it holds images, and no step") as refusal:
        read_inputs(X)

    assert refusal.value.hint.startswith("Put onnxlet.Images first: make_pipeline(onnxlet.Images(")


def test_a_column_of_them_is_unserved_without_a_step_that_reads_it() -> None:
    inputs, _ = read_inputs(pd.DataFrame({"photo": objects(BYTES), "size": range(5)}))

    assert inputs.columns[0].unserved == (
        "X_test, column 'photo': it holds images, and no step of the estimator reads them; put "
        "onnxlet.Images first"
    )


def test_every_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    rows = [*written(tmp_path, DIGITS), *(tmp_path / f"{row}.gif" for row in range(7))]

    with pytest.raises(Refusal, match="X_train, column 'photo': 7 of 12 images") as refusal:
        read_inputs(pd.DataFrame({"photo": objects(rows)}), "X_train", images=True)

    assert f"row 5: '{tmp_path / '0.gif'}': No such file or directory; row 6: " in str(
        refusal.value
    )
    assert refusal.value.message.endswith("; and 2 more")


@pytest.mark.long
def test_paths_in_a_table_are_read_from_its_own_folder(tmp_path: Path) -> None:
    written(tmp_path / "photos", DIGITS)
    model = make_column_transformer((Images(8, 8), ["photo"]), ("passthrough", ["size"]))
    paths = [f"photos/{row}.png" for row in range(5)]
    frame = pd.DataFrame({"photo": paths, "size": range(5), "kind": list("abcab")})
    frame.to_csv(tmp_path / "rows.csv", index=False)
    full = frame.assign(photo=[str(tmp_path / path) for path in paths])
    from skops import io

    io.dump(model.fit(full), tmp_path / "model.skops")

    loaded = load_source(str(tmp_path / "model.skops"), tmp_path / "rows.csv")
    source = with_images_beside(loaded)

    np.testing.assert_array_equal(
        source.estimator.transform(source.X_test)[:, :64], DIGITS.reshape(5, 64)
    )
    assert source.X_test["kind"].tolist() == list("abcab")
    plain = replace(loaded, estimator=make_pipeline(StandardScaler()))
    assert with_images_beside(plain) is plain
