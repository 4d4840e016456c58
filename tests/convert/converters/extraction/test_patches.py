"""Patches of images that stand in one row are what scikit-learn makes; others are refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.feature_extraction.image import PatchExtractor
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from onnxlet import Images
from onnxlet.convert.errors import Refusal
from onnxlet.convert.reference.images import text_of
from onnxlet.convert.sources.source import Source
from tests.convert.helpers import built, served
from tests.convert.images import digits, faces

DIGITS = digits()[0][:60]


def between(
    extractor: PatchExtractor, before: Callable[[Any], Any], after: Callable[[Any], Any]
) -> list[Any]:
    return [FunctionTransformer(before), extractor, FunctionTransformer(after)]


def in_color(X: Any) -> Any:
    return X.reshape(-1, 6, 6, 3)


def rows_of_16_patches(P: Any) -> Any:
    return P.reshape(-1, 16 * 3 * 3 * 3)


def squares(X: Any) -> Any:
    return X.reshape(-1, 8, 8)


def rows_of_25_patches(P: Any) -> Any:
    return P.reshape(-1, 25 * 4 * 4)


def test_patches_in_one_row_are_served(tmp_path: Path) -> None:
    steps = between(PatchExtractor(patch_size=(4, 4)), squares, rows_of_25_patches)
    model = make_pipeline(Images(8, 8), *steps, PCA(5, random_state=0)).fit(DIGITS)
    built(Source(model, DIGITS[:20]), tmp_path)

    rows = [[text_of(image)] for image in DIGITS]
    got = served(tmp_path).post("/predict", json={"instances": rows}).get_json()

    np.testing.assert_allclose(got["prediction"], model.transform(DIGITS), rtol=1e-5, atol=1e-3)


@pytest.mark.long
def test_of_images_in_color_with_a_classifier(tmp_path: Path) -> None:
    images, labels = faces()
    steps = between(PatchExtractor(patch_size=(3, 3)), in_color, rows_of_16_patches)
    model = make_pipeline(Images(6, 6, "RGB"), *steps, GaussianNB()).fit(images, labels)

    made = built(Source(model, images[::4], labels[::4]), tmp_path)

    assert made.manifest["parity"]["differing_rows"] == 0
    assert made.manifest["metrics"]["accuracy"]["model"] > 0.7


def refused(model: Any, tmp_path: Path) -> str:
    with pytest.raises(Refusal) as refusal:
        built(Source(model, DIGITS[:10]), tmp_path)
    assert "PatchExtractor(patch_size=(7, 7))" in refusal.value.hint
    return refusal.value.message


def test_patches_at_random_are_refused(tmp_path: Path) -> None:
    extractor = PatchExtractor(patch_size=(4, 4), max_patches=9, random_state=0)
    steps = between(extractor, squares, lambda P: P.reshape(-1, 9 * 16))

    said = refused(make_pipeline(Images(8, 8), *steps).fit(DIGITS), tmp_path)

    assert "they draw patches at random, compute, or leave several rows" in said


def test_arithmetic_around_them_is_refused(tmp_path: Path) -> None:
    halves = between(
        PatchExtractor(patch_size=(4, 4)), squares, lambda P: P.reshape(-1, 25 * 16) / 2
    )

    assert "more than to move numbers" in refused(
        make_pipeline(Images(8, 8), *halves).fit(DIGITS), tmp_path
    )


def test_several_rows_of_an_image_are_refused(tmp_path: Path) -> None:
    patches = (FunctionTransformer(squares), PatchExtractor(patch_size=(4, 4)))
    flat = FunctionTransformer(lambda P: P.reshape(-1, 16))
    model = make_pipeline(Images(8, 8), *patches, flat).fit(DIGITS)

    with pytest.raises(Refusal, match="it answers 10 rows by 250: some step makes several") as one:
        built(Source(model, DIGITS[:10]), tmp_path)

    assert "reshape(-1, 25 * 16)" in one.value.hint
