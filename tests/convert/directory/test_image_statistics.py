"""The reference of a column of images: brightness and contrast of what the graph gets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from onnxlet.convert.directory.reference_statistics import edges_of, reference_statistics
from onnxlet.function.arrays import Array
from onnxlet.function.models.model import load_model
from tests.function.image_models import add_model, grey_pixels, picture, text

MEASURES: Sequence[tuple[str, Callable[[Array], float]]] = (
    ("brightness", lambda pixels: float(pixels.mean())),
    ("contrast", lambda pixels: float(pixels.std())),
)


def test_brightness_and_contrast(tmp_path: Path) -> None:
    add_model(tmp_path, "photos")
    model = load_model(tmp_path / "photos" / "1")
    rows = [[text(picture(seed))] for seed in range(150)]  # more than are decoded together
    grey = [grey_pixels(row[0]) for row in rows]
    outputs = {"prediction": np.array([each.mean() for each in grey])}
    found = reference_statistics(model, rows, "X_test", rows, outputs)
    assert found is not None
    features = [each for each in found["features"] if each.get("column") == "photo"]
    for entry, (name, measure) in zip(features, MEASURES, strict=True):
        values = np.sort([measure(each) for each in grey])
        edges = edges_of(values)
        bins = np.searchsorted(edges, values, side="left")
        assert entry == {
            "column": "photo",
            "measure": name,
            "edges": edges,
            "counts": np.bincount(bins, minlength=len(edges) + 1).tolist(),
            "missing": 0,
        }
    assert found["left_out"] == []
